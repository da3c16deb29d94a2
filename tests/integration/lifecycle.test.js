/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start, stop, crash and come back: the graceful stop, media kept in persistent memory through a
 * kill -9, and delivery across event loops.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { Daemon, daemonFor, folderFor } from './support/daemon.js';
import { png, SVG_DISC } from './support/files.js';
import { RawSocket } from './support/raw.js';
import { until, within } from './support/wait.js';
import { Viewer } from './support/viewer.js';

test('sigterm_says_going_away_closes_with_1001_and_exits_0', async (t) => {
  const daemon = await daemonFor(t);
  const viewers = await Promise.all(
    Array.from({ length: 10 }, (_, i) => Viewer.join(daemon, `room-${i % 3}`)),
  );
  await viewers[0].say({ text: 'last words' });
  const began = Date.now();
  const stopped = daemon.stop();
  for (const viewer of viewers) {
    const { code } = await viewer.ended();
    assert.equal(code, 1001);
    const notice = viewer.frames.find((f) => f.json.op === 'notice')?.json;
    assert.equal(notice?.code, 'going_away');
    assert.ok(notice.message.length > 0);
    assert.ok(Number.isInteger(notice.retry_ms) && notice.retry_ms >= 0);
  }
  assert.deepEqual(await stopped, { code: 0, signal: null });
  const delays = viewers.map((v) => v.frames.find((f) => f.json.op === 'notice').json.retry_ms);
  console.log(
    `  stopped in ${Date.now() - began} ms; retry_ms ${delays.join(' ')}`,
  );
});

test('the_first_messages_find_buffers_that_were_made_ready_at_the_start', async (t) => {
  const fresh = async (settings) => {
    const daemon = await daemonFor(t, settings);
    const made = async () =>
      (await daemon.metrics()).sum('danpool_pool_allocations_total', { result: 'fresh' });
    const before = await made();
    for (let i = 0; i < 20; i++) {
      await daemon.publish('lobby', { text: `the ${i}th of some usual messages` });
    }
    return [before, (await made()) - before];
  };
  const [ready, more] = await fresh({});
  const [cold] = await fresh({ 'pool.prewarm_messages': 0 });
  assert.ok(ready >= 7 * 128 && cold < 10, `${ready} and ${cold} at the start`);
  // The room keeps all twenty.  Nothing is said of the cold ones: memory that something else gave back
  // is not fresh either.
  assert.ok(more < 10, `${more} for twenty messages`);
});

test('while_draining_new_viewers_are_refused_and_readyz_says_so', async (t) => {
  const daemon = await daemonFor(t, { 'timeouts.drain_s': 3 });
  await Promise.all(Array.from({ length: 30 }, () => Viewer.join(daemon, 'drain')));
  daemon.child.kill('SIGTERM');
  const seen = [];
  await until(async () => {
    const status = await daemon.fetch('/readyz').then(
      (r) => r.status,
      () => 'closed',
    );
    seen.push(status);
    return status !== 200;
  }, 'readyz to change');
  assert.ok([503, 'closed'].includes(seen.at(-1)), String(seen.at(-1)));
  const late = new Viewer(daemon, 'drain');
  const { code } = await late.ended();
  assert.ok(late.refused === 503 || late.error || code === 1001, `${late.refused} ${code}`);
  assert.equal((await within(40000, daemon.exited, 'exit')).code, 0);
});

test('a_stop_is_not_held_up_by_clients_that_do_not_answer', async (t) => {
  const daemon = await daemonFor(t, { 'timeouts.drain_s': 1 });
  const dead = await Promise.all(
    Array.from({ length: 5 }, () => RawSocket.upgraded(daemon, 'dead')),
  );
  const half = await RawSocket.open(daemon);
  half.socket.write(
    'POST /v1/rooms/a/media HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nabc',
  );
  dead.forEach((raw) => raw.socket.pause());
  const began = Date.now();
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  console.log(`  stopped in ${Date.now() - began} ms`);
  dead.forEach((raw) => raw.destroy());
});

test('the_pool_is_recorded_where_asked_and_the_recording_names_who_got_buffers', async (t) => {
  const folder = await folderFor(t);
  const path = `${folder}/pool.trace`;
  const daemon = await daemonFor(t, { 'pool.trace_path': path });
  const viewer = await Viewer.join(daemon, 'traced');
  for (let i = 0; i < 20; i += 1) {
    await viewer.say({ text: `message ${i}` });
  }
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  const bytes = readFileSync(path);
  assert.equal(bytes.subarray(0, 8).toString(), 'dptrace\n');
  const events = Number(bytes.readBigUInt64LE(24));
  assert.ok(events > 40, `${events} events`); // a get and a put for each message at least
  const ended = await Daemon.start({ 'pool.trace_path': `${folder}/none/trace` }).then(
    () => 'served',
    (error) => error.message,
  );
  assert.match(ended, /cannot write the recording/);
});

