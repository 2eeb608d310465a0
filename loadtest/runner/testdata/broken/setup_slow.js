// want: setup: not done within 10ms
export const options = { setupTimeout: 10 };
export function setup() { for (;;); }
export default () => {};
