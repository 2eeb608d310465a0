import { check, fail, group, sleep } from 'k6';
import k6 from 'k6';
import { equal } from '../assert.js';

export const options = {
  iterations: 4,
  vus: 2,
  thresholds: {
    checks: ['rate==0.875'],
    'checks{check:always}': ['rate==1'],
    'checks{colour:blue}': ['rate>0.85', 'rate<0.86'],
    iterations: ['count==4'],
    'group_duration{group:::outer::inner}': ['count==4', 'min>=1'],
  },
};

export default function () {
  equal(typeof k6.check, 'function', 'default export');
  const inner = group('outer', () => group('inner', () => {
    sleep(0.002);
    check(1, { always: (x) => x === 1 });
    return 'answer';
  }));
  equal(inner, 'answer', 'group returns');
  equal(check(2, { even: (x) => x % 2 === 0, odd: (x) => x % 2 === 1, bare: true }, { colour: 'blue' }), false, 'check');
  equal(check(2, { even: (x) => x % 2 === 0, bare: true, more: 1, most: 'yes' }, { colour: 'blue' }), true, 'check');
  if (__ITER === 0) {
    fail('only an iteration ends here');
  }
}
