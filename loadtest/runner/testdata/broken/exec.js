// want: scenario "x": the script exports no function "nobody"
export const options = { scenarios: { x: { executor: 'shared-iterations', exec: 'nobody' } } };
export default () => {};
