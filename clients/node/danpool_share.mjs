// SPDX-License-Identifier: Apache-2.0
//
// A peer of a danpool share: reads buffers of another process in place.  Needs koffi, and nothing
// else, to reach mmap(), fcntl() and recvmsg() of the C library.
//
//   const view = View.fromSocket(fd);      // a Unix socket of the owner's dp_share_send()
//   const piece = view.acquire(token);     // 32 bytes that dp_share_export() made
//   hash.update(piece.data);               // a Buffer over the owner's memory, no copy
//   piece.release();
//   view.close();
//
// docs/share.md describes the format.  Everything that the owner wrote is checked before it becomes
// an address, so a damaged or hostile share throws a ShareError and nothing else.
//
// `piece.data` is read-only memory: writing to it ends the process, by the kernel's hand.  After
// release() its bytes are another buffer's, and after close() it must not be touched at all.
import fs from "node:fs";
import os from "node:os";
import koffi from "koffi";

export const TOKEN_BYTES = 32;

const HELLO = "DPSHARE1";
const MAGIC = "DPSHARE\n";
const VERSION = 1;
const HEADER_BYTES = 256;
const HEADER_USED_BYTES = 144;
const NAME_AT = 80;
const STATE_AT = 72;
const ENTRY_BYTES = 64;
const ALIGNMENT = 65536;
const GRANTS_MAX = 65536;
const OPEN = 1;
const CLOSED = 2;
const LOCK_PEER = 0;
const LOCK_OWNER = 1;

// Linux on every 64-bit machine that node runs on.
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffffffffffffffffn;
const F_DUPFD_CLOEXEC = 1030;
const F_GET_SEALS = 1034;
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
const FLOCK_BYTES = 32;
const SEALS = 0x0001 | 0x0002 | 0x0004; // F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW
const SEALS_READ_ONLY = 0x0008 | 0x0010; // F_SEAL_WRITE or F_SEAL_FUTURE_WRITE
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x08;
const MSG_CMSG_CLOEXEC = 0x40000000;

const libc = koffi.load(null);
const mmap = libc.func("void *mmap(void *, size_t, int, int, int, int64_t)");
const munmap = libc.func("int munmap(void *, size_t)");
const fcntl = libc.func("int fcntl(int, int, ...)");
const iovec = koffi.struct("danpool_iovec", { base: "void *", bytes: "size_t" });
const msghdr = koffi.struct("danpool_msghdr", {
  name: "void *",
  nameBytes: "uint32_t",
  parts: koffi.pointer(iovec),
  partCount: "size_t",
  control: "void *",
  controlBytes: "size_t",
  flags: "int",
});
const recvmsg = libc.func("recvmsg", "long", ["int", koffi.inout(koffi.pointer(msghdr)), "int"]);

/** Something is not as it should be; `status` is the name that the C library gives it. */
export class ShareError extends Error {
  constructor(status, message) {
    super(message);
    this.name = "ShareError";
    this.status = status;
  }
}

const fail = (status, message) => {
  throw new ShareError(status, message);
};

function lockBytes(byte) {
  const flock = Buffer.alloc(FLOCK_BYTES);
  flock.writeInt16LE(F_WRLCK, 0);
  flock.writeBigInt64LE(BigInt(byte), 8);
  flock.writeBigInt64LE(1n, 16);
  return flock;
}

function lockIsHeld(fd, byte) {
  const flock = lockBytes(byte);
  if (fcntl(fd, F_OFD_GETLK, "void *", flock) !== 0) fail("io", "fcntl(F_OFD_GETLK) failed");
  return flock.readInt16LE(0) !== F_UNLCK;
}

/** The size of a sealed memory file. */
function sizeChecked(fd, readOnly) {
  const seals = fcntl(fd, F_GET_SEALS, "int", 0);
  if (seals < 0) fail("format", "not a memory file");
  const { size } = fs.fstatSync(fd);
  if ((seals & SEALS) !== SEALS || size <= 0) fail("format", "the memory could change its size");
  if (readOnly && (seals & SEALS_READ_ONLY) === 0) fail("format", "others could write to the data");
  return size;
}

function map(fd, bytes, protection) {
  const pages = mmap(null, bytes, protection, MAP_SHARED, fd, 0);
  if (koffi.address(pages) === MAP_FAILED) fail("io", "mmap() failed");
  return pages;
}

