/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Viewers' connections: frames that the socket takes in parts, coming again after a break, storms
 * that are slowed down, and a server that goes in slices.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { RawSocket, frame, randomFrom } from './support/raw.js';
import { pause, until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const SEED = Number(process.env.DANPOOL_TEST_SEED ?? 20250101);
const WAIT_MS = 60000;
const PING = 9;
const PONG = 10;
const TEXT = 1;

test('frames_stay_whole_beside_pongs_when_the_socket_takes_them_in_parts', async (t) => {
  const daemon = await daemonFor(t, { 'fanout.ring_batches': 64, 'fanout.slow_close_ms': 120000 });
  const random = randomFrom(SEED);
  const watch = await Viewer.join(daemon, 'parts');
  const writer = await Viewer.join(daemon, 'parts');
  const raw = await RawSocket.upgraded(daemon, 'parts');
  const total = 12000;
  const pings = 40;
  const ext = 'x'.repeat(900);
  for (let i = 0; i < total; i++) {
    writer.send({ op: 'send', text: `m${i}`, ext });
    if (i % (total / pings) === 0) {
      raw.socket.write(frame({ opcode: PING, payload: Buffer.from(`ping ${i}`) }));
    }
    if (i % 50 === 49) {
      raw.socket[random() < 0.7 ? 'pause' : 'resume']();
      await until(() => watch.messages.length >= i - 300, 'the watcher to keep up', WAIT_MS);
    }
  }
  raw.socket.resume();
  const batches = () =>
    raw
      .frames()
      .filter((f) => f.opcode === TEXT)
      .map((f) => JSON.parse(f.payload))
      .filter((m) => m.op === 'batch');
  await until(() => batches().at(-1)?.msgs.at(-1)?.seq === total, 'him to be up to date', WAIT_MS);
  const got = batches().reduce((n, b) => n + b.msgs.length + b.missed, 0);
  assert.equal(got, total, 'every number came or was told missing');
  for (const { opcode } of raw.frames()) {
    assert.ok(opcode === TEXT || opcode === PONG, `a frame of kind ${opcode}`);
  }
  const pongs = raw.frames().filter((f) => f.opcode === PONG);
  assert.ok(pongs.length > 0, 'pings were answered');
  pongs.forEach((f) => assert.match(f.payload.toString(), /^ping \d+$/));
});

test('who_comes_again_is_told_whether_all_of_it_was_found', async (t) => {
  const daemon = await daemonFor(t, { 'history.messages_max': 20 });
  const writer = await Viewer.join(daemon, 'again');
  const seen = (await writer.say({ text: 'one' })).seq;
  const { epoch } = writer.hello;
  const come = (query) => Viewer.join(daemon, 'again', { query: `room=again&${query}` });

  const nothing = await come(`epoch=${epoch}&since=${seen}`);
  assert.equal(nothing.hello.recovered, true, 'nothing was missed');

  for (let i = 0; i < 10; i++) {
    await writer.say({ text: `later ${i}` });
  }
  const back = await come(`epoch=${epoch}&since=${seen}`);
  assert.equal(back.hello.recovered, true);
  await until(() => back.messages.length >= 10, 'what came since');
  assert.deepEqual(
    back.messages.map((m) => m.seq),
    Array.from({ length: 10 }, (_, i) => seen + 1 + i),
  );

  for (let i = 0; i < 30; i++) {
    await writer.say({ text: `much later ${i}` });
  }
  const late = await come(`epoch=${epoch}&since=${seen}`);
  assert.equal(late.hello.recovered, false, 'the history does not reach back so far');
  const stranger = await come(`epoch=0&since=${seen}`);
  assert.equal(stranger.hello.recovered, false, 'another life of the room');
  const plain = await Viewer.join(daemon, 'again');
  assert.equal(plain.hello.recovered, undefined, 'who does not ask is not told');
});

test('a_wrong_place_to_go_on_from_is_refused', async (t) => {
  const daemon = await daemonFor(t);
  for (const query of ['since=x&epoch=1', 'since=-1&epoch=1', 'since=5', 'since=1e3&epoch=1']) {
    const viewer = new Viewer(daemon, 'r', { query: `room=r&${query}` });
    await until(() => viewer.refused, `an answer to ${query}`);
    assert.equal(viewer.refused, 400, query);
  }
});

test('a_storm_of_reconnects_is_slowed_down_and_nobody_is_refused', async (t) => {
  const daemon = await daemonFor(t, {
    'limits.address_connects_per_s': 10,
    'limits.tarpit_ms_max': 2000,
  });
  const started = Date.now();
  const took = [];
  await Promise.all(
    Array.from({ length: 120 }, async () => {
      const viewer = await Viewer.join(daemon, 'storm');
      took.push(Date.now() - started);
      await viewer.leave();
    }),
  );
  took.sort((a, b) => a - b);
  assert.equal(took.length, 120, 'all of them got in');
  console.log(`  first after ${took[0]} ms, last after ${took.at(-1)} ms`);
  assert.ok(took.at(-1) - took[0] > 1000, 'the last ones had to wait');
});

test('who_says_nothing_is_hung_up_on_after_five_seconds', async (t) => {
  const daemon = await daemonFor(t);
  const silent = await RawSocket.open(daemon);
  const drip = await RawSocket.open(daemon);
  const started = Date.now();
  const request = 'GET /v1/ws?room=drip HTTP/1.1\r\nHost: x\r\nX-Slow: ';
  let sent = 0;
  while (!silent.closed || !drip.closed) {
    drip.socket.write(sent < request.length ? request[sent] : 'a');
    sent += 1;
    await pause(200);
    assert.ok(Date.now() - started < 12000, 'both should be closed by now');
  }
  assert.ok(Date.now() - started > 3000, 'not at once');
});

test('a_server_that_stops_lets_its_viewers_go_in_slices', async (t) => {
  const daemon = await daemonFor(t, {
    'timeouts.drain_s': 5,
    'limits.address_connects_per_s': 0,
  });
  const viewers = [];
  for (let i = 0; i < 20; i++) {
    viewers.push(
      ...(await Promise.all(Array.from({ length: 75 }, () => Viewer.join(daemon, 'leave')))),
    );
  }
  const ended = [];
  const notices = [];
  const all = viewers.map(async (viewer) => {
    const { code } = await viewer.closed;
    ended.push(Date.now());
    assert.equal(code, 1001);
    notices.push(viewer.frames.at(-1).json);
  });
  const stopped = daemon.stop();
  await Promise.all(all);
  await stopped;
  ended.sort((a, b) => a - b);
  console.log(`  ${viewers.length} viewers went within ${ended.at(-1) - ended[0]} ms`);
  assert.ok(ended.at(-1) - ended[0] > 1000, 'not all at once');
  assert.ok(notices.every((n) => n.op === 'notice' && n.code === 'going_away' && n.retry_ms > 0));
  assert.ok(new Set(notices.map((n) => n.retry_ms)).size > 100, 'times to come again are spread');
});
