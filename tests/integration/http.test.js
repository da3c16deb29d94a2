/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP side: publishing, history, errors as JSON, the page with its policy, health and metrics.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Daemon } from './support/daemon.js';
import { SVG_DISC } from './support/files.js';
import { RawSocket } from './support/raw.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const WEB = new URL('../../web/', import.meta.url);
const TYPES = { html: 'text/html', css: 'text/css', js: 'javascript', svg: 'image/svg\\+xml' };

/** The error object of an answer. @param {Response} response */
async function refusal(response) {
  const text = await response.text();
  assert.match(response.headers.get('content-type') ?? '', /application\/json/, text);
  const { error } = JSON.parse(text);
  assert.ok(error.message.length > 0);
  return [response.status, error.code];
}

describe('http', () => {
  /** @type {Daemon} */
  let daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(async () => {
    assert.equal((await daemon.stop()).code, 0);
  });

  test('a_published_message_reaches_viewers_and_history', async () => {
    const viewer = await Viewer.join(daemon, 'post');
    const response = await daemon.publish(
      'post',
      '{"text":"from http","mode":"bottom","color":"#00ff00","size":18,"ext":{ "n":1.0e5}}',
    );
    assert.equal(response.status, 201);
    const { seq } = await response.json();
    const message = await viewer.message(seq);
    assert.deepEqual(
      [message.text, message.mode, message.color, message.size],
      ['from http', 'bottom', '#00ff00', 18],
    );
    assert.ok(viewer.frames.some((f) => f.text.includes('"ext":{ "n":1.0e5}')));
    const past = await (await daemon.fetch('/v1/rooms/post/history')).json();
    assert.equal(past.room, 'post');
    assert.equal(past.epoch, viewer.hello.epoch);
    assert.equal(past.seq, seq);
    assert.deepEqual(past.msgs, [message]);
  });

  test('history_gives_the_newest_n_oldest_first', async () => {
    for (let i = 0; i < 60; i++) {
      assert.equal((await daemon.publish('hist', { text: `m${i}` })).status, 201);
    }
    const get = async (query) => (await daemon.fetch(`/v1/rooms/hist/history${query}`)).json();
    assert.deepEqual(
      (await get('?limit=3')).msgs.map((m) => m.text),
      ['m57', 'm58', 'm59'],
    );
    assert.equal((await get('')).msgs.length, 50, '50 by default');
    assert.equal((await get('?limit=200')).msgs.length, 60);
    for (const query of ['?limit=0', '?limit=201', '?limit=x']) {
      const response = await daemon.fetch(`/v1/rooms/hist/history${query}`);
      assert.deepEqual(await refusal(response), [400, 'bad_request'], query);
    }
  });

  test('bad_messages_get_the_protocols_codes', async () => {
    const cases = [
      ['{', 'bad_json'],
      ['{}', 'bad_request'],
      ['{"text":"  "}', 'text_empty'],
      [`{"text":"${'x'.repeat(201)}"}`, 'text_too_long'],
      ['{"text":"a","size":3}', 'bad_request'],
      [`{"text":"a","ext":"${'x'.repeat(1100)}"}`, 'ext_too_large'],
    ];
    for (const [body, code] of cases) {
      const [status, said] = await refusal(await daemon.publish('bad', body));
      assert.equal(said, code, body.slice(0, 60));
      assert.ok([400, 413, 422].includes(status), `${status} for ${code}`);
    }
    assert.equal((await daemon.publish('bad', '')).status, 400);
    assert.deepEqual(
      await refusal(await daemon.publish('bad', `{"text":"${'x'.repeat(20000)}"}`)),
      [413, 'too_large'],
    );
  });

  test('what_is_not_there_is_404', async () => {
    for (const path of [
      '/nothing',
      '/v1',
      '/v1/rooms/a',
      '/v1/rooms/a/other',
      '/v1/media/',
      `/v1/media/${'0'.repeat(64)}`,
      '/v1/media/../../etc/passwd',
      '/..%2f..%2fetc%2fpasswd',
      '/app.js/x',
      '/web/app.js',
    ]) {
      const response = await daemon.fetch(path);
      assert.equal((await refusal(response))[0], 404, path);
    }
  });

  test('wrong_methods_are_405', async () => {
    const cases = [
      ['GET', '/v1/rooms/a/messages'],
      ['GET', '/v1/rooms/a/media'],
      ['POST', '/v1/rooms/a/history'],
      ['POST', '/metrics'],
      ['DELETE', '/v1/media/x'],
      ['PUT', '/v1/rooms/a/messages'],
      ['POST', '/'],
    ];
    for (const [method, path] of cases) {
      const body = method === 'GET' ? undefined : 'x';
      const response = await daemon.fetch(path, { method, body });
      assert.equal((await refusal(response))[0], 405, `${method} ${path}`);
    }
  });

  test('bad_room_names_are_refused', async () => {
    for (const room of ['a%20b', 'x'.repeat(65), '%E4%BD%A0', 'a%2fb']) {
      const [status] = await refusal(await daemon.publish(room, { text: 'a' }));
      assert.ok(status === 400 || status === 404, `${status} for ${room.slice(0, 12)}`);
    }
  });

  test('a_body_without_a_length_is_411', async () => {
    const raw = await RawSocket.open(daemon);
    raw.socket.write(
      'POST /v1/rooms/a/messages HTTP/1.1\r\nHost: x\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
    );
    await until(() => raw.text().includes('\r\n\r\n') || raw.closed, 'an answer');
    assert.match(raw.text(), /^HTTP\/1\.[01] 411 /);
    raw.destroy();
  });

  test('a_body_that_arrives_byte_by_byte_is_taken', async () => {
    const raw = await RawSocket.open(daemon);
    const body = '{"text":"slow but fine"}';
    raw.socket.setNoDelay(true);
    raw.socket.write(
      'POST /v1/rooms/drip/messages HTTP/1.1\r\nHost: x\r\n' +
        `Content-Length: ${body.length}\r\n\r\n`,
    );
    for (const byte of body) {
      raw.socket.write(byte);
      await new Promise((resolve) => {
        setTimeout(resolve, 3);
      });
    }
    await until(() => raw.text().includes('"seq"') || raw.closed, 'an answer');
    assert.match(raw.text(), /^HTTP\/1\.[01] 201 /);
    raw.destroy();
  });

  test('the_page_and_its_files_are_served_with_a_strict_policy', async () => {
    const files = readdirSync(WEB).filter((n) => n.split('.').pop() in TYPES);
    for (const name of files) {
      const response = await daemon.fetch(name === 'index.html' ? '/' : `/${name}`);
      assert.equal(response.status, 200, name);
      const type = TYPES[name.split('.').pop()];
      assert.match(response.headers.get('content-type'), new RegExp(type), name);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff', name);
      const policy = response.headers.get('content-security-policy');
      assert.match(policy, /default-src 'none'/, name);
      assert.doesNotMatch(policy, /unsafe/, name);
      assert.ok(
        Buffer.from(await response.arrayBuffer()).equals(readFileSync(new URL(name, WEB))),
        `${name} is the file in web/`,
      );
    }
    console.log(`  ${files.length} files`);
  });

  test('health_is_told', async () => {
    const live = await daemon.fetch('/livez');
    assert.deepEqual([live.status, (await live.text()).trim()], [200, 'ok']);
    const ready = await daemon.fetch('/readyz');
    assert.deepEqual([ready.status, (await ready.text()).trim()], [200, 'ready']);
  });

  test('metrics_count_what_happened', async () => {
    const before = await daemon.metrics();
    const viewers = [await Viewer.join(daemon, 'count'), await Viewer.join(daemon, 'count')];
    for (let i = 0; i < 5; i++) {
      await viewers[0].say({ text: `n${i}` });
    }
    await daemon.publish('count', { text: 'http' });
    for (const viewer of viewers) {
      await until(() => viewer.messages.length === 6, 'six messages');
    }
    const risen = async (name, labels) => {
      const now = await daemon.metrics();
      return now.sum(name, labels) - before.sum(name, labels);
    };
    await until(
      async () => (await risen('danpool_messages_delivered_total')) === 12,
      '12 deliveries',
    );
    assert.equal(await risen('danpool_messages_received_total', { proto: 'json' }), 5);
    assert.equal(await risen('danpool_messages_received_total', { proto: 'http' }), 1);
    assert.equal(await risen('danpool_messages_admitted_total'), 6);
    assert.equal(await risen('danpool_connections_total', { proto: 'json' }), 2);
    assert.ok((await risen('danpool_fanout_duration_seconds_count')) > 0);
    assert.ok((await risen('danpool_pool_allocations_total')) > 0);
    // 12 frames of a message each, at least.
    assert.ok((await risen('danpool_pool_delivered_bytes_total')) > 12 * 40);
  });

  test('every_documented_metric_is_there', async () => {
    const viewer = await Viewer.join(daemon, 'all');
    await viewer.say({ text: 'x' });
    await daemon.upload('all', SVG_DISC);
    const text = await (await daemon.fetch('/metrics')).text();
    const doc = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
    const table = doc.slice(doc.indexOf('## Metrics'));
    for (const [, name] of table.matchAll(/`(danpool_[a-z_]+)`/g)) {
      assert.match(text, new RegExp(`^# TYPE ${name} (counter|gauge|histogram|summary)$`, 'm'), name);
    }
    const lines = text.split('\n').filter((l) => l !== '' && !l.startsWith('#'));
    const form =
      /^[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (\d+(\.\d+)?(e[+-]?\d+)?|\+Inf|NaN)$/;
    lines.forEach((line) => assert.match(line, form));
    for (const tier of ['host', 'huge', 'pinned', 'hbm', 'managed', 'pmem', 'shm']) {
      assert.match(text, new RegExp(`^danpool_pool_tier_up\\{tier="${tier}"\\} [01]$`, 'm'));
    }
    const slow = 'danpool_pool_latency_seconds\\{call="slow_get",tier="[a-z]+",quantile="0.99"\\}';
    assert.match(text, new RegExp(`^${slow} 0\\.0*[1-9]\\d*$`, 'm'));
    assert.match(text, /^danpool_build_info\{.*backend="(cpu|cuda)".*\} 1$/m);
  });

  test('promtool_finds_nothing_to_say', async (t) => {
    const found = spawnSync('promtool', ['--version']);
    if (found.error) {
      t.skip('promtool is not installed');
      return;
    }
    const input = await (await daemon.fetch('/metrics')).text();
    const checked = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  });
});