/** Receives [controlFd, dataFd] from dp_share_send(); they are the caller's to close. */
export function recvFds(socketFd) {
  const hello = Buffer.alloc(HELLO.length);
  const control = Buffer.alloc(16 + 16 * 4); // one cmsghdr and 16 descriptors
  const message = {
    name: null,
    nameBytes: 0,
    parts: [{ base: hello, bytes: hello.length }],
    partCount: 1,
    control,
    controlBytes: control.length,
    flags: 0,
  };
  const got = Number(recvmsg(socketFd, message, MSG_CMSG_CLOEXEC));
  if (got < 0) fail("io", "recvmsg() failed");
  const fds = [];
  const end = Number(message.controlBytes);
  // The kernel puts all descriptors of a message into one part.
  if (end >= 16 && control.readInt32LE(8) === SOL_SOCKET && control.readInt32LE(12) === SCM_RIGHTS) {
    const partEnd = Math.min(Number(control.readBigUInt64LE(0)), end);
    for (let at = 16; at + 4 <= partEnd; at += 4) fds.push(control.readInt32LE(at));
  }
  const sound = got === HELLO.length && hello.toString("latin1") === HELLO && fds.length === 2;
  if (sound && (message.flags & MSG_CTRUNC) === 0) return fds;
  for (const fd of fds) fs.closeSync(fd);
  return got === 0 ? fail("closed", "the socket is closed") : fail("format", "not an invitation");
}

/** The header, read from a private copy and checked against the sizes that the files have. */
function readHeader(copy, controlBytes, dataBytes) {
  const big = (at) => Number(copy.readBigUInt64LE(at));
  const small = (at) => copy.readUInt32LE(at);
  if (copy.toString("latin1", 0, 8) !== MAGIC) fail("format", "not a share");
  if (small(8) !== VERSION) fail("unsupported", `version ${small(8)} of the format`);
  const header = {
    shareId: copy.readBigUInt64LE(16),
    dataBytes: big(24),
    blockBytes: small(32),
    peer: small(36),
    grants: small(40),
    grantsAt: big(48),
    claimsAt: big(56),
    leaseMs: small(76),
  };
  const table = header.grants * ENTRY_BYTES;
  const nameEnd = copy.indexOf(0, NAME_AT);
  const block = header.blockBytes;
  const state = small(STATE_AT);
  const sound =
    small(12) >= HEADER_BYTES && small(12) <= ALIGNMENT && big(64) === controlBytes &&
    header.dataBytes === dataBytes && dataBytes % ALIGNMENT === 0 && header.peer !== 0 &&
    block >= 64 && block <= 65536 && (block & (block - 1)) === 0 && small(44) === ENTRY_BYTES &&
    header.grants > 0 && header.grants <= GRANTS_MAX && header.grantsAt % ALIGNMENT === 0 &&
    header.claimsAt % ALIGNMENT === 0 && header.grantsAt >= ALIGNMENT &&
    header.grantsAt + table <= header.claimsAt && header.claimsAt + table <= controlBytes &&
    (state === OPEN || state === CLOSED) && nameEnd >= 0;
  if (!sound) fail("format", "a damaged header");
  if (state === CLOSED) fail("closed", "the owner has closed it");
  header.name = copy.toString("utf8", NAME_AT, nameEnd);
  return header;
}

/** A claimed grant. */
class Piece {
  #view;
  #entry;
  #serial;

  constructor(view, entry, serial, data) {
    this.#view = view;
    this.#entry = entry;
    this.#serial = serial;
    this.data = data;
  }

  /** Gives the buffer back; nothing when that has been done. */
  release() {
    if (this.data === null) return;
    this.data = null;
    this.#view._release(this.#entry, this.#serial);
  }
}

/** A share as one of its peers sees it. */
export class View {
  #fd = -1;
  #control;
  #controlBytes;
  #data;
  #bytes; // ArrayBuffer over the data
  #words; // BigUint64Array over the control: Atomics gives it whole, ordered accesses
  #halves;
  #header;
  #held = new Map(); // entry -> serial
  #done = new Map(); // entry -> the last serial given back

