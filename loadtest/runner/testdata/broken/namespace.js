// want: Import "batch" will always be undefined
import * as http from 'k6/http';
export default () => http.batch([]);
