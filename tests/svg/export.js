// SPDX-License-Identifier: Apache-2.0
// Writes a sample of each emoji set as files, for benches: export.js FOLDER COUNT
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sample, sets } from './sets.js';

const [folder, count] = [process.argv[2], Number(process.argv[3] ?? 500)];
for (const [name, load] of Object.entries(sets)) {
  mkdirSync(join(folder, name), { recursive: true });
  sample(load(), count).forEach((icon, i) =>
    writeFileSync(join(folder, name, `${String(i).padStart(4, '0')}.svg`), icon.load()),
  );
}
