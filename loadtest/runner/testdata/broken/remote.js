// want: https://jslib.k6.io/k6-summary/index.js: modules of other machines are not loaded
import { textSummary } from 'https://jslib.k6.io/k6-summary/index.js';
export default () => textSummary;
