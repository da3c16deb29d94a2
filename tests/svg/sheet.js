// SPDX-License-Identifier: Apache-2.0
// A picture of cases that differ: ours, the reference, and four times the difference, on grey.
import { PNG } from 'pngjs';

const GREY = 200;
const GAP = 4;
const COLUMNS = 4;

function blit(png, left, top, width, height, pixelOf) {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const to = 4 * ((top + y) * png.width + left + x);
      const from = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) {
        png.data[to + c] = Math.min(255, pixelOf(from + c, from + 3));
      }
      png.data[to + 3] = 255;
    }
  }
}

const over = (pixels) => (at, alpha) => pixels[at] + (GREY * (255 - pixels[alpha])) / 255;

/** PNG bytes; each entry has `pixels` (or null) and `theirs`. */
export function sheet(entries) {
  const width = Math.max(...entries.map((e) => e.theirs.width)) + GAP;
  const height = Math.max(...entries.map((e) => e.theirs.height)) + GAP;
  const png = new PNG({ width: COLUMNS * (3 * width + GAP), height: Math.ceil(entries.length / COLUMNS) * height });
  png.data.fill(255);
  entries.forEach(({ pixels, theirs }, i) => {
    const left = (i % COLUMNS) * (3 * width + GAP);
    const top = Math.floor(i / COLUMNS) * height;
    if (pixels !== null) {
      blit(png, left, top, theirs.width, theirs.height, over(pixels));
      blit(
        png,
        left + 2 * width,
        top,
        theirs.width,
        theirs.height,
        (at, alpha) =>
          4 * Math.max(Math.abs(pixels[at] - theirs.pixels[at]), Math.abs(pixels[alpha] - theirs.pixels[alpha])),
      );
    }
    blit(png, left + width, top, theirs.width, theirs.height, over(theirs.pixels));
  });
  return PNG.sync.write(png);
}
