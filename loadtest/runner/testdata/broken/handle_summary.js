// want: handleSummary: TypeError
export default () => {};
export const handleSummary = (data) => ({ stdout: data.metrics.nothing.values });
