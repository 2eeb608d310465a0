// Finding a room under load: citizens search around points of one city at a steady rate, and each hears of every hotel of
// the circle, with when that was known; hotels that were not heard of are named. Beside what lib.js reads:
//   WARMGATE_NEAR     LAT,LON of the city's middle
//   WARMGATE_SPREAD   how far from it the points are, in metres (default 5000)
//   WARMGATE_RADIUS   of a search, in metres (default 2000)
//   WARMGATE_AHEAD    days from today to the first arrivals (default 1)
//   WARMGATE_STAYS    how many days of arrival there are (default 3): each is another question to each hotel
//   WARMGATE_PAGES    how many pages a citizen reads, where there are so many (default 2)
//   WARMGATE_MISSING  the share of searches that may have a hotel missing (default 0.01)
// Each search is at a point of its own, so that no answer is given twice; what is known of a hotel is used again.
//
//   k6 run -e WARMGATE_URL=… -e WARMGATE_TOKEN=… -e WARMGATE_THRESHOLDS="$(warmgate check --k6 -c configs/gateway.yaml)" \
//     -e WARMGATE_NEAR=30.25,120.16 loadtest/rooms.js

import { check } from 'k6';
import exec from 'k6/execution';
import { Rate } from 'k6/metrics';
import { arrivals, get, required, summary } from './lib.js';

const journey = 'rooms-search';
const [lat, lon] = point(required('WARMGATE_NEAR'));
const spread = Number(__ENV.WARMGATE_SPREAD || 5000);
const radius = Number(__ENV.WARMGATE_RADIUS || 2000);
const ahead = Number(__ENV.WARMGATE_AHEAD || 1);
const stays = Number(__ENV.WARMGATE_STAYS || 3);
const pages = Number(__ENV.WARMGATE_PAGES || 2);

/** Searches whose answer lacks a hotel. */
const incomplete = new Rate('rooms_incomplete');

const promised = arrivals(journey);

export const options = {
  ...promised,
  thresholds: { ...promised.thresholds, rooms_incomplete: [`rate<=${Number(__ENV.WARMGATE_MISSING || 0.01)}`] },
};

export default function () {
  const query = question(exec.scenario.iterationInTest);
  let cursor = '';
  for (let page = 0; page < pages && (page === 0 || cursor); page++) {
    const res = get(journey, '/v1/rooms', `/v1/rooms?${query}${cursor && `&cursor=${cursor}`}`);
    const right = check(
      res,
      {
        'the search is answered': (r) => r.status === 200,
        'every hotel is in the circle, and says when it was known': (r) => r.status === 200 && hotels(r).every(known),
        'what is missing is named': (r) => r.status === 200 && (r.json('complete') === true) === (list(r, 'missing').length === 0),
      },
      { journey },
    );
    if (!right) {
      return;
    }
    incomplete.add(res.json('complete') !== true);
    cursor = String(res.json('cursor') || '');
  }
}

export const handleSummary = summary;

/**
 * @param {string} text LAT,LON in degrees
 * @returns {[number, number]}
 */
function point(text) {
  const [a, b] = text.split(',').map(Number);
  if (!(Math.abs(a) <= 85) || !(Math.abs(b) <= 180)) {
    throw new Error(`WARMGATE_NEAR is ${text}: it must be LATITUDE,LONGITUDE in degrees`);
  }
  return [a, b];
}

/**
 * The parameters of search n: around a point of its own, evenly spread over the city.
 * @param {number} n
 * @returns {string}
 */
function question(n) {
  const degree = 111_195; // metres of one of latitude
  const away = spread * Math.sqrt(Math.random());
  const to = 2 * Math.PI * Math.random();
  const north = lat + (away * Math.cos(to)) / degree;
  const east = lon + (away * Math.sin(to)) / (degree * Math.cos((lat * Math.PI) / 180));
  const arrival = new Date(Date.now() + (ahead + (n % stays)) * 86_400_000).toISOString().slice(0, 10);
  return `near=${north.toFixed(6)},${east.toFixed(6)}&radius=${radius}&check_in=${arrival}&nights=${1 + (n % 2)}&guests=2`;
}

/**
 * @param {import('k6/http').RefinedResponse<'text'>} r
 * @param {string} name of a member that is a list
 * @returns {any[]}
 */
function list(r, name) {
  const all = r.json(name);
  return Array.isArray(all) ? all : [];
}

/**
 * @param {import('k6/http').RefinedResponse<'text'>} r
 * @returns {{distance_m: number, as_of: string, state: string, offers: object[]}[]}
 */
function hotels(r) {
  return list(r, 'hotels');
}

/**
 * @param {{distance_m: number, as_of: string, state: string, offers: object[]}} hotel
 * @returns {boolean}
 */
function known(hotel) {
  return (
    hotel.distance_m <= radius &&
    Date.parse(hotel.as_of) <= Date.now() + 60_000 &&
    ['live', 'cached', 'stale'].includes(hotel.state) &&
    hotel.offers.length > 0
  );
}
