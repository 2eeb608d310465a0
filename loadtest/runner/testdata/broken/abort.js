// want: aborted by the script: enough
import exec from 'k6/execution';
export default () => exec.test.abort('enough');
