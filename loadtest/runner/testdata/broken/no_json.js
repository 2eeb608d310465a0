// want: is no JSON
import http from 'k6/http';
export default () => http.get(__ENV.URL + '/status/200').json();
