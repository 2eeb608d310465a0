// want: an async predicate is not known to this runner
import { check } from 'k6';
export default () => check(1, { bad: async () => true });
