// SPDX-License-Identifier: Apache-2.0
// Two renderings of one document, ours and the reference's, and how far apart they are.
import { fork, spawn } from 'node:child_process';

/** Limits per channel, and the share of pixels that must be within them. */
export const NEAR = { limit: 16, share: 0.99 };
export const STRICT = { limit: 8, share: 0.998 };

/**
 * The reference in a process of its own: it aborts on some documents, and is then started again.
 *
 * It counts 4 x 4 samples in a pixel, so its edges come in 16 steps, of 16/255 each; of its own
 * pictures only four in ten are within the strict limit of the same picture drawn finer.  Hence
 * `fine`: drawn `finer` times as large and averaged; null where the larger picture is not exactly as large
 * as that.
 */
export class Reference {
  #start() {
    this.child = fork(new URL('reference.js', import.meta.url), {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
    });
    this.child.on('message', (answer) => this.settle(answer));
    this.child.on('exit', () => {
      this.child = null;
      this.settle?.(null);
    });
  }

  /** Premultiplied RGBA {width, height, pixels, fine}, or null where it does not take the document. */
  async render(svg, width, finer = 4) {
    if (!this.child) {
      this.#start();
    }
    const answered = new Promise((resolve) => {
      this.settle = resolve;
    });
    this.child.send({ svg, width, finer });
    return answered;
  }

  close() {
    this.child?.kill();
  }
}

/**
 * Our renderer as a process: one request "WIDTH HEIGHT BYTES\n" and the document, one answer "STATUS
 * MESSAGE\n" and the premultiplied RGBA where the status is ok.
 */
export class Ours {
  constructor(program) {
    this.process = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.held = Buffer.alloc(0);
    this.wake = () => {};
    this.process.stdout.on('data', (bytes) => {
      this.held = Buffer.concat([this.held, bytes]);
      this.wake();
    });
    this.process.on('exit', (code, signal) => {
      this.ended = signal ?? code;
      this.wake();
    });
  }

  async take(enough) {
    for (;;) {
      const bytes = enough(this.held);
      if (bytes > 0) {
        const taken = this.held.subarray(0, bytes);
        this.held = this.held.subarray(bytes);
        return taken;
      }
      if (this.ended !== undefined) {
        throw new Error(`the renderer ended (${this.ended})`);
      }
      await new Promise((resolve) => {
        this.wake = resolve;
      });
    }
  }

  async render(svg, width, height) {
    const bytes = Buffer.from(svg);
    this.process.stdin.write(`${width} ${height} ${bytes.length}\n`);
    this.process.stdin.write(bytes);
    const line = (await this.take((held) => held.indexOf(10) + 1)).toString().trimEnd();
    const [status] = line.split(' ', 1);
    const pixels =
      status === 'ok'
        ? Buffer.from(await this.take((held) => (held.length >= width * height * 4 ? width * height * 4 : 0)))
        : null;
    return { status, message: line.slice(status.length + 1), pixels };
  }

  close() {
    this.process.stdin.end();
  }
}

/** Shares of pixels within each limit. */
function shares(one, other) {
  const pixels = one.length / 4;
  let near = 0;
  let strict = 0;
  for (let i = 0; i < one.length; i += 4) {
    let worst = 0;
    for (let c = 0; c < 4; c++) {
      worst = Math.max(worst, Math.abs(one[i + c] - other[i + c]));
    }
    near += worst <= NEAR.limit;
    strict += worst <= STRICT.limit;
  }
  return { near: near / pixels, strict: strict / pixels };
}

/** Compares with the reference as it is and drawn finer; a case passes by either. */
export function compare(pixels, theirs) {
  const own = shares(pixels, theirs.pixels);
  const fine = theirs.fine === null ? own : shares(pixels, theirs.fine);
  return {
    share: Math.max(own.near, fine.near),
    near: own.near >= NEAR.share,
    strict: own.strict >= STRICT.share,
    nearFine: fine.near >= NEAR.share,
    strictFine: fine.strict >= STRICT.share,
  };
}
