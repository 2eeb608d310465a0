// Hotel check-in under load: parties arrive at the kiosks of one hotel at a steady rate, each with a booking of its own
// for today, and each gets its room and key. Beside what lib.js reads:
//   WARMGATE_HOTEL   the hotel's id
//   WARMGATE_KIOSK   its kiosks, with commas between
//   WARMGATE_GUESTS  name of a file with a JSON list, one member for each party: what its kiosk sends, but for the kiosk
//                    ({booking: {confirmation}, guests: [{face, document}]}). guests.js makes it at a sandbox. Mind that it
//                    holds documents and faces: a real one is personal data
//   WARMGATE_KEYS    kiosk (default), or staff where a person cuts the keys: then each check-in ends with that
//
//   k6 run -e WARMGATE_URL=… -e WARMGATE_TOKEN=… -e WARMGATE_THRESHOLDS="$(warmgate check --k6 -c configs/gateway.yaml)" \
//     -e WARMGATE_HOTEL=… -e WARMGATE_KIOSK=… -e WARMGATE_GUESTS=guests.json loadtest/checkin.js

import { check } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import { arrivals, post, required, runId, summary } from './lib.js';

const journey = 'hotel-check-in';
const hotel = required('WARMGATE_HOTEL');
const kiosks = required('WARMGATE_KIOSK').split(',');
const source = required('WARMGATE_GUESTS');
const parties = new SharedArray('parties', () => JSON.parse(open(source)));
const byStaff = keysByStaff(__ENV.WARMGATE_KEYS || 'kiosk');

export const options = arrivals(journey);

export function setup() {
  return { run: runId() };
}

/** @param {{run: string}} data */
export default function (data) {
  const n = exec.scenario.iterationInTest;
  const body = { kiosk: kiosks[n % kiosks.length], ...party(n) };
  const res = post(journey, '/v1/hotels/{hotel}/check-ins', `/v1/hotels/${hotel}/check-ins`, body, `${data.run}-${n}`);
  if (byStaff) {
    check(res, { 'the guest is in house, and staff cut the key': forStaff }, { journey });
    return;
  }
  check(
    res,
    {
      'the guest has a room and a key': withKey,
      'the answer says where it comes from': (r) => r.status === 201 && Array.isArray(r.json('sources')),
    },
    { journey },
  );
}

export const handleSummary = summary;

/**
 * The guest is new, and the kiosk gives the key: whoever is in house already was not checked in by this run.
 * @param {import('k6/http').RefinedResponse<'text'>} r
 * @returns {boolean}
 */
function withKey(r) {
  return r.status === 201 && r.json('decision') === 'checked-in' && r.json('again') !== true && Number(r.json('keys.count')) > 0;
}

/**
 * All is done but the key.
 * @param {import('k6/http').RefinedResponse<'text'>} r
 * @returns {boolean}
 */
function forStaff(r) {
  return r.status === 202 && r.json('assist.kind') === 'key';
}

/**
 * The party of arrival n. When the list is used up the run ends: a booking that is checked in twice is another journey.
 * @param {number} n
 * @returns {object}
 */
function party(n) {
  if (n >= parties.length) {
    exec.test.abort(`WARMGATE_GUESTS has ${parties.length} parties, and one more arrived`);
  }
  return parties[n];
}

/**
 * @param {string} word
 * @returns {boolean}
 */
function keysByStaff(word) {
  if (word !== 'kiosk' && word !== 'staff') {
    throw new Error(`WARMGATE_KEYS is ${word}, and may be kiosk or staff`);
  }
  return word === 'staff';
}
