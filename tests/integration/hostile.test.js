/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients that mean harm or are broken.  Each test ends with a healthy viewer that is served as
 * before, and with memory inside a bound.
 */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { SVG_DISC } from './support/files.js';
import { RawSocket, frame, randomFrom } from './support/raw.js';
import { pause, until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const FACTOR = Number(process.env.DANPOOL_MEMORY_FACTOR ?? 1);
const SEED = Number(process.env.DANPOOL_TEST_SEED ?? 20250101);
const WAIT_MS = 60000;

/** A healthy viewer can join, speak and hear. */
async function stillServes(daemon) {
  const viewer = await Viewer.join(daemon, 'health');
  const ack = await viewer.say({ text: 'well?' });
  assert.equal((await viewer.message(ack.seq)).text, 'well?');
  await viewer.leave();
}

/** Streams `total` bytes after a head; ends when the server closes or took all of it. */
async function pour(daemon, head, total) {
  const raw = await RawSocket.open(daemon);
  raw.socket.write(head);
  const chunk = Buffer.alloc(64 * 1024, 0x41);
  let sent = 0;
  let peakMib = 0;
  while (sent < total && !raw.closed && !raw.error) {
    if (!raw.socket.write(chunk)) {
      await Promise.race([
        new Promise((resolve) => {
          raw.socket.once('drain', resolve);
        }),
        until(() => raw.closed || raw.error, 'the end', WAIT_MS),
        pause(2000),
      ]);
    }
    sent += chunk.length;
    if (sent % (1024 * 1024) === 0) {
      peakMib = Math.max(peakMib, daemon.residentMib());
    }
    if (raw.socket.writableLength > 4 * 1024 * 1024) {
      await pause(20);
    }
  }
  await until(() => raw.closed || raw.text().includes('\r\n\r\n'), 'an answer or the end', WAIT_MS);
  raw.destroy();
  return { text: raw.text(), sent, peakMib: Math.max(peakMib, daemon.residentMib()) };
}

test('a_body_of_100_mb_is_refused_early_and_not_kept', async (t) => {
  const daemon = await daemonFor(t);
  const before = daemon.residentMib();
  const total = 100 * 1000 * 1000;
  for (const path of ['/v1/rooms/big/media', '/v1/rooms/big/messages']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${total}\r\n\r\n`;
    const polite = await RawSocket.open(daemon);
    polite.socket.write(head);
    await until(
      () => polite.text().includes('}}') || polite.closed,
      'the answer to the head',
      WAIT_MS,
    );
    assert.match(polite.text(), /^HTTP\/1\.[01] 413 /, 'the answer comes although no body does');
    assert.match(polite.text(), /"code":"too_large"/);
    polite.destroy();
    const { text, sent, peakMib } = await pour(daemon, head, total);
    console.log(
      `  ${path}: ${text.split('\r\n')[0] || 'reset'} after ${(sent / 1e6).toFixed(1)} MB, ` +
        `resident ${before.toFixed(0)} -> ${peakMib.toFixed(0)} MiB`,
    );
    /* So much is not discarded to the end: a reset may overtake the answer. */
    assert.match(text, /^(HTTP\/1\.[01] 413 |$)/);
    assert.ok(sent < total, 'not all of it was taken');
    assert.ok(peakMib - before < 24 * FACTOR, `${peakMib - before} MiB`);
  }
  await stillServes(daemon);
});

test('a_refused_upload_of_20_mb_always_sees_the_answer', async (t) => {
  const daemon = await daemonFor(t);
  const body = Buffer.alloc(20 * 1000 * 1000, 0x41);
  const byFetch = async () => {
    const response = await daemon.upload('big', body);
    return [response.status, (await response.json()).error.code];
  };
  /* Reads nothing before it has sent all, as a simple client may. */
  const byHand = async () => {
    const raw = await RawSocket.open(daemon);
    raw.socket.pause();
    raw.socket.write(
      `POST /v1/rooms/big/media HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await new Promise((resolve) => {
      raw.socket.write(body, resolve);
    });
    raw.socket.resume();
    await until(() => raw.closed, 'the end', WAIT_MS);
    assert.equal(raw.error, undefined);
    const [, status, code] = /^HTTP\/1\.1 (\d+)[^]*"code":"(\w+)"/.exec(raw.text());
    return [Number(status), code];
  };
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await byFetch(), [413, 'too_large'], `fetch, try ${i}`);
    assert.deepEqual(await byHand(), [413, 'too_large'], `by hand, try ${i}`);
  }
  await stillServes(daemon);
});

