/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A room of text viewers in a thread of its own, so that what the test does meanwhile does not count:
 * one of them writes at a steady pace, and each comment's way to each viewer is timed.  So is how late
 * the thread itself comes to write: what the machine withholds from it is not the daemon's doing.
 *
 *     const room = await TextRoom.open(daemon, { viewers: 20 });
 *     room.mark();  ...  const { count, p50, p99, max } = await room.since();
 *
 * As the thread: this file itself.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import WebSocket from 'ws';
import { within } from './wait.js';

const WAIT_MS = 30000;

export class TextRoom {
  /**
   * @param {import('./daemon.js').Daemon} daemon
   * @param {{room?: string, viewers?: number, every_ms?: number}} [options]
   */
  static async open(daemon, { room = 'talk', viewers = 20, every_ms = 20 } = {}) {
    const worker = new Worker(fileURLToPath(import.meta.url), {
      workerData: { url: `ws://127.0.0.1:${daemon.port}/v1/ws?room=${room}`, viewers, every_ms },
    });
    const self = new TextRoom(worker);
    await self.#answer('open');
    return self;
  }

  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
  }

  async #answer(what) {
    const [answer] = await within(
      WAIT_MS,
      once(this.worker, 'message'),
      `the text room to ${what}`,
    );
    return answer;
  }

  /** What came before is forgotten. */
  mark() {
    this.worker.postMessage('mark');
  }

  /**
   * Milliseconds from writing to reading since the mark, and how many comments have not come yet.
   * `lag` is the longest that the thread itself was late.
   * @returns {Promise<{count: number, p50: number, p99: number, max: number, missing: number,
   *     lag: number}>}
   */
  async since() {
    this.worker.postMessage('since');
    return this.#answer('answer');
  }

  async close() {
    await this.worker.terminate();
  }
}

/* ---- the thread ---- */

async function join(url, onMessage) {
  const socket = new WebSocket(url, ['danpool.v1.json']);
  socket.on('message', (data) => {
    const frame = JSON.parse(data.toString('utf8'));
    if (frame.op === 'batch') {
      frame.msgs.forEach(onMessage);
    }
  });
  await once(socket, 'open');
  return socket;
}

function summary(waits, missing) {
  const sorted = Float64Array.from(waits).sort();
  const at = (share) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), missing };
}

async function serve({ url, viewers, every_ms }) {
  let waits = [];
  let first = 1;
  let last = 0;
  let lag = 0;
  let due = performance.now() + every_ms;
  const begun = new Map();
  const heard = ({ text }) => {
    const began = begun.get(Number(text));
    if (began !== undefined && Number(text) >= first) {
      waits.push(performance.now() - began);
    }
  };
  const sockets = [];
  for (let i = 0; i < viewers; i++) {
    sockets.push(await join(url, heard));
  }
  parentPort.on('message', (what) => {
    if (what === 'mark') {
      waits = [];
      first = last + 1;
      begun.clear();
      lag = 0;
    } else {
      const missing = (last + 1 - first) * viewers - waits.length;
      parentPort.postMessage({ ...summary(waits, missing), lag });
    }
  });
  setInterval(() => {
    lag = Math.max(lag, performance.now() - due);
    due = performance.now() + every_ms;
    last += 1;
    begun.set(last, performance.now());
    sockets[0].send(JSON.stringify({ op: 'send', id: last, text: `${last}` }));
  }, every_ms);
  parentPort.postMessage('open');
}

if (!isMainThread) {
  await serve(workerData);
}
