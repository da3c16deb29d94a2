/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wires the page: one client, and the parts that show what it says.  The way of a comment is
 * client -> overlay and feed; the way back is composer -> client.
 */
import { Badge } from './badge.js';
import { Composer } from './composer.js';
import { DanpoolClient } from './client.js';
import { Display } from './display.js';
import { Feed, mediaKind } from './feed.js';
import { Figures } from './figures.js';
import { Overlay } from './overlay.js';
import { ROOM_PATTERN } from './protocol.js';
import { Scene } from './scene.js';
import { applyLang, currentLang, setLang, t } from './i18n.js';

const ROOM_DEFAULT = 'lobby';
const HISTORY = 30;

/** @param {string} id @returns {any} */
const part = (id) => document.getElementById(id);

function roomOfAddress() {
  const room = new URLSearchParams(location.search).get('room') ?? ROOM_DEFAULT;
  return ROOM_PATTERN.test(room) ? room : ROOM_DEFAULT;
}

/** @param {DanpoolClient} client @param {Overlay} overlay @param {Feed} feed */
function wireMessages(client, overlay, feed) {
  const isOwn = (seq) => client.own.has(seq);
  client.addEventListener('batch', (event) => {
    const { msgs, missed, history } = event.detail;
    feed.add(msgs, { isOwn, past: history });
    if (!history) {
      overlay.add(msgs, isOwn);
    }
    if (missed > 0) {
      feed.addMissed(missed);
    }
  });
  client.addEventListener('own', (event) => {
    overlay.markOwn(event.detail.seq);
    feed.markOwn(event.detail.seq);
  });
  client.addEventListener('notice', (event) => {
    part('notice').hidden = event.detail.code !== 'going_away';
  });
  client.addEventListener('hello', () => {
    part('notice').hidden = true;
  });
}

/** The room is part of the address, so it can be shared and the back button works. */
function wireRoom(client, overlay, feed) {
  const form = part('room-form');
  const field = form.elements.namedItem('room');
  const enter = (room) => {
    field.value = room;
    overlay.clear();
    feed.clear();
    client.join(room);
  };
  field.addEventListener('input', () => field.setCustomValidity(''));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (!ROOM_PATTERN.test(field.value)) {
      field.setCustomValidity(t('room_bad'));
      field.reportValidity();
      return;
    }
    if (field.value !== client.room) {
      history.pushState(null, '', `?${new URLSearchParams({ room: field.value })}`);
      enter(field.value);
    }
    field.blur();
  });
  globalThis.addEventListener('popstate', () => enter(roomOfAddress()));
  enter(roomOfAddress());
}

function start() {
  const client = new DanpoolClient({ history: HISTORY });
  const overlay = new Overlay(part('overlay'), (media) =>
    t('picture_alt', { kind: t(mediaKind(media)) }),
  );
  const feed = new Feed({ list: part('feed'), empty: part('feed-empty'), missed: part('missed') });
  new Scene(part('scene'));
  new Display(
    { panel: part('display'), toggle: part('display-toggle'), note: part('stage-note') },
    overlay,
  );
  new Badge(part('badge'), client);
  new Composer(part('composer'), client, part('stage'));
  new Figures(part('figures')).start();
  applyLang();
  part('lang').addEventListener('click', () => setLang(currentLang() === 'zh' ? 'en' : 'zh'));
  wireMessages(client, overlay, feed);
  wireRoom(client, overlay, feed);
}

start();
