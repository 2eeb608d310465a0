// Leave first, pay later under load: cars come into one lot at a steady rate, and each leaves again after a moment; the
// barrier opens for each both times, and each exit has a bill. The barriers say that the cars have been inside for longer, so
// that a bill is of more than nothing. Beside what lib.js reads:
//   WARMGATE_LOT     the lot's id
//   WARMGATE_ENTRY   its barriers on the way in, with commas between
//   WARMGATE_EXIT    its barriers on the way out
//   WARMGATE_PARKED  how long the cars say that they were inside, in seconds (default 3600)
//   WARMGATE_STAY    how long they are, in seconds (default 1): time for the lot's collector to say that a car may pay later
//   WARMGATE_SEED    a whole number that the plates are made from (default: another one in each run). The same cars again
//                    within WARMGATE_PARKED would have been inside twice at once, which the lot corrects
// A real lot would report these cars to its city and charge them: run this at one whose connectors lead to twins. Hangzhou's
// city tells cars apart by entry and second: at a lot that reports to it, one car a second at each barrier is the most.
//
//   k6 run -e WARMGATE_URL=… -e WARMGATE_TOKEN=… -e WARMGATE_THRESHOLDS="$(warmgate check --k6 -c configs/gateway.yaml)" \
//     -e WARMGATE_LOT=… -e WARMGATE_ENTRY=… -e WARMGATE_EXIT=… loadtest/parking.js

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { arrivals, post, required, runId, summary } from './lib.js';

const entering = 'parking-entry';
const leaving = 'parking-exit';
const lot = required('WARMGATE_LOT');
const entries = required('WARMGATE_ENTRY').split(',');
const exits = required('WARMGATE_EXIT').split(',');
const parked = Number(__ENV.WARMGATE_PARKED || 3600);
const stay = Number(__ENV.WARMGATE_STAY || 1);

export const options = arrivals(entering, leaving);

export function setup() {
  return { run: runId(), seed: Number(__ENV.WARMGATE_SEED || Date.now()) };
}

/** @param {{run: string, seed: number}} data */
export default function (data) {
  const n = exec.scenario.iterationInTest;
  const car = plate(data.seed, n);
  const came = pass(entering, 'entries', `${data.run}-${n}-in`, entries[n % entries.length], car, Date.now() - parked * 1000);
  check(came, { 'the barrier opens, and the car is inside': (r) => opened(r) && r.json('state') === 'inside' }, { journey: entering });
  sleep(stay);
  const left = pass(leaving, 'exits', `${data.run}-${n}-out`, exits[n % exits.length], car, Date.now());
  check(
    left,
    {
      'the barrier opens, and the car has left': (r) => opened(r) && r.json('state') === 'left',
      'the visit has its bill': (r) => r.status === 201 && Number(r.json('bill.due.minor')) >= 0 && Boolean(r.json('bill.id')),
    },
    { journey: leaving },
  );
}

export const handleSummary = summary;

/**
 * Sends one event of a barrier.
 * @param {string} journey
 * @param {string} way entries or exits
 * @param {string} event unique for each event of the lot
 * @param {string} gate
 * @param {string} car its plate
 * @param {number} at milliseconds since 1970
 */
function pass(journey, way, event, gate, car, at) {
  const body = { gate, event_id: event, plate: car, occurred_at: new Date(at).toISOString() };
  return post(journey, `/v1/parking-lots/{lot}/${way}`, `/v1/parking-lots/${lot}/${way}`, body, event);
}

/**
 * The barrier opens, and the event is kept: one that is not would have to be sent again.
 * @param {import('k6/http').RefinedResponse<'text'>} r
 * @returns {boolean}
 */
function opened(r) {
  return r.status === 201 && r.json('decision') === 'open' && r.json('recorded') === true;
}

/**
 * The plate of car n: another one for each n below 6,336,000, in an order that does not look like one.
 * @param {number} seed
 * @param {number} n
 * @returns {string}
 */
function plate(seed, n) {
  const offices = 'ABCDEFGHJKL';
  const letters = 'ABCDEFGHJKLMNPQRSTUVWXYZ'; // I and O are on no plate
  const plates = offices.length * letters.length * letters.length * 1000;
  let rest = (((seed + n) % plates) * 1_000_003) % plates; // has no divisor in common with plates
  const digits = String(rest % 1000).padStart(3, '0');
  rest = Math.floor(rest / 1000);
  const second = letters[rest % letters.length];
  rest = Math.floor(rest / letters.length);
  return `浙${offices[Math.floor(rest / letters.length)]}${letters[rest % letters.length]}${second}${digits}`;
}