test('buffers_come_from_the_tiers_that_the_routes_of_the_file_name', async (t) => {
  const config = `${await folderFor(t)}/danpoold.conf`;
  const route = '{ kind = "text"; tiers = ["shm", "host"]; }';
  writeFileSync(config, `pool = { routes = ( ${route} ); };\n`);
  const daemon = await daemonFor(t, { config });
  if ((await daemon.metrics()).sum('danpool_pool_tier_up', { tier: 'shm' }) !== 1) {
    t.skip('this machine has no shm tier');
    return;
  }
  const taken = async () => (await daemon.metrics()).sum('danpool_pool_allocations_total', { tier: 'shm' });
  const before = await taken();
  const viewer = await Viewer.join(daemon, 'routed');
  await viewer.say({ text: 'through memory that could be shared' });
  assert.ok((await taken()) > before);
});

test('a_second_daemon_on_the_same_port_is_refused', async (t) => {
  const first = await daemonFor(t, { 'listen.loops': 3 });
  for (const loops of [1, 3]) {
    for (const address of ['127.0.0.1', '0.0.0.0']) {
      const settings = {
        'listen.port': first.port,
        'listen.loops': loops,
        'listen.address': address,
      };
      await assert.rejects(Daemon.start(settings), (error) => {
        assert.match(error.message, /"code":1,/);
        assert.match(error.message, /msg="cannot listen" .*reason="Address already in use"/);
        assert.ok(error.message.includes(`port=${first.port} `));
        return true;
      });
    }
  }
  const viewer = await Viewer.join(first, 'mine');
  assert.equal((await viewer.message((await viewer.say({ text: 'hi' })).seq)).text, 'hi');
});

test('of_daemons_that_start_together_one_gets_the_port', async () => {
  for (let round = 0; round < 5; round++) {
    const probe = await Daemon.start();
    const { port } = probe;
    assert.equal((await probe.stop()).code, 0);
    const rivals = await Promise.allSettled(
      Array.from({ length: 4 }, () => Daemon.start({ 'listen.port': port, 'listen.loops': 2 })),
    );
    const serving = rivals.filter((r) => r.status === 'fulfilled').map((r) => r.value);
    const codes = await Promise.all(serving.map(async (daemon) => (await daemon.stop()).code));
    assert.deepEqual(codes, [0]);
  }
});

test('a_daemon_takes_its_port_back_at_once', async (t) => {
  let daemon = await daemonFor(t, { 'listen.loops': 2 });
  const { port } = daemon;
  for (const end of ['stop', 'kill', 'stop']) {
    const viewers = await Promise.all(Array.from({ length: 8 }, () => Viewer.join(daemon, 'old')));
    /* The side that closes first keeps the address in TIME_WAIT, and here that is the daemon. */
    await daemon[end]();
    daemon = await daemonFor(t, { 'listen.port': port, 'listen.loops': 2 });
    assert.equal(daemon.port, port);
    await Promise.all(viewers.map((viewer) => viewer.ended()));
  }
});

test('the_loops_of_one_daemon_share_its_connections', async (t) => {
  const daemon = await daemonFor(t, { 'listen.loops': 2 });
  const local = `0100007F:${daemon.port.toString(16).toUpperCase().padStart(4, '0')}`;
  const listeners = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1] === local && columns[3] === '0A');
  assert.equal(listeners.length, 2);
  /* How often each thread went to sleep: a loop does so at least once for a connection. */
  const sleeps = () =>
    readdirSync(`/proc/${daemon.pid}/task`).map((task) => {
      const status = readFileSync(`/proc/${daemon.pid}/task/${task}/status`, 'utf8');
      return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)[1]);
    });
  const before = sleeps();
  for (let i = 0; i < 32; i++) {
    await Viewer.join(daemon, `shared-${i}`);
  }
  const more = sleeps().map((count, i) => count - before[i]);
  console.log(`  32 viewers, one after another, woke the threads ${more.join(' ')} times`);
  assert.ok(more.filter((count) => count >= 4).length >= 2);
});

