/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The picture under the comments: a pool between hills at dusk, with the moon's path on the water
 * and paper lanterns adrift.  Drawn by us, so the page needs no file from anywhere.
 *
 * Sky and hills are drawn once per size into a second canvas; a frame only adds what moves (stars,
 * glitter, lanterns), at most FPS times a second and not at all while the page is hidden.  With
 * reduced motion one still frame is drawn.
 */

const FPS = 30;
const HORIZON = 0.62;
const HILLS = [
  { base: 0.5, rise: 0.13, waves: 2.1, seed: 3.1, top: '#3a3f74', foot: '#5b4f86' },
  { base: 0.56, rise: 0.1, waves: 3.3, seed: 8.4, top: '#262c58', foot: '#3d3d70' },
  { base: 0.61, rise: 0.07, waves: 5.2, seed: 1.7, top: '#141a38', foot: '#20264c' },
];

/** Repeatable noise in [0, 1), so that every viewer sees the same hills. @param {number} n */
function noise(n) {
  const x = Math.sin(n * 127.1 + 311.7) * 43758.5453;
  return x - Math.floor(x);
}

export class Scene {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext('2d', { alpha: false });
    this.still = document.createElement('canvas');
    this.calm = globalThis.matchMedia('(prefers-reduced-motion: reduce)');
    this.lastFrame = 0;
    this.frame = 0;
    this.stars = Array.from({ length: 90 }, (_, i) => ({
      x: noise(i),
      y: noise(i + 500) ** 1.4 * 0.5,
      r: 0.5 + noise(i + 900) * 1.1,
      phase: i * 2.4,
    }));
    this.lanterns = Array.from({ length: 7 }, (_, i) => ({
      x: 0.06 + i * 0.145 + noise(i + 40) * 0.06,
      depth: 0.12 + noise(i + 77) * 0.75,
      phase: i * 1.9,
    }));
    new ResizeObserver(() => this.#resize()).observe(canvas);
    this.calm.addEventListener('change', () => this.#next());
    document.addEventListener('visibilitychange', () => this.#next());
    this.#resize();
    this.#next();
  }

  /** Asks for the next frame; there is never more than one request. */
  #next() {
    cancelAnimationFrame(this.frame);
    if (this.calm.matches || document.hidden) {
      this.#draw(12);
      return;
    }
    this.frame = requestAnimationFrame((now) => {
      if (now - this.lastFrame >= 1000 / FPS - 2) {
        this.lastFrame = now;
        this.#draw(now / 1000);
      }
      this.#next();
    });
  }

  #resize() {
    const ratio = Math.min(1.5, globalThis.devicePixelRatio || 1);
    this.width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    this.height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    for (const canvas of [this.canvas, this.still]) {
      canvas.width = this.width;
      canvas.height = this.height;
    }
    this.#paintStill(this.still.getContext('2d'));
    this.#draw(performance.now() / 1000);
  }

