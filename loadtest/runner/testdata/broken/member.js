// want: options.scenarios.x: stages is no member of the executor constant-vus
export const options = { scenarios: { x: { executor: 'constant-vus', duration: '1s', stages: [{ target: 1, duration: '1s' }] } } };
export default () => {};
