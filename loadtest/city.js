// A city's morning: all journeys side by side at a steady rate, each held to its own budget while the others are under way.
// Every journey is its own script, and needs what that script's head names; beside it and lib.js:
//   WARMGATE_RATE  begun in a second, all journeys together (default 50)
//   WARMGATE_MIX   percent of it that each is (default "rooms=50,entry=25,parking=20,check-in=5"); one that is left out rests
// One token for all needs the scopes scenic:gate, hotel:check-in, parking:gate and rooms:read.
//
//   k6 run -e WARMGATE_URL=… -e WARMGATE_THRESHOLDS="$(warmgate check --k6 -c configs/gateway.yaml)" \
//     -e WARMGATE_TOKEN="$(warmgate token --scope scenic:gate,hotel:check-in,parking:gate,rooms:read --data DIR)" \
//     -e WARMGATE_SPOT=… -e WARMGATE_GATE=… -e WARMGATE_TICKETS=… -e WARMGATE_HOTEL=… -e WARMGATE_KIOSK=… -e WARMGATE_GUESTS=… \
//     -e WARMGATE_LOT=… -e WARMGATE_ENTRY=… -e WARMGATE_EXIT=… -e WARMGATE_NEAR=… loadtest/city.js

import { options as checkIn } from './checkin.js';
import { options as entry } from './entry.js';
import { runId, summary, together } from './lib.js';
import { options as parking } from './parking.js';
import { options as rooms } from './rooms.js';

export { default as checkIn } from './checkin.js';
export { default as entry } from './entry.js';
export { default as parking } from './parking.js';
export { default as rooms } from './rooms.js';

export const options = together(
  {
    'rooms': { exec: 'rooms', options: rooms },
    'entry': { exec: 'entry', options: entry },
    'parking': { exec: 'parking', options: parking },
    'check-in': { exec: 'checkIn', options: checkIn },
  },
  __ENV.WARMGATE_MIX || 'rooms=50,entry=25,parking=20,check-in=5',
);

export function setup() {
  return { run: runId(), seed: Number(__ENV.WARMGATE_SEED || Date.now()) };
}

export const handleSummary = summary;
