/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gate from outside: filter lists over real connections, and what a damaged state file does to
 * the start.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { daemonFor } from './support/daemon.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

async function folderFor(t) {
  const folder = await mkdtemp(join(tmpdir(), 'danpool-gate-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('comments_are_blocked_masked_and_held_by_the_lists', async (t) => {
  const folder = await folderFor(t);
  const list = join(folder, 'words.txt');
  await writeFile(list, 'block badword\nmask mild\nhold doubtful\nblock@kids- gun\n');
  const daemon = await daemonFor(t, { 'filter.lists': list });
  const [sender, viewer] = [await Viewer.join(daemon, 'a'), await Viewer.join(daemon, 'a')];
  const blocked = await sender.say({ text: 'what a b.A.d w0rd!' });
  assert.equal(blocked.op, 'error');
  assert.equal(blocked.code, 'blocked');
  assert.equal((await sender.say({ text: 'a m-i-l-d one' })).op, 'ack');
  assert.equal((await sender.say({ text: 'doubtful' })).op, 'ack');
  assert.equal((await sender.say({ text: 'a gun' })).op, 'ack');
  await until(() => viewer.messages.length >= 2, 'what passed');
  assert.deepEqual(viewer.messages.map((m) => m.text), ['a ******* one', 'a gun']);
  const kids = await Viewer.join(daemon, 'kids-1');
  assert.equal((await kids.say({ text: 'a gun' })).code, 'blocked');
  const metrics = await daemon.metrics();
  assert.equal(metrics.sum('danpool_messages_rejected_total', { reason: 'blocked' }), 2);
  assert.equal(metrics.sum('danpool_messages_held_total'), 1);
});

test('a_damaged_state_file_stops_the_start_and_is_left_alone', async (t) => {
  const folder = await folderFor(t);
  const state = join(folder, 'state');
  await writeFile(state, 'danpool moderation 1\nend 0 0000000000000000\n');
  await assert.rejects(daemonFor(t, { 'moderation.state_path': state }), /moderation state .*checksum/);
  assert.match(await readFile(state, 'utf8'), /end 0 0000000000000000/);
});
