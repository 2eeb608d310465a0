import http, { get } from 'k6/http';
import { equal } from '../assert.js';

export const options = {
  thresholds: {
    'http_reqs{method:DELETE}': ['count==1'],
    'http_req_failed{kind:refused}': ['rate==1'],
    'http_req_failed{kind:foreseen}': ['rate==0'],
    'http_req_failed{kind:closed}': ['rate==1'],
    'http_reqs{status:0}': ['count==2'],
    'http_req_duration{name:echo}': ['count==10', 'max<5000', 'p(95)>0'],
  },
  userAgent: 'the-test',
};

const url = __ENV.URL;
const echo = { tags: { name: 'echo' } };

function said(res, method, body) {
  equal(res.status, 200, method);
  equal(res.json().method, method, 'method');
  equal(res.json('body'), body, 'body');
  return res;
}

export default function () {
  const first = said(get(`${url}/echo?a=1`, echo), 'GET', '');
  equal(first.json('headers.User-Agent.0'), 'the-test', 'user agent');
  equal(first.json('headers.None.0'), undefined, 'no such header');
  equal(first.json('query'), 'a=1', 'query');
  equal(first.headers['Content-Type'], 'application/json', 'header of the answer');
  equal(first.url, `${url}/echo?a=1`, 'url');
  equal([first.error, first.status_text], ['', '200 OK'], 'no error');
  said(http.post(`${url}/echo`, '{"x":1}', echo), 'POST', '{"x":1}');
  said(http.put(`${url}/echo`, 'put', echo), 'PUT', 'put');
  said(http.patch(`${url}/echo`, new Uint8Array([104, 105]).buffer, echo), 'PATCH', 'hi');
  said(http.del(`${url}/echo`, null, echo), 'DELETE', '');
  said(http.options(`${url}/echo`, null, echo), 'OPTIONS', '');
  said(http.request('POST', `${url}/echo`, { a: 'b c', n: 1 }, echo), 'POST', 'a=b+c&n=1');
  equal(http.head(`${url}/echo`, echo).body, '', 'HEAD');
  const sent = said(http.post(`${url}/echo`, 'x', { headers: { 'X-One': '1', Host: 'elsewhere' }, ...echo }), 'POST', 'x');
  equal([sent.json('headers.X-One.0'), sent.json('host')], ['1', 'elsewhere'], 'headers');
  equal(http.get(`${url}/echo`, { responseType: 'none', ...echo }).body, null, 'discarded');

  equal(http.get(`${url}/status/409`, { tags: { kind: 'refused' } }).status, 409, 'status');
  const foreseen = { tags: { kind: 'foreseen' }, responseCallback: http.expectedStatuses({ min: 400, max: 499 }, 200) };
  http.get(`${url}/status/409`, foreseen);
  http.setResponseCallback(http.expectedStatuses(418));
  http.get(`${url}/status/418`, { tags: { kind: 'foreseen' } });
  equal(http.get(`${url}/redirect`).status, 204, 'followed');
  equal(http.get(`${url}/redirect`, { redirects: 0 }).status, 302, 'not followed');

  const closed = http.get(`${url}/close`, { tags: { kind: 'closed' } });
  equal([closed.status, closed.body, closed.error.length > 0], [0, null, true], 'closed');
  const late = http.get(`${url}/hang`, { timeout: '20ms', tags: { kind: 'closed' } });
  equal([late.status, late.error.includes('deadline')], [0, true], 'timed out');
  equal(late.timings.duration < 900, true, 'timed out early');
  equal(typeof late.timings.duration + typeof late.timings.waiting, 'numbernumber', 'timings');
}
