// want: setInterval is not defined
export default () => setInterval(() => {}, 1);
