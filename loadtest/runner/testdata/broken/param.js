// want: params.jar: the parameter is not known to this runner
import http from 'k6/http';
export default () => http.get(__ENV.URL + '/echo', { jar: null });