  /** @param {CanvasRenderingContext2D} c */
  #paintStill(c) {
    const { width: w, height: h } = this;
    const horizon = h * HORIZON;
    fill(
      c,
      [0, 0, w, horizon],
      [0, 0, 0, horizon],
      [
        [0, '#0b1030'],
        [0.45, '#2b2a63'],
        [0.78, '#7d4f86'],
        [1, '#e8957a'],
      ],
    );
    this.#paintMoon(c);
    for (const hill of HILLS) {
      this.#paintHill(c, hill);
    }
    fill(
      c,
      [0, horizon, w, h - horizon],
      [0, horizon, 0, h],
      [
        [0, '#b97886'],
        [0.1, '#6f5687'],
        [0.4, '#2c2f63'],
        [1, '#0a1030'],
      ],
    );
    fill(
      c,
      [0, horizon - h * 0.02, w, h * 0.05],
      [0, horizon - h * 0.02, 0, horizon + h * 0.03],
      [
        [0, 'rgba(255,214,170,0)'],
        [0.45, 'rgba(255,214,170,.38)'],
        [1, 'rgba(255,214,170,0)'],
      ],
    );
  }

  /** @param {CanvasRenderingContext2D} c */
  #paintMoon(c) {
    const { width: w, height: h } = this;
    const [x, y, r] = [w * 0.72, h * 0.24, Math.min(w, h) * 0.075];
    const halo = c.createRadialGradient(x, y, r * 0.8, x, y, r * 6);
    halo.addColorStop(0, 'rgba(255,236,200,.42)');
    halo.addColorStop(0.3, 'rgba(255,220,190,.13)');
    halo.addColorStop(1, 'rgba(255,220,190,0)');
    c.fillStyle = halo;
    c.fillRect(x - r * 6, y - r * 6, r * 12, r * 12);
    const disc = c.createRadialGradient(x - r * 0.3, y - r * 0.3, r * 0.2, x, y, r);
    disc.addColorStop(0, '#fffaf0');
    disc.addColorStop(1, '#ffdcae');
    c.fillStyle = disc;
    c.beginPath();
    c.arc(x, y, r, 0, Math.PI * 2);
    c.fill();
  }

  /** @param {CanvasRenderingContext2D} c @param {typeof HILLS[0]} hill */
  #paintHill(c, hill) {
    const { width: w, height: h } = this;
    c.beginPath();
    c.moveTo(0, h * HORIZON);
    for (let i = 0; i <= 120; i++) {
      const a = (i / 120) * hill.waves * Math.PI + hill.seed;
      const rise =
        0.55 + 0.3 * Math.sin(a) + 0.15 * Math.sin(a * 2.7 + 1) + 0.05 * Math.sin(a * 7.3);
      c.lineTo((i / 120) * w, h * (hill.base - hill.rise * rise));
    }
    c.lineTo(w, h * HORIZON);
    const ground = c.createLinearGradient(0, h * (hill.base - hill.rise), 0, h * HORIZON);
    ground.addColorStop(0, hill.top);
    ground.addColorStop(1, hill.foot);
    c.fillStyle = ground;
    c.fill();
  }

  /** @param {number} time in seconds */
  #draw(time) {
    const c = this.context;
    c.drawImage(this.still, 0, 0);
    this.#drawStars(c, time);
    this.#drawWater(c, time);
    for (const lantern of this.lanterns) {
      this.#drawLantern(c, lantern, time);
    }
  }

  /** @param {CanvasRenderingContext2D} c @param {number} time */
  #drawStars(c, time) {
    const unit = Math.max(1, this.height / 480);
    c.fillStyle = '#fff6e6';
    for (const star of this.stars) {
      c.globalAlpha = (0.35 + 0.3 * Math.sin(time * 1.1 + star.phase)) * (1 - star.y * 1.6);
      c.fillRect(star.x * this.width, star.y * this.height, star.r * unit, star.r * unit);
    }
    c.globalAlpha = 1;
  }

  /** Ripples, and the moon's path as glitter that widens towards the viewer. */
  #drawWater(c, time) {
    const { width: w, height: h } = this;
    const top = h * HORIZON;
    const rows = 34;
    for (let i = 0; i < rows; i++) {
      const near = (i / rows) ** 1.6;
      const y = top + 2 + near * (h - top);
      const thick = 0.6 + near * h * 0.006;
      for (let k = 0; k < 3; k++) {
        const drift = Math.sin(time * (0.5 + noise(i * 3 + k) * 0.6) + i * 1.7 + k * 2.1);
        const spread = (0.015 + near * 0.09) * (0.4 + noise(i + k * 31));
        const x = w * (0.72 + drift * spread * 0.9);
        const length = w * (0.012 + near * 0.05) * (0.5 + 0.5 * Math.abs(drift));
        c.fillStyle = `rgba(255,226,186,${(0.5 - near * 0.28).toFixed(3)})`;
        c.fillRect(x - length / 2, y, length, thick);
      }
      const x = w * (((noise(i * 7) + time * 0.004 * (1 + near)) % 1.2) - 0.1);
      c.fillStyle = `rgba(190,200,255,${(0.05 + near * 0.05).toFixed(3)})`;
      c.fillRect(x, y, w * (0.05 + near * 0.12), thick);
    }
  }

  /** @param {CanvasRenderingContext2D} c */
  #drawLantern(c, lantern, time) {
    const { width: w, height: h } = this;
    const size = h * (0.012 + lantern.depth * 0.03);
    const x = w * (((lantern.x + time * 0.0025 * (0.4 + lantern.depth)) % 1.15) - 0.05);
    const bob = Math.sin(time * 0.9 + lantern.phase) * size * 0.12;
    const y = h * (HORIZON + 0.03 + lantern.depth * 0.27) + bob;
    const flicker = 0.85 + 0.15 * Math.sin(time * 3.1 + lantern.phase * 3);
    const glow = c.createRadialGradient(x, y, 0, x, y, size * 4.2);
    glow.addColorStop(0, `rgba(255,176,92,${(0.5 * flicker).toFixed(3)})`);
    glow.addColorStop(1, 'rgba(255,150,80,0)');
    c.fillStyle = glow;
    c.fillRect(x - size * 4.2, y - size * 4.2, size * 8.4, size * 8.4);
    c.fillStyle = `rgba(255,190,120,${(0.34 * flicker).toFixed(3)})`;
    for (let i = 0; i < 4; i++) {
      const sway = Math.sin(time * 1.6 + i * 1.3 + lantern.phase) * size * 0.25;
      const half = size * (0.5 - i * 0.09);
      c.fillRect(x + sway - half, y + size * (0.75 + i * 0.34), half * 2, size * 0.11);
    }
    const paper = c.createLinearGradient(0, y - size * 0.8, 0, y + size * 0.6);
    paper.addColorStop(0, '#ffe9bd');
    paper.addColorStop(1, '#ff8f4a');
    c.fillStyle = paper;
    c.beginPath();
    c.moveTo(x - size * 0.42, y - size * 0.75);
    c.lineTo(x + size * 0.42, y - size * 0.75);
    c.lineTo(x + size * 0.56, y + size * 0.5);
    c.lineTo(x - size * 0.56, y + size * 0.5);
    c.closePath();
    c.fill();
    c.fillStyle = '#4a2340';
    c.fillRect(x - size * 0.7, y + size * 0.5, size * 1.4, size * 0.16);
  }
}

/**
 * A rectangle filled with a linear gradient.
 * @param {CanvasRenderingContext2D} c
 * @param {[number, number, number, number]} rect x, y, width, height
 * @param {[number, number, number, number]} line from x, y to x, y
 * @param {[number, string][]} stops
 */
function fill(c, rect, line, stops) {
  const gradient = c.createLinearGradient(...line);
  for (const [at, colour] of stops) {
    gradient.addColorStop(at, colour);
  }
  c.fillStyle = gradient;
  c.fillRect(...rect);
}
