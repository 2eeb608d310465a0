// want: Cannot assign to read only property
import { SharedArray } from 'k6/data';
const list = new SharedArray('list', () => [{ a: 1 }]);
export default () => { list[0].a = 2; };
