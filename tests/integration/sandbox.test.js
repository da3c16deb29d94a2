/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoders in processes, seen from outside: what they are, what becomes of an upload whose decoder
 * is killed or hangs, and that none outlives its daemon.  A decoder that hangs is one that was
 * stopped by a signal.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Daemon, daemonFor } from './support/daemon.js';
import { gif, JPEG, png, pngThatClaims, SVG_DISC, svg, WEBP } from './support/files.js';
import { decodersOf, nicesOf, statusOf } from './support/processes.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const WAIT_MS = 60000;
const PROCESSES = { 'render.isolation': 'auto', 'render.workers': 2 };

async function ready(daemon, count) {
  await until(
    async () => (await daemon.metrics()).sum('danpool_decoder_processes') === count,
    `${count} decoders`,
    WAIT_MS,
  );
  return decodersOf(daemon.pid);
}

async function deaths(daemon, cause) {
  return (await daemon.metrics()).sum('danpool_sandbox_deaths_total', { cause });
}

/** A picture that no other upload of the test has, so that none comes from the cache. */
let shade = 0;
function another() {
  shade += 1;
  return svg(`<rect width="9" height="${shade}" fill="#08f"/>`, 'width="40" height="40"');
}

async function taken(daemon) {
  const response = await daemon.upload('box', another());
  assert.equal(response.status, 201, await response.text());
}

test('decoders_are_shut_in', async (t) => {
  const daemon = await daemonFor(t, PROCESSES);
  const pids = await ready(daemon, 2);
  assert.equal(pids.length, 2);
  const metrics = await daemon.metrics();
  const filtered = metrics.sum('danpool_decoder_isolation', { mode: 'process+seccomp' }) === 1;
  for (const pid of pids) {
    assert.equal(statusOf(pid, 'NoNewPrivs'), '1');
    assert.equal(statusOf(pid, 'Seccomp'), filtered ? '2' : '0');
  }
  if (!filtered) {
    console.log('  no system call filter here: decoders are processes without one');
  }
  await taken(daemon);
});

test('who_renders_or_decodes_steps_back_behind_the_event_loops', async (t) => {
  const daemon = await daemonFor(t, { ...PROCESSES, 'listen.loops': 2 });
  const pids = await ready(daemon, 2);
  const usual = nicesOf(process.pid)[0];
  const back = (nice) => nice > usual || nice === 19;
  const threads = nicesOf(daemon.pid);
  assert.equal(threads.filter(back).length, 2, `two render threads of ${threads}`);
  pids.forEach((pid) => assert.ok(nicesOf(pid).every(back), `decoder ${pid}`));
});

test('a_decoder_killed_while_idle_costs_no_upload', async (t) => {
  const daemon = await daemonFor(t, PROCESSES);
  for (let round = 1; round <= 3; round++) {
    const [first] = await ready(daemon, 2);
    process.kill(first, 'SIGKILL');
    await until(() => !/^[RSD]/.test(statusOf(first, 'State')), 'its end', WAIT_MS);
    await taken(daemon);
    await taken(daemon);
  }
  assert.ok((await deaths(daemon, 'killed')) >= 1);
});

test('a_decoder_killed_at_work_fails_its_upload_and_no_other', async (t) => {
  const daemon = await daemonFor(t, { ...PROCESSES, 'render.time_ms_max': 60000 });
  const [first] = await ready(daemon, 2);
  process.kill(first, 'SIGSTOP');
  const stuck = daemon.upload('box', another());
  /* It hangs in the decoder that was stopped, which is taken first; the other one works on. */
  await until(
    async () => (await daemon.metrics()).sum('danpool_decoder_jobs_total') >= 1,
    'the upload to be with its decoder',
    WAIT_MS,
  );
  for (let i = 0; i < 5; i++) {
    await taken(daemon);
  }
  process.kill(first, 'SIGKILL');
  const response = await stuck;
  assert.ok(response.status >= 400 && response.status < 500, `${response.status}`);
  assert.match((await response.json()).error.message, /made its decoder fail/);
  assert.equal(await deaths(daemon, 'killed'), 1);
  await ready(daemon, 2);
  await taken(daemon);
});

test('a_decoder_that_hangs_is_killed_at_the_deadline', async (t) => {
  const daemon = await daemonFor(t, {
    ...PROCESSES,
    'render.workers': 1,
    'render.time_ms_max': 700,
  });
  const [only] = await ready(daemon, 1);
  process.kill(only, 'SIGSTOP');
  const begun = performance.now();
  const response = await daemon.upload('box', another());
  assert.match((await response.json()).error.message, /too long/);
  assert.ok(performance.now() - begun < 20000);
  assert.equal(await deaths(daemon, 'timeout'), 1);
  await ready(daemon, 1);
  await taken(daemon);
});

test('hostile_pictures_are_refused_while_others_are_served', async (t) => {
  const daemon = await daemonFor(t, PROCESSES);
  await ready(daemon, 2);
  const hostile = [
    pngThatClaims(30000, 30000),
    png(64, 64).subarray(0, 60),
    JPEG.subarray(0, JPEG.length / 2),
    WEBP.subarray(0, WEBP.length / 2),
    gif(60, 40).subarray(0, 20),
    Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${'<g>'.repeat(5000)}`),
  ];
  const viewer = await Viewer.join(daemon, 'box');
  for (let round = 0; round < 5; round++) {
    const refused = hostile.map((bytes, i) =>
      daemon.upload('enemies', Buffer.concat([bytes, Buffer.alloc(round + i)])),
    );
    await taken(daemon);
    const ack = await viewer.say({ text: `round ${round}` });
    assert.equal((await viewer.message(ack.seq)).text, `round ${round}`);
    for (const response of await Promise.all(refused)) {
      assert.ok(response.status >= 400 && response.status < 500, `${response.status}`);
      assert.ok((await response.json()).error.message.length > 0);
    }
  }
  await viewer.leave();
});

test('no_decoder_outlives_its_daemon', async () => {
  for (const how of ['stop', 'kill']) {
    const daemon = await Daemon.start(PROCESSES);
    const pids = await ready(daemon, 2);
    assert.equal(pids.length, 2);
    await daemon[how]();
    await until(
      () => pids.every((pid) => !/^[RSDT]/.test(statusOf(pid, 'State'))),
      'the end of its decoders',
      WAIT_MS,
    );
  }
});

test('without_a_decoder_process_is_refused_and_auto_is_not', async (t) => {
  const nowhere = { 'render.decoder': '/nowhere/danpool-decoder' };
  await assert.rejects(
    Daemon.start({ ...nowhere, 'render.isolation': 'process' }),
    /ended at once/,
  );
  const daemon = await daemonFor(t, { ...nowhere, 'render.isolation': 'auto' });
  const metrics = await daemon.metrics();
  assert.equal(metrics.sum('danpool_decoder_isolation', { mode: 'thread' }), 1);
  assert.match(daemon.log, /decoders are not in a sandbox/);
  const response = await daemon.upload('box', SVG_DISC);
  assert.equal(response.status, 201);
});
