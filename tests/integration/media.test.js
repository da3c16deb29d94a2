/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures: every format in, one small picture out, rendered once; and each kind of bad file gets
 * its own error.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { Daemon, daemonFor, folderFor } from './support/daemon.js';
import { gif, JPEG, png, pngThatClaims, SVG_DISC, svg, WEBP } from './support/files.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const MAGIC = {
  'image/webp': (b) =>
    b.toString('latin1', 0, 4) === 'RIFF' && b.toString('latin1', 8, 12) === 'WEBP',
  'image/png': (b) => b.readUInt32BE(0) === 0x89504e47,
  'image/jpeg': (b) => b.readUInt16BE(0) === 0xffd8,
};

/** @param {Response} response */
async function refusal(response) {
  const { error } = await response.json();
  assert.ok(error.message.length > 0);
  return [response.status, error.code];
}

describe('media', () => {
  /** @type {Daemon} */
  let daemon;
  before(async () => {
    daemon = await Daemon.start();
  });
  after(async () => {
    assert.equal((await daemon.stop()).code, 0);
  });

  const uploads = [
    ['svg', SVG_DISC, '', [160, 160]],
    ['png', png(640, 360), '', [480, 270]],
    ['jpeg', JPEG, '', null],
    ['webp', WEBP, '', null],
    ['gif', gif(60, 40), '', null],
    ['png', png(600, 300), '?fit=sticker', [160, 80]],
    [
      'svg',
      svg('<rect width="9" height="9"/>', 'width="32" height="18" viewBox="0 0 32 18"'),
      '?fit=photo',
      null,
    ],
  ];
  for (const [source, body, query, size] of uploads) {
    const fit = query.slice(5) || 'by_its_default';
    test(`a_${source}_is_rendered_and_shown_to_the_room_${fit}`, async () => {
      const viewer = await Viewer.join(daemon, 'pictures');
      const response = await daemon.upload('pictures', body, query);
      const answer = await response.json();
      assert.equal(response.status, 201, JSON.stringify(answer));
      assert.equal(answer.url, `/v1/media/${answer.id}`);
      if (size) {
        assert.deepEqual([answer.width, answer.height], size);
      }
      const [w, h] =
        query === '?fit=sticker' || (source === 'svg' && query === '') ? [160, 160] : [480, 270];
      assert.ok(answer.width >= 1 && answer.width <= w && answer.height >= 1 && answer.height <= h);
      const { kind, mode, media } = await viewer.message(answer.seq);
      assert.deepEqual(
        [kind, mode, media.id, media.url, media.width, media.height, media.type],
        ['media', 'scroll', answer.id, answer.url, answer.width, answer.height, answer.type],
      );
      assert.equal(media.source, source);
      assert.ok(media.engine.length > 0);
      assert.ok(['host', 'huge', 'pinned', 'hbm', 'managed', 'pmem', 'shm'].includes(media.tier), media.tier);
      const picture = await daemon.fetch(answer.url);
      const bytes = Buffer.from(await picture.arrayBuffer());
      assert.ok(
        MAGIC[answer.type]?.(bytes),
        `${answer.type} starts ${bytes.subarray(0, 12).toString('hex')}`,
      );
      assert.ok(bytes.length > 0 && bytes.length < 512 * 1024);
      await viewer.leave();
    });
  }

  test('a_picture_is_immutable_and_inert', async () => {
    const { url } = await (await daemon.upload('headers', SVG_DISC)).json();
    const response = await daemon.fetch(url);
    const header = (name) => response.headers.get(name);
    assert.equal(response.status, 200);
    assert.equal(header('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(header('x-content-type-options'), 'nosniff');
    assert.equal(header('content-security-policy'), "default-src 'none'; sandbox");
    assert.ok(header('etag'));
    assert.match(header('x-danpool-tier'), /^(host|huge|pinned|hbm|managed|pmem|shm)$/);
    assert.match(header('content-type'), /^image\/(webp|png|jpeg)$/);
    const bytes = Buffer.from(await response.arrayBuffer());
    assert.equal(bytes.length, Number(header('content-length')));
    const again = Buffer.from(await (await daemon.fetch(url)).arrayBuffer());
    assert.ok(bytes.equals(again));
    const known = await daemon.fetch(url, { headers: { 'If-None-Match': header('etag') } });
    assert.ok([200, 304].includes(known.status));
  });

  test('a_picture_that_moves_goes_on_moving', async () => {
    const viewer = await Viewer.join(daemon, 'moving');
    const answer = await (await daemon.upload('moving', gif(60, 40, 4))).json();
    const { media } = await viewer.message(answer.seq);
    if (answer.type === 'image/webp') {
      assert.deepEqual([answer.frames, media.frames], [4, 4]);
      const bytes = Buffer.from(await (await daemon.fetch(answer.url)).arrayBuffer());
      assert.equal(bytes.toString('latin1', 12, 16), 'VP8X');
      assert.equal(bytes.toString('latin1').split('ANMF').length - 1, 4);
    }
    const still = await (await daemon.upload('moving', gif(60, 40))).json();
    assert.equal(still.frames, 1);
    await viewer.leave();
  });

  test('the_same_bytes_are_rendered_once', async () => {
    const file = png(300, 200, (x, y) => [x & 255, y & 255, 77, 255]);
    const before = await daemon.metrics();
    const first = await (await daemon.upload('once', file)).json();
    const second = await (await daemon.upload('twice', file, '?mode=top')).json();
    assert.deepEqual([first.cached, second.cached], [false, true]);
    assert.equal(first.id, second.id);
    const sticker = await (await daemon.upload('once', file, '?fit=sticker')).json();
    assert.equal(sticker.cached, false, 'another size is another picture');
    assert.notEqual(sticker.id, first.id);
    const now = await daemon.metrics();
    const risen = (result) =>
      now.sum('danpool_media_uploads_total', { result }) -
      before.sum('danpool_media_uploads_total', { result });
    assert.deepEqual([risen('rendered'), risen('cached')], [2, 1]);
    const past = await (await daemon.fetch('/v1/rooms/twice/history')).json();
    assert.equal(past.msgs[0].mode, 'top');
  });

  test('eight_uploads_at_once_are_rendered_once', async () => {
    const file = png(801, 603);
    const before = (await daemon.metrics()).sum('danpool_media_uploads_total', {
      result: 'rendered',
    });
    const answers = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const response = await daemon.upload('same', file);
        return { status: response.status, ...(await response.json()) };
      }),
    );
    assert.ok(
      answers.every((a) => a.status === 201),
      JSON.stringify(answers),
    );
    assert.equal(new Set(answers.map((a) => a.id)).size, 1);
    assert.equal(new Set(answers.map((a) => a.seq)).size, 8);
    const now = (await daemon.metrics()).sum('danpool_media_uploads_total', { result: 'rendered' });
    console.log(`  rendered ${now - before} time(s) for 8 simultaneous uploads`);
    assert.equal(now - before, 1);
  });

  test('the_first_bytes_decide_not_the_content_type', async () => {
    const response = await daemon.fetch('/v1/rooms/liar/media', {
      method: 'POST',
      headers: { 'Content-Type': 'text/html' },
      body: png(20, 20),
    });
    assert.equal(response.status, 201);
    assert.match((await response.json()).type, /^image\//);
  });

  test('what_is_no_picture_is_415', async () => {
    for (const body of [
      'hello',
      '<html><script>alert(1)</script></html>',
      Buffer.alloc(4096, 7),
      'GIF',
      '%PDF-1.4',
      'BM000000',
    ]) {
      assert.deepEqual(
        await refusal(await daemon.upload('no', body)),
        [415, 'unsupported_media'],
        String(body).slice(0, 12),
      );
    }
  });

  test('broken_pictures_are_422', async () => {
    const whole = png(200, 200);
    const flipped = Buffer.from(whole);
    flipped.fill(0x55, 60, flipped.length - 20);
    for (const [name, body] of Object.entries({
      'a cut png': whole.subarray(0, 120),
      'a damaged png': flipped,
      'a cut jpeg': JPEG.subarray(0, 100),
      'a cut webp': WEBP.subarray(0, 40),
      'a cut gif': gif(60, 40).subarray(0, 200),
      'an unclosed svg': '<svg xmlns="http://www.w3.org/2000/svg"><g>',
      'a png of nothing': pngThatClaims(0, 0),
    })) {
      assert.deepEqual(
        await refusal(await daemon.upload('broken', body)),
        [422, 'bad_media'],
        name,
      );
    }
  });

  test('an_empty_upload_and_bad_queries_are_refused', async () => {
    assert.ok([400, 411, 415].includes((await daemon.upload('empty', '')).status));
    for (const query of ['?mode=fly', '?fit=huge']) {
      assert.deepEqual(await refusal(await daemon.upload('q', SVG_DISC, query)), [
        400,
        'bad_request',
      ]);
    }
  });

  test('too_many_pixels_are_413_before_memory_is_taken', async () => {
    const before = daemon.residentMib();
    for (const [w, h] of [
      [30000, 30000],
      [60000, 1000],
      [1000000, 1000000],
    ]) {
      const [status, code] = await refusal(await daemon.upload('huge', pngThatClaims(w, h)));
      assert.deepEqual([status, code], w <= 65535 ? [413, 'too_large'] : [status, code]);
      assert.ok([413, 422].includes(status), `${w}x${h}: ${status}`);
    }
    const grown = daemon.residentMib() - before;
    console.log(`  resident memory grew by ${grown.toFixed(1)} MiB`);
    assert.ok(grown < 64 * Number(process.env.DANPOOL_MEMORY_FACTOR ?? 1));
  });

  test('svg_that_reaches_outside_is_refused', async (t) => {
    const folder = await folderFor(t);
    const secret = `${folder}/secret.png`;
    await writeFile(
      secret,
      png(50, 50, () => [1, 254, 3, 255]),
    );
    const outside = {
      'a file url': svg(`<image href="file://${secret}" width="100" height="100"/>`),
      'a path': svg(`<image xlink:href="${secret}" width="100" height="100"/>`),
      'a relative path': svg('<image href="../../etc/hostname" width="9" height="9"/>'),
      'a web address': svg('<image href="http://127.0.0.1:1/x.png" width="9" height="9"/>'),
      'an outer use': svg('<use href="file:///etc/passwd#a"/>'),
      'an outer fill': svg('<rect width="9" height="9" fill="url(file:///etc/passwd#a)"/>'),
      'an outer style sheet': svg('<style>@import url("file:///etc/passwd");</style>'),
      'an entity':
        '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + svg('<text>&x;</text>'),
      'xinclude': svg(
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/hostname"/>',
      ),
    };
    for (const [name, body] of Object.entries(outside)) {
      assert.deepEqual(
        await refusal(await daemon.upload('outside', body)),
        [422, 'bad_media'],
        name,
      );
    }
  });

  test('svg_bombs_end_with_an_error_in_time', async () => {
    const began = Date.now();
    const laughs = Array.from(
      { length: 12 },
      (_, i) => `<!ENTITY l${i + 1} "${`&l${i};`.repeat(10)}">`,
    ).join('');
    const bombs = {
      'a billion laughs': `<!DOCTYPE svg [<!ENTITY l0 "ha">${laughs}]>${svg('<text>&l12;</text>')}`,
      'a use tree': svg(
        `<g id="u0"><rect width="1" height="1"/></g>${Array.from(
          { length: 24 },
          (_, i) => `<g id="u${i + 1}">${`<use href="#u${i}"/>`.repeat(4)}</g>`,
        ).join('')}`,
      ),
      'deep nesting': svg('<g>'.repeat(200000)),
    };
    for (const [name, body] of Object.entries(bombs)) {
      const response = await daemon.upload('bomb', body);
      assert.ok([413, 422].includes(response.status), `${name}: ${response.status}`);
    }
    console.log(`  ${Object.keys(bombs).length} bombs in ${Date.now() - began} ms`);
    assert.equal((await daemon.upload('bomb', SVG_DISC)).status, 201, 'the next one is drawn');
  });

  test('uploads_are_counted', async () => {
    const metrics = await daemon.metrics();
    assert.ok(metrics.sum('danpool_media_uploads_total', { result: 'rendered' }) >= 7);
    assert.ok(metrics.sum('danpool_media_uploads_total', { result: 'failed' }) > 0);
    assert.ok(metrics.sum('danpool_render_duration_seconds_count') > 0);
    assert.ok(metrics.sum('danpool_cache_entries') > 0);
    assert.ok(metrics.sum('danpool_cache_bytes') > 0);
  });
});

