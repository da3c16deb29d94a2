/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page in Debian's chromium: one viewer sends text, a sticker and a photo, another sees
 * them fly over his picture.  Screenshots of laptop and phone go to DANPOOL_ARTIFACTS (or
 * build/artifacts).
 *
 * No name but 127.0.0.1 resolves in this browser, and any request elsewhere, error on the console
 * or violation of the page's policy fails the test.
 */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Daemon, daemonFor } from './support/daemon.js';
import { gifForEver, png, svg } from './support/files.js';
import { until } from './support/wait.js';
import { Viewer } from './support/viewer.js';

const ARTIFACTS =
  process.env.DANPOOL_ARTIFACTS ??
  process.env.DP_ARTIFACTS ??
  fileURLToPath(new URL('../../build/artifacts', import.meta.url));
const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1',
];
const LAPTOP = { viewport: { width: 1366, height: 768 } };
const PHONE = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
const XSS = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script> & "quotes"';
const WAIT_MS = 45000;

/** A page of its own user, live in the room; what it complains about is collected. */
async function openPage(browser, daemon, room, options = {}) {
  const context = await browser.newContext({ ...LAPTOP, locale: 'en-US', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(`error: ${error.message}`));
  page.on('console', (m) => m.type() === 'error' && page.complaints.push(`console: ${m.text()}`));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.hostname !== '127.0.0.1' && url.protocol !== 'blob:' && url.protocol !== 'data:') {
      page.complaints.push(`outside: ${url}`);
    }
  });
  await page.goto(`${daemon.url}/?room=${room}`);
  await page.waitForSelector('#badge[data-state=live]');
  return page;
}

async function say(page, text, { mode } = {}) {
  if (mode) {
    await page.locator(`input[name=mode][value=${mode}]`).check({ force: true });
  }
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  await page.waitForFunction(() => document.querySelector('#text').value === '');
}

/** Pairs of travelling comments whose boxes meet. */
const overlaps = () => {
  const boxes = [...document.querySelectorAll('.overlay .comment:not(.still)')].map((n) => ({
    seq: n.dataset.seq,
    box: n.getBoundingClientRect(),
  }));
  const pairs = [];
  boxes.forEach((a, i) =>
    boxes.slice(i + 1).forEach((b) => {
      const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (x > 1 && y > 3) {
        pairs.push(`${a.seq} and ${b.seq} by ${x.toFixed(0)}x${y.toFixed(0)}`);
      }
    }),
  );
  return { shown: boxes.length, pairs };
};

