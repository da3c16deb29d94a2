/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures made here, so that no binary file lies in the repository.
 */
import { crc32 } from './crc32.js';
import { deflateSync } from 'node:zlib';

export const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** @param {string} type @param {Buffer} data */
export function pngChunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const out = Buffer.alloc(body.length + 8);
  out.writeUInt32BE(data.length, 0);
  body.copy(out, 4);
  out.writeUInt32BE(crc32(body), body.length + 4);
  return out;
}

/** An 8-bit RGBA PNG. @param {(x: number, y: number) => [number, number, number, number]} pixel */
export function png(width, height, pixel = gradient(width, height)) {
  const rows = Buffer.alloc((width * 4 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      rows.set(pixel(x, y), y * (width * 4 + 1) + 1 + x * 4);
    }
  }
  return pngOf(width, height, deflateSync(rows));
}

/** A PNG that says it is `width` x `height` and holds next to nothing. */
export function pngThatClaims(width, height) {
  return pngOf(width, height, deflateSync(Buffer.alloc(4096)));
}

function pngOf(width, height, idat) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 6, 0, 0, 0], 8);
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', header),
    pngChunk('IDAT', idat),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function gradient(width, height) {
  return (x, y) => [(255 * x) / width, (255 * y) / height, 150, 255];
}

/**
 * A GIF, each frame of one colour: LZW that clears its table so often that codes stay at 8 bits.
 * @param {number} width
 * @param {number} height
 * @param {number} [frames]
 */
export function gif(width, height, frames = 1) {
  const head = Buffer.alloc(13);
  head.write('GIF89a', 'latin1');
  head.writeUInt16LE(width, 6);
  head.writeUInt16LE(height, 8);
  head[10] = 0xf6;
  const palette = Buffer.from(Array.from({ length: 128 * 3 }, (_, i) => (0x80 + 16 * i) & 255));
  const place = Buffer.from([
    0x2c,
    0,
    0,
    0,
    0,
    width & 255,
    width >> 8,
    height & 255,
    height >> 8,
    0,
  ]);
  const parts = [head, palette];
  for (let frame = 0; frame < frames; frame++) {
    const codes = [];
    for (let i = 0; i < width * height; i++) {
      if (i % 120 === 0) {
        codes.push(128);
      }
      codes.push(7 + frame);
    }
    codes.push(129);
    const blocks = [];
    for (let i = 0; i < codes.length; i += 255) {
      const part = codes.slice(i, i + 255);
      blocks.push(part.length, ...part);
    }
    parts.push(place, Buffer.from([7, ...blocks, 0]));
  }
  return Buffer.concat([...parts, Buffer.from([0x3b])]);
}

/** The same, shown again and again. */
export function gifForEver(width, height, frames) {
  const once = gif(width, height, frames);
  const head = 13 + 128 * 3;
  const loop = Buffer.from('\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0', 'latin1');
  return Buffer.concat([once.subarray(0, head), loop, once.subarray(head)]);
}

/** 48 x 32, a gradient. */
export const JPEG = Buffer.from(
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEj' +
    'JR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/2wBDARESEhgVGC8aGi9jQjhCY2NjY2NjY2Nj' +
    'Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2P/wAARCAAgADADASIAAhEBAxEB/8QAFwABAQEB' +
    'AAAAAAAAAAAAAAAAAgEEAP/EABUQAQEAAAAAAAAAAAAAAAAAAAEA/8QAFAEBAAAAAAAAAAAAAAAAAAAABf/EABYRAAMA' +
    'AAAAAAAAAAAAAAAAAAACA//aAAwDAQACEQMRAD8A2LBarBYWSClHIsVqsFkpIH0ciwWqwWTkgfRzYsFqsVhpIK0ciwWq' +
    'wWTkgfRyLFblislJA+jn/9k=',
  'base64',
);

/** 48 x 32, the same gradient. */
export const WEBP = Buffer.from(
  'UklGRnYAAABXRUJQVlA4IGoAAADwAwCdASowACAAPtFapU0oJSOiJW5hABoJagCx' +
    'HzRBt5eALL20i8SwAP7P++qX/hnAImToHfytQFZAP9ePuFnQoHFRiSVPkiOd8N+bf4jgPGbnoUPiOto/ausY1jCgg2q8' +
    'TAAQuHR+HAAA',
  'base64',
);

/** 24 x 16, the upper half opaque; turned by a quarter. */
export const AVIF = Buffer.from(
  'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAGXbWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAA' +
    'AAAAAAAAAAAAAGxpYmF2aWYAAAAADnBpdG0AAAAAAAEAAAAsaWxvYwAAAABEAAACAAEAAAABAAAB4wAAAJcAAgAA' +
    'AAEAAAG/AAAAJAAAAEJpaW5mAAAAAAACAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAAAaaW5mZQIAAAAAAgAA' +
    'YXYwMUFscGhhAAAAABppcmVmAAAAAAAAAA5hdXhsAAIAAQABAAAAzWlwcnAAAACmaXBjbwAAABRpc3BlAAAAAAAA' +
    'ABgAAAAQAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgSAAAAAAABNjb2xybmNseAACAAIABoAAAAAJaXJvdAEAAAAO' +
    'cGl4aQAAAAABCAAAAAxhdjFDgQAcAAAAADhhdXhDAAAAAHVybjptcGVnOm1wZWdCOmNpY3A6c3lzdGVtczphdXhp' +
    'bGlhcnk6YWxwaGEAAAAAH2lwbWEAAAAAAAAAAgABBQECgwSFAAIEAQaHCAAAAMNtZGF0EgAKBRgQ7+wqMhkQALUB' +
    'GAtvxwp6t0QQgWnYIO5KY5VeUU8ZEgAKCDgQ7+wgQEDSMogBEoACCCCEAO6S4vcpKj+O+N8JOeLL6b/65ebu5cRn' +
    'YBf/r2EfzIoxM5/F5IZkclDahHX4W75+of7JVZUP95Y6FZhzyqlXRenR1dgW/qyFK5PXAQ0Pv7PvvrcbK7JVrux7' +
    'aIvlIsx6qCgKdcsjprJZuSzQoyFtIr/tLMDM0VlExmSxbxDyidFTsA==',
  'base64',
);

/** @param {string} inside @param {string} [attributes] */
export function svg(inside, attributes = 'viewBox="0 0 100 100"') {
  const namespaces =
    'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"';
  return `<svg ${namespaces} ${attributes}>${inside}</svg>`;
}

export const SVG_DISC = svg('<circle cx="50" cy="50" r="45" fill="#e33"/>');
