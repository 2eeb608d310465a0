// want: k6/http.batch is not known to this runner
import http from 'k6/http';
export default () => http.batch([]);
