// SPDX-License-Identifier: Apache-2.0
// The reference renderer's process; see Reference in compare.js.
import { Resvg } from '@resvg/resvg-js';

/** How much larger the finer reference is drawn, on a side. */
const FINER = 4;

function draw(svg, width) {
  const drawn = new Resvg(svg, { fitTo: { mode: 'width', value: width }, font: { loadSystemFonts: false } }).render();
  return { width: drawn.width, height: drawn.height, pixels: drawn.pixels };
}

/** The mean of each FINER x FINER block. */
function shrink({ width, pixels }, toWidth, toHeight) {
  const out = Buffer.alloc(toWidth * toHeight * 4);
  for (let y = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++) {
      for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let j = 0; j < FINER; j++) {
          for (let i = 0; i < FINER; i++) {
            sum += pixels[4 * ((y * FINER + j) * width + x * FINER + i) + c];
          }
        }
        out[4 * (y * toWidth + x) + c] = Math.round(sum / (FINER * FINER));
      }
    }
  }
  return out;
}

function both(svg, width) {
  const own = draw(svg, width);
  const large = draw(svg, width * FINER);
  const fits = large.width === own.width * FINER && large.height === own.height * FINER;
  return { ...own, fine: fits ? shrink(large, own.width, own.height) : null };
}

process.on('message', ({ svg, width }) => {
  let answer = null;
  try {
    answer = both(svg, width);
  } catch {
    // Not a document that it takes.
  }
  process.send(answer);
});
