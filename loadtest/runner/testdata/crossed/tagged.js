// want: threshold p(95)<0 of http_req_duration{journey:x} was crossed
import http from 'k6/http';
export const options = { thresholds: { http_req_duration: ['p(95)<5000'], 'http_req_duration{journey:x}': ['p(95)<0'] } };
export default () => http.get(__ENV.URL + '/echo', { tags: { journey: 'x' } });
