// want: want AGGREGATE OPERATOR NUMBER
export const options = { thresholds: { checks: ['rate is good'] } };
export default () => {};
