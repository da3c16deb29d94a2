/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A viewer with the npm package `ws`: keeps every frame as text (so that bytes can be compared) and
 * as JSON, and lets a test wait for one.
 */
import WebSocket from 'ws';
import { until, within } from './wait.js';

const WAIT_MS = 20000;

export class Viewer {
  /**
   * Connects and waits for hello.
   * @param {import('./daemon.js').Daemon} daemon
   * @param {string} room
   * @param {{history?: number, protocols?: string[], query?: string}} [options]
   */
  static async join(daemon, room, options = {}) {
    const viewer = new Viewer(daemon, room, options);
    viewer.hello = await viewer.take((m) => m.op === 'hello', 'hello');
    return viewer;
  }

  constructor(daemon, room, { history, protocols = ['danpool.v1.json'], query } = {}) {
    const past = history === undefined ? '' : `&history=${history}`;
    const search = query ?? `room=${encodeURIComponent(room)}${past}`;
    /** @type {{text: string, json: any}[]} */
    this.frames = [];
    this.read = 0;
    this.pings = 0;
    this.nextId = 1;
    this.socket = new WebSocket(`ws://127.0.0.1:${daemon.port}/v1/ws?${search}`, protocols);
    this.socket.on('message', (data, binary) => {
      const text = data.toString('utf8');
      this.frames.push({ text, json: binary ? null : JSON.parse(text) });
    });
    this.socket.on('ping', () => {
      this.pings += 1;
    });
    /** @type {Promise<{code: number, reason: string}>} */
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
    this.socket.on('unexpected-response', (_, response) => {
      this.refused = response.statusCode;
      this.socket.terminate();
    });
  }

  /** All messages of all batches so far, in the order they came. */
  get messages() {
    return this.frames.filter((f) => f.json?.op === 'batch').flatMap((f) => f.json.msgs);
  }

  /** @param {object|string|Buffer} what */
  send(what) {
    const raw = typeof what === 'string' || Buffer.isBuffer(what) ? what : JSON.stringify(what);
    this.socket.send(raw, { binary: Buffer.isBuffer(what) });
  }

  /** Sends a comment and returns the server's answer, ack or error. @param {object} fields */
  async say(fields) {
    const id = this.nextId++;
    this.send({ op: 'send', id, ...fields });
    return this.take((m) => m.id === id && (m.op === 'ack' || m.op === 'error'), `answer ${id}`);
  }

  /** Sends raw text and returns the next error or ack. @param {string} raw */
  async ask(raw) {
    const from = this.frames.length;
    this.send(raw);
    return this.take(
      (m) => ['ack', 'error', 'pong'].includes(m.op),
      `answer to ${raw.slice(0, 80)}`,
      from,
    );
  }

  /** The first frame that matches, waiting for it. @returns {Promise<any>} */
  async take(match, what, from = 0) {
    return (await this.takeFrame(match, what, from)).json;
  }

  async takeFrame(match, what, from = 0) {
    return until(
      () => {
        const found = this.frames.slice(from).find((f) => f.json && match(f.json));
        if (!found && this.socket.readyState === WebSocket.CLOSED) {
          throw new Error(
            `closed (${this.refused ?? this.error ?? 'by the server'}) before ${what}`,
          );
        }
        return found;
      },
      what,
      WAIT_MS,
    );
  }

  /** The message with that number, once a batch brought it. @param {number} seq */
  async message(seq) {
    return until(() => this.messages.find((m) => m.seq === seq), `message ${seq}`, WAIT_MS);
  }

  /** How the server closed it. */
  ended() {
    return within(WAIT_MS, this.closed, 'the server to close');
  }

  async leave() {
    this.socket.close(1000);
    await within(WAIT_MS, this.closed, 'the socket to close');
  }
}