test('a_full_cache_drops_the_oldest_and_stays_within_its_budget', async (t) => {
  const daemon = await daemonFor(t, { 'cache.host_mib': 1 });
  const urls = [];
  const noise = (seed) => (x, y) => {
    const v = Math.imul((x + 1) * 7919 + (y + 1) * 104729 + seed, 2654435761) >>> 8;
    return [v & 255, (v >> 8) & 255, (v >> 16) & 255, 255];
  };
  for (let i = 0; i < 40; i++) {
    const response = await daemon.upload('fill', png(480, 270, noise(i)));
    assert.equal(response.status, 201);
    urls.push((await response.json()).url);
  }
  const metrics = await daemon.metrics();
  const held = metrics.sum('danpool_cache_bytes', { tier: 'host' });
  const dropped = metrics.sum('danpool_cache_moves_total', { move: 'dropped' });
  console.log(`  host cache holds ${(held / 1024).toFixed(0)} KiB, dropped ${dropped}`);
  assert.ok(held <= 1024 * 1024);
  assert.ok(dropped > 0);
  assert.equal((await daemon.fetch(urls.at(-1))).status, 200);
  assert.equal((await daemon.fetch(urls[0])).status, 404);
});

/* A photo that takes a worker a while, and no two of them alike: what follows the end is ignored. */
const photos = (count) => {
  const one = png(3000, 2000, (x, y) => [x & 255, y & 255, (x * y) & 255, 255]);
  return Array.from({ length: count }, (_, i) => Buffer.concat([one, Buffer.from([i])]));
};

