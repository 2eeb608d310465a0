// want: No matching export in "runner:k6" for import "randomSeed"
import { randomSeed } from 'k6';
export default () => randomSeed(1);
