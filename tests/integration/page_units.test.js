/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's parts that need no browser: lanes, the waiting line, the metrics reader, backoff and
 * the two word tables.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { backoffMs } from '../../web/client.js';
import { TABLES } from '../../web/i18n.js';
import { Lanes } from '../../web/lanes.js';
import { Metrics, quantile } from '../../web/metrics.js';
import { WaitingLine } from '../../web/waiting.js';

const WEB = new URL('../../web/', import.meta.url);
const ALL = { limit: 99 };

/** A traveller whose place the test sets. */
const traveller = (travel) => ({
  travel,
  gone: false,
  inside: false,
  entered() {
    return this.inside;
  },
});

test('a_lane_opens_again_only_after_its_traveller_has_entered', () => {
  const lanes = new Lanes(2);
  const first = traveller('left');
  lanes.occupy(lanes.find(1, 'left', ALL), 1, first);
  assert.equal(lanes.find(1, 'left', ALL), 1);
  lanes.occupy(1, 1, traveller('left'));
  assert.equal(lanes.find(1, 'left', ALL), -1);
  first.inside = true;
  assert.equal(lanes.find(1, 'left', ALL), 0);
});

test('opposite_travellers_never_share_a_lane', () => {
  const lanes = new Lanes(1);
  const first = traveller('left');
  first.inside = true;
  lanes.occupy(0, 1, first);
  assert.equal(lanes.find(1, 'right', ALL), -1);
  first.gone = true;
  assert.equal(lanes.find(1, 'right', ALL), 0);
});

test('a_tall_comment_needs_neighbouring_lanes_and_bottom_starts_at_the_end', () => {
  const lanes = new Lanes(5);
  lanes.occupy(1, 1, traveller('left'));
  assert.equal(lanes.find(3, 'left', ALL), 2);
  assert.equal(lanes.find(1, 'still', { limit: 5, fromEnd: true }), 4);
  assert.equal(lanes.find(3, 'left', { limit: 3 }), -1);
});

test('standing_comments_stack_and_prefer_lanes_without_travellers', () => {
  const lanes = new Lanes(2);
  lanes.occupy(0, 1, traveller('left'));
  assert.equal(lanes.find(1, 'still', ALL), 1);
  lanes.occupy(1, 1, traveller('still'));
  assert.equal(lanes.find(1, 'still', ALL), 0);
  lanes.occupy(0, 1, traveller('still'));
  assert.equal(lanes.find(1, 'still', ALL), -1);
});

test('a_resize_keeps_who_is_in_the_lanes', () => {
  const lanes = new Lanes(2);
  lanes.occupy(0, 1, traveller('left'));
  lanes.resize(4);
  assert.equal(lanes.find(1, 'left', ALL), 1);
  lanes.resize(1);
  assert.equal(lanes.find(1, 'left', ALL), -1);
});

test('a_flood_leaves_an_even_sample_and_every_own_comment', () => {
  const line = new WaitingLine(50);
  for (let seq = 1; seq <= 1000; seq++) {
    line.push({ seq }, seq % 100 === 0, 0);
  }
  assert.equal(line.own.length, 10);
  assert.ok(line.others.length <= 50);
  const thirds = [0, 0, 0];
  line.others.forEach((w) => {
    thirds[Math.min(2, Math.floor((w.message.seq - 1) / 334))] += 1;
  });
  console.log(`  kept of 990 others, by thirds of the flood: ${thirds.join(' ')}`);
  assert.ok(Math.max(...thirds) - Math.min(...thirds) <= 2, 'an even sample');
});

test('a_late_ack_calls_a_left_out_comment_back', () => {
  const line = new WaitingLine(2);
  for (let seq = 1; seq <= 3; seq++) {
    line.push({ seq }, false, 0);
  }
  assert.ok(line.leftOut.has(2));
  line.claim(2, 0);
  assert.deepEqual(
    line.own.map((w) => w.message.seq),
    [2],
  );
  const placed = [];
  line.serve((w) => {
    placed.push(w.message.seq);
    return true;
  }, 0);
  assert.deepEqual(placed, [2, 1, 3]);
  assert.equal(line.length, 0);
});

test('stale_comments_leave_the_line_own_ones_stay', () => {
  const line = new WaitingLine(10);
  line.push({ seq: 1 }, false, 0);
  line.push({ seq: 2 }, true, 0);
  line.serve(() => false, 60000);
  assert.deepEqual([line.others.length, line.own.length], [0, 1]);
});

test('metrics_text_is_read_with_labels_escapes_and_infinity', () => {
  const metrics = new Metrics(
    '# TYPE a counter\na{t="x",q="say \\"hi\\""} 3\na{t="y"} 4e1\nb 1\n' +
      'h_bucket{le="0.1"} 90\nh_bucket{le="0.2"} 100\nh_bucket{le="+Inf"} 100\n',
  );
  assert.equal(metrics.sum('a'), 43);
  assert.equal(metrics.sum('a', { t: 'x' }), 3);
  assert.equal(metrics.samples('a')[0].labels.q, 'say "hi"');
  const p95 = quantile(metrics.buckets('h'), [], 0.95);
  assert.ok(Math.abs(p95 - 0.15) < 1e-9, `p95 ${p95}`);
  assert.ok(Number.isNaN(quantile(metrics.buckets('h'), metrics.buckets('h'), 0.99)));
});

test('backoff_doubles_is_capped_and_spreads', () => {
  assert.ok(backoffMs(0, 0) >= 200 && backoffMs(0, 0.999) <= 500);
  assert.ok(backoffMs(3, 0) > backoffMs(0, 0.999));
  assert.ok(backoffMs(50, 0.999) <= 15000);
  assert.ok(backoffMs(4, 0.999) - backoffMs(4, 0) > 1000);
});

test('both_languages_say_the_same_things_and_the_page_asks_for_nothing_else', () => {
  assert.deepEqual(Object.keys(TABLES.en).sort(), Object.keys(TABLES.zh).sort());
  const asked = new Set();
  for (const name of readdirSync(WEB).filter((n) => /\.(js|html)$/.test(n))) {
    const text = readFileSync(new URL(name, WEB), 'utf8');
    for (const [, key] of text.matchAll(/data-i18n(?:-\w+)?="(\w+)"|\bt\('(\w+)'/g)) {
      if (key) {
        asked.add(key);
      }
    }
  }
  assert.ok(asked.size > 30);
  assert.deepEqual(
    [...asked].filter((key) => !(key in TABLES.en)),
    [],
  );
  for (const key of Object.keys(TABLES.en)) {
    const holes = (words) => (words.match(/\{\w+\}/g) ?? []).sort().join();
    assert.equal(holes(TABLES.zh[key]), holes(TABLES.en[key]), key);
  }
});

test('the_page_holds_nothing_inline_and_no_markup_from_text', () => {
  const html = readFileSync(new URL('index.html', WEB), 'utf8');
  assert.doesNotMatch(html, /\sstyle=|\son[a-z]+=|<style|<script(?![^>]*\ssrc=)/);
  assert.doesNotMatch(html, /https?:\/\/(?!www\.w3\.org)/);
  for (const name of readdirSync(WEB).filter((n) => n.endsWith('.js'))) {
    const text = readFileSync(new URL(name, WEB), 'utf8');
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/,
      name,
    );
  }
});
