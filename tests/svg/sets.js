// SPDX-License-Identifier: Apache-2.0
// The emoji sets that are drawn whole or sampled: flat fills, strokes, gradients and clips.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const require = createRequire(import.meta.url);

function twemoji() {
  const folder = dirname(require.resolve('@twemoji/svg/package.json'));
  return readdirSync(folder)
    .filter((name) => name.endsWith('.svg'))
    .sort()
    .map((name) => ({ name, load: () => readFileSync(join(folder, name), 'utf8') }));
}

/** An icon set in one JSON file: bodies without their root. */
function icons(name) {
  const set = require(`@iconify-json/${name}/icons.json`);
  const side = set.width ?? 16;
  return Object.keys(set.icons)
    .sort()
    .map((icon) => {
      const { body, width = side, height = set.height ?? side } = set.icons[icon];
      return {
        name: icon,
        load: () =>
          '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ' +
          `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`,
      };
    });
}

export const sets = { twemoji, openmoji: () => icons('openmoji'), noto: () => icons('noto') };

/** At most `count` of them, evenly spread over the whole list. */
export function sample(list, count) {
  const step = Math.max(1, list.length / count);
  return Array.from({ length: Math.min(count, list.length) }, (_, i) => list[Math.floor(i * step)]);
}
