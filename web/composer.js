/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a comment: text, colour, movement, size, stickers and pictures (button, drop or paste).
 * What was typed is kept until the server took it; a refusal is shown beside the text, and after
 * "too fast" the send button counts down.
 */
import { RefusedError, TEXT_CHARS_MAX_DEFAULT } from './protocol.js';
import { uploadMedia } from './media.js';
import { onLang, t } from './i18n.js';

const STICKERS = ['wave', 'heart', 'star', 'fish', 'moon', 'lantern'];
const KNOWN_ERRORS = new Set([
  'rate_limited',
  'busy',
  'shutting_down',
  'text_empty',
  'text_too_long',
  'too_large',
  'unsupported_media',
  'bad_media',
  'disconnected',
  'network',
]);

export class Composer {
  /**
   * @param {HTMLFormElement} form
   * @param {import('./client.js').DanpoolClient} client
   * @param {HTMLElement} dropZone
   */
  constructor(form, client, dropZone) {
    this.form = form;
    this.client = client;
    this.max = TEXT_CHARS_MAX_DEFAULT;
    this.blockedUntil = 0;
    this.field = /** @type {HTMLInputElement} */ (form.elements.namedItem('text'));
    this.button = /** @type {HTMLButtonElement} */ (form.querySelector('.send'));
    this.status = form.querySelector('.status');
    this.count = form.querySelector('.count');
    this.#listen();
    this.#listenFiles(dropZone);
    this.#buildStickers();
    client.addEventListener('hello', (event) => {
      this.max = event.detail.text_chars_max ?? TEXT_CHARS_MAX_DEFAULT;
      this.#showCount();
    });
    client.addEventListener('state', () => this.#showState());
    onLang(() => this.#showState());
    this.#showState();
    this.#showCount();
  }

  #listen() {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.field.addEventListener('input', () => {
      this.#showCount();
      if (Date.now() >= this.blockedUntil) {
        this.#say('');
      }
    });
    const other = /** @type {HTMLInputElement} */ (this.form.elements.namedItem('colour-other'));
    other.addEventListener('input', () => {
      const radio = this.form.querySelector('.swatch.other input[type=radio]');
      radio.checked = true;
      radio.value = other.value;
      radio.parentElement.style.setProperty('--swatch', other.value);
    });
    for (const button of this.form.querySelectorAll('[data-tray]')) {
      button.addEventListener('click', () => this.#toggleTray(button));
    }
    document.addEventListener('keydown', (event) => {
      const open = this.form.querySelector('[data-tray][aria-expanded=true]');
      if (event.key === 'Escape' && open) {
        this.#toggleTray(open);
        open.focus();
      }
    });
  }

  /** @param {HTMLElement} dropZone */
  #listenFiles(dropZone) {
    for (const input of this.form.querySelectorAll('input[type=file]')) {
      input.addEventListener('change', async () => {
        for (const file of [...input.files]) {
          await this.#upload(file, input.dataset.fit);
        }
        input.value = '';
      });
    }
    const take = async (/** @type {DataTransfer|null} */ data) => {
      for (const file of [...(data?.files ?? [])]) {
        await this.#upload(file, undefined);
      }
    };
    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
    document.addEventListener('dragover', (event) => {
      if (hasFiles(event)) {
        event.preventDefault();
        dropZone.classList.add('dropping');
      }
    });
    document.addEventListener('dragleave', (event) => {
      if (!event.relatedTarget) {
        dropZone.classList.remove('dropping');
      }
    });
    document.addEventListener('drop', (event) => {
      dropZone.classList.remove('dropping');
      if (hasFiles(event)) {
        event.preventDefault();
        take(event.dataTransfer);
      }
    });
    this.field.addEventListener('paste', (event) => take(event.clipboardData));
  }

  #buildStickers() {
    const tray = this.form.querySelector('.sticker-row');
    for (const name of [...STICKERS].reverse()) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'sticker';
      button.dataset.sticker = name;
      button.setAttribute('data-i18n-label', `sticker_${name}`);
      button.setAttribute('data-i18n-title', `sticker_${name}`);
      const img = document.createElement('img');
      img.src = `/sticker-${name}.svg`;
      img.alt = '';
      img.width = 40;
      img.height = 40;
      button.append(img);
      button.addEventListener('click', async () => {
        const file = await (await fetch(`/sticker-${name}.svg`)).blob();
        await this.#upload(file, 'sticker');
      });
      tray.prepend(button);
    }
  }

  /** Trays exist on narrow screens for style, everywhere for stickers; one is open at a time. */
  #toggleTray(button) {
    const open = button.getAttribute('aria-expanded') !== 'true';
    for (const other of this.form.querySelectorAll('[data-tray]')) {
      const now = other === button && open;
      other.setAttribute('aria-expanded', String(now));
      this.form.querySelector(`#${other.dataset.tray}`).classList.toggle('open', now);
    }
  }

  async #submit() {
    const text = this.field.value;
    if (text.trim() === '' || Date.now() < this.blockedUntil) {
      this.field.focus();
      return;
    }
    const data = new FormData(this.form);
    try {
      await this.client.send({
        text,
        mode: String(data.get('mode')),
        color: String(data.get('colour')),
        size: Number(data.get('size')),
      });
      if (this.field.value === text) {
        this.field.value = '';
      }
      this.#say('');
    } catch (error) {
      this.#refused(error);
    }
    this.#showCount();
    this.field.focus();
  }

  /** @param {Blob} file @param {'sticker'|'photo'|undefined} fit */
  async #upload(file, fit) {
    this.#say(t('uploading'));
    const mode = String(new FormData(this.form).get('mode'));
    try {
      const { seq, cached } = await uploadMedia(this.client.room, file, { mode, fit });
      this.client.claim(seq);
      this.#say(t(cached ? 'uploaded_cached' : 'uploaded'), 'good');
      setTimeout(() => this.status.dataset.kind === 'good' && this.#say(''), 3000);
    } catch (error) {
      this.#refused(error);
    }
  }

  /** @param {unknown} error */
  #refused(error) {
    if (!(error instanceof RefusedError)) {
      throw error;
    }
    if (error.code === 'rate_limited') {
      this.blockedUntil = Date.now() + Math.max(error.retryMs, 200);
      this.#countDown();
      return;
    }
    const key = KNOWN_ERRORS.has(error.code) ? `err_${error.code}` : 'err_other';
    this.#say(t(key, { message: error.message, max: this.max }), 'bad');
  }

  #countDown() {
    const left = this.blockedUntil - Date.now();
    this.button.disabled = left > 0;
    if (left <= 0) {
      this.#say('');
      this.#showState();
      return;
    }
    const seconds = (left / 1000).toFixed(1);
    this.#say(t('err_rate_limited', { s: seconds }), 'bad');
    this.button.textContent = t('wait_s', { s: seconds });
    setTimeout(() => this.#countDown(), 100);
  }

  #showState() {
    const live = this.client.state === 'live';
    this.button.textContent = t('send');
    this.button.disabled = !live;
    this.field.placeholder = t(live ? 'write_placeholder' : 'write_offline');
  }

  #showCount() {
    const count = [...this.field.value].length;
    this.count.textContent = `${count}/${this.max}`;
    this.count.classList.toggle('over', count > this.max);
    this.count.classList.toggle('quiet', count === 0);
  }

  /** @param {string} words @param {'bad'|'good'|''} [kind] */
  #say(words, kind = '') {
    this.status.textContent = words;
    this.status.dataset.kind = kind;
  }
}
