/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Existing clients of Bilibili's live protocol, unchanged from npm, against /sub: comments, stickers,
 * heartbeats, versions; and by hand what must never be sent to them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeepLiveWS, LiveWS } from 'bilibili-live-ws';
import { KeepLiveWS as TinyWS } from 'tiny-bilibili-ws/browser';
import WebSocket from 'ws';
import { daemonFor } from './support/daemon.js';
import { SVG_DISC } from './support/files.js';
import { pause, until, within } from './support/wait.js';

const WAIT_MS = 20000;
const HEADER_BYTES = 16;

const address = (daemon) => `ws://127.0.0.1:${daemon.port}/sub`;

/** A packet as a client sends it. */
function packet(operation, body, version = 1) {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(HEADER_BYTES);
  head.writeUInt32BE(HEADER_BYTES + bytes.length, 0);
  head.writeUInt16BE(HEADER_BYTES, 4);
  head.writeUInt16BE(version, 6);
  head.writeUInt32BE(operation, 8);
  head.writeUInt32BE(1, 12);
  return Buffer.concat([head, bytes]);
}

/** A client by hand: keeps every frame and says how it was closed. */
class Hand {
  constructor(daemon) {
    this.frames = [];
    this.socket = new WebSocket(address(daemon));
    this.socket.on('message', (data, isBinary) => this.frames.push({ data, isBinary }));
    this.opened = new Promise((resolve) => {
      this.socket.on('open', resolve);
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => resolve(code));
    });
  }

  static async auth(daemon, body) {
    const hand = new Hand(daemon);
    await hand.opened;
    hand.socket.send(packet(7, JSON.stringify(body)));
    await until(() => hand.frames.length > 0, 'an answer to auth', WAIT_MS);
    return hand;
  }
}

/** Every packet of a frame, checked: nothing trails, nothing has a length that would loop. */
function packetsOf({ data, isBinary }) {
  assert.equal(isBinary, true, 'binary frames only');
  const packets = [];
  for (let at = 0; at < data.length; ) {
    assert.ok(data.length - at >= HEADER_BYTES, 'no trailing bytes');
    const size = data.readUInt32BE(at);
    assert.ok(size >= HEADER_BYTES && at + size <= data.length);
    assert.equal(data.readUInt16BE(at + 4), HEADER_BYTES);
    packets.push({
      version: data.readUInt16BE(at + 6),
      operation: data.readUInt32BE(at + 8),
      body: data.subarray(at + HEADER_BYTES, at + size),
    });
    at += size;
  }
  return packets;
}

const CLIENTS = {
  'bilibili-live-ws': (daemon, protover) =>
    new LiveWS(5050, { address: address(daemon), protover }),
  'tiny-bilibili-ws': (daemon, protover) =>
    new TinyWS(5050, {
      host: '127.0.0.1',
      port: daemon.port,
      ssl: false,
      protover,
      uid: 0,
      key: 'k',
      buvid: 'B',
      customWebSocket: (url) => new WebSocket(url),
    }),
};

/** The event's payload: one client hands on the message, the other wraps it. */
const inner = (event) => event?.data ?? event;

for (const [name, connect] of Object.entries(CLIENTS)) {
  for (const protover of [1, 2, 3]) {
    test(`${name}_of_protover_${protover}_hears_a_comment_and_a_sticker`, async (t) => {
      const daemon = await daemonFor(t, { 'bili.media_base': 'http://media.test' });
      const live = connect(daemon, protover);
      t.after(() => live.close());
      const heard = [];
      let beats = 0;
      live.on('DANMU_MSG', (event) => heard.push(inner(event)));
      live.on('heartbeat', () => {
        beats += 1;
      });
      await within(
        WAIT_MS,
        new Promise((resolve) => {
          live.on('live', resolve);
        }),
        'live',
      );
      await until(() => beats > 0, 'the answer to the first heartbeat', WAIT_MS);
      const words = 'hi <b> "你好" \\ 😀';
      await daemon.publish('5050', { text: words, mode: 'top', color: '#123456', size: 18 });
      await until(() => heard.length === 1, 'the comment', WAIT_MS);
      const { info } = heard[0].info ? heard[0] : inner(heard[0]);
      assert.equal(info[1], words);
      assert.deepEqual(info[0].slice(1, 4), [5, 18, 0x123456]);
      assert.equal(JSON.parse(info[0][15].extra).content, words);
      assert.equal((await daemon.upload('5050', SVG_DISC)).status, 201);
      await until(() => heard.length === 2, 'the sticker', WAIT_MS);
      const sticker = (heard[1].info ? heard[1] : inner(heard[1])).info[0][13];
      assert.match(sticker.url, /^http:\/\/media\.test\/v1\/media\/[0-9a-f]{64}$/);
    });
  }
}

