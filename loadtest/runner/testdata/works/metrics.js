import { Counter, Gauge, Rate, Trend } from 'k6/metrics';

const seen = new Counter('seen');
const level = new Gauge('level');
const good = new Rate('good');
const size = new Trend('size');
const took = new Trend('took', true);

export const options = {
  iterations: 1,
  thresholds: {
    seen: ['count==7', 'rate>0'],
    'seen{colour:red}': ['count==3'],
    'seen{colour:red, shape:round}': ['count==1'],
    level: ['value==2', 'min==-1', 'max==5'],
    good: ['rate==0.5', { threshold: 'rate>=0.5' }],
    size: ['min<=1', 'min>=1', 'p(99)>99', 'p(99)<99.02', 'max==100', 'avg==50.5', 'med==50.5', 'p(90)>90', 'p(90)<=90.11', 'p(100)===100', 'p(0)==1', 'count==100'],
  },
};

export default function () {
  seen.add(4);
  seen.add(2, { colour: 'red' });
  seen.add(1, { colour: 'red', shape: 'round' });
  [5, -1, 2].forEach((x) => level.add(x));
  [true, false, 7, 0].forEach((x) => good.add(x));
  for (let i = 100; i > 0; i--) {
    size.add(i);
  }
  took.add(1.5);
}

export function handleSummary(data) {
  const { size, took, seen } = data.metrics;
  return {
    stdout: JSON.stringify([size.contains, took.contains, seen.type, seen.values.count, took.values['p(95)']]),
    'kept.json': JSON.stringify(seen.thresholds),
  };
}
