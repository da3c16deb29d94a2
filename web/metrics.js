/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads Prometheus text (exposition format 0.0.4) into samples, and what the figures need of them.
 */

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+([^\s]+)(?:\s+-?\d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** @typedef {{name: string, labels: Record<string, string>, value: number}} Sample */

export class Metrics {
  /** @param {string} text */
  constructor(text) {
    /** @type {Map<string, Sample[]>} */
    this.families = new Map();
    for (const line of text.split('\n')) {
      const match = line.startsWith('#') ? null : SAMPLE.exec(line.trim());
      if (match) {
        this.#add(match[1], match[2] ?? '', match[3]);
      }
    }
  }

  /** The sum over all samples whose labels agree. @param {string} name */
  sum(name, labels = {}) {
    return this.samples(name, labels).reduce((sum, s) => sum + s.value, 0);
  }

  /** @param {string} name @param {Record<string, string>} [labels] @returns {Sample[]} */
  samples(name, labels = {}) {
    const all = this.families.get(name) ?? [];
    return all.filter((s) => Object.entries(labels).every(([k, v]) => s.labels[k] === v));
  }

  /** Cumulative buckets of a histogram, by upper bound. @returns {[number, number][]} */
  buckets(name) {
    /** @type {[number, number][]} */
    const buckets = this.samples(`${name}_bucket`).map((s) => [toNumber(s.labels.le), s.value]);
    return buckets.sort((a, b) => a[0] - b[0]);
  }

  #add(name, labelText, value) {
    /** @type {Record<string, string>} */
    const labels = {};
    for (const [, key, raw] of labelText.matchAll(LABEL)) {
      labels[key] = raw.replace(/\\n/g, '\n').replace(/\\(["\\])/g, '$1');
    }
    const samples = this.families.get(name) ?? [];
    samples.push({ name, labels, value: toNumber(value) });
    this.families.set(name, samples);
  }
}

/** @param {string} text */
function toNumber(text) {
  return text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
}

/**
 * A quantile of what a histogram took between two reads, interpolated inside its bucket as
 * PromQL's histogram_quantile does; NaN when nothing was taken.
 * @param {[number, number][]} now
 * @param {[number, number][]} before
 * @param {number} q
 */
export function quantile(now, before, q) {
  const past = new Map(before);
  const counts = now.map(([le, n]) => [le, n - (past.get(le) ?? 0)]);
  const total = counts.length > 0 ? counts[counts.length - 1][1] : 0;
  if (!(total > 0)) {
    return NaN;
  }
  let lower = 0;
  let below = 0;
  for (const [le, n] of counts) {
    if (n >= q * total) {
      const part = n > below ? (q * total - below) / (n - below) : 1;
      return le === Infinity ? lower : lower + (le - lower) * part;
    }
    lower = le;
    below = n;
  }
  return lower;
}
