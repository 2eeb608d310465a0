import { sleep } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import { equal } from '../assert.js';

const words = new SharedArray('words', () => JSON.parse(open('./words.json')));
const bytes = open('words.json', 'b');

export const options = {
  setupTimeout: '5s',
  tags: { suite: 'all' },
  scenarios: {
    shared: { executor: 'shared-iterations', vus: 3, iterations: 9, exec: 'shared', env: { WHO: 'shared' } },
    steady: { executor: 'constant-vus', vus: 2, duration: '60ms', exec: 'steady', tags: { pace: 'slow' } },
    later: { executor: 'shared-iterations', startTime: 30, exec: 'later', maxDuration: '5s', gracefulStop: 0 },
  },
  thresholds: {
    'iterations{scenario:shared, suite:all}': ['count==9'],
    'iterations{pace:slow}': ['count>=2'],
    'iterations{scenario:later}': ['count==1'],
  },
};

export function setup() {
  return { from: 'setup', list: [1, 2] };
}

export async function shared(data) {
  equal(data, { from: 'setup', list: [1, 2] }, 'data');
  equal(await Promise.resolve(__ENV.WHO), 'shared', 'env of the scenario');
  equal([words.length, words[2], Object.isFrozen(words)], [3, 'three', true], 'shared array');
  equal(new Uint8Array(bytes)[0], 91, 'binary open');
  equal([exec.scenario.name, exec.scenario.iterationInTest < 9, exec.vu.idInTest === __VU], ['shared', true, true], 'exec');
  equal(exec.vu.iterationInScenario, __ITER, 'iteration');
  data.list.push(3);
  data.list.pop();
}

export function steady() {
  equal(__ENV.WHO, undefined, 'another scenario has another env');
  sleep(0.01);
}

export function later() {
  equal(exec.scenario.startTime <= Date.now(), true, 'start');
}

export function teardown(data) {
  equal(data.from, 'setup', 'teardown');
  console.log('torn', 'down');
}
