/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WebSocket protocol as docs/protocol.md states it: hello, ack, batch, order, `ext` byte for
 * byte, every error code that a client can cause, history, ping.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import WebSocket from 'ws';
import { Daemon, daemonFor } from './support/daemon.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);

describe('websocket protocol', () => {
  /** @type {Daemon} */
  let daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(async () => {
    assert.equal((await daemon.stop()).code, 0);
  });

  test('hello_names_room_epoch_and_limits', async () => {
    const viewer = await Viewer.join(daemon, 'hello-1');
    const { hello } = viewer;
    assert.equal(hello.room, 'hello-1');
    assert.match(hello.epoch, /^\S+$/);
    assert.equal(typeof hello.seq, 'number');
    assert.match(hello.server, /^danpoold\/\d+\.\d+\.\d+/);
    assert.deepEqual([hello.text_chars_max, hello.ext_bytes_max], [200, 1024]);
    assert.ok(hello.ping_ms > 0);
    assert.equal(viewer.socket.protocol, 'danpool.v1.json');
    await viewer.leave();
  });

  test('a_client_without_a_subprotocol_is_served_the_same', async () => {
    const viewer = await Viewer.join(daemon, 'plain', { protocols: [] });
    const { seq } = await viewer.say({ text: 'hi' });
    assert.equal((await viewer.message(seq)).text, 'hi');
    await viewer.leave();
  });

  test('everybody_gets_a_comment_and_its_sender_the_ack', async () => {
    const [a, b] = [await Viewer.join(daemon, 'r1'), await Viewer.join(daemon, 'r1')];
    const other = await Viewer.join(daemon, 'r2');
    const ack = await a.say({ text: '你好 <b>', mode: 'top', color: '#12AbEf', size: 36 });
    assert.equal(ack.op, 'ack');
    for (const viewer of [a, b]) {
      const message = await viewer.message(ack.seq);
      assert.equal(message.kind, 'text');
      assert.equal(message.text, '你好 <b>');
      assert.equal(message.mode, 'top');
      assert.equal(message.color.toLowerCase(), '#12abef');
      assert.equal(message.size, 36);
      assert.ok(Math.abs(message.ts - Date.now()) < 60000);
      assert.ok(!('ext' in message));
    }
    assert.equal((await other.say({ text: 'end' })).op, 'ack');
    await until(() => other.messages.length > 0, "the other room's own comment");
    assert.deepEqual(
      other.messages.map((m) => m.text),
      ['end'],
    );
  });

  test('defaults_are_scroll_white_25', async () => {
    const viewer = await Viewer.join(daemon, 'defaults');
    const { seq } = await viewer.say({ text: 'x', unknown_field: [1] });
    const { mode, color, size } = await viewer.message(seq);
    assert.deepEqual([mode, color, size], ['scroll', '#ffffff', 25]);
  });

  test('numbers_rise_by_one_and_order_is_the_same_for_all', async () => {
    const viewers = await Promise.all([1, 2, 3, 4].map(() => Viewer.join(daemon, 'order')));
    const each = 250;
    for (let i = 0; i < each; i++) {
      viewers.forEach((v, k) => v.send({ op: 'send', text: `${k}:${i}` }));
    }
    const total = each * viewers.length;
    for (const viewer of viewers) {
      await until(() => viewer.messages.length >= total, `${total} messages`);
    }
    const texts = viewers.map((v) => v.messages.map((m) => m.text).join());
    assert.ok(texts.every((t) => t === texts[0]));
    const seqs = viewers[0].messages.map((m) => m.seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, i) => seqs[0] + i),
    );
    for (let k = 0; k < viewers.length; k++) {
      const mine = viewers[1].messages.filter((m) => m.text.startsWith(`${k}:`));
      assert.deepEqual(
        mine.map((m) => m.text),
        mine.map((_, i) => `${k}:${i}`),
      );
    }
    const batches = viewers[0].frames.filter((f) => f.json.op === 'batch').map((f) => f.json);
    assert.ok(batches.every((b) => b.missed === 0 && b.seq === b.msgs[0].seq));
    console.log(`  ${total} messages in ${batches.length} batches`);
  });

  test('ext_is_delivered_byte_for_byte', async () => {
    const viewer = await Viewer.join(daemon, 'ext');
    const samples = [
      '{"k":[1, 2]}',
      '1.0e5',
      '-0.0',
      '12345678901234567890',
      '"\\u4f60\\ud83d\\ude00\\/"',
      'null',
      'true',
      '{ "a" :\t[ 1.50 ,2 ] , "a":{} }',
      '"</script>你好"',
      '[\n  1E+2\n]',
      `"${'x'.repeat(1022)}"`,
    ];
    for (const ext of samples) {
      const from = viewer.frames.length;
      viewer.send(`{"op":"send", "text":"e","ext":  ${ext}  }`);
      const frame = await viewer.takeFrame((m) => m.op === 'batch', 'its batch', from);
      assert.ok(
        frame.text.includes(`"ext":${ext}`),
        `${ext.slice(0, 60)} in ${frame.text.slice(0, 400)}`,
      );
    }
    const again = new Viewer(daemon, 'ext', { history: 200 });
    const past = await again.takeFrame((m) => m.history === true, 'history');
    samples.forEach((ext) => assert.ok(past.text.includes(`"ext":${ext}`), ext.slice(0, 60)));
    const http = await (await daemon.fetch('/v1/rooms/ext/history?limit=200')).text();
    samples.forEach((ext) => assert.ok(http.includes(`"ext":${ext}`), ext.slice(0, 60)));
  });

  test('text_is_cleaned_and_trimmed', async () => {
    const viewer = await Viewer.join(daemon, 'clean');
    const cases = [
      ['  \t hi \n ', 'hi'],
      ['a\u0007b\u0000c', 'abc'],
      ['x\u202Ey\u2066z', 'xyz'],
      [`  ${'好'.repeat(200)}  `, '好'.repeat(200)],
      ['😀'.repeat(200), '😀'.repeat(200)],
      ['e\u0301 "\\ /', 'e\u0301 "\\ /'],
    ];
    for (const [sent, shown] of cases) {
      const ack = await viewer.say({ text: sent });
      assert.equal(ack.op, 'ack', JSON.stringify([sent.slice(0, 20), ack]));
      assert.equal((await viewer.message(ack.seq)).text, shown);
    }
  });

  /** Each documented refusal: [code, raw frames]. */
  const refusals = [
    [
      'bad_json',
      [
        '{',
        'hello',
        '',
        '{"op":"send","text":"a"}x',
        '{"op":"send","text":"\u0001"}',
        `{"op":"send","text":"a","ext":${nested(33)}}`,
      ],
    ],
    [
      'bad_request',
      [
        '{"op":"send"}',
        '{"op":"send","text":5}',
        '{"op":"send","text":"a","mode":"fly"}',
        '{"op":"send","text":"a","color":"red"}',
        '{"op":"send","text":"a","color":"#12345g"}',
        '{"op":"send","text":"a","size":11}',
        '{"op":"send","text":"a","size":65}',
        '{"op":"send","text":"a","size":"25"}',
        '{"op":"send","text":"a","size":25.5}',
        '{"op":"send","text":"a","id":-1}',
        '{"op":"send","text":"a","id":"7"}',
        '{"op":"send","text":"a","id":9007199254740993}',
        '{"text":"a"}',
        '{"op":7}',
      ],
    ],
    ['unknown_op', ['{"op":"dance"}', '{"op":""}']],
    [
      'text_empty',
      [
        '{"op":"send","text":""}',
        '{"op":"send","text":"  \\n "}',
        '{"op":"send","text":"\\u202e\\u0007"}',
      ],
    ],
    ['text_too_long', [`{"op":"send","text":"${'好'.repeat(201)}"}`]],
    ['ext_too_large', [`{"op":"send","text":"a","ext":"${'x'.repeat(1023)}"}`]],
  ];
  for (const [code, frames] of refusals) {
    test(`refused_with_${code}`, async () => {
      const viewer = await Viewer.join(daemon, `refuse-${code}`);
      const before = await daemon.metrics();
      for (const raw of frames) {
        const answer = await viewer.ask(raw);
        assert.equal(answer.op, 'error', `${raw.slice(0, 80)} -> ${JSON.stringify(answer)}`);
        assert.equal(answer.code, code, `${raw.slice(0, 80)} -> ${JSON.stringify(answer)}`);
        assert.ok(answer.message.length > 0);
      }
      assert.equal((await viewer.say({ text: 'still here' })).op, 'ack');
      await until(() => viewer.messages.length === 1, 'only the good one was published');
      const counted =
        (await daemon.metrics()).sum('danpool_messages_rejected_total', { reason: code }) -
        before.sum('danpool_messages_rejected_total', { reason: code });
      assert.equal(counted, frames.length, 'danpool_messages_rejected_total counts them');
    });
  }

  test('an_error_names_the_id_and_the_field', async () => {
    const viewer = await Viewer.join(daemon, 'named');
    const answer = await viewer.say({ text: 'a', size: 99 });
    assert.equal(answer.code, 'bad_request');
    assert.match(answer.message, /size/);
  });

  test('a_success_without_id_is_not_acknowledged', async () => {
    const viewer = await Viewer.join(daemon, 'noid');
    viewer.send({ op: 'send', text: 'quiet' });
    await until(() => viewer.messages.length === 1, 'the message');
    await viewer.say({ text: 'loud' });
    assert.equal(viewer.frames.filter((f) => f.json.op === 'ack').length, 1);
  });

  test('ping_is_answered_with_pong', async () => {
    const viewer = await Viewer.join(daemon, 'ping');
    assert.deepEqual(await viewer.ask('{"op":"ping","id":7}'), { op: 'pong', id: 7 });
  });

  test('history_comes_first_as_one_batch_oldest_first', async () => {
    const writer = await Viewer.join(daemon, 'past');
    for (let i = 0; i < 12; i++) {
      await writer.say({ text: `m${i}` });
    }
    const viewer = await Viewer.join(daemon, 'past', { history: 5 });
    const past = await viewer.take((m) => m.op === 'batch', 'history');
    assert.equal(past.history, true);
    assert.deepEqual(
      past.msgs.map((m) => m.text),
      ['m7', 'm8', 'm9', 'm10', 'm11'],
    );
    assert.equal(past.seq, past.msgs[0].seq);
    assert.equal(viewer.hello.seq, past.msgs[4].seq);
    await writer.say({ text: 'live' });
    const live = await viewer.take((m) => m.op === 'batch' && !m.history, 'the live one');
    assert.equal(live.seq, past.msgs[4].seq + 1, 'no gap between history and live');
    const none = await Viewer.join(daemon, 'past');
    await writer.say({ text: 'after' });
    await until(() => none.messages.length > 0, 'a message');
    assert.equal(none.messages[0].text, 'after');
  });

  test('numbering_is_kept_while_the_room_lives', async () => {
    const a = await Viewer.join(daemon, 'epoch');
    const { seq } = await a.say({ text: '1' });
    const b = await Viewer.join(daemon, 'epoch');
    assert.equal(b.hello.epoch, a.hello.epoch);
    assert.equal(b.hello.seq, seq);
  });

  test('a_bad_room_name_is_refused', async () => {
    for (const query of ['', 'room=', 'room=a%20b', `room=${'x'.repeat(65)}`, 'room=a%2Fb']) {
      const viewer = new Viewer(daemon, '', { query });
      await viewer.ended();
      assert.equal(viewer.refused, 400, `"${query}" -> ${viewer.refused}`);
    }
  });
});

test('pages_of_other_origins_open_no_websocket', async (t) => {
  const daemon = await daemonFor(t, { 'listen.origins': 'https://live.example.org' });
  const open = (origin) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://127.0.0.1:${daemon.port}/v1/ws?room=lobby`,
        'danpool.v1.json', origin === undefined ? {} : { origin });
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_, answer) => resolve(answer.statusCode));
      socket.once('error', () => {});
      t.after(() => socket.terminate());
    });
  assert.equal(await open('https://live.example.org'), 101);
  assert.equal(await open(undefined), 101);
  assert.equal(await open('https://evil.example'), 403);
  assert.equal(await open(`https://${'a'.repeat(400)}`), 403);
});
