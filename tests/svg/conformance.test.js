// SPDX-License-Identifier: Apache-2.0
// Our drawings of SVG beside resvg's, case by case and feature by feature.
//
// SVG_PIXELS names our renderer.  The table and, where cases differ, a sheet of them (ours, the
// reference, the difference) are left in DP_ARTIFACTS.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NEAR, Ours, Reference, STRICT, compare } from './compare.js';
import { circularCases, filterCases, foreignCases } from './cases_filter.js';
import { paintCases } from './cases_paint.js';
import { shapeCases } from './cases_shape.js';
import { structureCases } from './cases_structure.js';
import { sample, sets } from './sets.js';
import { sheet } from './sheet.js';

/** What must hold, of all cases together: the shares that pass the near and the strict limits. */
const GOAL = { near: 0.97, strict: 0.9, emoji: 0.99 };
const SIDE = Number(process.env.SVG_SIDE ?? 200);
/** The goal is for the last; at small sizes the reference's 16 steps an edge are most of what differs. */
const EMOJI_SIDES = (process.env.SVG_EMOJI_SIDES ?? '72,160,512').split(',').map(Number);
/** Where so few pixels are drawn, the finer reference can be finer still. */
const FINER_BELOW = 300;
const EMOJI_SAMPLE = Number(process.env.SVG_EMOJI ?? 100);

const artefacts = process.env.DP_ARTIFACTS ?? 'artifacts';
const ours = new Ours(process.env.SVG_PIXELS);
const reference = new Reference();
const rows = [];
mkdirSync(artefacts, { recursive: true });

after(() => {
  ours.close();
  reference.close();
  const shares = ['near', 'strict', 'nearFine', 'strictFine'];
  const lines = [
    '| feature | cases | within 16 | within 8 | finer: within 16 | within 8 | differ (share within 16) |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const r of rows) {
    const cells = [r.feature, r.cases, ...shares.map((key) => percent(r[key], r.cases)), r.differ.join(', ')];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  writeFileSync(join(artefacts, 'svg-conformance.md'), `${lines.join('\n')}\n`);
  console.log(lines.join('\n'));
});

function percent(part, whole) {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

function newRow(feature) {
  return {
    feature,
    cases: 0,
    near: 0,
    strict: 0,
    nearFine: 0,
    strictFine: 0,
    nearEither: 0,
    strictEither: 0,
    differ: [],
  };
}

/** Draws one document both ways; null where the reference does not take it. */
async function both(svg, side) {
  const theirs = await reference.render(svg, side, side < FINER_BELOW ? 8 : 4);
  if (theirs === null) {
    return null;
  }
  const mine = await ours.render(svg, theirs.width, theirs.height);
  return { ...(mine.pixels === null ? { share: 0 } : compare(mine.pixels, theirs)), ...mine, theirs };
}

/** Compares a list of documents and adds a row to the table. */
async function measure(feature, documents, side) {
  const row = newRow(feature);
  const apart = [];
  for (const [name, svg] of documents) {
    const result = await both(svg, side);
    if (result === null) {
      continue;
    }
    row.cases++;
    for (const key of ['near', 'strict', 'nearFine', 'strictFine']) {
      row[key] += Boolean(result[key]);
    }
    row.nearEither += Boolean(result.near || result.nearFine);
    row.strictEither += Boolean(result.strict || result.strictFine);
    if (!result.near && !result.nearFine) {
      row.differ.push(
        result.pixels === null
          ? `${name} (${result.status} ${result.message})`
          : `${name} (${(100 * result.share).toFixed(1)})`,
      );
      apart.push({ name, ...result });
    }
  }
  rows.push(row);
  if (apart.length > 0) {
    writeFileSync(join(artefacts, `svg-${feature.replaceAll(/[^a-z0-9]+/gi, '-')}.png`), sheet(apart.slice(0, 40)));
  }
  row.differ.splice(12);
  return row;
}

test('features are drawn as the reference draws them', { timeout: 240_000 }, async () => {
  const all = newRow('**all cases**');
  for (const [feature, list] of Object.entries({ ...shapeCases, ...paintCases, ...structureCases, ...filterCases })) {
    const row = await measure(
      feature,
      list.map((svg, i) => [i, svg]),
      SIDE,
    );
    for (const key of Object.keys(all).filter((k) => typeof all[k] === 'number')) {
      all[key] += row[key];
    }
  }
  rows.push(all);
  assert.ok(all.cases >= 500, `${all.cases} cases`);
  assert.ok(
    all.nearEither / all.cases >= GOAL.near,
    `${percent(all.nearEither, all.cases)} within ${NEAR.limit}/255`,
  );
  assert.ok(
    all.strictEither / all.cases >= GOAL.strict,
    `${percent(all.strictEither, all.cases)} within ${STRICT.limit}/255`,
  );
});

for (const [name, load] of Object.entries(sets)) {
  test(`${name} is drawn as the reference draws it`, { timeout: 240_000 }, async () => {
    const chosen = sample(load(), EMOJI_SAMPLE);
    let row;
    for (const side of EMOJI_SIDES) {
      row = await measure(
        `${name} ${side}`,
        chosen.map((icon) => [icon.name, icon.load()]),
        side,
      );
    }
    const share = percent(row.nearEither, row.cases);
    assert.ok(row.nearEither / row.cases >= GOAL.emoji, `${share} of ${row.cases} of ${row.feature}`);
  });
}

test('references in a circle are an error in words', async () => {
  for (const svg of circularCases) {
    const { status, message } = await ours.render(svg, SIDE, SIDE);
    assert.equal(status, 'format', svg);
    assert.match(message, /circle/);
  }
});

test('a document with a part that is not covered is left to the other engine as a whole', async () => {
  for (const svg of foreignCases) {
    assert.equal((await ours.render(svg, SIDE, SIDE)).status, 'unsupported', svg);
  }
});
