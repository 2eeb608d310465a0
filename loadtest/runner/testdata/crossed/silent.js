// want: threshold p(95)<800 of http_req_duration{journey:misspelt} was crossed: NaN
import http from 'k6/http';
export const options = { thresholds: { 'http_req_duration{journey:misspelt}': ['p(95)<800'] } };
export default () => http.get(__ENV.URL + '/echo', { tags: { journey: 'x' } });
