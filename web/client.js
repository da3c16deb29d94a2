/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The protocol client: one WebSocket to one room, kept alive.
 *
 * It reconnects by itself with exponential backoff and jitter (a restarted server must not meet all
 * of its viewers in the same second), measures the round trip with `op: ping`, and knows which
 * messages are its own: `ack.seq` names them, and the ack may come before or after the batch.
 * Numbers are only comparable within one epoch; another epoch forgets what was seen.
 *
 * Events (CustomEvent.detail): state {state, retryAt} · hello {...} · batch {msgs, missed, history}
 * · own {seq} · rtt {ms} · notice {...}
 */
import { RefusedError, SUBPROTOCOL } from './protocol.js';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15000;
const PING_EVERY_MS = 4000;
const PONG_WITHIN_MS = 10000;
const OWN_KEPT_MAX = 256;

/** @typedef {'connecting'|'live'|'waiting'|'left'} ClientState */

/**
 * The delay before attempt `n` (0 is the first retry): doubles up to the cap, and a random half of
 * it spreads the clients.
 * @param {number} n
 * @param {number} random in [0, 1)
 */
export function backoffMs(n, random) {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(n, 16));
  return Math.round(full / 2 + (full / 2) * random);
}

export class DanpoolClient extends EventTarget {
  /** @param {{history?: number, base?: URL}} [options] */
  constructor(options = {}) {
    super();
    this.history = options.history ?? 30;
    this.base = options.base ?? new URL(globalThis.location.href);
    /** @type {ClientState} */
    this.state = 'left';
    this.room = '';
    this.epoch = '';
    this.seqSeen = 0;
    /** @type {WebSocket|null} */
    this.socket = null;
    this.attempts = 0;
    this.nextId = 1;
    this.goingAwayMs = 0;
    /** @type {Map<number, {resolve: (a: {seq: number}) => void, reject: (e: Error) => void}>} */
    this.sends = new Map();
    /** @type {Map<number, number>} ping id -> when it was sent */
    this.pings = new Map();
    /** @type {Set<number>} */
    this.own = new Set();
    this.retryTimer = 0;
    this.pingTimer = 0;
  }

  /** Leaves the present room, if any, and joins another. @param {string} room */
  join(room) {
    this.leave();
    this.room = room;
    this.epoch = '';
    this.attempts = 0;
    this.#connect();
  }

  leave() {
    clearTimeout(this.retryTimer);
    const socket = this.socket;
    this.socket = null;
    this.#hangUp();
    socket?.close(1000);
    this.#setState('left');
  }

  /**
   * Publishes a comment; resolves with its number once the server took it.
   * @param {{text: string, mode?: string, color?: string, size?: number}} message
   * @returns {Promise<{seq: number}>}
   */
  send(message) {
    if (this.state !== 'live' || !this.socket) {
      return Promise.reject(new RefusedError('disconnected', 'not connected'));
    }
    const id = this.nextId++;
    const socket = this.socket;
    return new Promise((resolve, reject) => {
      this.sends.set(id, { resolve, reject });
      socket.send(JSON.stringify({ op: 'send', id, ...message }));
    });
  }

  /** Marks a number as ours, e.g. of an upload, whose answer came over HTTP. @param {number} seq */
  claim(seq) {
    this.own.add(seq);
    if (this.own.size > OWN_KEPT_MAX) {
      this.own.delete(this.own.values().next().value);
    }
    this.#emit('own', { seq });
  }

  #connect() {
    this.#setState('connecting');
    const url = new URL('/v1/ws', this.base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    url.search = new URLSearchParams({ room: this.room, history: String(this.history) }).toString();
    const socket = new WebSocket(url, SUBPROTOCOL);
    this.socket = socket;
    socket.addEventListener('message', (event) => {
      if (this.socket === socket) {
        this.#receive(event.data);
      }
    });
    socket.addEventListener('close', () => {
      if (this.socket === socket) {
        this.#lost();
      }
    });
  }

  /** The socket closed and nobody asked for it: wait, then try again. */
  #lost() {
    this.socket = null;
    this.#hangUp();
    const delay = this.goingAwayMs + backoffMs(this.attempts, Math.random());
    this.attempts += 1;
    this.goingAwayMs = 0;
    this.#setState('waiting', Date.now() + delay);
    this.retryTimer = setTimeout(() => this.#connect(), delay);
  }

  #hangUp() {
    clearInterval(this.pingTimer);
    this.pings.clear();
    for (const { reject } of this.sends.values()) {
      reject(new RefusedError('disconnected', 'the connection closed before the answer'));
    }
    this.sends.clear();
  }

  /** @param {unknown} data */
  #receive(data) {
    if (typeof data !== 'string') {
      return;
    }
    const message = JSON.parse(data);
    switch (message.op) {
      case 'hello':
        this.#hello(message);
        break;
      case 'batch':
        this.#batch(message);
        break;
      case 'ack':
        this.#answered(message.id)?.resolve({ seq: message.seq });
        this.claim(message.seq);
        break;
      case 'error':
        this.#answered(message.id)?.reject(
          new RefusedError(message.code, message.message, message.retry_ms),
        );
        break;
      case 'pong':
        this.#pong(message.id);
        break;
      case 'notice':
        this.goingAwayMs = message.retry_ms ?? 0;
        this.#emit('notice', message);
        break;
      default:
        break; /* a newer server may say more than we know */
    }
  }

  /** @param {{epoch: string, seq: number}} hello */
  #hello(hello) {
    if (hello.epoch !== this.epoch) {
      this.epoch = hello.epoch;
      this.seqSeen = 0;
      this.own.clear();
    }
    this.attempts = 0;
    this.#setState('live');
    this.#emit('hello', hello);
    this.#ping();
    this.pingTimer = setInterval(() => this.#ping(), PING_EVERY_MS);
  }

  /** Passes a batch on without what an earlier connection already showed. */
  #batch(batch) {
    const msgs = batch.msgs.filter((m) => m.seq > this.seqSeen);
    if (msgs.length > 0) {
      this.seqSeen = msgs[msgs.length - 1].seq;
    }
    if (msgs.length > 0 || batch.missed > 0) {
      this.#emit('batch', { msgs, missed: batch.missed ?? 0, history: batch.history === true });
    }
  }

  /** @param {number} id */
  #answered(id) {
    const waiting = this.sends.get(id);
    this.sends.delete(id);
    return waiting;
  }

  #ping() {
    const now = performance.now();
    for (const sent of this.pings.values()) {
      if (now - sent > PONG_WITHIN_MS) {
        /* Half open: close() could wait a minute for the other side, so do not wait for it. */
        const socket = this.socket;
        this.#lost();
        socket?.close();
        return;
      }
    }
    const id = this.nextId++;
    this.pings.set(id, now);
    this.socket?.send(JSON.stringify({ op: 'ping', id }));
  }

  /** @param {number} id */
  #pong(id) {
    const sent = this.pings.get(id);
    if (sent !== undefined) {
      this.pings.delete(id);
      this.#emit('rtt', { ms: performance.now() - sent });
    }
  }

  /** @param {ClientState} state @param {number} [retryAt] */
  #setState(state, retryAt = 0) {
    this.state = state;
    this.#emit('state', { state, retryAt });
  }

  /** @param {string} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
