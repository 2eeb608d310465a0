// want: threshold rate>0.99 of checks was crossed: 0.5
import { check } from 'k6';
export const options = { thresholds: { checks: ['rate>0.99'] } };
export default () => check(1, { one: true, two: false });