describe('page', () => {
  /** @type {Daemon} */
  let daemon;
  let browser;
  before(async () => {
    await mkdir(ARTIFACTS, { recursive: true });
    daemon = await Daemon.start();
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: ARGS,
    });
  });
  after(async () => {
    await browser?.close();
    assert.equal((await daemon.stop()).code, 0);
  });

  test('text_sticker_and_photo_fly_over_the_other_viewers_picture', async () => {
    const [mine, theirs] = [
      await openPage(browser, daemon, 'fly'),
      await openPage(browser, daemon, 'fly'),
    ];
    await say(mine, XSS);
    await mine.setInputFiles('#sticker-file', {
      name: 'disc.svg',
      mimeType: 'image/svg+xml',
      buffer: Buffer.from(svg('<circle cx="50" cy="50" r="46" fill="#6fd8cf"/>')),
    });
    await mine.setInputFiles('#photo-file', {
      name: 'photo.png',
      mimeType: 'image/png',
      buffer: png(640, 360, (x, y) => [200 - y / 3, 90 + x / 6, 130, 255]),
    });

    const text = theirs.locator('.overlay .comment:not(.media)');
    await text.first().waitFor();
    assert.equal(await text.first().textContent(), XSS);
    await theirs.waitForFunction(() => {
      const images = [...document.querySelectorAll('.overlay .comment.media img')];
      return images.length === 2 && images.every((i) => i.naturalWidth > 0);
    });
    const sizes = await theirs.$$eval('.overlay .comment.media img', (images) =>
      images.map((i) => [i.naturalWidth, i.naturalHeight]),
    );
    console.log(`  pictures in the second overlay: ${sizes.map((s) => s.join('x')).join(', ')}`);
    assert.deepEqual(sizes.sort(), [
      [160, 160],
      [480, 270],
    ]);

    for (const page of [mine, theirs]) {
      assert.equal(await page.evaluate(() => window.hacked), undefined, 'the payload is inert');
      assert.equal(await page.locator('.overlay .comment:not(.media) *').count(), 0);
      /* The list is redrawn four times a second, so it may show a comment after the overlay. */
      await page.waitForFunction(() => document.querySelectorAll('#feed li').length === 3);
    }
    /* The answer that makes a comment ours may come after the comment. */
    await mine.waitForFunction(
      () =>
        document.querySelectorAll('.overlay .comment.own').length === 3 &&
        document.querySelectorAll('#feed li.own').length === 3,
    );
    assert.equal(await theirs.locator('.own').count(), 0, "only the sender's are marked");
    const first = await theirs.locator('.overlay .comment').first().boundingBox();
    await until(async () => {
      const now = await theirs.locator('.overlay .comment').first().boundingBox();
      return now === null || now.x < first.x - 20;
    }, 'it to move');
    assert.deepEqual([...mine.complaints, ...theirs.complaints], []);
    await mine.context().close();
    await theirs.context().close();
  });

  test('built_in_stickers_all_draw', async () => {
    const page = await openPage(browser, daemon, 'stickers');
    await page.click('#stickers');
    const names = await page.$$eval('[data-sticker]', (all) => all.map((b) => b.dataset.sticker));
    assert.equal(names.length, 6);
    for (const name of names) {
      await page.click(`[data-sticker=${name}]`);
    }
    await page.waitForFunction(
      () =>
        document.querySelectorAll('#feed li.own img').length === 6 &&
        [...document.querySelectorAll('#feed li.own img')].every((i) => i.naturalWidth === 160),
    );
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('stickers_are_drawn_by_our_engine_and_words_by_another', async () => {
    const page = await openPage(browser, daemon, 'engines');
    const watch = await Viewer.join(daemon, 'engines');
    const shape = '<circle cx="50" cy="50" r="46" fill="#6fd8cf"/>';
    const words = '<text x="9" y="60" font-size="40">hi</text>';
    const engines = [];
    for (const [i, inside] of [shape, shape + words].entries()) {
      await page.setInputFiles('#sticker-file', {
        name: 'sticker.svg',
        mimeType: 'image/svg+xml',
        buffer: Buffer.from(svg(inside)),
      });
      await page.waitForFunction(
        (count) =>
          document.querySelectorAll('#feed li.own img').length === count ||
          document.querySelector('.status').dataset.kind === 'bad',
        i + 1,
      );
      if (await page.locator('.status[data-kind=bad]').count()) {
        console.log(`  this build cannot draw it: ${await page.locator('.status').textContent()}`);
        assert.equal(inside, shape + words, 'only librsvg may be absent');
        break;
      }
      const { media } = await until(() => watch.messages[i], 'the sticker', WAIT_MS);
      assert.deepEqual([media.source, media.width, media.height], ['svg', 160, 160]);
      engines.push(media.engine);
      const told = page.locator('#feed li.own').last();
      await until(
        async () => (await told.textContent()).includes(`svg · ${media.engine}`),
        'the list to say so',
        WAIT_MS,
      );
    }
    assert.deepEqual(engines, ['cpu', 'librsvg+cpu'].slice(0, engines.length));
    await page.click('#stickers');
    await page.click('[data-sticker=lantern]');
    const built = await until(
      () => watch.messages.find((m) => m.seq > watch.messages[engines.length - 1].seq),
      'the sticker',
      WAIT_MS,
    );
    assert.equal(built.media.engine, 'cpu');
    assert.deepEqual(page.complaints, []);
    await watch.leave();
    await page.context().close();
  });

  test('a_picture_that_moves_goes_on_moving', async () => {
    const page = await openPage(browser, daemon, 'moving');
    const watch = await Viewer.join(daemon, 'moving');
    await page.setInputFiles('#photo-file', {
      name: 'moving.gif',
      mimeType: 'image/gif',
      buffer: gifForEver(120, 80, 4),
    });
    const { media } = await until(() => watch.messages[0], 'the picture', WAIT_MS);
    assert.deepEqual([media.source, media.type, media.frames], ['gif', 'image/webp', 4]);
    const flying = page.locator('.overlay .comment.media img');
    await flying.waitFor();
    await page.waitForFunction(
      () => document.querySelector('.overlay .comment.media img').naturalWidth === 120,
    );
    assert.ok((await flying.getAttribute('src')).endsWith(media.url));
    const bytes = Buffer.from(await (await daemon.fetch(media.url)).arrayBuffer());
    assert.equal(bytes.toString('latin1').split('ANMF').length - 1, 4);
    /* In the list it stands still, so that only its frames can differ. */
    const listed = page.locator('#feed li.own img');
    const seen = new Set();
    await until(
      async () => {
        seen.add((await listed.screenshot({ animations: 'allow' })).toString('base64'));
        return seen.size >= 3;
      },
      'three of its frames to be seen',
      WAIT_MS,
    );
    assert.deepEqual(page.complaints, []);
    await watch.leave();
    await page.context().close();
  });

  test('a_flood_stays_bounded_without_overlaps_and_keeps_own_comments', async () => {
    const page = await openPage(browser, daemon, 'flood');
    const writer = await Viewer.join(daemon, 'flood');
    const modes = ['scroll', 'scroll', 'scroll', 'reverse', 'top', 'bottom'];
    const sizes = [25, 18, 36];
    for (let i = 0; i < 3000; i++) {
      writer.send({
        op: 'send',
        text: `comment ${i} ${'~'.repeat(i % 17)}`,
        mode: modes[i % 6],
        size: sizes[i % 3],
      });
      if (i % 100 === 99) {
        await new Promise((resolve) => {
          setTimeout(resolve, 100);
        });
      }
      if (i === 1500) {
        await page.fill('#text', 'mine in the flood');
        await page.press('#text', 'Enter');
      }
      if (i % 500 === 499) {
        const { shown, pairs } = await page.evaluate(overlaps);
        console.log(`  after ${i + 1}: ${shown} travelling`);
        assert.deepEqual(pairs, []);
        assert.ok((await page.locator('.overlay .comment').count()) <= 150);
      }
    }
    await page
      .locator('.overlay .comment.own', { hasText: 'mine in the flood' })
      .waitFor({ state: 'attached' });
    assert.ok((await page.locator('#feed li').count()) <= 60);
    assert.deepEqual((await page.evaluate(overlaps)).pairs, []);
    await page.context().close();
    await writer.leave();
  });

  test('history_figures_and_language_are_there', async () => {
    const writer = await Viewer.join(daemon, 'past');
    for (let i = 0; i < 35; i++) {
      await writer.say({ text: `earlier ${i}` });
    }
    const page = await openPage(browser, daemon, 'past', { locale: 'zh-CN' });
    await page.waitForFunction(() => document.querySelectorAll('#feed li').length === 30);
    assert.equal(await page.locator('#feed li').last().locator('p').textContent(), 'earlier 34');
    assert.equal(await page.locator('.overlay .comment').count(), 0, 'history does not fly');
    assert.equal(await page.locator('.send').textContent(), '发送');
    await page.click('#lang');
    assert.equal(await page.locator('.send').textContent(), 'Send');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    await page.waitForFunction(() => document.querySelectorAll('[data-tiers] li').length === 7);
    await page.waitForFunction(() =>
      /%/.test(document.querySelector('[data-fig=reuse] .value').textContent),
    );
    assert.match(await page.locator('[data-fig=render] .value').textContent(), /^(cpu|cuda)$/);
    await page.waitForFunction(() =>
      /ms/.test(document.querySelector('#badge .extra').textContent),
    );
    await page.fill('#room', 'else where');
    await page.press('#room', 'Enter');
    assert.equal(
      new URL(page.url()).searchParams.get('room'),
      'past',
      'a bad name changes nothing',
    );
    await page.fill('#room', 'elsewhere');
    await page.press('#room', 'Enter');
    await page.waitForFunction(() => document.querySelectorAll('#feed li').length === 0);
    assert.equal(new URL(page.url()).searchParams.get('room'), 'elsewhere');
    await page.goBack();
    await page.waitForFunction(() => document.querySelectorAll('#feed li').length === 30);
    assert.deepEqual(page.complaints, []);
    await page.context().close();
  });

  test('every_control_has_a_name_and_can_be_reached_by_keyboard', async () => {
    const page = await openPage(browser, daemon, 'names');
    await page.click('#stickers');
    await page.click('#display-toggle');
    const nameless = await page.$$eval('button, input, canvas, img, [role]', (all) =>
      all
        .filter(
          (n) =>
            !n.closest('[aria-hidden=true]') &&
            !n.getAttribute('aria-label') &&
            !n.textContent.trim() &&
            !(n.labels && [...n.labels].some((l) => l.textContent.trim())) &&
            !n.getAttribute('aria-labelledby') &&
            !n.hasAttribute('alt'),
        )
        .map((n) => n.outerHTML.slice(0, 120)),
    );
    assert.deepEqual(
      nameless.filter((h) => !h.includes('role="status"')),
      [],
    );
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    const reached = new Set();
    await page.evaluate(() => document.activeElement?.blur());
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press('Tab');
      reached.add(
        await page.evaluate(
          () =>
            document.activeElement.id ||
            document.activeElement.name ||
            document.activeElement.className,
        ),
      );
    }
    for (const id of [
      'room',
      'lang',
      'text',
      'stickers',
      'photo-file',
      'display-toggle',
      'feed',
      'mode',
      'colour',
      'size',
    ]) {
      assert.ok(reached.has(id), `${id} in ${[...reached].join(', ')}`);
    }
    await page.context().close();
  });

  test('reduced_motion_shows_the_list_only', async () => {
    const page = await openPage(browser, daemon, 'calm', { reducedMotion: 'reduce' });
    await say(page, 'quietly');
    await page.locator('#feed li.own').waitFor();
    assert.equal(await page.locator('.overlay .comment').count(), 0);
    assert.match(await page.locator('#stage-note').textContent(), /Reduced motion/);
    await page.context().close();
  });

  test('screenshots_of_laptop_and_phone', async () => {
    const lines = [
      '夜色真美 🌙',
      'Good evening everyone',
      '这水面的反光绝了',
      'hello from Lisbon',
      '弹幕池启动!',
      '2333333',
      'that moon though',
      '灯笼漂过来了~',
      '前方高能预警',
      'love the colours',
      '哈哈哈哈哈哈',
      '好治愈的画面',
    ];
    const colours = ['#ffffff', '#ffffff', '#ffd166', '#7be0a8', '#76c7ff', '#ff7a90', '#c3a6ff'];
    const writer = await Viewer.join(daemon, 'lobby');
    for (const [name, options] of [
      ['laptop', LAPTOP],
      ['phone', { ...PHONE, locale: 'zh-CN' }],
    ]) {
      const page = await openPage(browser, daemon, 'lobby', options);
      await page.click('#stickers');
      await page.click('[data-sticker=lantern]');
      await say(page, name === 'phone' ? '我发的弹幕' : 'This one is mine');
      for (let i = 0; i < 30; i++) {
        await writer.say({
          text: lines[(i * 5) % 12],
          color: colours[i % 7],
          size: [25, 25, 18, 36][i % 4],
          mode: i === 12 ? 'top' : i === 20 ? 'bottom' : i % 9 === 8 ? 'reverse' : 'scroll',
        });
        await page.waitForTimeout(110);
        if (i === 3) {
          await page.click('[data-sticker=heart]');
          await page.setInputFiles('#photo-file', {
            name: 'p.png',
            mimeType: 'image/png',
            buffer: png(640, 360, (x, y) => [250 - y / 2, 120 + x / 8, 160 - x / 8, 255]),
          });
          await page.click('#stickers');
        }
      }
      await page.screenshot({ path: `${ARTIFACTS}/page-${name}.png` });
      const scrolls = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(scrolls <= 0, `${name} scrolls sideways by ${scrolls}`);
      const inside = await page.evaluate(
        () => document.querySelector('.send').getBoundingClientRect().bottom <= innerHeight,
      );
      assert.ok(inside, 'the send button is on the screen');
      assert.deepEqual(page.complaints, []);
      console.log(`  ${ARTIFACTS}/page-${name}.png`);
      await page.context().close();
    }
    await writer.leave();
  });
});

