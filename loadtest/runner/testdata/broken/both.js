// want: scenarios stand beside vus
export const options = { vus: 1, scenarios: { x: { executor: 'shared-iterations' } } };
export default () => {};
