// What the scripts of all journeys share: where to call, what was promised, how a call looks, what went wrong.
//
// The environment says everything that differs from one run to the next:
//   WARMGATE_URL         base address of the gateway, such as http://127.0.0.1:8080
//   WARMGATE_TOKEN       access token with the journey's scope: `warmgate token`
//   WARMGATE_THRESHOLDS  what `warmgate check --k6 -c FILE` prints, or the name of a file with it. The budgets stand in
//                        the gateway's configuration alone; no script has a figure of its own.
//   WARMGATE_RATE        begun in a second (default 50): journeys, or cars, each of which comes and goes
//   WARMGATE_DURATION    how long they are begun (default 30s)
//   WARMGATE_VUS         journeys under way at once, at most (default: as many as begin in two seconds)
//   WARMGATE_SUMMARY     a file for the whole summary as JSON (default: none)
// File names are absolute, or relative to this folder.

import http from 'k6/http';
import { Counter } from 'k6/metrics';

const url = base('WARMGATE_URL');

/** Refusals and other problems (RFC 9457), by their type. */
const problems = new Counter('problems');

/**
 * @param {string} name of an environment variable that the script cannot do without
 * @returns {string}
 */
export function required(name) {
  const value = __ENV[name];
  if (!value) {
    throw new Error(`${name} is not set; the head of loadtest/lib.js says what it is`);
  }
  return value;
}

/**
 * @param {string} name of an environment variable with an address, if it is set
 * @returns {string} the address without a slash at its end
 */
export function base(name) {
  return (__ENV[name] || '').replace(/\/$/, '');
}

/**
 * The promises about some journeys, and those that name no journey.
 * @param {string[]} journeys
 * @returns {{[series: string]: string[]}} as k6's options.thresholds
 */
export function thresholds(...journeys) {
  const given = required('WARMGATE_THRESHOLDS');
  const all = JSON.parse(given.trim().startsWith('{') ? given : open(given));
  /** @type {{[series: string]: string[]}} */
  const own = {};
  const missing = new Set(journeys);
  for (const series of Object.keys(all)) {
    const tag = /[{,]\s*journey:\s*([^,}\s]+)/.exec(series);
    if (!tag || journeys.includes(tag[1])) {
      own[series] = all[series];
      missing.delete(tag ? tag[1] : '');
    }
  }
  if (missing.size > 0) {
    throw new Error(`WARMGATE_THRESHOLDS promises nothing about ${[...missing].join(', ')}`);
  }
  return own;
}

/**
 * Options for journeys that begin at a steady rate, whatever became of those before.
 * @param {string[]} journeys that one iteration makes, one after the other; the first one names the scenario
 * @returns {import('k6/options').Options}
 */
export function arrivals(...journeys) {
  required('WARMGATE_URL');
  required('WARMGATE_TOKEN');
  const rate = Number(__ENV.WARMGATE_RATE || 50);
  const users = Number(__ENV.WARMGATE_VUS || 2 * rate);
  return {
    scenarios: {
      [journeys[0]]: {
        executor: 'constant-arrival-rate',
        rate,
        timeUnit: '1s',
        duration: __ENV.WARMGATE_DURATION || '30s',
        preAllocatedVUs: Math.ceil(users / 4),
        maxVUs: users,
        tags: { journey: journeys[0] },
      },
    },
    thresholds: thresholds(...journeys),
    summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
  };
}

/**
 * Options for the journeys of several scripts side by side.
 * @param {{[name: string]: {exec: string, options: import('k6/options').Options}}} parts by name, each with the function that makes its iteration
 * @param {string} mix percent of WARMGATE_RATE by name: "rooms=70,entry=30"
 * @returns {import('k6/options').Options}
 */
