// want: k6/execution.scenario.progress is not known to this runner
import exec from 'k6/execution';
export default () => exec.scenario.progress;
