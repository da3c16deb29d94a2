// SPDX-License-Identifier: Apache-2.0
// danpool.wasm as a page or a server would use it: each test makes an instance over a memory of its
// own.  Every block is filled with its own pattern, which must be there when it is given back: two
// blocks that overlap, or a descriptor inside one, would show.  DANPOOL_WASM names the module.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const bytes = readFileSync(process.env.DANPOOL_WASM);
const module = new WebAssembly.Module(bytes);
const PAGE = 65536;
const MIB = 1 << 20;
const COUNTERS = ["gets", "puts", "failed", "reused", "used", "capacity", "memory"];

// `held` maps the address of each block to what it was filled with and its size.
class Pool {
  held = new Map();
  #turn = 0;

  constructor({ initial = 2, maximum = 4096 } = {}) {
    this.memory = new WebAssembly.Memory({ initial, maximum });
    this.wasm = new WebAssembly.Instance(module, { env: { memory: this.memory } }).exports;
  }

  get pages() {
    return this.memory.buffer.byteLength / PAGE;
  }

  alloc(size) {
    const at = this.wasm.dp_wasm_alloc(size) >>> 0;
    if (at === 0) return 0;
    assert.equal(at % 16, 0, `${size} bytes at ${at}`);
    assert.ok(!this.held.has(at), `${at} is given twice`);
    const fill = (this.#turn = (this.#turn % 251) + 1);
    new Uint8Array(this.memory.buffer, at, size).fill(fill);
    this.held.set(at, { size, fill });
    return at;
  }

  free(at) {
    const { size, fill } = this.held.get(at);
    const block = Buffer.from(this.memory.buffer, at, size);
    assert.equal(block.compare(Buffer.alloc(size, fill)), 0, `${size} bytes at ${at} have changed`);
    this.held.delete(at);
    this.wasm.dp_wasm_free(at);
  }

  freeAll() {
    for (const at of [...this.held.keys()]) this.free(at);
    this.wasm.dp_wasm_check();
  }

  capacity(at) {
    return this.wasm.dp_wasm_capacity(at) >>> 0;
  }

  // The counters, written to a block that is taken for it and so counts in them.
  stats() {
    this.statsAt ??= this.wasm.dp_wasm_alloc(64) >>> 0;
    this.wasm.dp_wasm_stats(this.statsAt);
    const words = new BigUint64Array(this.memory.buffer, this.statsAt, COUNTERS.length);
    return Object.fromEntries(COUNTERS.map((name, i) => [name, Number(words[i])]));
  }
}

// A generator that gives the same numbers for the same seed; printed, so that a failure repeats.
function random(t, seed = 20261124) {
  t.diagnostic(`seed ${seed}`);
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
}

// Tiny, medium, large and huge requests, the small ones most often.
function mixedSize(next) {
  const kind = next(100);
  if (kind < 60) return 1 + next(127);
  if (kind < 90) return 128 + next(1921);
  if (kind < 99) return 2049 + next(60000);
  return 200000 + next(2 * MIB);
}

// The class that docs/pool.md promises, written down a second time.
function blockBytes(size) {
  if (size <= 128) return Math.ceil(size / 16) * 16;
  const step = 2 ** (Math.ceil(Math.log2(size)) - 4);
  return Math.ceil(size / step) * step;
}

// The largest request whose block has no more bytes than that.
function largestBelow(room) {
  const step = 2 ** (Math.floor(Math.log2(room)) - 3);
  return Math.floor(room / step) * step;
}

test("imports its memory and nothing else, and exports the pool and nothing else", (t) => {
  t.diagnostic(`danpool.wasm: ${bytes.length} bytes`);
  const imports = WebAssembly.Module.imports(module).map(({ module: from, name }) => `${from}.${name}`);
  assert.deepEqual(imports, ["env.memory"]);
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  assert.deepEqual(
    names.sort(),
    ["alloc", "capacity", "check", "free", "stats", "trim"].map((name) => `dp_wasm_${name}`),
  );
});

test("blocks have the sizes of the native pool's classes", () => {
  const pool = new Pool();
  const sizes = [2048, 2049, 4096, 65536, 65537, 131072, 131073, MIB, MIB + 1, 5 * MIB];
  for (let size = 1; size <= 2100; size++) sizes.push(size);
  for (const size of sizes) {
    const at = pool.alloc(size);
    assert.equal(pool.capacity(at), blockBytes(size), `for ${size}`);
    pool.free(at);
  }
  pool.wasm.dp_wasm_check();
});

test("nothing, too much and 0 are answered, not trapped", () => {
  const pool = new Pool();
  assert.equal(pool.alloc(0), 0);
  assert.equal(pool.alloc(2 ** 31 + 1), 0);
  assert.equal(pool.alloc(2 ** 32 - 1), 0);
  pool.wasm.dp_wasm_free(0);
  assert.equal(pool.stats().failed, 3);
});

test("no block overlaps another in 30,000 random gets and puts", (t) => {
  const next = random(t);
  const pool = new Pool();
  const order = [];
  for (let turn = 0; turn < 30000; turn++) {
    if (order.length < 600 && next(100) < 55) {
      const at = pool.alloc(mixedSize(next));
      assert.notEqual(at, 0);
      order.push(at);
    } else if (order.length > 0) {
      const which = next(order.length);
      pool.free(order[which]);
      order[which] = order.at(-1);
      order.pop();
    }
    if (turn % 1000 === 0) pool.wasm.dp_wasm_check();
  }
  pool.freeAll();
});

test("a block that came back is given again", () => {
  const pool = new Pool();
  pool.alloc(100); // its run stays
  const first = pool.alloc(100);
  pool.free(first);
  assert.equal(pool.alloc(97), first);
  const huge = pool.alloc(3 * MIB);
  pool.free(huge);
  assert.equal(pool.alloc(3 * MIB), huge);
  assert.equal(pool.stats().reused, 2);
});

test("memory does not grow once the patterns have run", (t) => {
  const pool = new Pool();
  const cycle = (seed) => {
    const next = random({ diagnostic() {} }, seed);
    for (let i = 0; i < 300; i++) pool.alloc(mixedSize(next));
    const order = [...pool.held.keys()].map((at) => [next(1000), at]).sort(([a], [b]) => a - b);
    for (const [, at] of order) pool.free(at);
    pool.wasm.dp_wasm_check();
  };
  for (let seed = 0; seed < 5; seed++, pool.wasm.dp_wasm_trim()) cycle(seed);
  const settled = pool.pages;
  for (let turn = 0; turn < 50; turn++, pool.wasm.dp_wasm_trim()) cycle(turn % 5);
  assert.equal(pool.pages, settled);
  // What is kept for the next get is given up before memory grows; it may lie in the way a little.
  for (let turn = 0; turn < 50; turn++) cycle(turn % 5);
  t.diagnostic(`${settled} pages, ${pool.pages} when nothing is trimmed`);
  assert.ok(pool.pages <= settled * 1.25, `${settled} pages became ${pool.pages}`);
});

test("a full memory answers 0 and serves again when something came back", () => {
  for (const size of [16, 100, 1000, 10000, 100000, MIB]) {
    const pool = new Pool({ maximum: 256 });
    const rounds = [];
    for (let round = 0; round < 3; round++) {
      while (pool.alloc(size) !== 0);
      assert.ok(pool.pages <= 256);
      pool.wasm.dp_wasm_check();
      rounds.push(pool.held.size);
      // One place is enough for one block.
      const [one] = pool.held.keys();
      pool.free(one);
      assert.notEqual(pool.alloc(size), 0);
      assert.equal(pool.alloc(size), 0);
      pool.freeAll();
    }
    // At least a fifth of memory is payload, for tiny blocks too; and no round leaves anything.
    assert.ok(rounds[0] * size > 256 * PAGE * (size < 64 ? 0.15 : 0.3), `${rounds} of ${size}`);
    assert.deepEqual(rounds, [rounds[0], rounds[0], rounds[0]], `of ${size}`);
  }
});

test("what small blocks gave back serves a large one", () => {
  const pool = new Pool({ maximum: 160 });
  while (pool.alloc(300) !== 0);
  pool.freeAll();
  assert.notEqual(pool.alloc(7 * MIB), 0);
  pool.freeAll();
  while (pool.alloc(300) !== 0);
  pool.freeAll();
});

test("a block that is kept for its like gives way to others and to what describes them", () => {
  const pool = new Pool({ maximum: 100 });
  const kept = pool.alloc(9 * PAGE);
  for (const size of [MIB, 3 * PAGE, PAGE, 1000, 100]) while (pool.alloc(size) !== 0);
  pool.free(kept);
  assert.notEqual(pool.alloc(16), 0);
  pool.freeAll();
});

test("memory that ends anywhere loses nothing", (t) => {
  // The cap takes every place in turn: before the slab, a region, a descriptor, a table.
  let served = 0;
  for (let maximum = 1; maximum <= 48; maximum++) {
    const pool = new Pool({ initial: 1, maximum });
    const sizes = [16, 5000, 64, 70000, 300, 200000, 16, 1000, 40000];
    let got = 0;
    let first = 0; // the first size that was served
    for (let round = 0; round < 40; round++) {
      for (const size of sizes) {
        if (pool.alloc(size) === 0) continue;
        first ||= size;
        got++;
      }
      pool.wasm.dp_wasm_check();
    }
    pool.freeAll();
    pool.wasm.dp_wasm_trim();
    if (got > 0) assert.notEqual(pool.alloc(first), 0, `${first} again in ${maximum} pages`);
    pool.freeAll();
    pool.wasm.dp_wasm_trim();
    // All but data, tables and the slab itself is in one piece again.
    if (maximum >= 16) assert.notEqual(pool.alloc(largestBelow((maximum - 5) * PAGE)), 0);
    served = got;
  }
  t.diagnostic(`${served} blocks in 48 pages`);
  assert.ok(served > 100);
});

test("pages that somebody else grew are left alone", (t) => {
  const next = random(t);
  const pool = new Pool();
  const theirs = [];
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 40; i++) pool.alloc(mixedSize(next));
    const page = pool.memory.grow(1);
    new Uint8Array(pool.memory.buffer, page * PAGE, PAGE).fill(0xa5);
    theirs.push(page);
  }
  pool.freeAll();
  pool.wasm.dp_wasm_trim();
  // Now ours are spare up to theirs, which one that is too large for them must not run into.
  theirs.push(pool.memory.grow(1));
  new Uint8Array(pool.memory.buffer, theirs.at(-1) * PAGE, PAGE).fill(0xa5);
  assert.notEqual(pool.alloc(pool.memory.buffer.byteLength), 0);
  pool.freeAll();
  for (const page of theirs) {
    const now = Buffer.from(pool.memory.buffer, page * PAGE, PAGE);
    assert.equal(now.compare(Buffer.alloc(PAGE, 0xa5)), 0, `page ${page}`);
  }
});

