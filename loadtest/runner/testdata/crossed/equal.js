// want: threshold rate>1 of checks was crossed: 1
import { check } from 'k6';
export const options = { thresholds: { checks: ['rate>1', 'rate>=1', 'rate<=1'] } };
export default () => check(1, { one: true });
