/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 6455 conformance: each case of ws_cases.js on a connection of its own, then random
 * conversations whose outcome is known, from a printed seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { RawSocket, randomFrom } from './support/raw.js';
import { pause, until } from './support/wait.js';
import { conformanceCases, randomCase } from './support/ws_cases.js';

/*
 * What libwebsockets 4.1.6 does otherwise than the RFC asks, and cannot be brought to do from outside
 * (docs/protocol.md, "Limits of conformance").  A case that is mended must be taken from here.
 */
const DEVIATIONS = [
  /* Hangs up without a close frame, which is a SHOULD (section 7.1.7). */
  'length_with_its_highest_bit_set',
  'control_frame_9_of_126_bytes',
  'control_frame_10_of_126_bytes',
  'control_frame_8_of_126_bytes',
  'close_whose_reason_is_not_utf8',
  /* Answers the first of several pings, where the latest is asked for (5.5.3). */
  'pings_between_pieces',
  /* Sends back what must not be sent (7.4.1), or nothing (5.5.1). */
  'close_5000_is_not_a_code',
  'close_65535_is_not_a_code',
  'close_with_half_a_code',
  /* Takes what must be refused (5.1, 5.2). */
  'length_in_more_bytes_than_it_needs',
  'message_without_a_mask',
  'ping_without_a_mask',
];

const SEED = Number(process.env.DANPOOL_TEST_SEED ?? 6455);
const RANDOM_CASES = 300;
const AT_ONCE = 16;
const WAIT_MS = 20000;
const DEVIATION_MS = 3000;
const PONG = 10;

/** Everything that came back: acks, pongs, refused messages, the close frame. */
function heard(raw) {
  const texts = raw
    .frames()
    .filter((f) => f.opcode === 1)
    .map((f) => JSON.parse(f.payload.toString()));
  const close = raw.frames().find((f) => f.opcode === 8);
  return {
    acks: texts.filter((m) => m.op === 'ack').map((m) => m.id),
    errors: texts.filter((m) => m.op === 'error').length,
    pongs: raw.frames().filter((f) => f.opcode === PONG).map((f) => f.payload.toString('hex')),
    close: close && (close.payload.length >= 2 ? close.payload.readUInt16BE(0) : null),
  };
}

async function run(daemon, one) {
  const raw = await RawSocket.upgraded(daemon, 'rfc');
  try {
    for (const bytes of one.sent) {
      raw.socket.write(bytes);
      if (one.sent.length > 8 && bytes.length < 8) {
        await pause(0); /* Nagle is off in node: small writes travel alone. */
      }
    }
    const ends = one.expected.close !== undefined;
    const last = one.expected.acks.at(-1);
    await until(
      () => raw.closed || raw.closeFrame() || (!ends && heard(raw).acks.includes(last)),
      `the end of ${one.name}`,
      DEVIATIONS.includes(one.name) ? DEVIATION_MS : WAIT_MS,
    );
    const want = { ...one.expected, pongs: one.expected.pongs.map((p) => p.toString('hex')) };
    const got = heard(raw);
    if (one.isFaulty) {
      /* Whoever fails a connection need not send what waits: the first of the acks, or all. */
      want.acks = want.acks.slice(0, got.acks.length);
    }
    if (!ends) {
      want.close = undefined;
      assert.equal(raw.closed, false, `${one.name}: the connection stays`);
    }
    assert.deepEqual(got, want, `${one.name} (RFC 6455, section ${one.rfc})`);
  } finally {
    raw.destroy();
  }
}

/** Runs all, some at a time; exactly those named may go wrong. */
async function runAll(daemon, cases, deviations = []) {
  const queue = [...cases];
  const wrong = [];
  const worker = async () => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      try {
        await run(daemon, one);
      } catch (error) {
        wrong.push(one.name);
        if (!deviations.includes(one.name)) {
          console.log(error.message);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  assert.deepEqual(wrong.sort(), [...deviations].sort());
}

const SETTINGS = { 'limits.connections_max': 1000 };

test('each_case_of_rfc_6455_ends_as_the_rfc_asks', async (t) => {
  const daemon = await daemonFor(t, SETTINGS);
  const cases = conformanceCases();
  console.log(`  ${cases.length} cases, ${DEVIATIONS.length} known to deviate`);
  await runAll(daemon, cases, DEVIATIONS);
});

test('random_conversations_are_understood_to_the_byte', async (t) => {
  const daemon = await daemonFor(t, SETTINGS);
  const random = randomFrom(SEED);
  console.log(`  seed ${SEED}, ${RANDOM_CASES} conversations`);
  await runAll(
    daemon,
    Array.from({ length: RANDOM_CASES }, (_, i) => randomCase(random, i)),
  );
});
