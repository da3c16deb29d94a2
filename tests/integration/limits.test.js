/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits and how they are told: the token bucket, frames of the wrong kind or size, a full server,
 * silent connections.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { RawSocket, frame } from './support/raw.js';
import { pause, until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

test('too_many_messages_a_second_are_refused_with_the_time_to_wait', async (t) => {
  const daemon = await daemonFor(t, { 'limits.messages_per_s': 2, 'limits.messages_burst': 5 });
  const [fast, calm] = [await Viewer.join(daemon, 'fast'), await Viewer.join(daemon, 'fast')];
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => fast.say({ text: `${i}` })),
  );
  const refused = answers.filter((a) => a.op === 'error');
  assert.equal(answers.filter((a) => a.op === 'ack').length, 5);
  refused.forEach((a) => {
    assert.equal(a.code, 'rate_limited');
    assert.ok(a.retry_ms > 0 && a.retry_ms <= 600, `retry_ms ${a.retry_ms}`);
  });
  assert.equal((await calm.say({ text: 'mine' })).op, 'ack', "a bucket is the connection's own");
  await pause(refused.at(-1).retry_ms + 50);
  assert.equal((await fast.say({ text: 'later' })).op, 'ack');
  await until(() => calm.messages.length === 7, 'what was accepted');
  const { sum } = await daemon.metrics().then((m) => ({ sum: m.sum.bind(m) }));
  assert.equal(sum('danpool_messages_rejected_total', { reason: 'rate_limited' }), 3);
});

test('a_room_at_its_quota_forgets_history_and_keeps_on_sending', async (t) => {
  const daemon = await daemonFor(t, {
    'pool.room_quota_mib': 1,
    'history.messages_max': 10000,
    'limits.messages_per_s': 0,
  });
  const viewer = await Viewer.join(daemon, 'heavy');
  const ext = { pad: 'x'.repeat(1000) };
  for (let round = 0; round < 30; round++) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => viewer.say({ text: `${round} ${i}`, ext })),
    );
    answers.forEach((answer) => assert.equal(answer.op, 'ack', answer.code));
  }
  const metrics = await daemon.metrics();
  const used = metrics.sum('danpool_tenant_used_bytes');
  assert.equal(metrics.sum('danpool_tenants'), 1);
  assert.ok(used > 256 * 1024 && used <= 1024 * 1024, `${used} bytes`);
  // Warned of slow gets, which a sanitizer makes of any, but never degraded: the quota is nobody else's trouble.
  metrics.samples('danpool_health_state').forEach(({ value }) => assert.ok(value <= 1, `${value}`));
});

test('a_binary_frame_is_closed_with_1003', async (t) => {
  const daemon = await daemonFor(t);
  const viewer = await Viewer.join(daemon, 'binary');
  viewer.send(Buffer.from('{"op":"ping"}'));
  assert.equal((await viewer.ended()).code, 1003);
});

test('invalid_utf8_is_closed_with_1007', async (t) => {
  const daemon = await daemonFor(t);
  const bad = [
    [0xc3, 0x28],
    [0xed, 0xa0, 0x80],
    [0xc0, 0xaf],
    [0xf5, 0x80, 0x80, 0x80],
    [0xe4, 0xbd],
  ];
  for (const bytes of bad) {
    const raw = await RawSocket.upgraded(daemon, 'utf8');
    const payload = Buffer.concat([
      Buffer.from('{"op":"send","text":"'),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ]);
    raw.socket.write(frame({ payload }));
    await until(() => raw.closeFrame() || raw.closed, 'the close frame');
    assert.equal(raw.closeFrame()?.code, 1007, `bytes ${bytes}`);
    raw.destroy();
  }
});

test('a_frame_over_8_kib_is_closed_with_1009', async (t) => {
  const daemon = await daemonFor(t);
  const viewer = await Viewer.join(daemon, 'large');
  viewer.send(`{"op":"ping","pad":"${'x'.repeat(9000)}"}`);
  assert.equal((await viewer.ended()).code, 1009);
  const pieces = await Viewer.join(daemon, 'large');
  /* Nothing after the one too many: bytes in flight when the server closes may reset the socket. */
  for (let i = 0; i < 9; i++) {
    pieces.socket.send('x'.repeat(1000), { fin: false });
  }
  assert.equal((await pieces.ended()).code, 1009, 'the same in fragments');
  const fits = await Viewer.join(daemon, 'large');
  assert.equal((await fits.ask(`{"op":"ping","id":1,"pad":"${'x'.repeat(8000)}"}`)).op, 'pong');
});

