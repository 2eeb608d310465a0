// want: no such thing
import { check } from 'k6';
export default () => check(1, { bad: () => { throw new Error('no such thing'); } });
