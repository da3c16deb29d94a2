/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bombardment with hostile pictures while a room of text viewers is served.
 *
 * Each picture is answered with an error, or with a sound picture, within its time; memory of the
 * daemon and of its decoders stays bounded; afterwards a good upload works, as many decoders are
 * there as before, and no descriptor is lost.  What the viewers feel is printed, and only held to a
 * bound that no noise of a busy machine reaches.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Daemon } from './support/daemon.js';
import { JPEG, png, svg, WEBP } from './support/files.js';
import { TextRoom } from './support/latency.js';
import { cutPictures, flippedPictures, pictureBombs } from './support/picture_bombs.js';
import { decodersOf, descriptorsOf, MemoryWatch, statusOf } from './support/processes.js';
import { svgBombs } from './support/svg_bombs.js';
import { pause, until } from './support/wait.js';

const FACTOR = Number(process.env.DANPOOL_MEMORY_FACTOR ?? 1);
/** Far beyond any busy machine's lateness, far below a decoder's time limit. */
const STALL_MS = 2500;
const SEED = Number(process.env.DANPOOL_TEST_SEED ?? 20250101);
const WORKERS = 2;
const AT_ONCE = 4;
const TIME_MS = 5000;
/* A job's clock runs from its submission; the rest is transfer, and a machine with other work. */
const ANSWER_MS = 60000;
const WAIT_MS = 60000;
const DAEMON_MIB = 700;
const DECODER_MIB = 1100;
const SETTINGS = {
  'render.isolation': 'process',
  'render.workers': WORKERS,
  'render.time_ms_max': TIME_MS,
};
const REFUSALS = [400, 413, 415, 422, 429, 503, 504];

/** Sends one picture; how it was answered and after how long. */
async function throwAt(daemon, room, [name, body, wanted]) {
  const began = performance.now();
  const response = await daemon.fetch(`/v1/rooms/${room}/media`, {
    method: 'POST',
    body,
    signal: AbortSignal.timeout(ANSWER_MS),
  });
  const answer = await response.json();
  const took = performance.now() - began;
  const said = `${name}: ${response.status} ${JSON.stringify(answer).slice(0, 200)}`;
  if (response.status !== 201) {
    assert.ok(REFUSALS.includes(response.status), said);
    assert.ok(answer.error.message.length > 0, said);
    return { name, took, status: response.status, message: answer.error.message };
  }
  assert.equal(wanted, 'bounded', said);
  const picture = await daemon.fetch(answer.url);
  const bytes = Buffer.from(await picture.arrayBuffer());
  assert.ok(bytes.length > 40 && bytes.length < 4 * 1024 * 1024, said);
  assert.ok(answer.width >= 1 && answer.width <= 480 && answer.height <= 480, said);
  return { name, took, status: 201, message: `${answer.width} x ${answer.height}` };
}

/** All of them, a few at a time, each family from a room of its own. @returns all answers */
async function bombard(daemon, room, files) {
  const results = [];
  const left = files.slice();
  const thrower = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      results.push(await throwAt(daemon, room, file));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, thrower));
  return results;
}

const ms = (value) => `${value.toFixed(1)} ms`;
const spoken = ({ count, p50, p99, max, lag }) =>
  `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)} of ${count}, the clock late by ${ms(lag)}`;

function report(title, results) {
  const taken = results.filter((r) => r.status === 201).length;
  const slowest = results
    .slice()
    .sort((a, b) => b.took - a.took)
    .slice(0, 3);
  const words = slowest.map((r) => `${r.name} ${(r.took / 1000).toFixed(1)} s (${r.message})`);
  console.log(`  ${title}: ${results.length - taken} refused, ${taken} rendered`);
  console.log(`    slowest: ${words.join('; ')}`);
  if (process.env.DANPOOL_VERBOSE) {
    results.forEach((r) =>
      console.log(`    ${r.name} ${r.took.toFixed(0)} ${r.status} ${r.message}`),
    );
  }
}

describe('a_bombardment_with_hostile_pictures', () => {
  /** @type {Daemon} */
  let daemon;
  /** @type {TextRoom} */
  let room;
  let idle;
  let calm;
  let shade = 0;

  async function taken(body) {
    const response = await daemon.upload('friends', body);
    assert.equal(response.status, 201, await response.text());
  }

  async function goodPictures() {
    shade += 1;
    await taken(svg(`<rect width="9" height="${shade}" fill="#08f"/>`, 'width="40" height="40"'));
    await taken(png(60 + shade, 40));
    await taken(Buffer.concat([JPEG, Buffer.from([shade])]));
    await taken(Buffer.concat([WEBP, Buffer.alloc(shade * 2)]));
  }

  /** What must hold after each part, whatever it was. */
  async function stillWell() {
    await goodPictures();
    await until(() => decodersOf(daemon.pid).length === WORKERS, 'its decoders, no more', WAIT_MS);
    await until(
      () => descriptorsOf(daemon.pid) <= idle.descriptors,
      'no descriptor was lost',
      WAIT_MS,
    );
  }

  async function underFire(title, files) {
    const memory = new MemoryWatch(daemon.pid);
    const dead = (await daemon.metrics()).sum('danpool_sandbox_deaths_total');
    room.mark();
    let results;
    try {
      results = await bombard(daemon, title, files);
    } finally {
      memory.stop();
    }
    const felt = await room.since();
    report(title, results);
    const deaths = (await daemon.metrics()).sum('danpool_sandbox_deaths_total') - dead;
    console.log(
      `    daemon ${memory.daemonMib.toFixed(0)} MiB, a decoder ${memory.decoderMib.toFixed(0)} MiB ` +
        `at most, ${deaths} decoders died\n    text before: ${spoken(calm)}\n    text during: ${spoken(felt)}`,
    );
    assert.ok(memory.daemonMib < DAEMON_MIB * FACTOR, `daemon: ${memory.daemonMib} MiB`);
    assert.ok(memory.decoderMib < DECODER_MIB * FACTOR, `decoder: ${memory.decoderMib} MiB`);
    // What it was is printed; a busy machine must not fail it.  A loop that waited for a decoder would
    // have waited for its whole time limit.
    assert.ok(felt.count > 0 && felt.p99 < STALL_MS, spoken(felt));
    await stillWell();
  }

  before(async () => {
    daemon = await Daemon.start(SETTINGS);
    await until(() => decodersOf(daemon.pid).length === WORKERS, 'its decoders', WAIT_MS);
    room = await TextRoom.open(daemon);
    await goodPictures();
    /* Connections that fetch keeps open are closed by then. */
    await pause(500);
    idle = { descriptors: descriptorsOf(daemon.pid) + AT_ONCE };
    room.mark();
    await pause(4000);
    calm = await room.since();
  });

  after(async () => {
    await room?.close();
    const pids = decodersOf(daemon.pid);
    assert.equal((await daemon.stop()).code, 0);
    await until(() => pids.every((pid) => statusOf(pid, 'State') === ''), 'no decoder', WAIT_MS);
  });

  test('of_drawings_is_endured', async () => {
    let visits = 0;
    const trap = createServer((socket) => {
      visits += 1;
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(trap, 'listening');
    await underFire('drawings', svgBombs(trap.address().port));
    trap.close();
    assert.equal(visits, 0, 'no reference was followed');
  });
  test('of_pictures_is_endured', () => underFire('pictures', pictureBombs()));
  test('of_files_cut_off_is_endured', () => underFire('cut', cutPictures(40, SEED)));
  test('of_flipped_bits_is_endured', () => underFire('flipped', flippedPictures(80, SEED + 1)));
});
