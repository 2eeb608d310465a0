// want: threshold rate<0.01 of http_req_failed was crossed: 1
import http from 'k6/http';
export const options = { thresholds: { http_req_failed: ['rate<0.01'] } };
export default () => http.get(__ENV.URL + '/status/500');
