// want: constant-vus needs a duration
export const options = { scenarios: { x: { executor: 'constant-vus', vus: 1 } } };
export default () => {};
