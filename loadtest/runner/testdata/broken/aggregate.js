// want: p(95) is not known for a rate; it has rate
export const options = { thresholds: { checks: ['p(95)<800'] } };
export default () => {};
