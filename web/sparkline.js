/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last minute of one figure as a small line: one SVG path for the line and one for the ground.
 */

const POINTS_MAX = 31;
const WIDTH = 120;
const HEIGHT = 28;

export class Sparkline {
  /** @param {SVGElement} svg with two paths, .ground and .line */
  constructor(svg) {
    this.svg = svg;
    /** @type {number[]} */
    this.points = [];
    svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute('preserveAspectRatio', 'none');
  }

  /** @param {number} value */
  push(value) {
    this.points.push(value);
    if (this.points.length > POINTS_MAX) {
      this.points.shift();
    }
    const top = Math.max(1, ...this.points);
    const step = WIDTH / (POINTS_MAX - 1);
    const from = WIDTH - step * (this.points.length - 1);
    const line = this.points
      .map((v, i) => {
        const y = HEIGHT - 2 - ((HEIGHT - 5) * v) / top;
        return `${(from + i * step).toFixed(1)} ${y.toFixed(1)}`;
      })
      .join('L');
    this.svg.querySelector('.line').setAttribute('d', `M${line}`);
    this.svg
      .querySelector('.ground')
      .setAttribute('d', `M${from.toFixed(1)} ${HEIGHT}L${line}L${WIDTH} ${HEIGHT}Z`);
  }
}
