// want: the executor "externally-controlled" is not known to this runner
export const options = { scenarios: { x: { executor: 'externally-controlled' } } };
export default () => {};
