/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What RFC 6455 asks of a server, as cases: the bytes that a client sends, and what must come back.
 *
 * danpoold echoes nothing, so a case sees that its text message was taken by the `ack` of its id.
 * Each case that must leave the connection open ends with a probe: one more message, whose ack shows
 * that the connection still works and that nothing else came before it.
 */
import { frame } from './raw.js';

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const CONTROL_BYTES_MAX = 125;
const MESSAGE_BYTES_MAX = 8192;
const PROBE_ID = 999999;

/**
 * @typedef {object} Expected
 * @property {number[]} [acks] ids of the messages taken, in this order
 * @property {Buffer[]} [pongs] payloads, in this order
 * @property {number} [errors] messages that were read whole but refused as JSON
 * @property {number|null} [close] the code of the server's close frame; null: it must carry none
 */

/** @typedef {{name: string, rfc: string, sent: Buffer[], expected: Expected}} Case */

const message = (id, text = 'x') => Buffer.from(JSON.stringify({ op: 'send', id, text }));
const text = (id, words) => frame({ payload: message(id, words) });
const probe = () => text(PROBE_ID, 'probe');

const open = (name, rfc, sent, expected) => ({
  name,
  rfc,
  sent: [...sent, probe()],
  expected: { acks: [], pongs: [], errors: 0, ...expected, acks: [...(expected.acks ?? []), PROBE_ID] },
});
const fails = (name, rfc, sent, close = 1002, expected = {}) => ({
  name,
  rfc,
  sent,
  expected: { acks: [], pongs: [], errors: 0, ...expected, close },
});

/** One message of that many bytes in all, filled up in a field that the server ignores. */
function sized(id, bytes) {
  const bare = JSON.stringify({ op: 'send', id, text: 'x', fill: '' }).length;
  return Buffer.from(
    JSON.stringify({ op: 'send', id, text: 'x', fill: 'f'.repeat(bytes - bare) }),
  );
}

/** A payload cut at these places, as frames of one message; `between` goes before each piece but the first. */
function pieces(payload, cuts, between = () => []) {
  const places = [0, ...cuts, payload.length];
  return places.slice(1).flatMap((end, i) => [
    ...(i === 0 ? [] : between(i)),
    frame({
      fin: end === payload.length && i === places.length - 2,
      opcode: i === 0 ? TEXT : 0,
      payload: payload.subarray(places[i], end),
    }),
  ]);
}

const bytewise = (buffers) =>
  Buffer.concat(buffers)
    .toString('latin1')
    .split('')
    .map((c) => Buffer.from(c, 'latin1'));

function closeFrame(code, reason = Buffer.alloc(0)) {
  return frame({
    opcode: CLOSE,
    payload: Buffer.concat([Buffer.from([code >> 8, code & 0xff]), reason]),
  });
}

function* lengths() {
  for (const bytes of [100, 125, 126, 127, 128, 255, 256, 4096, MESSAGE_BYTES_MAX]) {
    yield open(`message_of_${bytes}_bytes`, '5.2', [frame({ payload: sized(1, bytes) })], {
      acks: [1],
    });
  }
  yield open('empty_message_is_a_message', '5.2', [frame({})], { errors: 1 });
  yield open('whole_message_byte_by_byte', '5.2', bytewise([text(1)]), { acks: [1] });
  yield open('many_messages_in_one_write', '5.2', [Buffer.concat([1, 2, 3, 4].map((i) => text(i)))], {
    acks: [1, 2, 3, 4],
  });
  const over = Buffer.alloc(MESSAGE_BYTES_MAX + 1, 0x20);
  yield fails('one_byte_too_long', '10.4', [frame({ payload: over })], 1009);
  yield fails('length_in_more_bytes_than_it_needs', '5.2', [
    Buffer.concat([Buffer.from([0x81, 0xfe, 0, 1, 0, 0, 0, 0]), Buffer.from('x')]),
  ]);
  const half = Buffer.alloc(MESSAGE_BYTES_MAX / 2 + 1, 0x20);
  yield fails(
    'too_long_in_pieces',
    '10.4',
    [frame({ fin: false, payload: half }), frame({ opcode: 0, payload: half })],
    1009,
  );
  yield fails('length_with_its_highest_bit_set', '5.2', [
    frame({ length: 1n << 63n, payload: Buffer.alloc(16) }),
  ]);
}

