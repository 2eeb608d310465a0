// want: no request belongs to the init code
import http from 'k6/http';
http.get(__ENV.URL);
export default () => {};
