// want: new Counter belongs to the init code
import { Counter } from 'k6/metrics';
export default () => new Counter('late');
