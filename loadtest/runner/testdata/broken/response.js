// want: Response.cookies is not known to this runner
import http from 'k6/http';
export default () => http.get(__ENV.URL + '/echo').cookies;