  /** Maps and checks both; the descriptors stay the caller's and may be closed at once. */
  constructor(controlFd, dataFd) {
    if (os.endianness() !== "LE" || os.platform() !== "linux") {
      fail("unsupported", "shares are for Linux on little-endian machines");
    }
    this.#controlBytes = sizeChecked(controlFd, false);
    const dataBytes = sizeChecked(dataFd, true);
    if (this.#controlBytes < HEADER_BYTES) fail("format", "too small");
    this.#control = map(controlFd, this.#controlBytes, PROT_READ | PROT_WRITE);
    try {
      const control = koffi.view(this.#control, this.#controlBytes);
      const copy = Buffer.from(new Uint8Array(control, 0, HEADER_USED_BYTES));
      this.#header = readHeader(copy, this.#controlBytes, dataBytes);
      if (fcntl(controlFd, F_OFD_SETLK, "void *", lockBytes(LOCK_PEER)) !== 0) {
        fail("busy", "the control must be passed on, not opened again");
      }
      this.#words = new BigUint64Array(control);
      this.#halves = new Uint32Array(control);
      this.#fd = fcntl(controlFd, F_DUPFD_CLOEXEC, "int", 3);
      if (this.#fd < 0) fail("nomem", "no descriptor is left");
      this.#data = map(dataFd, dataBytes, PROT_READ);
      this.#bytes = koffi.view(this.#data, dataBytes);
    } catch (error) {
      if (this.#fd >= 0) fs.closeSync(this.#fd);
      munmap(this.#control, this.#controlBytes);
      throw error;
    }
  }

  static fromSocket(socketFd) {
    const [controlFd, dataFd] = recvFds(socketFd);
    try {
      return new View(controlFd, dataFd);
    } finally {
      fs.closeSync(controlFd);
      fs.closeSync(dataFd);
    }
  }

  get name() {
    return this.#header.name;
  }

  get peer() {
    return this.#header.peer;
  }

  /** Claims the grant that the token (a Buffer of 32 bytes) names. */
  acquire(token) {
    const header = this.#header;
    if (token.length !== TOKEN_BYTES) fail("not_found", `a token has ${TOKEN_BYTES} bytes`);
    const serial = token.readBigUInt64LE(8);
    const size = token.readBigUInt64LE(16);
    const entry = token.readUInt32LE(28);
    if (token.readBigUInt64LE(0) !== header.shareId || token.readUInt32LE(24) !== header.peer ||
        entry >= header.grants || serial === 0n) {
      fail("not_found", "not a grant of this peer");
    }
    if (Atomics.load(this.#halves, STATE_AT / 4) !== OPEN) {
      fail("closed", "the owner has closed it");
    }
    const offset = this.#claim(entry, serial, size);
    return new Piece(this, entry, serial, Buffer.from(this.#bytes, offset, Number(size)));
  }

  #claim(entry, serial, size) {
    const header = this.#header;
    const words = this.#words;
    const grant = (header.grantsAt + entry * ENTRY_BYTES) / 8;
    const claim = (header.claimsAt + entry * ENTRY_BYTES) / 8;
    if (this.#held.get(entry) === serial) fail("exists", "claimed already");
    if (this.#held.has(entry) || this.#done.get(entry) === serial ||
        Atomics.load(words, grant) !== serial) {
      fail("not_found", "the grant has ended");
    }
    const offset = Atomics.load(words, grant + 1);
    const granted = Atomics.load(words, grant + 2);
    const dataBytes = BigInt(header.dataBytes);
    if (granted === 0n || granted > dataBytes || offset > dataBytes - granted ||
        offset % BigInt(header.blockBytes) !== 0n) {
      fail("corrupt", "the grant lies outside the data");
    }
    if (granted !== size) fail("not_found", "a forged token");
    Atomics.store(words, claim, serial);
    if (Atomics.load(words, grant) !== serial) {
      Atomics.store(words, claim + 1, serial);
      fail("not_found", "the grant was withdrawn");
    }
    this.#held.set(entry, serial);
    return Number(offset);
  }

  /** Piece.release() calls it. */
  _release(entry, serial) {
    this.#held.delete(entry);
    this.#done.set(entry, serial);
    Atomics.store(this.#words, (this.#header.claimsAt + entry * ENTRY_BYTES) / 8 + 1, serial);
  }

  /** False once the owner has ended the share, dropped this peer or died. */
  isOpen() {
    return Atomics.load(this.#halves, STATE_AT / 4) === OPEN && lockIsHeld(this.#fd, LOCK_OWNER);
  }

  /** Unmaps and leaves; throws while a piece is held. */
  close() {
    if (this.#data === null) return;
    if (this.#held.size > 0) fail("busy", `${this.#held.size} pieces are held`);
    // The data first: as long as the control is mapped, this peer counts as alive.
    munmap(this.#data, this.#header.dataBytes);
    munmap(this.#control, this.#controlBytes);
    fs.closeSync(this.#fd);
    this.#data = this.#bytes = this.#words = this.#halves = null;
  }
}
