// SPDX-License-Identifier: Apache-2.0
// What the cases share: the root element, and ways to write many of a kind.

/** A document of 100 x 100 user units; `root` goes into the svg tag. */
export function doc(content, root = 'viewBox="0 0 100 100" width="100" height="100"') {
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ${root}>${content}</svg>`;
}

export function grid(values, make) {
  return values.map(make);
}

/** Every combination of one value for each name. */
export function combine(lists) {
  return Object.entries(lists).reduce(
    (made, [name, values]) => made.flatMap((one) => values.map((value) => ({ ...one, [name]: value }))),
    [{}],
  );
}

/** A small generator with a seed, so that a random case is the same case every time. */
export function random(seed) {
  let state = seed >>> 0;
  return (low, high) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + (high - low) * (state / 4294967296);
  };
}