test('a_message_in_fragments_is_one_message', async (t) => {
  const daemon = await daemonFor(t);
  const viewer = await Viewer.join(daemon, 'fragments');
  const text = '{"op":"send","id":1,"text":"你好"}';
  const bytes = Buffer.from(text);
  bytes.forEach((_, i) =>
    viewer.socket.send(bytes.subarray(i, i + 1), { fin: i === bytes.length - 1, binary: false }),
  );
  const ack = await viewer.take((m) => m.op === 'ack', 'the ack');
  assert.equal((await viewer.message(ack.seq)).text, '你好');
});

test('a_full_server_says_so_and_takes_the_next_when_one_leaves', async (t) => {
  const daemon = await daemonFor(t, { 'limits.connections_max': 3 });
  const inside = [];
  for (let i = 0; i < 3; i++) {
    inside.push(await Viewer.join(daemon, 'full'));
  }
  const fourth = new Viewer(daemon, 'full');
  const { code } = await fourth.ended();
  assert.ok(code === 1013 || fourth.refused === 503, `close ${code}, HTTP ${fourth.refused}`);
  await inside[0].leave();
  const next = await until(
    async () => Viewer.join(daemon, 'full').catch(() => null),
    'a free place',
  );
  assert.equal(next.hello.room, 'full');
});

test('rooms_are_limited_too', async (t) => {
  const daemon = await daemonFor(t, { 'limits.rooms_max': 2 });
  const one = await Viewer.join(daemon, 'one');
  await Viewer.join(daemon, 'two');
  const three = new Viewer(daemon, 'three');
  const { code } = await three.ended();
  assert.ok(code === 1013 || three.refused === 503, `close ${code}, HTTP ${three.refused}`);
  assert.equal((await one.say({ text: 'fine' })).op, 'ack');
  assert.equal((await daemon.publish('four', { text: 'x' })).status, 503);
});

test('a_silent_connection_is_pinged_and_closed_a_living_one_is_kept', async (t) => {
  const daemon = await daemonFor(t, { 'timeouts.ping_s': 1, 'timeouts.hangup_s': 1 });
  const living = await Viewer.join(daemon, 'idle');
  const silent = await RawSocket.upgraded(daemon, 'idle');
  const began = Date.now();
  await until(() => silent.frames().some((f) => f.opcode === 9), "the server's ping");
  await until(() => silent.closed, 'the server to hang up');
  console.log(`  hung up on after ${Date.now() - began} ms`);
  assert.ok(Date.now() - began >= 1500);
  await until(() => living.pings >= 3, 'three pings to the living one');
  assert.equal((await living.say({ text: 'still here' })).op, 'ack');
  const gauge = async () => (await daemon.metrics()).sum('danpool_connections');
  await until(async () => (await gauge()) === 1, 'the gauge to fall');
});

test('a_client_that_never_upgrades_does_not_stay', async (t) => {
  const daemon = await daemonFor(t, { 'timeouts.ping_s': 1, 'timeouts.hangup_s': 1 });
  const half = await RawSocket.open(daemon);
  half.socket.write('GET /v1/ws?room=a HTTP/1.1\r\nHost: x\r\n');
  await until(() => half.closed, 'the server to give up on half a request', 60000);
});

test('an_address_has_as_many_viewers_as_it_may', async (t) => {
  const daemon = await daemonFor(t, { 'limits.address_connections_max': 3 });
  const viewers = [];
  for (let i = 0; i < 3; i++) {
    viewers.push(await Viewer.join(daemon, 'few'));
  }
  const fourth = new Viewer(daemon, 'few');
  assert.deepEqual(await fourth.ended(), { code: 1013, reason: 'too many' });
  await viewers[0].leave();
  const fifth = await Viewer.join(daemon, 'few');
  await fifth.leave();
});
