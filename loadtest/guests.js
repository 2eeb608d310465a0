// Makes the guests that checkin.js lets arrive, at a sandbox: people whom its identity service knows, each with a booking
// for today, and at a hotel run by OPERA Cloud rooms enough for them all. It reads
//   WARMGATE_CITY    the city's address, which `warmgate sandbox` prints
//   WARMGATE_HOTEL   the hotel's id
//   WARMGATE_COUNT   how many parties of one (default 100)
//   WARMGATE_GUESTS  the file to write, by an absolute name; checkin.js reads it
//
//   k6 run -e WARMGATE_CITY=http://127.0.0.1:8082 -e WARMGATE_HOTEL=lakeside -e WARMGATE_COUNT=1500 \
//     -e WARMGATE_GUESTS="$PWD/guests.json" loadtest/guests.js

import http from 'k6/http';
import { base, required } from './lib.js';

const city = base('WARMGATE_CITY');
const hotel = required('WARMGATE_HOTEL');
const file = required('WARMGATE_GUESTS');
const count = Number(__ENV.WARMGATE_COUNT || 100);

export const options = { vus: 1, iterations: 1, setupTimeout: '10m' };

/** How many people are asked for at once: each has a picture. */
const chunk = 100;

/**
 * @typedef {object} Person
 * @property {{type: string, number: string, name: string, latin_name: string, birth_date: string, nationality: string}} document
 * @property {string} sex
 * @property {string} face
 */

export function setup() {
  required('WARMGATE_CITY');
  const twins = /** @type {{[kind: string]: {[hotel: string]: string}}} */ (http.get(`${city}/twins`).json());
  const book = twins.ohip && twins.ohip[hotel] ? atOpera : atApaleo;
  if (book === atOpera) {
    make(`ohip/${hotel}`, { do: 'build', count });
  }
  const parties = [];
  while (parties.length < count) {
    const people = /** @type {Person[]} */ (make(`identity/${hotel}`, { count: Math.min(chunk, count - parties.length) }));
    for (const p of people) {
      parties.push({ booking: { confirmation: book(p) }, guests: [{ face: p.face, document: { ...p.document, sex: p.sex } }] });
    }
  }
  return parties;
}

export default function () {
  // everything is done in setup
}

/**
 * @param {{setup_data: object[]}} data
 * @returns {{[destination: string]: string}}
 */
export function handleSummary(data) {
  return { [file]: JSON.stringify(data.setup_data), stdout: `${data.setup_data.length} parties are in ${file}\n` };
}

/**
 * Books a room at a hotel that is run by OPERA Cloud.
 * @param {Person} p
 * @returns {string} the confirmation number
 */
function atOpera(p) {
  const d = p.document;
  const [surname, ...given] = d.latin_name.split(' ');
  const guest = { surname, given_name: given.join(' '), alternate: d.name, birth_date: d.birth_date };
  const made = /** @type {{confirmation: string}[]} */ (make(`ohip/${hotel}`, { guests: [guest] }));
  return made[0].confirmation;
}

/**
 * Books a room at a hotel that is run by Apaleo.
 * @param {Person} p
 * @returns {string} the booking's number
 */
function atApaleo(p) {
  const d = p.document;
  const guest = { last_name: d.name, birth_date: d.birth_date, document_type: 'IdNumber', document_number: d.number };
  const made = /** @type {{booking: string}[]} */ (make(`apaleo/${hotel}`, { guests: [guest] }));
  return made[0].booking;
}

/**
 * Lets a twin of the city make something.
 * @param {string} twin
 * @param {object} want
 * @returns {unknown}
 */
function make(twin, want) {
  const res = http.post(`${city}/make/${twin}`, JSON.stringify(want), { responseType: 'text' });
  if (res.status !== 201) {
    throw new Error(`the city makes nothing at ${twin}: ${res.status} ${res.body}`);
  }
  return res.json();
}
