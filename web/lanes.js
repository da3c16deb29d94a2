/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which lane a comment may take so that no two of them overlap.  No DOM in here: an occupant tells
 * by itself where it is, so pausing and speed changes need no bookkeeping.
 *
 * A lane holds at most one direction of travel at a time and, apart from that, at most one standing
 * comment.  All travellers move at one speed, so the last one in is also the last one out: a lane
 * is empty once its last traveller is gone, and open for another of the same direction once that
 * one has entered the stage completely.  A standing comment takes a lane without travellers where
 * there is one; else it stands above them, as in every player.
 */

/**
 * @typedef {object} Occupant
 * @property {'left'|'right'|'still'} travel
 * @property {boolean} gone it left the stage
 * @property {() => boolean} entered all of it, and a gap behind it, is inside
 */

export class Lanes {
  /** @param {number} count */
  constructor(count) {
    this.count = 0;
    /** @type {(Occupant|null)[]} */
    this.moving = [];
    /** @type {(Occupant|null)[]} */
    this.still = [];
    this.resize(count);
  }

  /** Adds or takes lanes at the end; who is in the others stays known. @param {number} count */
  resize(count) {
    this.count = Math.max(1, count);
    for (const table of [this.moving, this.still]) {
      while (table.length < this.count) {
        table.push(null);
      }
      table.length = this.count;
    }
  }

  /**
   * The first of `span` neighbouring lanes that are open, -1 when there are none now.
   * @param {number} span
   * @param {'left'|'right'|'still'} travel
   * @param {{limit: number, fromEnd?: boolean}} where lanes in use, counted from either end
   */
  find(span, travel, { limit, fromEnd = false }) {
    const usable = Math.min(this.count, Math.max(limit, span));
    const last = usable - Math.min(span, usable);
    let fallback = -1;
    for (let i = 0; i <= last; i++) {
      const lane = fromEnd ? this.count - Math.min(span, usable) - i : i;
      const fit = this.#fit(lane, span, travel);
      if (fit === 2) {
        return lane;
      }
      if (fit === 1 && fallback < 0) {
        fallback = lane;
      }
    }
    return fallback;
  }

  /** @param {number} lane @param {number} span @param {Occupant} occupant */
  occupy(lane, span, occupant) {
    const table = occupant.travel === 'still' ? this.still : this.moving;
    for (let i = lane; i < Math.min(lane + span, this.count); i++) {
      table[i] = occupant;
    }
  }

  /** 0: taken, 1: open but shared with the other kind, 2: open and alone. */
  #fit(lane, span, travel) {
    let best = 2;
    for (let i = lane; i < Math.min(lane + span, this.count); i++) {
      const moving = present(this.moving[i]);
      const still = present(this.still[i]);
      if (travel === 'still') {
        if (still) {
          return 0;
        }
        best = moving ? 1 : best;
      } else {
        if (moving && (moving.travel !== travel || !moving.entered())) {
          return 0;
        }
        best = still ? 1 : best;
      }
    }
    return best;
  }
}

/** @param {Occupant|null} occupant */
function present(occupant) {
  return occupant && !occupant.gone ? occupant : null;
}