test('too_fast_is_shown_with_a_countdown_and_the_text_is_kept', async (t) => {
  const daemon = await daemonFor(t, { 'limits.messages_per_s': 1, 'limits.messages_burst': 2 });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ARGS,
  });
  t.after(() => browser.close());
  const page = await openPage(browser, daemon, 'fast');
  for (const text of ['one', 'two']) {
    await say(page, text);
  }
  await page.fill('#text', 'three');
  await page.press('#text', 'Enter');
  await page.waitForSelector('.status[data-kind=bad]');
  assert.match(await page.locator('.status').textContent(), /Too fast.*\d/);
  assert.equal(await page.inputValue('#text'), 'three');
  await page.waitForSelector('.send:enabled');
  await page.press('#text', 'Enter');
  await page.locator('#feed li.own', { hasText: 'three' }).waitFor();
});

test('a_page_that_falls_behind_says_how_much_it_missed', async (t) => {
  const daemon = await daemonFor(t, { 'fanout.ring_batches': 16, 'fanout.slow_close_ms': 120000 });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ARGS,
  });
  t.after(() => browser.close());
  const page = await openPage(browser, daemon, 'behind');
  assert.equal(await page.locator('#missed').isVisible(), false);
  const watch = await Viewer.join(daemon, 'behind');
  /* A page whose script is busy reads nothing, and the pipe to it fills up. */
  const busy = page.evaluate(() => {
    for (const end = Date.now() + 6000; Date.now() < end;);
  });
  const ext = 'x'.repeat(900);
  for (let i = 0; i < 14000; i++) {
    watch.send({ op: 'send', text: `m${i}`, ext });
    if (i % 200 === 199) {
      await until(() => watch.messages.length >= i - 400, 'the watcher to keep up', WAIT_MS);
    }
  }
  await busy;
  await page.locator('#missed').waitFor();
  const said = () => page.locator('#missed').textContent();
  const dropped = async () => (await daemon.metrics()).sum('danpool_messages_dropped_total');
  await until(async () => (await said()) === `${await dropped()} missed`, 'both to agree', WAIT_MS);
  console.log(`  the page says "${await said()}"`);
});

test('the_page_comes_back_by_itself_when_the_server_does', async (t) => {
  let daemon = await Daemon.start();
  t.after(() => daemon.alive && daemon.stop());
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ARGS,
  });
  t.after(() => browser.close());
  const page = await openPage(browser, daemon, 'again');
  await say(page, 'before');
  assert.equal((await daemon.stop()).code, 0);
  await page.waitForSelector('#badge[data-state=waiting], #badge[data-state=connecting]');
  assert.match(await page.locator('#notice').textContent(), /restarting/);
  daemon = await Daemon.start({ 'listen.port': daemon.port });
  await page.waitForSelector('#badge[data-state=live]');
  await say(page, 'after');
  await page.locator('#feed li.own', { hasText: 'after' }).waitFor();
  assert.equal(await page.locator('#notice').isVisible(), false);
});
