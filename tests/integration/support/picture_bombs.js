/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures that mean harm: small files that say they are huge, or are once inflated, and sound ones
 * that were cut off or in which bits were turned over.  As [name, bytes, what may become of it], see
 * svg_bombs.js.
 */
import { deflateSync } from 'node:zlib';
import { AVIF, gif, JPEG, png, pngChunk, PNG_SIGNATURE, SVG_DISC, WEBP } from './files.js';
import { randomFrom } from './raw.js';

const MIB = 1024 * 1024;

/* ---- PNG ---- */

/** @param {number} depth @param {number} type as in the header @param {Buffer[]} between chunks */
function pngFile(width, height, [depth, type], between, rows) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, 0], 8);
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', header),
    ...between,
    pngChunk('IDAT', deflateSync(rows)),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

const DOT = [1, 1, [8, 0], Buffer.alloc(2)];

/** One pixel, and before it a chunk whose zeros inflate to `mib`. */
function pngWithProfile(mib) {
  const bomb = Buffer.concat([
    Buffer.from('icc\0\0', 'latin1'),
    deflateSync(Buffer.alloc(mib * MIB)),
  ]);
  const [width, height, kind, rows] = DOT;
  return pngFile(width, height, kind, [pngChunk('iCCP', bomb)], rows);
}

function pngWithTexts(mib, count) {
  const bomb = Buffer.concat([
    Buffer.from('a\0\0', 'latin1'),
    deflateSync(Buffer.alloc(mib * MIB)),
  ]);
  const [width, height, kind, rows] = DOT;
  const chunks = Array.from({ length: count }, () => pngChunk('zTXt', bomb));
  return pngFile(width, height, kind, chunks, rows);
}

function pngBombs() {
  const zeros = (width, height, bits) => Buffer.alloc((Math.ceil((width * bits) / 8) + 1) * height);
  const little = deflateSync(Buffer.alloc(64 * MIB));
  const tail = Buffer.concat([png(9, 9).subarray(0, -12), pngChunk('IDAT', little)]);
  return [
    ['png_30000x30000', pngFile(30000, 30000, [1, 0], [], zeros(30000, 30000, 1)), 'refused'],
    ['png_65536_wide', pngFile(65536, 1, [8, 0], [], zeros(65536, 1, 8)), 'refused'],
    ['png_2_to_31', pngFile(0x7fffffff, 0x7fffffff, [8, 6], [], Buffer.alloc(999)), 'refused'],
    ['png_6000x6000', pngFile(6000, 6000, [8, 6], [], zeros(6000, 6000, 32)), 'bounded'],
    ['png_6000x6000_deep', pngFile(6000, 6000, [16, 0], [], zeros(6000, 6000, 16)), 'bounded'],
    ['png_profile_of_256_mib', pngWithProfile(256), 'bounded'],
    ['png_texts_of_100_times_32_mib', pngWithTexts(32, 100), 'bounded'],
    ['png_more_data_than_pixels', tail, 'bounded'],
  ];
}

/* ---- GIF ---- */

const GIF_HEAD = gif(1, 1).subarray(0, 13 + 384);

/** The same frame of one pixel so many times, on a canvas of any size. */
function gifOf(width, height, frames) {
  const head = Buffer.from(GIF_HEAD);
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  const frame = gif(1, 1).subarray(GIF_HEAD.length, -1);
  return Buffer.concat([head, ...Array.from({ length: frames }, () => frame), Buffer.from([0x3b])]);
}

function gifBombs() {
  const loops = Buffer.concat(
    Array.from({ length: 200000 }, () => Buffer.from([0x21, 0xfe, 1, 65, 0])),
  );
  return [
    ['gif_65535x65535', gifOf(65535, 65535, 1), 'refused'],
    ['gif_of_100000_frames', gifOf(1, 1, 100000), 'bounded'],
    ['gif_of_5000_frames_of_4_megapixels', gifOf(2000, 2000, 5000), 'bounded'],
    ['gif_of_200000_comments', Buffer.concat([GIF_HEAD, loops, Buffer.from([0x3b])]), 'refused'],
  ];
}

/* ---- WebP ---- */

