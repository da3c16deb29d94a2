/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The moving comments.  Each is one element that a Web Animation carries across the stage by
 * transform alone, so a comment on its way costs no script and no layout.
 *
 * Invariants: comment text only ever becomes textContent; at most NODES_MAX elements exist (own
 * comments excepted); every traveller moves at the same speed, which is what lanes.js relies on.
 */
import { Lanes } from './lanes.js';
import { WaitingLine } from './waiting.js';

const NODES_MAX = 140;
const WAITING_MAX = 80;
const STAND_MS = 4200;
const GAP_PX = 28;
const LANE_PX = 36;
/* A stage this wide shows comments at the size their sender chose. */
const NORMAL_WIDTH_PX = 960;

/** @typedef {import('./protocol.js').Message} Message */
/**
 * @typedef {object} Item
 * @property {HTMLElement} node
 * @property {Animation} animation
 * @property {number} pace px per ms at playback rate 1
 * @property {'left'|'right'|'still'} travel
 * @property {boolean} gone
 * @property {() => boolean} entered
 */

export class Overlay {
  /**
   * @param {HTMLElement} stage
   * @param {(media: import('./protocol.js').Media) => string} altOf
   */
  constructor(stage, altOf) {
    this.stage = stage;
    this.altOf = altOf;
    this.waiting = new WaitingLine(WAITING_MAX);
    this.lanes = new Lanes(1);
    /** @type {Map<number, Item>} by message number */
    this.items = new Map();
    this.settings = { on: true, area: 1, opacity: 1, speed: 1 };
    this.frame = 0;
    new ResizeObserver(() => this.#measure()).observe(stage);
    this.#measure();
  }

  /** @param {Partial<typeof this.settings>} settings */
  configure(settings) {
    Object.assign(this.settings, settings);
    this.stage.style.opacity = String(this.settings.opacity);
    if (!this.settings.on) {
      this.clear();
    }
    this.#pace();
  }

  /** @param {Message[]} messages @param {(seq: number) => boolean} isOwn */
  add(messages, isOwn) {
    if (!this.settings.on) {
      return;
    }
    const now = performance.now();
    for (const message of messages) {
      this.waiting.push(message, isOwn(message.seq), now);
    }
    this.#wake();
  }

  /** The server said this comment is ours; it may be on its way already. @param {number} seq */
  markOwn(seq) {
    this.items.get(seq)?.node.classList.add('own');
    this.waiting.claim(seq, performance.now());
    this.#wake();
  }

  clear() {
    this.waiting.clear();
    for (const seq of [...this.items.keys()]) {
      this.#remove(seq);
    }
  }

  #measure() {
    this.width = this.stage.clientWidth;
    this.height = this.stage.clientHeight;
    this.scale = Math.min(1.2, Math.max(0.6, this.width / NORMAL_WIDTH_PX));
    this.lanePx = LANE_PX * this.scale;
    this.speed = Math.min(0.16, Math.max(0.05, this.width / 9000));
    this.lanes.resize(Math.floor(this.height / this.lanePx));
    this.#pace();
  }

