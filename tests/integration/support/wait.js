/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for conditions, never for times: a slow machine makes a test slower, not red.
 */

/** @param {number} ms */
export const pause = (ms) =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/**
 * The promise's value, or an error that names what did not come.
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Asks again until the answer is truthy, and returns it.
 * @template T
 * @param {() => T|Promise<T>} ask
 * @param {string} what
 * @param {number} [ms]
 * @returns {Promise<T>}
 */
export async function until(ask, what, ms = 20000) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) {
      return answer;
    }
    if (Date.now() > end) {
      throw new Error(`waited ${ms} ms until ${what}`);
    }
    await pause(20);
  }
}
