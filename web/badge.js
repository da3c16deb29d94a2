/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection badge: a coloured dot, the state in words, the round trip or the seconds until the
 * next attempt.
 */
import { onLang, t } from './i18n.js';

export class Badge {
  /** @param {HTMLElement} root @param {import('./client.js').DanpoolClient} client */
  constructor(root, client) {
    this.root = root;
    this.words = root.querySelector('.state');
    this.extra = root.querySelector('.extra');
    this.state = 'connecting';
    this.retryAt = 0;
    this.rtt = NaN;
    client.addEventListener('state', (event) => {
      this.state = event.detail.state;
      this.retryAt = event.detail.retryAt;
      this.rtt = NaN;
      this.show();
    });
    client.addEventListener('rtt', (event) => {
      this.rtt = event.detail.ms;
      this.show();
    });
    setInterval(() => this.state === 'waiting' && this.show(), 500);
    onLang(() => this.show());
    this.show();
  }

  show() {
    this.root.dataset.state = this.state;
    const words = t(`state_${this.state}`);
    if (this.words.textContent !== words) {
      this.words.textContent = words;
    }
    this.extra.textContent = this.#extra();
  }

  #extra() {
    if (this.state === 'waiting') {
      const left = Math.ceil((this.retryAt - Date.now()) / 1000);
      return left > 0 ? t('state_retry', { s: left }) : '';
    }
    if (this.state === 'live' && !Number.isNaN(this.rtt)) {
      return t('rtt', { ms: this.rtt < 10 ? this.rtt.toFixed(1) : Math.round(this.rtt) });
    }
    return '';
  }
}
