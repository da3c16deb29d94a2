/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS on the listener: versions, WebSocket and HTTP over it, and a certificate that is replaced
 * while a viewer watches.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import WebSocket from 'ws';
import { daemonFor, folderFor } from './support/daemon.js';
import { until, within } from './support/wait.js';

const skip = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl was not found';

/** A key and a certificate that signs itself, under that name. */
function make(folder, name, common) {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
    '-nodes', '-days', '2', '-subj', `/CN=${common}`, '-addext', 'subjectAltName=IP:127.0.0.1',
    '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key, cert };
}

/** The name in the certificate that a new connection is shown. */
function commonName(port, options = {}) {
  return within(5000, new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options },
      () => {
        resolve([socket.getPeerCertificate().subject.CN, socket.getProtocol()]);
        socket.destroy();
      });
    socket.once('error', reject);
  }), 'a handshake');
}

/** @param {object} [body] posts it */
function request(port, path, ca, body) {
  return within(5000, new Promise((resolve, reject) => {
    const sent = https.request({ port, host: '127.0.0.1', path, ca, agent: false,
      method: body ? 'POST' : 'GET' }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    sent.once('error', reject);
    sent.end(body && JSON.stringify(body));
  }), path);
}

test('viewers_and_requests_are_served_over_tls_1_2_and_newer', { skip }, async (t) => {
  const folder = await folderFor(t);
  const { key, cert } = make(folder, 'a', 'first');
  const daemon = await daemonFor(t, { 'tls.cert_file': cert, 'tls.key_file': key });
  const ca = readFileSync(cert);
  assert.match(daemon.url, /^https:/);
  assert.equal((await request(daemon.port, '/readyz', ca)).status, 200);
  assert.deepEqual(await commonName(daemon.port, { maxVersion: 'TLSv1.2' }), ['first', 'TLSv1.2']);
  assert.deepEqual(await commonName(daemon.port), ['first', 'TLSv1.3']);
  await assert.rejects(
    commonName(daemon.port, { minVersion: 'TLSv1', maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0' }));
});

test('a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on', { skip }, async (t) => {
  const folder = await folderFor(t);
  const first = make(folder, 'a', 'first');
  const second = make(folder, 'b', 'second');
  const daemon = await daemonFor(t, { 'tls.cert_file': first.cert, 'tls.key_file': first.key });
  const viewer = new WebSocket(`wss://127.0.0.1:${daemon.port}/v1/ws?room=lobby`,
    'danpool.v1.json', { rejectUnauthorized: false, perMessageDeflate: false });
  const texts = [];
  viewer.on('message', (data) => {
    texts.push(...(JSON.parse(data).msgs ?? []).map((one) => one.text));
  });
  await within(5000, new Promise((resolve, reject) => {
    viewer.once('open', resolve);
    viewer.once('error', reject);
  }), 'the viewer');
  t.after(() => viewer.terminate());
  // A key alone, which does not belong to the certificate, changes nothing.
  const saved = readFileSync(first.key);
  writeFileSync(first.key, readFileSync(second.key));
  daemon.child.kill('SIGHUP');
  await until(() => /the old certificate stays/.test(daemon.log), 'the refusal');
  assert.equal((await commonName(daemon.port))[0], 'first');
  writeFileSync(first.key, saved);
  renameSync(second.key, first.key);
  renameSync(second.cert, first.cert);
  await until(async () => (await commonName(daemon.port))[0] === 'second', 'the new certificate');
  const long = 'x'.repeat(150);
  viewer.send(JSON.stringify({ op: 'send', id: 1, text: long }));
  await until(() => texts.includes(long), 'the message over the old connection');
  assert.equal(viewer.readyState, WebSocket.OPEN);
});

test('a_key_of_another_certificate_stops_the_start', { skip }, async (t) => {
  const folder = await folderFor(t);
  const { cert } = make(folder, 'a', 'first');
  const { key } = make(folder, 'b', 'second');
  const check = (...files) => spawnSync(process.env.DANPOOLD, ['--check-config',
    '--set', `tls.cert_file=${files[0]}`, '--set', `tls.key_file=${files[1]}`],
  { encoding: 'utf8' });
  const mixed = check(cert, key);
  assert.equal(mixed.status, 1);
  assert.match(mixed.stderr, /b\.key: key values mismatch/);
  assert.match(check(join(folder, 'none.pem'), key).stderr, /none\.pem: No such file/);
});
