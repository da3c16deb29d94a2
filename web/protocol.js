/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the wire protocol (docs/protocol.md) as JSDoc types, and the one error type that
 * every refusal of the server becomes, whether it came over the WebSocket or over HTTP.
 */

/** @typedef {'scroll'|'reverse'|'top'|'bottom'} Mode */

/**
 * @typedef {object} Media A finished picture that the server keeps.
 * @property {string} id
 * @property {string} url
 * @property {string} type
 * @property {number} width
 * @property {number} height
 * @property {number} frames 1 unless the picture moves
 * @property {string} source what the uploaded file was: svg, jpeg, png ...
 * @property {string} engine who decoded and scaled it, e.g. "librsvg+cpu"
 * @property {string} tier the memory it was put into
 */

/**
 * @typedef {object} Message One comment as a batch carries it.
 * @property {number} seq
 * @property {number} ts
 * @property {'text'|'media'} kind
 * @property {Mode} mode
 * @property {string} [text]
 * @property {string} [color]
 * @property {number} [size]
 * @property {Media} [media]
 */

/** @type {readonly Mode[]} */
export const MODES = ['scroll', 'reverse', 'top', 'bottom'];

export const SUBPROTOCOL = 'danpool.v1.json';
export const TEXT_CHARS_MAX_DEFAULT = 200;
export const UPLOAD_BYTES_MAX = 8 * 1024 * 1024;
export const ROOM_PATTERN = /^[A-Za-z0-9_.-]{1,64}$/;

/** A refusal: `code` is one of the protocol's, or one of ours (disconnected, network). */
export class RefusedError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number} [retryMs] when it makes sense to try again
   */
  constructor(code, message, retryMs = 0) {
    super(message);
    this.name = 'RefusedError';
    this.code = code;
    this.retryMs = retryMs;
  }
}