test('nothing_that_breaks_those_clients_is_sent', async (t) => {
  const daemon = await daemonFor(t);
  for (const protover of [undefined, 0, 2, 3, 9]) {
    const hand = await Hand.auth(daemon, { roomid: 77, protover });
    hand.socket.send(packet(2, '[object Object]'));
    for (let i = 0; i < 20; i++) {
      await daemon.publish('77', { text: `word ${i} [热]` });
    }
    await until(() => hand.frames.length >= 3, 'batches', WAIT_MS);
    await pause(100);
    const [auth, ...rest] = hand.frames.flatMap(packetsOf);
    assert.deepEqual([auth.operation, auth.version, `${auth.body}`], [8, 1, '{"code":0}']);
    const beat = rest.find((p) => p.operation === 3);
    assert.deepEqual([beat.version, beat.body.length], [1, 4], 'a count, and no echo behind it');
    const messages = rest.filter((p) => p.operation === 5);
    assert.ok(messages.length > 0);
    messages.forEach((p) => assert.ok([0, 2, 3].includes(p.version) && p.body.length > 0));
    assert.equal(new Set(messages.map((p) => p.version)).size, 1, 'one version a connection');
    assert.equal(rest.length, messages.length + 1, 'no other operation');
    hand.socket.close();
  }
});

test('auth_that_is_wrong_is_told_and_closed', async (t) => {
  const daemon = await daemonFor(t);
  for (const body of [{}, { roomid: 'x/y' }, { roomid: 0 }, []]) {
    const hand = await Hand.auth(daemon, body);
    const [answer] = packetsOf(hand.frames[0]);
    assert.deepEqual([answer.operation, JSON.parse(`${answer.body}`).code], [8, -101]);
    assert.equal(await within(WAIT_MS, hand.closed, 'the close'), 1008);
  }
});

test('a_packet_may_come_byte_by_byte_and_garbage_is_hung_up_on', async (t) => {
  const daemon = await daemonFor(t);
  const slow = new Hand(daemon);
  await slow.opened;
  for (const byte of Buffer.concat([packet(7, '{"roomid":5}'), packet(2, '')])) {
    slow.socket.send(Buffer.from([byte]));
  }
  await until(() => slow.frames.flatMap(packetsOf).length === 2, 'both answers', WAIT_MS);
  const wild = new Hand(daemon);
  await wild.opened;
  wild.socket.send(Buffer.alloc(64, 0xff));
  assert.equal(await within(WAIT_MS, wild.closed, 'the close'), 1002);
  const text = new Hand(daemon);
  await text.opened;
  text.socket.send('{"roomid":5}');
  assert.equal(await within(WAIT_MS, text.closed, 'the close'), 1003);
  assert.equal(slow.socket.readyState, WebSocket.OPEN);
});

test('who_does_not_say_who_he_is_is_closed_after_five_seconds', async (t) => {
  const daemon = await daemonFor(t);
  const mute = new Hand(daemon);
  await mute.opened;
  const began = Date.now();
  assert.equal(await within(WAIT_MS, mute.closed, 'the close'), 1008);
  assert.ok(Date.now() - began >= 4000);
});

test('who_talks_but_does_not_say_who_he_is_is_closed_as_soon', async (t) => {
  const daemon = await daemonFor(t);
  const auth = packet(7, '{"roomid":5}');
  const talks = [() => packet(2, ''), (turn) => auth.subarray(turn, turn + 1)];
  await Promise.all(
    talks.map(async (next) => {
      const hand = new Hand(daemon);
      await hand.opened;
      let turn = 0;
      const timer = setInterval(() => hand.socket.send(next(turn++)), 1000);
      t.after(() => clearInterval(timer));
      const began = Date.now();
      assert.equal(await within(WAIT_MS, hand.closed, 'the close'), 1008);
      assert.ok(Date.now() - began < 10000, 'talking does not put the end off');
      clearInterval(timer);
    }),
  );
});

test('a_client_that_keeps_alive_comes_back_to_a_daemon_that_restarts', async (t) => {
  const first = await daemonFor(t);
  const live = new KeepLiveWS(9, { address: address(first) });
  t.after(() => live.close());
  const heard = [];
  live.on('DANMU_MSG', (event) => heard.push(event.info[1]));
  await until(() => live.online > 0 || live.live, 'live', WAIT_MS);
  await first.publish('9', { text: 'before' });
  await until(() => heard.includes('before'), 'the first comment', WAIT_MS);
  await first.kill();
  const second = await daemonFor(t, { 'listen.port': first.port });
  await until(
    async () => {
      await second.publish('9', { text: 'after' });
      return heard.includes('after');
    },
    'a comment of the second daemon',
    WAIT_MS,
  );
});
