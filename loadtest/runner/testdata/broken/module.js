// want: the module k6/ws is not known to this runner
import ws from 'k6/ws';
export default () => ws;