test('a_refused_upload_that_stops_or_drips_is_cut_off', async (t) => {
  const daemon = await daemonFor(t);
  const descriptors = () => readdirSync(`/proc/${daemon.pid}/fd`).length;
  const idle = descriptors();
  const head = 'POST /v1/rooms/big/media HTTP/1.1\r\nHost: x\r\nContent-Length: 90000000\r\n\r\n';
  const [silent, dripping] = [await RawSocket.open(daemon), await RawSocket.open(daemon)];
  const began = Date.now();
  for (const raw of [silent, dripping]) {
    /* Otherwise the daemon's half close would end our side too, and with it the question. */
    raw.socket.allowHalfOpen = true;
    raw.socket.write(head);
  }
  for (const raw of [silent, dripping]) {
    await until(() => raw.text().includes('}}'), 'the answer', WAIT_MS);
    assert.match(raw.text(), /^HTTP\/1\.1 413 /);
  }
  const drip = setInterval(() => dripping.socket.write('A'), 100);
  t.after(() => {
    clearInterval(drip);
    [silent, dripping].forEach((raw) => raw.destroy());
  });
  // Connections of others that were open at first may go meanwhile, hence no exact number.
  await until(() => descriptors() <= idle + 1, 'the silent one to be hung up on', WAIT_MS);
  const one = Date.now() - began;
  assert.equal(dripping.closed, false);
  // What drips into a closed connection is answered by a reset.
  await until(() => dripping.closed, 'the dripping one to be hung up on', WAIT_MS);
  await until(() => descriptors() <= idle, 'its descriptor to be given back', WAIT_MS);
  console.log(`  hung up on silence after ${one} ms, on drops after ${Date.now() - began} ms`);
  await stillServes(daemon);
});

test('a_body_shorter_than_it_said_costs_nothing', async (t) => {
  const daemon = await daemonFor(t);
  for (let i = 0; i < 50; i++) {
    const raw = await RawSocket.open(daemon);
    raw.socket.write(
      'POST /v1/rooms/short/media HTTP/1.1\r\nHost: x\r\n' +
        `Content-Length: ${4 * 1024 * 1024}\r\n\r\n${'<svg '.repeat(20)}`,
    );
    await pause(2);
    raw.destroy();
  }
  await until(
    async () => (await daemon.metrics()).sum('danpool_pool_used_bytes') < 2 * 1024 * 1024,
    'the buffers of broken uploads to return to the pool',
    WAIT_MS,
  );
  await stillServes(daemon);
});

test('many_uploads_at_once_are_served_or_told_busy', async (t) => {
  const daemon = await daemonFor(t, { 'render.queue_max': 4 });
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      const body = SVG_DISC.replace('#e33', `#${(i + 16).toString(16)}${(i + 32).toString(16)}77`);
      const response = await daemon.upload('rush', body);
      return {
        status: response.status,
        retry: response.headers.get('retry-after'),
        body: await response.json(),
      };
    }),
  );
  const count = (status) => answers.filter((a) => a.status === status).length;
  console.log(`  ${count(201)} served, ${count(503)} busy`);
  assert.equal(count(201) + count(503), 60);
  assert.ok(count(201) > 0);
  answers
    .filter((a) => a.status === 503)
    .forEach((a) => {
      assert.equal(a.body.error.code, 'busy');
      assert.ok(Number(a.retry) >= 1, `Retry-After ${a.retry}`);
    });
  await stillServes(daemon);
});

/** Frames that a client must not send, each with what it is. */
function badFrames(random) {
  const noise = (n) => Buffer.from(Array.from({ length: n }, () => Math.floor(random() * 256)));
  return [
    frame({ opcode: 3 + Math.floor(random() * 5), payload: noise(10) }),
    frame({ opcode: 11 + Math.floor(random() * 5), payload: noise(10) }),
    frame({ rsv: 1 + Math.floor(random() * 7), payload: noise(20) }),
    frame({ masked: false, payload: Buffer.from('{"op":"ping"}') }),
    frame({ length: 0x7fffffffffffffffn, payload: noise(50) }),
    frame({ length: 0xffffffffffffffffn, payload: noise(50) }),
    frame({ length: 1n << 40n, payload: noise(5000) }),
    frame({ opcode: 0, payload: noise(30) }),
    frame({ opcode: 9, fin: false, payload: noise(5) }),
    frame({ opcode: 9, payload: noise(4000) }),
    frame({ opcode: 8, payload: noise(1) }),
    frame({ opcode: 8, payload: Buffer.from([0x00, 0x05]) }),
    frame({ opcode: 10, payload: noise(60) }),
    Buffer.concat([
      frame({ fin: false, payload: Buffer.from('{"op"') }),
      frame({ payload: Buffer.from(':"ping"}') }),
    ]),
    frame({ payload: noise(200) }),
    noise(1 + Math.floor(random() * 400)),
    frame({ payload: Buffer.from('{"op":"send","text":"ok"}') }).subarray(0, 9),
  ];
}