test("an address that is not held traps", () => {
  const stray = (use) => assert.throws(() => use(new Pool()), WebAssembly.RuntimeError);
  stray((pool) => {
    const at = pool.alloc(40);
    pool.alloc(40);
    pool.free(at);
    pool.wasm.dp_wasm_free(at); // its run lives
  });
  stray((pool) => {
    const at = pool.alloc(40);
    pool.free(at);
    pool.wasm.dp_wasm_free(at); // its run has ended
  });
  stray((pool) => pool.wasm.dp_wasm_free(pool.alloc(40) + 16)); // inside a block
  stray((pool) => pool.wasm.dp_wasm_free(pool.alloc(48) + 48)); // a block never given
  stray((pool) => pool.wasm.dp_wasm_free(64)); // the stack
  stray((pool) => pool.wasm.dp_wasm_capacity(3 * MIB));
});

test("the counters are exact", (t) => {
  const next = random(t);
  const pool = new Pool();
  const model = { gets: 1, puts: 0, failed: 0, used: 64 }; // the block of stats() itself
  for (let turn = 0; turn < 2000; turn++) {
    if (next(3) > 0) {
      const size = mixedSize(next);
      pool.alloc(size);
      model.gets++;
      model.used += blockBytes(size);
    } else if (pool.held.size > 0) {
      const at = [...pool.held.keys()][next(pool.held.size)];
      model.used -= blockBytes(pool.held.get(at).size);
      model.puts++;
      pool.free(at);
    }
    if (turn % 100 === 0) {
      assert.equal(pool.alloc(0), 0);
      model.failed++;
      const { gets, puts, failed, used, reused, capacity, memory } = pool.stats();
      assert.deepEqual({ gets, puts, failed, used }, model);
      assert.ok(reused < gets);
      assert.ok(used <= capacity && capacity < memory);
      assert.equal(memory, pool.memory.buffer.byteLength);
    }
  }
  pool.freeAll();
  pool.wasm.dp_wasm_trim();
  const { used, capacity, gets, puts } = pool.stats();
  assert.deepEqual([used, gets - puts], [64, 1]);
  assert.equal(capacity, 4 * PAGE); // the region of that one block
});
