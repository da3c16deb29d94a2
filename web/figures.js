/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The strip of live figures: reads /metrics every two seconds while the page is visible and shows
 * what changed since the last read.
 */
import { Metrics, quantile } from './metrics.js';
import { Sparkline } from './sparkline.js';
import { compact, number, onLang, t } from './i18n.js';

const EVERY_MS = 2000;

/** @param {number} bytes */
export function bytesText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${number(value, value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** @param {number} seconds */
export function durationText(seconds) {
  if (!Number.isFinite(seconds)) {
    return '–';
  }
  if (seconds < 0.001) {
    return `${number(seconds * 1e6)} µs`;
  }
  return seconds < 1 ? `${number(seconds * 1e3, 1)} ms` : `${number(seconds, 1)} s`;
}

export class Figures {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    /** @type {{metrics: Metrics, at: number}|null} */
    this.last = null;
    /** @type {{metrics: Metrics, at: number}|null} */
    this.before = null;
    this.fanout = NaN;
    this.spark = new Sparkline(/** @type {SVGElement} */ (root.querySelector('[data-spark]')));
    onLang(() => this.#show());
  }

  start() {
    this.#poll();
    setInterval(() => this.#poll(), EVERY_MS);
    document.addEventListener('visibilitychange', () => this.#poll());
  }

  async #poll() {
    if (document.hidden) {
      return;
    }
    try {
      const response = await fetch('/metrics', { cache: 'no-store' });
      if (!response.ok) {
        throw new Error(String(response.status));
      }
      const metrics = new Metrics(await response.text());
      this.before = this.last;
      this.last = { metrics, at: performance.now() };
      this.spark.push(this.#rate());
      this.root.classList.remove('stale');
      this.#show();
    } catch {
      this.last = null;
      this.root.classList.add('stale');
    }
  }

  /** Deliveries a second since the read before. */
  #rate() {
    if (!this.last || !this.before) {
      return 0;
    }
    const name = 'danpool_messages_delivered_total';
    const delta = this.last.metrics.sum(name) - this.before.metrics.sum(name);
    return Math.max(0, (delta * 1000) / (this.last.at - this.before.at));
  }

  #show() {
    if (!this.last) {
      return;
    }
    const { metrics } = this.last;
    this.#tiers(metrics);
    this.#reuse(metrics);
    this.#put(
      'rate',
      number(this.#rate()),
      t('fig_rate_sub', { n: compact(metrics.sum('danpool_messages_delivered_total')) }),
    );
    const rooms = metrics.sum('danpool_rooms');
    this.#put(
      'people',
      number(metrics.sum('danpool_connections')),
      rooms === 1 ? t('fig_people_one') : t('fig_people_sub', { n: number(rooms) }),
    );
    this.#fanout(metrics);
    const uploads = (result) => compact(metrics.sum('danpool_media_uploads_total', { result }));
    this.#put(
      'render',
      metrics.samples('danpool_build_info')[0]?.labels.backend ?? '–',
      t('fig_render_sub', {
        a: uploads('rendered'),
        b: uploads('cached'),
        c: compact(metrics.sum('danpool_render_queue_length')),
      }),
    );
  }

  /** @param {Metrics} metrics */
  #tiers(metrics) {
    const list = this.root.querySelector('[data-tiers]');
    list.replaceChildren(
      ...metrics.samples('danpool_pool_tier_up').map(({ labels, value }) => {
        const tier = labels.tier;
        const used = metrics.sum('danpool_pool_used_bytes', { tier });
        const capacity = metrics.sum('danpool_pool_capacity_bytes', { tier });
        const row = document.createElement('li');
        row.classList.toggle('absent', value === 0);
        row.append(
          cell('tier', tier),
          bar(capacity > 0 ? used / capacity : 0),
          cell('bytes', value === 0 ? t('fig_absent') : bytesText(used)),
        );
        row.title = value === 0 ? '' : `${bytesText(used)} / ${bytesText(capacity)}`;
        return row;
      }),
    );
  }

  /** @param {Metrics} metrics */
  #reuse(metrics) {
    const count = (result) => metrics.sum('danpool_pool_allocations_total', { result });
    const reused = count('reuse');
    const gets = reused + count('fresh');
    this.#put(
      'reuse',
      gets > 0 ? `${number((100 * reused) / gets, 1)} %` : '–',
      t('fig_reuse_sub', { n: compact(gets) }),
    );
  }

  /** Keeps the last known value while the server is quiet. @param {Metrics} metrics */
  #fanout(metrics) {
    const name = 'danpool_fanout_duration_seconds';
    const past = this.before?.metrics.buckets(name) ?? [];
    const recent = quantile(metrics.buckets(name), past, 0.99);
    this.fanout = Number.isNaN(recent) ? this.fanout : recent;
    this.#put('fanout', durationText(this.fanout), t('fig_fanout_sub'));
  }

  /** @param {string} name @param {string} value @param {string} sub */
  #put(name, value, sub) {
    const tile = this.root.querySelector(`[data-fig="${name}"]`);
    tile.querySelector('.value').textContent = value;
    tile.querySelector('.sub').textContent = sub;
  }
}

/** @param {string} name @param {string} text */
function cell(name, text) {
  const span = document.createElement('span');
  span.className = name;
  span.textContent = text;
  return span;
}

/** @param {number} part */
function bar(part) {
  const track = document.createElement('span');
  track.className = 'bar-track';
  const fill = document.createElement('span');
  fill.style.width = `${Math.min(100, Math.max(part > 0 ? 3 : 0, part * 100)).toFixed(1)}%`;
  track.append(fill);
  return track;
}