test('random_frames_end_their_own_connection_and_nothing_else', async (t) => {
  const daemon = await daemonFor(t, { 'timeouts.ping_s': 2, 'timeouts.hangup_s': 2 });
  const random = randomFrom(SEED);
  const witness = await Viewer.join(daemon, 'garbage');
  await stillServes(daemon);
  const before = daemon.residentMib();
  let closed = 0;
  const rounds = 14;
  console.log(`  seed ${SEED}, ${rounds * badFrames(random).length} connections`);
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      badFrames(random).map(async (bytes) => {
        const raw = await RawSocket.upgraded(daemon, 'garbage');
        raw.socket.write(bytes);
        if (random() < 0.4) {
          raw.socket.write(badFrames(random)[Math.floor(random() * 17)]);
        }
        await pause(10);
        closed += raw.closed ? 1 : 0;
        raw.destroy();
      }),
    );
    assert.ok(daemon.alive, `alive after round ${round}`);
  }
  const ack = await witness.say({ text: 'witness' });
  assert.equal(ack.op, 'ack');
  await witness.message(ack.seq);
  const grown = daemon.residentMib() - before;
  console.log(`  ${closed} were closed at once; resident memory grew by ${grown.toFixed(1)} MiB`);
  assert.ok(grown < 32 * FACTOR);
  assert.ok(
    witness.frames.every((f) => f.json),
    'every frame was good JSON',
  );
  await until(
    async () => (await daemon.metrics()).sum('danpool_connections') === 1,
    'only the witness to be left',
    WAIT_MS,
  );
  await stillServes(daemon);
});

test('frames_that_break_the_protocol_are_closed_at_once', async (t) => {
  const daemon = await daemonFor(t);
  const x = Buffer.from('x');
  for (const [name, bytes] of Object.entries({
    'a reserved opcode': frame({ opcode: 3, payload: x }),
    'a reserved bit': frame({ rsv: 2, payload: x }),
    'a continuation of nothing': frame({ opcode: 0, payload: x }),
    'a message inside a message': Buffer.concat([
      frame({ fin: false, payload: x }),
      frame({ payload: x }),
    ]),
    'a ping of 126 bytes': frame({ opcode: 9, payload: Buffer.alloc(126) }),
  })) {
    const raw = await RawSocket.upgraded(daemon, 'strict');
    raw.socket.write(bytes);
    await until(() => raw.closed || raw.closeFrame(), `the close after ${name}`, 10000);
    assert.ok([undefined, 1002].includes(raw.closeFrame()?.code), name);
    raw.destroy();
  }
  await stillServes(daemon);
});

test('random_bytes_instead_of_http_do_no_harm', async (t) => {
  const daemon = await daemonFor(t);
  const random = randomFrom(SEED + 1);
  const noise = (n) => Buffer.from(Array.from({ length: n }, () => Math.floor(random() * 256)));
  const heads = [
    () => noise(300),
    () => Buffer.from(`GET /${'a'.repeat(20000)} HTTP/1.1\r\n\r\n`),
    () => Buffer.from(`GET / HTTP/1.1\r\n${'X-Y: z\r\n'.repeat(3000)}\r\n`),
    () => Buffer.from('POST /v1/rooms/a/messages HTTP/1.1\r\nContent-Length: -5\r\n\r\n'),
    () =>
      Buffer.from(
        'POST /v1/rooms/a/messages HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n',
      ),
    () => Buffer.from('GET /v1/rooms/%00/history HTTP/1.1\r\nHost: x\r\n\r\n'),
    () => Buffer.from('GET /%zz%%%1 HTTP/1.1\r\nHost: x\r\n\r\n'),
    () =>
      Buffer.concat([
        Buffer.from(
          'GET /v1/ws?room=a HTTP/1.1\r\nUpgrade: websocket\r\n' +
            'Connection: Upgrade\r\nSec-WebSocket-Key: ',
        ),
        noise(40),
        Buffer.from('\r\n\r\n'),
      ]),
    () => Buffer.from('\r\n\r\n\r\n'),
    () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  ];
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      heads.map(async (head) => {
        const raw = await RawSocket.open(daemon);
        raw.socket.write(head());
        await pause(10);
        raw.destroy();
      }),
    );
    assert.ok(daemon.alive);
  }
  await stillServes(daemon);
});

