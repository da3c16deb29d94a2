/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comments that wait for a lane.  Bounded: when the line is full, every second one of the others is
 * left out and from then on only every `stride`-th newcomer gets in, so that what remains is an
 * even sample of the flood, neither its first burst nor its last.  The stride shrinks again as the
 * line drains.  Own comments are never left out and go first.
 */

const STALE_MS = 4000;
const LEFT_OUT_KEPT_MAX = 256;

/** @typedef {{message: import('./protocol.js').Message, own: boolean, since: number}} Waiter */

export class WaitingLine {
  /** @param {number} max how many of the others may wait */
  constructor(max) {
    this.max = max;
    /** @type {Waiter[]} */
    this.own = [];
    /** @type {Waiter[]} */
    this.others = [];
    this.stride = 1;
    this.arrived = 0;
    /** Left out, by number: an ack that comes late can still call one of them back. */
    /** @type {Map<number, import('./protocol.js').Message>} */
    this.leftOut = new Map();
    this.leftOutTotal = 0;
  }

  get length() {
    return this.own.length + this.others.length;
  }

  /** @param {import('./protocol.js').Message} message @param {boolean} own @param {number} now */
  push(message, own, now) {
    const waiter = { message, own, since: now };
    if (own) {
      this.own.push(waiter);
      return;
    }
    if (this.arrived++ % this.stride !== 0) {
      this.#leaveOut(waiter);
      return;
    }
    this.others.push(waiter);
    if (this.others.length > this.max) {
      this.stride *= 2;
      this.arrived = 1;
      const sample = this.others.filter((_, i) => i % 2 === 0);
      this.others.filter((_, i) => i % 2 === 1).forEach((w) => this.#leaveOut(w));
      this.others = sample;
    }
  }

  /** Makes a waiting or left-out comment ours. @param {number} seq @param {number} now */
  claim(seq, now) {
    const at = this.others.findIndex((w) => w.message.seq === seq);
    if (at >= 0) {
      const [waiter] = this.others.splice(at, 1);
      this.own.push({ ...waiter, own: true });
      return;
    }
    const message = this.leftOut.get(seq);
    if (message) {
      this.leftOut.delete(seq);
      this.push(message, true, now);
    }
  }

  /**
   * Offers every waiter to `place`, own ones first, oldest first; those it takes leave the line.
   * @param {(w: Waiter) => boolean} place
   * @param {number} now
   */
  serve(place, now) {
    this.own = this.own.filter((w) => !place(w));
    this.others = this.others.filter((w) => {
      if (now - w.since > STALE_MS) {
        this.#leaveOut(w);
        return false;
      }
      return !place(w);
    });
    if (this.others.length <= this.max / 4) {
      this.stride = this.others.length === 0 ? 1 : Math.max(1, this.stride / 2);
    }
  }

  clear() {
    this.own = [];
    this.others = [];
    this.stride = 1;
    this.leftOut.clear();
  }

  /** @param {Waiter} waiter */
  #leaveOut(waiter) {
    this.leftOutTotal += 1;
    this.leftOut.set(waiter.message.seq, waiter.message);
    if (this.leftOut.size > LEFT_OUT_KEPT_MAX) {
      this.leftOut.delete(this.leftOut.keys().next().value);
    }
  }
}
