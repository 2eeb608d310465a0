// want: undefinedName is not defined
export default () => undefinedName;
