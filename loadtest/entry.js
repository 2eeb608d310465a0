// Scenic entry under load: visitors arrive at the gates of one attraction at a steady rate, each with a ticket of their
// own, and the gate opens for each. Beside what lib.js reads:
//   WARMGATE_SPOT     the attraction's id
//   WARMGATE_GATE     its gates, with commas between
//   WARMGATE_TICKETS  name of a file with a JSON list of ticket codes, one for each visitor; or a ticket code in which
//                     {n} stands for the visitor's number, counted from 0
//
//   k6 run -e WARMGATE_URL=… -e WARMGATE_TOKEN=… -e WARMGATE_THRESHOLDS="$(warmgate check --k6 -c configs/gateway.yaml)" \
//     -e WARMGATE_SPOT=… -e WARMGATE_GATE=… -e WARMGATE_TICKETS=tickets.json loadtest/entry.js

import { check } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import { arrivals, post, required, runId, summary } from './lib.js';

const journey = 'scenic-entry';
const spot = required('WARMGATE_SPOT');
const gates = required('WARMGATE_GATE').split(',');
const source = required('WARMGATE_TICKETS');
const tickets = source.includes('{n}') ? null : new SharedArray('tickets', () => JSON.parse(open(source)));

export const options = arrivals(journey);

export function setup() {
  return { run: runId() };
}

/** @param {{run: string}} data */
export default function (data) {
  const n = exec.scenario.iterationInTest;
  const scan = `${data.run}-${n}`;
  const res = post(journey, '/v1/attractions/{spot}/entries', `/v1/attractions/${spot}/entries`, entry(n, scan), scan);
  check(
    res,
    {
      'the gate opens': (r) => r.status === 201,
      'the answer says where it comes from': (r) => r.status === 201 && Array.isArray(r.json('sources')),
    },
    { journey },
  );
}

export const handleSummary = summary;

/**
 * The body of one entry.
 * @param {number} n the visitor's number
 * @param {string} scan unique for each scan
 */
function entry(n, scan) {
  return { gate: gates[n % gates.length], scan_id: scan, ticket: { code: ticket(n) } };
}

/**
 * The ticket of visitor n. When the list is used up the run ends: a ticket shown twice is another journey.
 * @param {number} n
 * @returns {string}
 */
function ticket(n) {
  if (!tickets) {
    return source.replace('{n}', String(n));
  }
  if (n >= tickets.length) {
    exec.test.abort(`WARMGATE_TICKETS has ${tickets.length} tickets, and one more visitor came`);
  }
  return tickets[n];
}