function* pings() {
  for (const bytes of [0, 1, CONTROL_BYTES_MAX]) {
    const payload = Buffer.alloc(bytes, 0xfe);
    yield open(`ping_of_${bytes}_bytes`, '5.5.2', [frame({ opcode: PING, payload })], {
      pongs: [payload],
    });
  }
  for (const opcode of [PING, PONG, CLOSE]) {
    yield fails(`control_frame_${opcode}_of_126_bytes`, '5.5', [
      frame({ opcode, payload: Buffer.alloc(126, 0x41) }),
    ]);
    yield fails(`control_frame_${opcode}_in_pieces`, '5.5', [
      frame({ opcode, fin: false, payload: Buffer.from('a') }),
      frame({ opcode: 0, payload: Buffer.from('b') }),
    ]);
  }
  yield open('pong_that_nobody_asked_for', '5.5.3', [
    frame({ opcode: PONG, payload: Buffer.from('unasked') }),
    frame({ opcode: PONG }),
  ], {});
  yield open('ping_byte_by_byte', '5.5.2', bytewise([frame({ opcode: PING, payload: Buffer.from('slow') })]), {
    pongs: [Buffer.from('slow')],
  });
}

function* reserved() {
  for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
    yield fails(`reserved_bits_${rsv}_on_text`, '5.2', [frame({ rsv, payload: message(1) })]);
    yield fails(`reserved_bits_${rsv}_on_ping`, '5.2', [frame({ rsv, opcode: PING })]);
    yield fails(`reserved_bits_${rsv}_on_continuation`, '5.2', [
      frame({ fin: false, payload: message(1).subarray(0, 4) }),
      frame({ rsv, opcode: 0, payload: message(1).subarray(4) }),
    ]);
  }
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) {
    yield fails(`reserved_opcode_${opcode}`, '5.2', [frame({ opcode, payload: Buffer.from('x') })]);
    yield fails(`reserved_opcode_${opcode}_after_a_message`, '5.2', [text(1), frame({ opcode })], 1002, {
      acks: [1],
    });
  }
}

function* fragments() {
  const payload = message(1, '弹幕池 pool');
  for (let cut = 0; cut <= payload.length; cut += 3) {
    yield open(`two_pieces_cut_at_${cut}`, '5.4', pieces(payload, [cut]), { acks: [1] });
  }
  const every = Array.from({ length: payload.length - 1 }, (_, i) => i + 1);
  yield open('a_piece_for_each_byte', '5.4', pieces(payload, every), { acks: [1] });
  const ping = (i) => [frame({ opcode: PING, payload: Buffer.from(`p${i}`) })];
  /* In one write, so that both pings are there when the first is answered. */
  yield open('pings_between_pieces', '5.4', [Buffer.concat(pieces(payload, [5, 9], ping))], {
    acks: [1],
    pongs: [Buffer.from('p1'), Buffer.from('p2')],
  });
  /* One ping: of two that happen to be read together a server may answer one (5.5.3). */
  yield open('a_ping_between_pieces_byte_by_byte', '5.4', bytewise(pieces(payload, [9], ping)), {
    acks: [1],
    pongs: [Buffer.from('p1')],
  });
  yield open('empty_pieces', '5.4', pieces(payload, [0, 0, 7, 7]), { acks: [1] });
  yield fails('continuation_of_nothing', '5.4', [frame({ opcode: 0, payload })]);
  yield fails('continuation_after_a_whole_message', '5.4', [text(1), frame({ opcode: 0, payload })], 1002, {
    acks: [1],
  });
  yield fails('new_message_inside_an_open_one', '5.4', [
    frame({ fin: false, payload: payload.subarray(0, 4) }),
    text(2),
  ]);
  yield fails('binary_message', '5.6', [frame({ opcode: BINARY, payload })], 1003);
}

function* utf8() {
  const bad = {
    lone_continuation: [0x80],
    overlong_slash: [0xc0, 0xaf],
    overlong_three: [0xe0, 0x80, 0xaf],
    surrogate: [0xed, 0xa0, 0x80],
    above_the_last_plane: [0xf4, 0x90, 0x80, 0x80],
    five_bytes: [0xf8, 0x88, 0x80, 0x80, 0x80],
    ends_inside_a_character: [0xe5, 0xbc],
    never_allowed: [0xff],
  };
  for (const [name, bytes] of Object.entries(bad)) {
    const payload = Buffer.concat([
      Buffer.from('{"op":"send","id":1,"text":"'),
      Buffer.from(bytes),
      Buffer.from('"}'),
    ]);
    yield fails(`not_utf8_${name}`, '8.1', [frame({ payload })], 1007);
    yield fails(`not_utf8_${name}_in_pieces`, '8.1', pieces(payload, [28, 29]), 1007);
  }
  const emoji = message(1, '😀é弹');
  const every = Array.from({ length: emoji.length - 1 }, (_, i) => i + 1);
  const middle = emoji.indexOf('弹') + 1;
  yield open('character_cut_by_a_ping', '8.1', pieces(emoji, [middle], () => [frame({ opcode: PING })]), {
    acks: [1],
    pongs: [Buffer.alloc(0)],
  });
  yield open('characters_cut_between_pieces', '8.1', pieces(emoji, every), { acks: [1] });
}

