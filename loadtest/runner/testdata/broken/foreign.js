// want: gateway.example:80: not a loopback address
import http from 'k6/http';
export default () => http.get('http://gateway.example:80/');
