/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of recent comments, newest at the end.  It is the accessible form of the overlay, so it
 * shows every kind; under a flood it is redrawn at most four times a second and keeps the newest.
 */
import { onLang, t } from './i18n.js';

const KEPT_MAX = 60;
const REDRAW_MS = 250;

export class Feed {
  /** @param {{list: HTMLElement, empty: HTMLElement, missed: HTMLElement}} parts */
  constructor(parts) {
    this.parts = parts;
    /** @type {{message: import('./protocol.js').Message, own: boolean, past: boolean}[]} */
    this.fresh = [];
    this.missed = 0;
    this.timer = 0;
    /** The reader is at the end, so new comments may move the list. */
    this.following = true;
    parts.list.addEventListener('scroll', () => {
      const { scrollHeight, scrollTop, clientHeight } = parts.list;
      this.following = scrollHeight - scrollTop - clientHeight < 40;
    });
    new ResizeObserver(() => this.#follow()).observe(parts.list);
    onLang(() => this.#relabel());
  }

  /**
   * @param {import('./protocol.js').Message[]} messages
   * @param {{isOwn: (seq: number) => boolean, past: boolean}} how
   */
  add(messages, { isOwn, past }) {
    for (const message of messages) {
      this.fresh.push({ message, own: isOwn(message.seq), past });
    }
    this.fresh.splice(0, this.fresh.length - KEPT_MAX);
    if (this.timer === 0 && this.fresh.length > 0) {
      this.#redraw();
      this.timer = setTimeout(() => {
        this.timer = 0;
        this.#redraw();
      }, REDRAW_MS);
    }
  }

  /** @param {number} seq */
  markOwn(seq) {
    this.fresh
      .filter((f) => f.message.seq === seq)
      .forEach((f) => {
        f.own = true;
      });
    this.parts.list.querySelector(`[data-seq="${seq}"]`)?.classList.add('own');
  }

  /** @param {number} count */
  addMissed(count) {
    this.missed += count;
    this.#showMissed();
  }

  clear() {
    this.fresh = [];
    this.missed = 0;
    this.parts.list.replaceChildren();
    this.parts.empty.hidden = false;
    this.following = true;
    this.#showMissed();
  }

  #redraw() {
    if (this.fresh.length === 0) {
      return;
    }
    const { list, empty } = this.parts;
    list.append(...this.fresh.map(row));
    this.fresh = [];
    while (list.childElementCount > KEPT_MAX) {
      list.firstElementChild.remove();
    }
    empty.hidden = true;
    this.#follow();
  }

  #follow() {
    if (this.following) {
      this.parts.list.scrollTop = this.parts.list.scrollHeight;
    }
  }

  #showMissed() {
    this.parts.missed.hidden = this.missed === 0;
    this.parts.missed.textContent = t('feed_missed', { n: this.missed });
  }

  #relabel() {
    this.#showMissed();
    for (const node of this.parts.list.querySelectorAll('[data-word]')) {
      node.textContent = t(node.dataset.word);
    }
  }
}

/** @param {{message: import('./protocol.js').Message, own: boolean, past: boolean}} entry */
function row({ message, own, past }) {
  const item = document.createElement('li');
  item.dataset.seq = String(message.seq);
  item.classList.toggle('own', own);
  item.classList.toggle('past', past);
  const time = document.createElement('time');
  const when = new Date(message.ts);
  time.dateTime = when.toISOString();
  time.textContent = when.toTimeString().slice(0, 8);
  const you = word('you', 'you');
  item.append(time, message.kind === 'media' ? picture(message.media) : words(message), you);
  return item;
}

/** @param {import('./protocol.js').Message} message */
function words(message) {
  const body = document.createElement('p');
  const dot = document.createElement('i');
  dot.className = 'dot';
  dot.style.background = message.color ?? '#ffffff';
  const text = document.createElement('span');
  text.textContent = message.text ?? '';
  body.append(dot, text);
  return body;
}

/** @param {import('./protocol.js').Media} media */
function picture(media) {
  const body = document.createElement('p');
  body.className = 'picture';
  const kind = mediaKind(media);
  const img = document.createElement('img');
  img.alt = t('picture_alt', { kind: t(kind) });
  img.loading = 'lazy';
  img.src = media.url;
  const facts = document.createElement('span');
  facts.className = 'facts';
  const detail = document.createElement('small');
  detail.textContent = `${media.source} · ${media.engine}`;
  const tier = document.createElement('b');
  tier.className = 'chip';
  tier.textContent = media.tier;
  facts.append(word('kind', kind), tier, detail);
  body.append(img, facts);
  return body;
}

/** @param {import('./protocol.js').Media} media */
export function mediaKind(media) {
  return media.width <= 160 && media.height <= 160 ? 'kind_sticker' : 'kind_photo';
}

/** @param {string} name @param {string} key */
function word(name, key) {
  const span = document.createElement('span');
  span.className = name;
  span.dataset.word = key;
  span.textContent = t(key);
  return span;
}
