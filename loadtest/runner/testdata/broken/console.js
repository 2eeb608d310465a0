// want: console.table is not known to this runner
export default () => console.table([]);