export function together(parts, mix) {
  /** @type {import('k6/options').Options} */
  const all = { scenarios: {}, thresholds: {}, summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'] };
  for (const share of mix.split(',')) {
    const [name, percent] = share.split('=');
    const part = parts[name];
    if (!part || !(Number(percent) > 0)) {
      throw new Error(`WARMGATE_MIX has ${share}: it must be NAME=PERCENT, of ${Object.keys(parts).join(', ')}`);
    }
    for (const [scenario, own] of Object.entries(part.options.scenarios || {})) {
      // Of a hundred seconds' arrivals, so that a small share is one too.
      const rate = Math.max(1, Math.round(Number(__ENV.WARMGATE_RATE || 50) * Number(percent)));
      Object.assign(all.scenarios || {}, { [scenario]: { ...own, exec: part.exec, rate, timeUnit: '100s' } });
    }
    Object.assign(all.thresholds || {}, part.options.thresholds);
  }
  return all;
}

/**
 * A word that no other run uses, for keys and identifiers.
 * @returns {string}
 */
export function runId() {
  return `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 8)}`;
}

/**
 * POSTs one call of a journey.
 * @param {string} journey
 * @param {string} name of the call, in place of its address: /v1/attractions/{spot}/entries
 * @param {string} path
 * @param {object} body
 * @param {string} key letters, digits and dashes; becomes the Idempotency-Key, an RFC 8941 string
 * @returns {import('k6/http').RefinedResponse<'text'>}
 */
export function post(journey, name, path, body, key) {
  const res = http.post(url + path, JSON.stringify(body), {
    headers: {
      'Authorization': `Bearer ${__ENV.WARMGATE_TOKEN}`,
      'Content-Type': 'application/json',
      'Accept-Language': 'en',
      'Idempotency-Key': `"${key}"`,
    },
    tags: { journey, name: `POST ${name}` },
    responseType: 'text',
  });
  report(journey, res);
  return res;
}

/**
 * GETs one answer of a journey.
 * @param {string} journey
 * @param {string} name of the call, in place of its address: /v1/rooms
 * @param {string} path with its query
 * @returns {import('k6/http').RefinedResponse<'text'>}
 */
export function get(journey, name, path) {
  const res = http.get(url + path, {
    headers: { 'Authorization': `Bearer ${__ENV.WARMGATE_TOKEN}`, 'Accept-Language': 'en' },
    tags: { journey, name: `GET ${name}` },
    responseType: 'text',
  });
  report(journey, res);
  return res;
}

/**
 * Counts a problem by its type, and says it. An answer that is neither a success nor a problem is counted as its status.
 * @param {string} journey
 * @param {import('k6/http').RefinedResponse<'text'>} res
 */
function report(journey, res) {
  if (res.status >= 200 && res.status < 300) {
    return;
  }
  let type = `status ${res.status}`;
  if (String(res.headers['Content-Type']).startsWith('application/problem+json')) {
    type = String(res.json('type'));
  }
  problems.add(1, { journey, type });
  console.warn(`${journey}: ${type}`, res.error);
}

/**
 * The summary as a few lines, and as a file where WARMGATE_SUMMARY names one.
 * @param {{metrics: {[name: string]: Series}}} data
 * @returns {{[destination: string]: string}}
 *
 * @typedef {object} Series
 * @property {string} type
 * @property {{[name: string]: number}} values
 * @property {{[source: string]: {ok: boolean}}} [thresholds]
 */
export function summary(data) {
  const lines = Object.keys(data.metrics).sort().flatMap((name) => describe(name, data.metrics[name]));
  /** @type {{[destination: string]: string}} */
  const out = { stdout: `${lines.join('\n')}\n` };
  if (__ENV.WARMGATE_SUMMARY) {
    out[__ENV.WARMGATE_SUMMARY] = JSON.stringify(data, null, 2);
  }
  return out;
}

/**
 * @param {string} name
 * @param {Series} series
 * @returns {string[]} its numbers, then a line for each threshold
 */
function describe(name, series) {
  const numbers = Object.keys(series.values).map((key) => `${key}=${Math.round(series.values[key] * 1000) / 1000}`);
  const promised = series.thresholds || {};
  return [
    `${name}  ${numbers.join(' ')}`,
    ...Object.keys(promised).map((source) => `  ${promised[source].ok ? 'kept' : 'CROSSED'}  ${source}`),
  ];
}