test('a_room_that_floods_the_renderers_does_not_starve_another', async (t) => {
  const daemon = await daemonFor(t, {
    'render.workers': 1,
    'render.queue_max': 64,
    'render.room_jobs_max': 3,
    'render.time_ms_max': 60000,
  });
  const flood = photos(12).map((file) => daemon.upload('loud', file).then((r) => r.status));
  await until(async () => {
    const metrics = await daemon.metrics();
    const refused = metrics.sum('danpool_render_rejected_total', { reason: 'room' });
    return refused > 0 || metrics.sum('danpool_render_queue_length') > 0;
  }, 'pictures to wait');
  const quiet = await daemon.upload('quiet', SVG_DISC);
  assert.equal(quiet.status, 201);
  const statuses = await Promise.all(flood);
  const busy = statuses.filter((status) => status === 503).length;
  assert.equal(statuses.filter((status) => status === 201).length + busy, 12);
  assert.ok(busy > 0, 'the loud room is told busy');
  const metrics = await daemon.metrics();
  assert.equal(metrics.sum('danpool_render_rejected_total', { reason: 'room' }), busy);
  assert.equal(metrics.sum('danpool_render_rejected_total', { reason: 'queue' }), 0);
  assert.equal(metrics.sum('danpool_render_jobs_total', { result: 'ok' }), 13 - busy);
  assert.equal(metrics.sum('danpool_render_pictures_total'), 13 - busy);
  assert.equal(metrics.sum('danpool_render_queue_age_seconds'), 0);
  assert.equal(metrics.sum('danpool_render_stage_jobs'), 0);
  assert.ok(metrics.sum('danpool_render_stage_seconds_total', { stage: 'decode' }) > 0);
  assert.ok(metrics.sum('danpool_render_stage_seconds_total', { stage: 'queue' }) > 0);
});

test('an_upload_over_the_limit_is_413', async (t) => {
  const daemon = await daemonFor(t, { 'render.input_mib_max': 1 });
  const response = await daemon.upload('big', Buffer.alloc(1024 * 1024 + 1)).catch(() => null);
  await until(() => daemon.alive, 'the daemon to go on');
  if (response) {
    assert.deepEqual(await refusal(response), [413, 'too_large']);
  }
  assert.equal((await daemon.upload('big', SVG_DISC)).status, 201);
  assert.ok(readFileSync(`/proc/${daemon.pid}/status`).length > 0);
});
