/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rooms with more comments than a screen takes, over real sockets: the numbers that viewers are
 * told and the metrics account for every comment, and whoever sends sees his own.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const FULL = {
  'fanout.display_per_s': 40,
  'fanout.ring_batches': 1024,
  'limits.messages_per_s': 0,
};

/** What the room's batches say of the numbers after `from`; each must be accounted for. */
function account(viewer, from) {
  let next = from;
  const total = { shown: 0, sampled: 0, merged: 0 };
  for (const { json } of viewer.frames) {
    if (json?.op !== 'batch' || json.own || json.history) continue;
    assert.equal(json.seq, next, 'ranges join');
    assert.equal(json.missed, 0);
    next = json.next ?? json.seq + json.msgs.length;
    total.shown += json.msgs.length;
    total.sampled += json.sampled ?? 0;
    total.merged += json.merged ?? 0;
    for (const one of json.msgs) assert.ok(one.seq >= json.seq && one.seq < next);
  }
  return { ...total, next };
}

test('every_comment_of_a_flood_is_shown_sampled_or_merged', async (t) => {
  const daemon = await daemonFor(t, FULL);
  const watcher = await Viewer.join(daemon, 'full');
  const senders = await Promise.all(Array.from({ length: 4 }, () => Viewer.join(daemon, 'full')));
  const COUNT = 1000;
  const acks = await Promise.all(
    senders.flatMap((sender, s) =>
      Array.from({ length: COUNT }, (_, i) =>
        sender.say({ text: i % 2 ? `text ${s} ${i}` : `again ${i % 10}` }),
      ),
    ),
  );
  acks.forEach((ack) => assert.equal(ack.op, 'ack'));
  const all = senders.length * COUNT;
  await until(() => account(watcher, 1).next === all + 1, 'all numbers');
  const seen = account(watcher, 1);
  assert.equal(seen.shown + seen.sampled + seen.merged, all);
  assert.ok(seen.shown < all / 2 && seen.sampled > 0 && seen.merged > 0, JSON.stringify(seen));
  const metrics = await daemon.metrics();
  assert.equal(metrics.sum('danpool_messages_admitted_total'), all);
  assert.equal(metrics.sum('danpool_messages_shown_total'), seen.shown);
  assert.equal(metrics.sum('danpool_messages_merged_total'), seen.merged);
  assert.equal(metrics.sum('danpool_messages_dropped_total', { reason: 'density' }), seen.sampled);
  assert.ok(metrics.sum('danpool_room_bytes') > 0);
});

test('a_sender_sees_his_own_comments_whatever_the_room_shows', async (t) => {
  const daemon = await daemonFor(t, FULL);
  const [sender, watcher] = [await Viewer.join(daemon, 'own'), await Viewer.join(daemon, 'own')];
  const acks = await Promise.all(
    Array.from({ length: 300 }, (_, i) => sender.say({ text: `mine ${i}` })),
  );
  const numbers = acks.map((ack) => ack.seq).sort((a, b) => a - b);
  const sorted = () => sender.messages.map((one) => one.seq).sort((a, b) => a - b);
  await until(() => sorted().length >= 300, 'all of his own');
  assert.deepEqual(sorted(), numbers, 'each exactly once');
  await until(() => account(watcher, 1).next === 301, 'all numbers');
  const others = watcher.messages.length;
  assert.ok(others < 300, `${others} are shown to others`);
  const own = sender.frames.filter((f) => f.json?.own);
  assert.equal(own.length, 300 - others);
  own.forEach((f) => assert.equal(f.json.msgs.length, 1));
});

test('a_room_within_its_budget_shows_everything', async (t) => {
  const daemon = await daemonFor(t, { ...FULL, 'fanout.display_per_s': 100000 });
  const viewer = await Viewer.join(daemon, 'calm');
  await Promise.all(Array.from({ length: 200 }, () => viewer.say({ text: 'the same' })));
  await until(() => viewer.messages.length === 200, 'all');
  assert.ok(viewer.frames.every((f) => !f.text.includes('"sampled"') && !f.json?.own));
});

test('what_is_received_is_admitted_or_refused_with_a_reason', async (t) => {
  const daemon = await daemonFor(t, {
    ...FULL,
    'limits.messages_per_s': 20,
    'limits.messages_burst': 30,
  });
  const viewers = await Promise.all(Array.from({ length: 4 }, () => Viewer.join(daemon, 'sum')));
  const answers = await Promise.all(
    viewers.flatMap((viewer) => Array.from({ length: 100 }, (_, i) => viewer.say({ text: `${i}` }))),
  );
  viewers[0].send('{"op":"send","id":1000,"text":""}');
  viewers[1].send('nonsense');
  await viewers[0].take((m) => m.id === 1000, 'the refusal');
  await viewers[1].take((m) => m.code === 'bad_json', 'the refusal');
  const acks = answers.filter((answer) => answer.op === 'ack').length;
  await until(() => account(viewers[3], 1).next === acks + 1, 'all numbers');
  const metrics = await daemon.metrics();
  const admitted = metrics.sum('danpool_messages_admitted_total');
  assert.equal(admitted, acks);
  assert.ok(acks < 400);
  assert.equal(
    metrics.sum('danpool_messages_received_total'),
    admitted + metrics.sum('danpool_messages_rejected_total'),
  );
  assert.equal(
    admitted,
    metrics.sum('danpool_messages_shown_total') +
      metrics.sum('danpool_messages_merged_total') +
      metrics.sum('danpool_messages_dropped_total', { reason: 'density' }),
  );
});
