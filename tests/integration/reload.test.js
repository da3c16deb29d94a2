/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIGHUP, files of keys that change, what the supervisor hears of all that, and logs in JSON.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Daemon, daemonFor, folderFor } from './support/daemon.js';
import { pause, until } from './support/wait.js';

const SECRET = 'a secret that is longer than 32 bytes';
const hasPython = spawnSync('python3', ['--version']).status === 0;

const generation = async (daemon) =>
  (await daemon.metrics()).sum('danpool_config_generation');
const reloads = async (daemon, result) =>
  (await daemon.metrics()).sum('danpool_config_reloads_total', { result });

test('sighup_takes_the_new_level_and_names_what_needs_a_restart', async (t) => {
  const folder = await folderFor(t);
  const config = join(folder, 'danpoold.conf');
  const write = (level, kept) =>
    writeFileSync(
      config,
      `log = { level = "${level}"; };\nhistory = { messages_max = ${kept}; };\n`,
    );
  write('info', 20);
  const daemon = await daemonFor(t, { config, 'listen.port': 0 });
  assert.equal(await generation(daemon), 1);
  write('warn', 30);
  daemon.child.kill('SIGHUP');
  await until(async () => (await generation(daemon)) === 2, 'the second generation');
  const warning = /level=warn msg="settings that need a restart.*history\.messages_max/;
  await until(() => warning.test(daemon.log), 'the warning');
  assert.doesNotMatch(daemon.log, /settings="[^"]*(log\.level|listen\.port)/);
  write('info', 20);
  daemon.child.kill('SIGHUP');
  await until(async () => (await generation(daemon)) === 3, 'the third generation');
  await until(() => /msg="reloaded" generation=3/.test(daemon.log), 'the line of it');
});

test('a_reload_that_fails_says_where_and_changes_nothing', async (t) => {
  const folder = await folderFor(t);
  const config = join(folder, 'danpoold.conf');
  const secret = join(folder, 'secret');
  writeFileSync(secret, SECRET);
  writeFileSync(config, `auth = { secret_file = "${secret}"; };\n`);
  const daemon = await daemonFor(t, { config, 'listen.port': 0 });
  writeFileSync(config, 'auth = {\n  secret_fil = "x";\n};\n');
  daemon.child.kill('SIGHUP');
  await until(async () => (await reloads(daemon, 'failed')) === 1, 'a failed reload');
  await until(() => /danpoold\.conf:2: unknown setting auth\.secret_fil/.test(daemon.log), 'the line');
  writeFileSync(config, `auth = { secret_file = "${secret}"; };\n`);
  writeFileSync(secret, 'short');
  daemon.child.kill('SIGHUP');
  await until(async () => (await reloads(daemon, 'failed')) >= 2, 'another failed reload');
  await until(() => /msg="reload failed, the old keys stay".*5 bytes/.test(daemon.log), 'the other');
  assert.equal(await generation(daemon), 1);
  assert.equal((await daemon.fetch('/readyz')).status, 200);
});

test('a_file_of_keys_that_is_replaced_is_read_without_a_signal', async (t) => {
  const folder = await folderFor(t);
  const secret = join(folder, 'secret');
  writeFileSync(secret, SECRET);
  const daemon = await daemonFor(t, { 'auth.secret_file': secret });
  await pause(1500);
  assert.equal(await generation(daemon), 1);
  writeFileSync(join(folder, 'next'), `${SECRET} and more`);
  renameSync(join(folder, 'next'), secret);
  await until(async () => (await generation(daemon)) === 2, 'the new file to be read');
});

test('check_config_reads_the_keys_too', async (t) => {
  const folder = await folderFor(t);
  const tokens = join(folder, 'tokens');
  writeFileSync(tokens, '# none yet\nnot-a-hash shop backend *\n');
  const check = () =>
    spawnSync(
      process.env.DANPOOLD,
      ['--check-config', '--set', `auth.tokens_file=${tokens}`],
      { encoding: 'utf8' },
    );
  const bad = check();
  assert.equal(bad.status, 1);
  assert.match(bad.stderr, /tokens:2: the hash must be/);
  writeFileSync(tokens, `${'0'.repeat(64)} shop backend *\n`);
  assert.equal(check().status, 0);
});

test('logs_in_json_are_json_and_hold_no_comment', async (t) => {
  const daemon = await daemonFor(t, { 'log.format': 'json', 'log.level': 'info' });
  await daemon.publish('lobby', { text: 'nobody-may-log-this' });
  daemon.child.kill('SIGHUP');
  await until(async () => (await generation(daemon)) === 2, 'the reload');
  const lines = daemon.log.trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines.some((line) => line.msg === 'serving' && line.port === daemon.port));
  for (const line of lines) {
    assert.ok(line.ts && line.level && line.msg, JSON.stringify(line));
  }
  assert.doesNotMatch(daemon.log, /nobody-may-log-this/);
});

test('the_supervisor_hears_of_start_reload_life_and_stop', { skip: !hasPython }, async (t) => {
  const folder = await folderFor(t);
  const socket = join(folder, 'notify');
  const said = [];
  const listener = spawn('python3', [join(import.meta.dirname ?? new URL('.', import.meta.url).pathname,
    'support/supervisor.py'), socket]);
  t.after(() => listener.kill());
  let rest = '';
  listener.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop();
    said.push(...lines.map((line) => JSON.parse(line)));
  });
  await until(() => said.length === 1, 'the supervisor');
  process.env.NOTIFY_SOCKET = socket;
  process.env.WATCHDOG_USEC = '1000000';
  const daemon = await Daemon.start({}).finally(() => {
    delete process.env.NOTIFY_SOCKET;
    delete process.env.WATCHDOG_USEC;
  });
  await until(() => said.includes('READY=1\nSTATUS=serving'), 'READY');
  await until(() => said.filter((s) => s === 'WATCHDOG=1').length >= 2, 'two signs of life');
  const before = said.length;
  daemon.child.kill('SIGHUP');
  await until(() => said.slice(before).includes('READY=1\nSTATUS=serving'), 'READY again');
  const reloading = said.slice(before).find((s) => s.startsWith('RELOADING=1\n'));
  assert.match(reloading, /^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$/);
  assert.deepEqual(await daemon.stop(), { code: 0, signal: null });
  await until(() => said.includes('STOPPING=1\nSTATUS=draining'), 'STOPPING');
});
