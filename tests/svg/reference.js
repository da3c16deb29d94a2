// SPDX-License-Identifier: Apache-2.0
// The reference renderer's process; see Reference in compare.js.
import { Resvg } from '@resvg/resvg-js';

function draw(svg, width) {
  const drawn = new Resvg(svg, { fitTo: { mode: 'width', value: width }, font: { loadSystemFonts: false } }).render();
  return { width: drawn.width, height: drawn.height, pixels: drawn.pixels };
}

/** The mean of each block of finer x finer pixels. */
function shrink({ width, pixels }, finer, toWidth, toHeight) {
  const out = Buffer.alloc(toWidth * toHeight * 4);
  for (let y = 0; y < toHeight; y++) {
    for (let x = 0; x < toWidth; x++) {
      for (let c = 0; c < 4; c++) {
        let sum = 0;
        for (let j = 0; j < finer; j++) {
          for (let i = 0; i < finer; i++) {
            sum += pixels[4 * ((y * finer + j) * width + x * finer + i) + c];
          }
        }
        out[4 * (y * toWidth + x) + c] = Math.round(sum / (finer * finer));
      }
    }
  }
  return out;
}

function both(svg, width, finer) {
  const own = draw(svg, width);
  const large = draw(svg, width * finer);
  const fits = large.width === own.width * finer && large.height === own.height * finer;
  return { ...own, fine: fits ? shrink(large, finer, own.width, own.height) : null };
}

process.on('message', ({ svg, width, finer }) => {
  let answer = null;
  try {
    answer = both(svg, width, finer);
  } catch {
    // Not a document that it takes.
  }
  process.send(answer);
});