function* closing() {
  yield fails('close_without_a_code', '5.5.1', [frame({ opcode: CLOSE })], null);
  for (const code of [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]) {
    yield fails(`close_${code}`, '7.4', [closeFrame(code)], code);
  }
  yield fails('close_with_a_long_reason', '5.5.1', [closeFrame(1000, Buffer.alloc(123, 0x61))], 1000);
  for (const code of [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535]) {
    yield fails(`close_${code}_is_not_a_code`, '7.4.1', [closeFrame(code)]);
  }
  yield fails('close_with_half_a_code', '5.5.1', [
    frame({ opcode: CLOSE, payload: Buffer.from([3]) }),
  ]);
  yield fails(
    'close_whose_reason_is_not_utf8',
    '5.5.1',
    [closeFrame(1000, Buffer.from([0xce, 0xba, 0xff]))],
    1007,
  );
  yield fails('message_after_close_is_not_read', '5.5.1', [closeFrame(1000), text(1)], 1000);
  yield fails('ping_after_close_is_not_answered', '5.5.1', [
    closeFrame(1000),
    frame({ opcode: PING }),
  ], 1000);
  yield fails('close_between_pieces', '5.4', [
    frame({ fin: false, payload: Buffer.from('{') }),
    closeFrame(1000),
  ], 1000);
}

function* masking() {
  yield fails('message_without_a_mask', '5.1', [frame({ masked: false, payload: message(1) })]);
  yield fails('ping_without_a_mask', '5.1', [frame({ masked: false, opcode: PING })]);
}

/** @returns {Case[]} */
export function conformanceCases() {
  return [lengths, pings, reserved, fragments, utf8, closing, masking].flatMap((part) => [...part()]);
}

/**
 * A random but right conversation, with what must come of it, and at its end maybe one fault.
 * @param {() => number} random
 * @param {number} index
 * @returns {Case}
 */
export function randomCase(random, index) {
  const below = (n) => Math.floor(random() * n);
  const sent = [];
  const expected = { acks: [], pongs: [], errors: 0 };
  const isFaulty = below(2) === 0;
  /*
   * One at most: while a pong waits, a server may leave out others (section 5.5.3).  And none before
   * a fault: whoever fails a connection need not send what waits.
   */
  const mayPing = () => !isFaulty && expected.pongs.length === 0;
  const pingNow = () => {
    if (!mayPing()) {
      return;
    }
    const payload = Buffer.from(Array.from({ length: below(CONTROL_BYTES_MAX + 1) }, () => below(256)));
    sent.push(frame({ opcode: PING, payload }));
    expected.pongs.push(payload);
  };
  const speak = (id) => {
    const payload = message(id, 'pool'.repeat(1 + below(40)));
    const cuts = Array.from({ length: below(5) }, () => below(payload.length + 1)).sort((a, b) => a - b);
    sent.push(
      ...pieces(payload, cuts, () => {
        if (below(3) === 0 && mayPing()) {
          pingNow();
          return [sent.pop()];
        }
        return below(4) === 0 ? [frame({ opcode: PONG, payload: Buffer.from('x') })] : [];
      }),
    );
    expected.acks.push(id);
  };
  for (let id = 1; id <= 1 + below(6); id++) {
    speak(id);
    if (below(3) === 0) {
      pingNow();
    }
  }
  const faults = [
    [1002, () => [frame({ opcode: 3 + below(5), payload: Buffer.alloc(below(20)) })]],
    [1002, () => [frame({ rsv: 1 + below(7), payload: message(90) })]],
    [1002, () => [frame({ opcode: 0, payload: message(90) })]],
    [1003, () => [frame({ opcode: BINARY, payload: message(90) })]],
    [1007, () => [frame({ payload: Buffer.from([0x22, 0xc3, 0x28, 0x22]) })]],
    [1000, () => [closeFrame(1000)]],
  ];
  const fault = isFaulty ? faults[below(faults.length)] : null;
  if (fault) {
    sent.push(...fault[1]());
    expected.close = fault[0];
  } else {
    sent.push(probe());
    expected.acks.push(PROBE_ID);
  }
  const bytes = Buffer.concat(sent);
  const cuts = [];
  for (let at = 0; at < bytes.length; at += 1 + below(below(2) === 0 ? 7 : 2000)) {
    cuts.push(at);
  }
  return {
    name: `random_${index}`,
    rfc: '5',
    sent: cuts.map((at, i) => bytes.subarray(at, cuts[i + 1])),
    isFaulty,
    expected,
  };
}
