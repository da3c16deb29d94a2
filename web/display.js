/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The display panel of the stage: comments on or off, area, opacity, speed.  Choices are kept in
 * localStorage.  Who asked the system for reduced motion starts with moving comments off and reads
 * them in the list; turning them on here is his own choice.
 */
import { onLang, t } from './i18n.js';

const STORED = 'danpool.display';
const CALM = '(prefers-reduced-motion: reduce)';

export class Display {
  /**
   * @param {{panel: HTMLFormElement, toggle: HTMLButtonElement, note: HTMLElement}} parts
   * @param {import('./overlay.js').Overlay} overlay
   */
  constructor(parts, overlay) {
    this.parts = parts;
    this.overlay = overlay;
    this.calm = globalThis.matchMedia(CALM);
    this.#load();
    parts.panel.addEventListener('input', () => this.#changed());
    parts.toggle.addEventListener('click', () => this.#open(parts.panel.hidden));
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !parts.panel.hidden) {
        this.#open(false);
        parts.toggle.focus();
      }
    });
    document.addEventListener('pointerdown', (event) => {
      const inside = parts.panel.contains(event.target) || parts.toggle.contains(event.target);
      if (!inside) {
        this.#open(false);
      }
    });
    this.calm.addEventListener('change', () => {
      this.#field('on').checked = !this.calm.matches;
      this.#apply();
    });
    onLang(() => this.#apply());
    this.#apply();
  }

  /** @param {boolean} open */
  #open(open) {
    this.parts.panel.hidden = !open;
    this.parts.toggle.setAttribute('aria-expanded', String(open));
  }

  #load() {
    const stored = JSON.parse(localStorage.getItem(STORED) ?? '{}');
    for (const name of ['area', 'speed']) {
      const radio = this.parts.panel.querySelector(`[name=${name}][value="${stored[name]}"]`);
      if (radio) {
        radio.checked = true;
      }
    }
    if (stored.opacity >= 20 && stored.opacity <= 100) {
      this.#field('opacity').value = stored.opacity;
    }
    this.#field('on').checked = this.calm.matches ? false : stored.on !== false;
  }

  #changed() {
    const { on, area, opacity, speed } = this.#values();
    localStorage.setItem(STORED, JSON.stringify({ on, area, opacity, speed }));
    this.#apply();
  }

  #apply() {
    const { on, area, opacity, speed } = this.#values();
    this.overlay.configure({
      on,
      area: Number(area),
      opacity: Number(opacity) / 100,
      speed: Number(speed),
    });
    this.parts.note.hidden = on;
    this.parts.note.textContent = t(this.calm.matches ? 'stage_calm' : 'stage_off');
  }

  #values() {
    const data = new FormData(this.parts.panel);
    return {
      on: this.#field('on').checked,
      area: String(data.get('area')),
      opacity: String(data.get('opacity')),
      speed: String(data.get('speed')),
    };
  }

  /** @param {string} name @returns {HTMLInputElement} */
  #field(name) {
    return this.parts.panel.elements.namedItem(name);
  }
}