/** Floods a room until it holds `total` messages and every watcher in `watch` has them. */
async function flood(daemon, room, total, watch) {
  const writer = await Viewer.join(daemon, room);
  const ext = 'x'.repeat(900);
  for (let i = 0; i < total; i++) {
    writer.send({ op: 'send', text: `m${i}`, ext });
    if (i % 200 === 199) {
      await until(() => watch.messages.length >= i - 400, 'the watcher to keep up', WAIT_MS);
    }
  }
  await until(() => watch.messages.length >= total, 'the watcher to have all', WAIT_MS);
  return writer;
}

test('a_viewer_that_stops_reading_is_told_what_he_missed', async (t) => {
  const daemon = await daemonFor(t, { 'fanout.ring_batches': 16, 'fanout.slow_close_ms': 120000 });
  const watch = await Viewer.join(daemon, 'slow');
  const slow = await RawSocket.upgraded(daemon, 'slow');
  await until(() => slow.frames().length > 0, 'hello');
  slow.socket.pause();
  const before = daemon.residentMib();
  const total = 14000;
  await flood(daemon, 'slow', total, watch);
  const grown = daemon.residentMib() - before;
  slow.socket.resume();
  const parse = () =>
    slow
      .frames()
      .filter((f) => f.opcode === 1)
      .map((f) => JSON.parse(f.payload))
      .filter((m) => m.op === 'batch');
  await until(() => parse().at(-1)?.msgs.at(-1)?.seq === total, 'him to be up to date', WAIT_MS);
  const batches = parse();
  const got = batches.reduce((n, b) => n + b.msgs.length, 0);
  const missed = batches.reduce((n, b) => n + b.missed, 0);
  console.log(`  got ${got}, was told of ${missed} missed, daemon grew by ${grown.toFixed(1)} MiB`);
  assert.ok(missed > 0, 'he was told');
  assert.equal(got + missed, total, 'and told the truth');
  let next = 1;
  for (const batch of batches) {
    if (batch.missed > 0) {
      assert.equal(batch.msgs.length, 0);
      assert.equal(batch.seq, next + batch.missed, 'seq is the next number he will get');
      next = batch.seq;
    }
    batch.msgs.forEach((m) => {
      assert.equal(m.seq, next);
      next += 1;
    });
  }
  assert.ok(
    watch.frames.every((f) => !f.json.missed),
    'nobody else missed anything',
  );
  assert.equal(
    (await daemon.metrics()).sum('danpool_messages_dropped_total', { reason: 'slow_consumer' }),
    missed,
  );
  assert.ok(grown < 48 * FACTOR, 'no queue for one client');
});

test('a_viewer_that_stays_behind_is_closed', async (t) => {
  const daemon = await daemonFor(t, { 'fanout.ring_batches': 16, 'fanout.slow_close_ms': 1000 });
  const watch = await Viewer.join(daemon, 'behind');
  const slow = await RawSocket.upgraded(daemon, 'behind');
  await until(() => slow.frames().length > 0, 'hello');
  slow.socket.pause();
  const writer = await flood(daemon, 'behind', 14000, watch);
  await until(
    async () => {
      writer.send({ op: 'send', text: 'and on' });
      await pause(100);
      return (await daemon.metrics()).sum('danpool_connections') === 2;
    },
    'the slow one to be closed',
    WAIT_MS,
  );
  slow.socket.resume();
  await until(() => slow.closed, 'the end of his socket', WAIT_MS);
  console.log(`  close frame: ${JSON.stringify(slow.closeFrame())}`);
  const told = slow.closeFrame();
  assert.ok(told === null || (told.code === 1008 && told.reason === 'slow'), JSON.stringify(told));
  assert.equal((await writer.say({ text: 'last' })).op, 'ack');
});

test('connections_that_come_and_go_leave_nothing_behind', async (t) => {
  const daemon = await daemonFor(t);
  const churn = async () => {
    for (let i = 0; i < 20; i++) {
      const viewers = await Promise.all(
        Array.from({ length: 20 }, (_, k) =>
          Viewer.join(daemon, `churn-${k % 5}`, { history: 10 }),
        ),
      );
      await viewers[0].say({ text: `round ${i}` });
      viewers.forEach((v, k) => (k % 2 ? v.socket.terminate() : v.socket.close()));
    }
    await until(
      async () => (await daemon.metrics()).sum('danpool_connections') === 0,
      'nobody left',
    );
  };
  await churn();
  const before = daemon.residentMib();
  await churn();
  const grown = daemon.residentMib() - before;
  console.log(`  800 connections; the second 400 grew resident memory by ${grown.toFixed(1)} MiB`);
  assert.ok(grown < 8 * FACTOR);
});
