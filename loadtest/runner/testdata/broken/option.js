// want: unknown object member name "rps"
export const options = { rps: 5 };
export default () => {};
