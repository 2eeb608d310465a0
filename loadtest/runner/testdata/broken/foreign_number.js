// want: 192.0.2.1: not a loopback address
import http from 'k6/http';
export default () => http.get('http://192.0.2.1/');