test('media_survives_kill_9_in_persistent_memory', async (t) => {
  const folder = await folderFor(t);
  const settings = { 'pool.pmem_path': `${folder}/pool.pmem`, 'pool.pmem_size_mib': 64 };
  let daemon = await Daemon.start(settings);
  t.after(() => daemon.alive && daemon.stop());
  if ((await daemon.metrics()).sum('danpool_pool_tier_up', { tier: 'pmem' }) !== 1) {
    t.skip('this danpoold has no pmem tier');
    return;
  }
  const files = [SVG_DISC, png(400, 300), png(64, 64)];
  const kept = [];
  for (const file of files) {
    const answer = await (await daemon.upload('keep', file)).json();
    const bytes = Buffer.from(await (await daemon.fetch(answer.url)).arrayBuffer());
    kept.push({ answer, bytes });
  }
  assert.equal((await daemon.kill()).signal, 'SIGKILL');

  daemon = await Daemon.start(settings);
  for (const { answer, bytes } of kept) {
    const response = await daemon.fetch(answer.url);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('x-danpool-tier'), 'pmem');
    assert.equal(response.headers.get('content-type'), answer.type);
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(bytes), 'the same bytes');
  }
  for (const [i, file] of files.entries()) {
    const again = await (await daemon.upload('keep', file)).json();
    const { answer } = kept[i];
    assert.deepEqual(
      [again.cached, again.id, again.width, again.height, again.type],
      [true, answer.id, answer.width, answer.height, answer.type],
    );
  }
  const metrics = await daemon.metrics();
  assert.equal(metrics.sum('danpool_media_uploads_total', { result: 'rendered' }), 0);
  assert.equal(metrics.sum('danpool_media_uploads_total', { result: 'cached' }), files.length);
  assert.ok(metrics.sum('danpool_cache_hits_total', { tier: 'pmem' }) >= files.length);
  console.log(`  ${files.length} pictures found again, 0 rendered`);
  assert.equal((await daemon.stop()).code, 0);
});

test('kill_9_in_the_middle_of_uploads_leaves_a_pool_that_opens', async (t) => {
  const folder = await folderFor(t);
  const settings = { 'pool.pmem_path': `${folder}/pool.pmem`, 'pool.pmem_size_mib': 64 };
  const acknowledged = [];
  for (let round = 0; round < 4; round++) {
    const daemon = await Daemon.start(settings);
    if ((await daemon.metrics()).sum('danpool_pool_tier_up', { tier: 'pmem' }) !== 1) {
      await daemon.stop();
      t.skip('this danpoold has no pmem tier');
      return;
    }
    for (const url of acknowledged) {
      assert.equal(
        (await daemon.fetch(url)).status,
        200,
        `${url} was acknowledged before the crash`,
      );
    }
    const uploads = Array.from({ length: 30 }, async (_, i) => {
      const file = png(120, 90, (x, y) => [x + round, y + i, i * 8, 255]);
      const response = await daemon.upload('crash', file).catch(() => null);
      if (response?.status === 201) {
        acknowledged.push((await response.json().catch(() => ({}))).url);
      }
    });
    await until(() => acknowledged.length >= round * 6 + 6, 'a few answers');
    await daemon.kill();
    await Promise.all(uploads);
    acknowledged.splice(0, acknowledged.length, ...acknowledged.filter(Boolean));
  }
  console.log(`  ${acknowledged.length} acknowledged pictures over 4 crashes, all found`);
});

test('two_loops_deliver_to_each_other_in_one_order', async (t) => {
  const daemon = await daemonFor(t, { 'listen.loops': 2 });
  const viewers = await Promise.all(Array.from({ length: 24 }, () => Viewer.join(daemon, 'loops')));
  const each = 20;
  for (let i = 0; i < each; i++) {
    viewers.forEach((v, k) => v.send({ op: 'send', text: `${k}:${i}` }));
  }
  const total = each * viewers.length;
  for (const viewer of viewers) {
    await until(() => viewer.messages.length >= total, `${total} messages`);
  }
  const orders = new Set(viewers.map((v) => v.messages.map((m) => `${m.seq}=${m.text}`).join()));
  assert.equal(orders.size, 1);
  assert.equal(new Set(viewers[0].messages.map((m) => m.text)).size, total);
  const media = await (await daemon.upload('loops', SVG_DISC)).json();
  await Promise.all(viewers.map((v) => v.message(media.seq)));
  assert.equal((await daemon.metrics()).sum('danpool_connections'), viewers.length);
});
