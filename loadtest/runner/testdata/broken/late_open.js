// want: open belongs to the init code
export default () => open('words.json');
