// want: gateway.example: not a loopback address
import http from 'k6/http';
export default () => http.get(__ENV.URL + '/away');
