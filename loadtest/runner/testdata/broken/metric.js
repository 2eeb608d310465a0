// want: the script declares no metric "http_request_duration"
export const options = { thresholds: { http_request_duration: ['p(95)<800'] } };
export default () => {};
