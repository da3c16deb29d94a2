// SPDX-License-Identifier: Apache-2.0
//
// The consumer in JavaScript: clients/node behind the protocol of tests/share/README.md.
import fs from "node:fs";
import koffi from "../../clients/node/node_modules/koffi/index.js";
import { ShareError, View, recvFds } from "../../clients/node/danpool_share.mjs";

const SOCKET = 3;
const MESSAGE_BYTES = 33;
const ANSWER_BYTES = 13;

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let row = i;
  for (let bit = 0; bit < 8; bit++) row = (row >>> 1) ^ (row & 1 ? 0xedb88320 : 0);
  return row;
});

function crc32(bytes) {
  let sum = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) sum = (sum >>> 8) ^ crcTable[(sum ^ bytes[i]) & 255];
  return ~sum >>> 0;
}

function answer(letter, bytes = Buffer.alloc(0)) {
  const message = Buffer.alloc(ANSWER_BYTES);
  message.write(letter);
  bytes.copy(message, 1);
  fs.writeSync(SOCKET, message);
}

function failed(error) {
  if (!(error instanceof ShareError)) throw error;
  answer("E", Buffer.from(error.status));
}

function readMessage() {
  const message = Buffer.alloc(MESSAGE_BYTES);
  for (let got = 0; got < MESSAGE_BYTES;) {
    const more = fs.readSync(SOCKET, message, got, MESSAGE_BYTES - got);
    if (more === 0) process.exit(1);
    got += more;
  }
  return [message.toString("latin1", 0, 1), message.subarray(1)];
}

function waysToWrite(dataFd) {
  const mmap = koffi.load(null).func("void *mmap(void *, size_t, int, int, int, int64_t)");
  let ways = koffi.address(mmap(null, 4096, 3, 1, dataFd, 0)) === 0xffffffffffffffffn ? 0 : 1;
  try {
    ways += fs.writeSync(dataFd, "x");
  } catch {
    // What it should do.
  }
  return ways;
}

const pieces = new Map();

function claim(view, token) {
  const piece = view.acquire(token);
  pieces.set(token.toString("hex"), piece);
  const bytes = Buffer.alloc(12);
  bytes.writeBigUInt64LE(BigInt(piece.data.length), 0);
  bytes.writeUInt32LE(crc32(piece.data), 8);
  answer("G", bytes);
}

function giveBack(token) {
  const piece = pieces.get(token.toString("hex"));
  if (piece === undefined) throw new ShareError("not_found", "not held");
  pieces.delete(token.toString("hex"));
  piece.release();
  answer("R");
}

function serve(view, dataFd) {
  for (;;) {
    const [letter, token] = readMessage();
    try {
      if (letter === "g") claim(view, token);
      else if (letter === "r") giveBack(token);
      else if (letter === "o") answer("O", Buffer.from([view.isOpen() ? 1 : 0]));
      else if (letter === "w") answer("W", Buffer.from([waysToWrite(dataFd)]));
      else break;
    } catch (error) {
      failed(error);
    }
  }
  view.close();
  answer("Q");
}

try {
  const [controlFd, dataFd] = recvFds(SOCKET);
  const view = new View(controlFd, dataFd);
  fs.closeSync(controlFd);
  answer("A");
  serve(view, dataFd);
} catch (error) {
  failed(error);
}
