/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens made by Node's own crypto: who may enter, watch and send, by each way a token can come.
 */
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { daemonFor, folderFor } from './support/daemon.js';
import { until, within } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const WAIT_MS = 20000;
const SECRET = 'a secret of at least thirty-two bytes, as RFC 7518 asks';

const base64 = (value) =>
  Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString(
    'base64url',
  );

const HS256 = { alg: 'HS256', make: (text) => createHmac('sha256', SECRET).update(text).digest() };

/** @param {{alg: string, kid?: string, make: (text: string) => Buffer}} by */
function token(claims, by = HS256) {
  const head = { alg: by.alg, typ: 'JWT', ...(by.kid ? { kid: by.kid } : {}) };
  const text = `${base64(head)}.${base64(claims)}`;
  return `${text}.${base64(by.make(text))}`;
}

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

async function guarded(t, settings = {}) {
  const folder = await folderFor(t);
  const secret = join(folder, 'secret');
  await writeFile(secret, SECRET, { mode: 0o600 });
  return daemonFor(t, { 'auth.secret_file': secret, ...settings });
}

/** The HTTP status that an upgrade ends with; 101 when it succeeds. */
async function upgrade(daemon, { query = '', headers = {} } = {}) {
  const socket = new WebSocket(
    `ws://127.0.0.1:${daemon.port}/v1/ws?room=club${query}`,
    ['danpool.v1.json'],
    { headers },
  );
  return within(
    WAIT_MS,
    new Promise((resolve) => {
      socket.on('open', () => {
        socket.terminate();
        resolve(101);
      });
      socket.on('unexpected-response', (_, response) => {
        socket.terminate();
        resolve(response.statusCode);
      });
      socket.on('error', (error) => resolve(error.message));
    }),
    'the answer to the upgrade',
  );
}

test('a_token_may_come_in_two_ways_and_only_a_good_one_enters', async (t) => {
  const daemon = await guarded(t, { 'auth.guests': 0 });
  const good = token({ sub: 'u1', exp: inAnHour() });
  const ways = (value) => [
    { query: `&token=${value}` },
    { headers: { Authorization: `Bearer ${value}` } },
  ];
  for (const way of ways(good)) {
    assert.equal(await upgrade(daemon, way), 101, JSON.stringify(Object.keys(way)));
  }
  const [head, body] = good.split('.');
  const bad = {
    none: `${base64({ alg: 'none' })}.${body}.`,
    forged: `${head}.${base64({ sub: 'admin', roles: ['admin'] })}.${good.split('.')[2]}`,
    expired: token({ sub: 'u1', exp: 1000 }),
    'not yet': token({ sub: 'u1', nbf: inAnHour() }),
    garbage: 'x',
  };
  for (const [name, value] of Object.entries(bad)) {
    for (const way of ways(value)) {
      assert.equal(await upgrade(daemon, way), 401, name);
    }
  }
  assert.equal(await upgrade(daemon), 401, 'no token');
  assert.equal((await daemon.publish('club', { text: 'x' })).status, 401);
  assert.equal((await daemon.fetch('/v1/rooms/club/history')).status, 401);
  for (const secret of [good, ...Object.values(bad).filter((value) => value.length > 9)]) {
    assert.ok(!daemon.log.includes(secret), 'tokens are not logged');
  }
});

test('keys_of_each_kind_are_taken_from_a_jwks_file', async (t) => {
  const folder = await folderFor(t);
  const kinds = {
    RS256: [generateKeyPairSync('rsa', { modulusLength: 2048 }), 'sha256', {}],
    ES256: [
      generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      'sha256',
      { dsaEncoding: 'ieee-p1363' },
    ],
    EdDSA: [generateKeyPairSync('ed25519'), null, {}],
  };
  const keys = Object.entries(kinds).map(([alg, [pair]]) => ({
    ...pair.publicKey.export({ format: 'jwk' }),
    kid: `k-${alg}`,
    alg,
    use: 'sig',
  }));
  const path = join(folder, 'keys.json');
  await writeFile(path, JSON.stringify({ keys }));
  const daemon = await daemonFor(t, { 'auth.jwks_file': path, 'auth.guests': 0 });
  for (const [alg, [pair, hash, options]] of Object.entries(kinds)) {
    const by = {
      alg,
      kid: `k-${alg}`,
      make: (text) => sign(hash, Buffer.from(text), { key: pair.privateKey, ...options }),
    };
    const claims = { sub: alg, exp: inAnHour() };
    assert.equal(await upgrade(daemon, { query: `&token=${token(claims, by)}` }), 101, alg);
    const other = { ...by, kid: 'k-nobody' };
    assert.equal(await upgrade(daemon, { query: `&token=${token(claims, other)}` }), 401, alg);
    /* A public key must not pass for the secret of an HMAC. */
    const confused = {
      alg: 'HS256',
      kid: by.kid,
      make: (text) =>
        createHmac('sha256', pair.publicKey.export({ format: 'pem', type: 'spki' }))
          .update(text)
          .digest(),
    };
    assert.equal(await upgrade(daemon, { query: `&token=${token(claims, confused)}` }), 401, alg);
  }
});

test('rooms_and_roles_of_a_token_bind', async (t) => {
  const daemon = await guarded(t, { 'auth.guests_send': 0 });
  const guest = await Viewer.join(daemon, 'club');
  assert.equal((await guest.say({ text: 'may I?' })).code, 'forbidden');
  const elsewhere = token({ sub: 'u1', rooms: ['other'], exp: inAnHour() });
  assert.equal(await upgrade(daemon, { query: `&token=${elsewhere}` }), 403);
  const sender = token({ sub: 'u7', name: 'Ann', rooms: ['club'], roles: ['publisher'] });
  const ann = await Viewer.join(daemon, 'club', { query: `room=club&token=${sender}` });
  const ack = await ann.say({ text: 'hello' });
  assert.equal(ack.op, 'ack');
  assert.deepEqual((await guest.message(ack.seq)).user, { id: 'u7', name: 'Ann' });
  const published = await daemon.fetch('/v1/rooms/club/messages', {
    method: 'POST',
    headers: { Authorization: `Bearer ${sender}` },
    body: JSON.stringify({ text: 'by HTTP' }),
  });
  assert.equal(published.status, 201);
  assert.equal((await daemon.publish('club', { text: 'a guest' })).status, 403);
  await ann.leave();
  await guest.leave();
});

test('a_bilibili_client_shows_its_token_as_key', async (t) => {
  const daemon = await guarded(t, { 'auth.guests': 0 });
  const answer = async (key) => {
    const socket = new WebSocket(`ws://127.0.0.1:${daemon.port}/sub`);
    const frames = [];
    socket.on('message', (data) => frames.push(data));
    await within(
      WAIT_MS,
      new Promise((resolve) => {
        socket.on('open', resolve);
      }),
      'open',
    );
    const body = Buffer.from(JSON.stringify({ roomid: 5, protover: 2, key }));
    const head = Buffer.from('00000000001000010000000700000001', 'hex');
    head.writeUInt32BE(16 + body.length, 0);
    socket.send(Buffer.concat([head, body]));
    await until(() => frames.length > 0, 'an answer', WAIT_MS);
    socket.terminate();
    return JSON.parse(frames[0].subarray(16).toString()).code;
  };
  assert.equal(await answer(token({ sub: 'b', exp: inAnHour() })), 0);
  assert.equal(await answer('of somebody else'), -101);
  assert.equal(await answer(undefined), -101);
});
