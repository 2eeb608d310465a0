// want: setup: Error: no house
export function setup() { throw new Error('no house'); }
export default () => {};
