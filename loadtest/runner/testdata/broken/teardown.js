// want: teardown: Error: no house
export function teardown() { throw new Error('no house'); }
export default () => {};