function riff(...chunks) {
  const body = Buffer.concat([Buffer.from('WEBP'), ...chunks]);
  const head = Buffer.from('RIFF\0\0\0\0', 'latin1');
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

function riffChunk(type, ...parts) {
  const data = Buffer.concat(parts);
  const head = Buffer.from(`${type}\0\0\0\0`, 'latin1');
  head.writeUInt32LE(data.length, 4);
  return Buffer.concat([head, data, Buffer.alloc(data.length & 1)]);
}

function le24(...numbers) {
  const out = Buffer.alloc(numbers.length * 3);
  numbers.forEach((n, i) => out.writeUIntLE(n, i * 3, 3));
  return out;
}

/** An animated WebP whose frames are all the same 48 x 32 at the canvas' corner. */
function webpOf(width, height, frames) {
  const still = WEBP.subarray(12);
  const frame = riffChunk('ANMF', le24(0, 0, 47, 31, 10), Buffer.from([0]), still);
  return riff(
    riffChunk('VP8X', Buffer.from([2, 0, 0, 0]), le24(width - 1, height - 1)),
    riffChunk('ANIM', Buffer.alloc(6)),
    ...Array.from({ length: frames }, () => frame),
  );
}

function webpBombs() {
  const huge = Buffer.from(WEBP);
  huge.writeUInt16LE(16383, 26);
  huge.writeUInt16LE(16383, 28);
  /* 14 bits each of width - 1 and height - 1, behind the signature of a lossless picture. */
  const lossless = riffChunk('VP8L', Buffer.from([0x2f, 0xff, 0xff, 0xff, 0x0f]), Buffer.alloc(99));
  return [
    ['webp_16383x16383', huge, 'refused'],
    ['webp_16384x16384_lossless', riff(lossless), 'refused'],
    ['webp_canvas_of_2_to_24', webpOf(1 << 24, 255, 2), 'refused'],
    ['webp_of_40000_frames', webpOf(48, 32, 40000), 'bounded'],
    ['webp_of_5000_frames_of_4_megapixels', webpOf(2000, 2000, 5000), 'bounded'],
  ];
}

/* ---- JPEG, AVIF ---- */

function jpegThatClaims(width, height) {
  const file = Buffer.from(JPEG);
  const at = file.indexOf(Buffer.from([0xff, 0xc0]));
  file.writeUInt16BE(height, at + 5);
  file.writeUInt16BE(width, at + 7);
  return file;
}

function avifThatClaims(width, height) {
  const file = Buffer.from(AVIF);
  const at = file.indexOf('ispe') + 8;
  file.writeUInt32BE(width, at);
  file.writeUInt32BE(height, at + 4);
  return file;
}

/** A scan's header again and again: each is a pass over the whole picture. */
function jpegOfScans(count) {
  const at = JPEG.indexOf(Buffer.from([0xff, 0xda]));
  const end = JPEG.length - 2;
  const scans = Array.from({ length: count }, () => JPEG.subarray(at, end));
  return Buffer.concat([JPEG.subarray(0, at), ...scans, JPEG.subarray(end)]);
}

/** @returns {[string, Buffer, 'refused'|'bounded'][]} */
export function pictureBombs() {
  return [
    ...pngBombs(),
    ...gifBombs(),
    ...webpBombs(),
    ['jpeg_65500x65500', jpegThatClaims(65500, 65500), 'refused'],
    ['jpeg_6000x6000', jpegThatClaims(6000, 6000), 'bounded'],
    ['jpeg_of_10000_scans', jpegOfScans(10000), 'bounded'],
    ['avif_65535x65535', avifThatClaims(65535, 65535), 'refused'],
    ['avif_2_to_31', avifThatClaims(0x7fffffff, 0x7fffffff), 'refused'],
    ['avif_6000x6000', avifThatClaims(6000, 6000), 'bounded'],
  ];
}

/* ---- damage ---- */

/** Sound files of every format, whose pixels are worth something. */
export function soundPictures() {
  return {
    png: png(61, 43),
    gif: gif(40, 30, 3),
    webp: WEBP,
    webp_moving: webpOf(48, 32, 3),
    jpeg: JPEG,
    avif: AVIF,
    svg: Buffer.from(SVG_DISC),
  };
}

/** `count` of each format cut off somewhere: at least a tenth of it is missing. */
export function cutPictures(count, seed) {
  const random = randomFrom(seed);
  return Object.entries(soundPictures()).flatMap(([name, bytes]) =>
    Array.from({ length: count }, (_, i) => {
      const kept = 1 + Math.floor(random() * bytes.length * 0.9);
      return [`${name}_cut_${i}_at_${kept}`, bytes.subarray(0, kept), 'refused'];
    }),
  );
}

/** `count` of each format in which one bit, or up to thirty, are turned over. */
export function flippedPictures(count, seed) {
  const random = randomFrom(seed);
  return Object.entries(soundPictures()).flatMap(([name, bytes]) =>
    Array.from({ length: count }, (_, i) => {
      const file = Buffer.from(bytes);
      const flips = i % 2 === 0 ? 1 : 1 + Math.floor(random() * 30);
      for (let flip = 0; flip < flips; flip++) {
        file[Math.floor(random() * file.length)] ^= 1 << Math.floor(random() * 8);
      }
      return [`${name}_flipped_${i}`, file, 'bounded'];
    }),
  );
}
