// want: cannot open
open('nothing.json');
export default () => {};