  /** Gives every traveller the one speed of now. */
  #pace() {
    for (const item of this.items.values()) {
      if (item.travel !== 'still') {
        item.animation.updatePlaybackRate((this.speed * this.settings.speed) / item.pace);
      }
    }
  }

  #wake() {
    if (this.frame === 0 && this.waiting.length > 0) {
      this.frame = requestAnimationFrame((now) => {
        this.frame = 0;
        this.waiting.serve((waiter) => this.#place(waiter), now);
        this.#wake();
      });
    }
  }

  /** @param {import('./waiting.js').Waiter} waiter */
  #place({ message, own }) {
    if (this.items.size >= NODES_MAX && !own) {
      return false;
    }
    const heightPx = this.#heightOf(message);
    const span = Math.min(this.lanes.count, Math.max(1, Math.ceil(heightPx / this.lanePx)));
    const travel = travelOf(message.mode);
    const lane = this.lanes.find(span, travel, {
      limit: Math.ceil(this.lanes.count * this.settings.area),
      fromEnd: message.mode === 'bottom',
    });
    if (lane < 0) {
      return false;
    }
    const node = this.#build(message, heightPx);
    node.classList.toggle('own', own);
    node.style.top = `${Math.round(lane * this.lanePx + (span * this.lanePx - heightPx) / 2)}px`;
    this.stage.append(node);
    const item = travel === 'still' ? this.#stand(node) : this.#travel(node, travel);
    item.animation.onfinish = () => this.#remove(message.seq);
    this.items.set(message.seq, item);
    this.lanes.occupy(lane, span, item);
    return true;
  }

  /** @param {Message} message */
  #heightOf(message) {
    if (message.kind !== 'media' || !message.media) {
      return Math.ceil((message.size ?? 25) * this.scale * 1.3);
    }
    const share = message.media.width > message.media.height * 1.2 ? 0.3 : 0.24;
    return Math.round(Math.min(message.media.height, Math.max(56, this.height * share)));
  }

  /** @param {Message} message @param {number} heightPx */
  #build(message, heightPx) {
    const node = document.createElement('div');
    node.className = 'comment';
    node.dataset.seq = String(message.seq);
    node.style.height = `${heightPx}px`;
    if (message.kind === 'media' && message.media) {
      node.classList.add('media');
      const img = document.createElement('img');
      img.alt = this.altOf(message.media);
      img.decoding = 'async';
      img.height = heightPx;
      img.width = Math.round((heightPx * message.media.width) / Math.max(1, message.media.height));
      img.addEventListener('error', () => this.#remove(message.seq));
      img.src = message.media.url;
      node.append(img);
    } else {
      node.style.fontSize = `${((message.size ?? 25) * this.scale).toFixed(1)}px`;
      node.style.color = message.color ?? '#ffffff';
      node.textContent = message.text ?? '';
    }
    return node;
  }

  /** @param {HTMLElement} node @param {'left'|'right'} travel @returns {Item} */
  #travel(node, travel) {
    const own = node.offsetWidth;
    const way = this.width + own;
    const pace = this.speed;
    const from = travel === 'left' ? this.width : -own;
    const to = travel === 'left' ? -own : this.width;
    const animation = node.animate(
      [{ transform: `translate3d(${from}px,0,0)` }, { transform: `translate3d(${to}px,0,0)` }],
      { duration: way / pace, easing: 'linear', fill: 'both' },
    );
    animation.updatePlaybackRate(this.settings.speed);
    return {
      node,
      animation,
      pace,
      travel,
      gone: false,
      entered: () => pace * Number(animation.currentTime ?? 0) > own + GAP_PX,
    };
  }

  /** @param {HTMLElement} node @returns {Item} */
  #stand(node) {
    node.classList.add('still');
    const x = Math.round((this.width - node.offsetWidth) / 2);
    const place = `translate3d(${x}px,0,0)`;
    const animation = node.animate(
      [
        { transform: place, opacity: 0 },
        { transform: place, opacity: 1, offset: 0.05 },
        { transform: place, opacity: 1, offset: 0.92 },
        { transform: place, opacity: 0 },
      ],
      { duration: STAND_MS, fill: 'both' },
    );
    return { node, animation, pace: 1, travel: 'still', gone: false, entered: () => false };
  }

  /** @param {number} seq */
  #remove(seq) {
    const item = this.items.get(seq);
    if (item) {
      this.items.delete(seq);
      item.gone = true;
      item.animation.onfinish = null;
      item.animation.cancel();
      item.node.remove();
      this.#wake();
    }
  }
}

/** @param {string} mode @returns {'left'|'right'|'still'} */
function travelOf(mode) {
  if (mode === 'top' || mode === 'bottom') {
    return 'still';
  }
  return mode === 'reverse' ? 'right' : 'left';
}
