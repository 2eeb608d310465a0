// want: the gate is gone
export default () => { throw new Error('the gate is gone'); };
