/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A danpoold of the test's own: started on a free port of 127.0.0.1, watched, and always stopped.
 * DANPOOLD names the program.  What it logs is kept and shown when a test fails to start it.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metrics } from '../../../web/metrics.js';
import { within } from './wait.js';

const PROGRAM = process.env.DANPOOLD;
const READY = /danpoold: serving (https?:\/\/127\.0\.0\.1:(\d+)\/)/;
const START_MS = 30000;
const STOP_MS = 40000;

/** Free settings for most tests: small, quick, and no rate limit where it is not the subject. */
const USUAL = {
  'listen.address': '127.0.0.1',
  'listen.port': 0,
  'limits.messages_per_s': 0,
  'render.workers': 1,
  'timeouts.drain_s': 2,
  'pool.lease_ms': 1000,
};

export class Daemon {
  /** @param {Record<string, string|number>} [settings] */
  static async start(settings = {}) {
    if (!PROGRAM) {
      throw new Error('DANPOOLD must name the danpoold to test');
    }
    const daemon = new Daemon({ ...USUAL, ...settings });
    await daemon.#spawn();
    return daemon;
  }

  /** @param {Record<string, string|number>} settings */
  constructor(settings) {
    this.settings = settings;
    this.log = '';
    this.said = '';
  }

  async #spawn() {
    // What has no point in its name is not a setting but a flag, such as { config: FILE }.
    const args = Object.entries(this.settings).flatMap(([k, v]) =>
      k.includes('.') ? ['--set', `${k}=${v}`] : [`--${k}`, `${v}`],
    );
    this.child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    /** @type {Promise<{code: number|null, signal: string|null}>} */
    this.exited = new Promise((resolve, reject) => {
      this.child.once('exit', (code, signal) => resolve({ code, signal }));
      this.child.once('error', reject);
    });
    this.child.stderr.on('data', (chunk) => {
      this.log = (this.log + chunk).slice(-65536);
    });
    const ready = new Promise((resolve, reject) => {
      this.child.stdout.on('data', (chunk) => {
        this.said += chunk;
        const match = READY.exec(this.said);
        if (match) {
          resolve(match);
        }
      });
      this.exited.then(
        (how) => reject(new Error(`danpoold ended at once: ${JSON.stringify(how)}\n${this.log}`)),
        reject,
      );
    });
    const match = await within(START_MS, ready, 'danpoold to serve');
    this.url = match[1].replace(/\/$/, '');
    this.port = Number(match[2]);
    this.pid = this.child.pid;
  }

  get alive() {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @param {string} path @param {RequestInit} [init] */
  fetch(path, init = {}) {
    return fetch(this.url + path, { signal: AbortSignal.timeout(20000), ...init });
  }

  /** @param {string} room @param {object|string} message */
  publish(room, message) {
    const body = typeof message === 'string' ? message : JSON.stringify(message);
    return this.fetch(`/v1/rooms/${room}/messages`, { method: 'POST', body });
  }

  /** @param {string} room @param {Uint8Array|string} body @param {string} [query] */
  upload(room, body, query = '') {
    return this.fetch(`/v1/rooms/${room}/media${query}`, { method: 'POST', body });
  }

  async metrics() {
    return new Metrics(await (await this.fetch('/metrics')).text());
  }

  /** Resident memory of the daemon in MiB. */
  residentMib() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) / 1024;
  }

  /** Graceful: SIGTERM, and how it ended.  No buffer may have been held for too long till then. */
  async stop() {
    const escaped = this.log.match(/.*buffer escaped.*/);
    assert.equal(escaped, null, escaped?.[0]);
    if (this.alive) {
      this.child.kill('SIGTERM');
    }
    try {
      return await within(STOP_MS, this.exited, 'danpoold to stop');
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
  }

  /** As a power cut would. */
  async kill() {
    this.child.kill('SIGKILL');
    return this.exited;
  }
}

/**
 * Starts a daemon for one test and stops it after, checking that it was still well: a test that
 * brings the daemon down must not pass because it looked elsewhere.
 * @param {import('node:test').TestContext} t
 * @param {Record<string, string|number>} [settings]
 */
export async function daemonFor(t, settings = {}) {
  const daemon = await Daemon.start(settings);
  t.after(async () => {
    const wasAlive = daemon.alive;
    const { code, signal } = await daemon.stop();
    if (wasAlive && code !== 0) {
      throw new Error(`danpoold ended with ${code ?? signal}\n${daemon.log}`);
    }
    if (!wasAlive && code !== 0 && signal !== 'SIGKILL') {
      throw new Error(`danpoold died during the test: ${code ?? signal}\n${daemon.log}`);
    }
  });
  return daemon;
}

/** @param {import('node:test').TestContext} t */
export async function folderFor(t) {
  const folder = await mkdtemp(join(tmpdir(), 'danpool-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
