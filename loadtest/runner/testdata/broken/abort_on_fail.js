// want: abortOnFail is not known to this runner
export const options = { thresholds: { checks: [{ threshold: 'rate>0', abortOnFail: true }] } };
export default () => {};
