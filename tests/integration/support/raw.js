/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket by hand over TCP, for what a well-behaved client cannot do: broken frames, sockets that
 * stop reading, bodies that lie about their length.
 */
import net from 'node:net';
import { until } from './wait.js';

const HANDSHAKE_END = '\r\n\r\n';

/** One frame as a client sends it. @param {Partial<FrameParts>} parts */
export function frame(parts) {
  const {
    fin = true,
    rsv = 0,
    opcode = 1,
    masked = true,
    length,
    payload = Buffer.alloc(0),
  } = parts;
  const said = length ?? BigInt(payload.length);
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (said < 126n) {
    head.push(mask | Number(said));
  } else if (said < 65536n) {
    head.push(mask | 126, Number(said >> 8n), Number(said & 0xffn));
  } else {
    head.push(mask | 127);
    for (let shift = 56n; shift >= 0n; shift -= 8n) {
      head.push(Number((said >> shift) & 0xffn));
    }
  }
  if (!masked) {
    return Buffer.concat([Buffer.from(head), payload]);
  }
  const key = Buffer.from([0x5a, 0x17, 0xc3, 0x88]);
  return Buffer.concat([Buffer.from(head), key, payload.map((b, i) => b ^ key[i % 4])]);
}

/** Numbers that are the same in every run (mulberry32). @param {number} seed */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class RawSocket {
  /** A TCP connection to the daemon. @param {import('./daemon.js').Daemon} daemon */
  static async open(daemon) {
    const raw = new RawSocket(net.connect(daemon.port, '127.0.0.1'));
    await until(() => raw.connected || raw.closed, 'a TCP connection');
    return raw;
  }

  /** The same, upgraded to a WebSocket of a room. */
  static async upgraded(daemon, room) {
    const raw = await RawSocket.open(daemon);
    raw.socket.write(
      `GET /v1/ws?room=${room} HTTP/1.1\r\nHost: 127.0.0.1:${daemon.port}\r\n` +
        'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n' +
        'Sec-WebSocket-Protocol: danpool.v1.json\r\n\r\n',
    );
    await until(() => raw.text().includes(HANDSHAKE_END) || raw.closed, 'the upgrade');
    if (!raw.text().startsWith('HTTP/1.1 101')) {
      throw new Error(`no upgrade: ${raw.text().slice(0, 200)}`);
    }
    raw.skip = raw.bytes().indexOf(HANDSHAKE_END) + HANDSHAKE_END.length;
    return raw;
  }

  /** @param {net.Socket} socket */
  constructor(socket) {
    this.socket = socket;
    this.connected = false;
    this.closed = false;
    this.skip = 0;
    /** @type {Buffer[]} */
    this.chunks = [];
    socket.on('connect', () => {
      this.connected = true;
    });
    socket.on('data', (chunk) => this.chunks.push(chunk));
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
  }

  bytes() {
    if (this.chunks.length > 1) {
      this.chunks = [Buffer.concat(this.chunks)];
    }
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  text() {
    return this.bytes().toString('latin1');
  }

  /** Complete frames after the handshake. @returns {{opcode: number, payload: Buffer}[]} */
  frames() {
    const bytes = this.bytes();
    const frames = [];
    let at = this.skip;
    while (at + 2 <= bytes.length) {
      let size = bytes[at + 1] & 0x7f;
      let body = at + 2;
      if (size === 126 && body + 2 <= bytes.length) {
        size = bytes.readUInt16BE(body);
        body += 2;
      } else if (size === 127 && body + 8 <= bytes.length) {
        size = Number(bytes.readBigUInt64BE(body));
        body += 8;
      } else if (size >= 126) {
        break;
      }
      if (body + size > bytes.length) {
        break;
      }
      frames.push({ opcode: bytes[at] & 0x0f, payload: bytes.subarray(body, body + size) });
      at = body + size;
    }
    return frames;
  }

  /** The close code and reason the server sent, null before it did. */
  closeFrame() {
    const found = this.frames().find((f) => f.opcode === 8);
    return found && found.payload.length >= 2
      ? { code: found.payload.readUInt16BE(0), reason: found.payload.subarray(2).toString() }
      : null;
  }

  destroy() {
    this.socket.destroy();
  }
}
