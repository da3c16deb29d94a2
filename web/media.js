/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploading a picture: the file itself is the body, its first bytes decide what it is.
 */
import { RefusedError, UPLOAD_BYTES_MAX } from './protocol.js';

/**
 * @typedef {object} Uploaded
 * @property {string} id
 * @property {string} url
 * @property {number} width
 * @property {number} height
 * @property {number} seq the number of the message that names the picture
 * @property {boolean} cached true when the same bytes had been rendered before
 */

/**
 * Uploads one file and publishes it in the room.
 * @param {string} room
 * @param {Blob} file
 * @param {{mode: string, fit?: 'sticker'|'photo'}} how
 * @returns {Promise<Uploaded>} rejects with a RefusedError
 */
export async function uploadMedia(room, file, how) {
  if (file.size > UPLOAD_BYTES_MAX) {
    /* The server refuses while we still send, which a browser shows as a broken connection. */
    throw new RefusedError('too_large', `${file.size} bytes`);
  }
  const query = new URLSearchParams({ mode: how.mode });
  if (how.fit) {
    query.set('fit', how.fit);
  }
  /** @type {Response} */
  let response;
  try {
    response = await fetch(`/v1/rooms/${encodeURIComponent(room)}/media?${query}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: file,
    });
  } catch (cause) {
    throw new RefusedError('network', String(cause));
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const { code = `http_${response.status}`, message = '' } = answer.error ?? {};
    throw new RefusedError(code, message, 1000 * Number(response.headers.get('Retry-After') ?? 0));
  }
  return answer;
}
