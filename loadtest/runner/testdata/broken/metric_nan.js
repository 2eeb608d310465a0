// want: seen.add: undefined is no number
import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export default () => seen.add(undefined);
