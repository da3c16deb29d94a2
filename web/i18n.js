/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page's words in English and Chinese.  HTML carries keys (data-i18n for text, data-i18n-label,
 * -title and -placeholder for attributes); what scripts say goes through t().  Both tables hold the
 * same keys, which a test checks.
 */

const en = {
  title: 'danpool · live comments',
  skip: 'Skip to writing a comment',
  room: 'Room',
  room_enter: 'Join',
  room_bad: 'A room is 1 to 64 of A–Z a–z 0–9 _ . -',
  lang_switch: '中文',
  lang_label: '切换到中文',
  state_connecting: 'Connecting',
  state_live: 'Live',
  state_waiting: 'Reconnecting',
  state_left: 'Offline',
  state_retry: 'in {s} s',
  rtt: '{ms} ms',
  rtt_title: 'Round trip to the server',
  stage_label: 'Picture with moving comments; the list holds the same comments as text',
  stage_drop: 'Drop a picture or an SVG here',
  stage_calm: 'Reduced motion: comments appear in the list only',
  stage_off: 'Comments are hidden here; the list goes on',
  display: 'Display',
  display_on: 'Moving comments',
  display_area: 'Area',
  area_quarter: '¼',
  area_half: '½',
  area_three: '¾',
  area_full: 'Full',
  display_opacity: 'Opacity',
  display_speed: 'Speed',
  speed_slow: 'Slow',
  speed_normal: 'Normal',
  speed_fast: 'Fast',
  write: 'Your comment',
  write_placeholder: 'Say something to the room …',
  write_offline: 'Waiting for the connection …',
  send: 'Send',
  wait_s: '{s} s',
  style: 'Style',
  colour: 'Colour',
  colour_other: 'Another colour',
  size: 'Size',
  size_small: 'Small',
  size_normal: 'Normal',
  size_large: 'Large',
  mode: 'Movement',
  mode_scroll: 'Scroll',
  mode_reverse: 'Reverse',
  mode_top: 'Top',
  mode_bottom: 'Bottom',
  stickers: 'Stickers',
  sticker_file: 'Your own …',
  sticker_file_label: 'Upload a sticker file (SVG, PNG, WebP, GIF, JPEG)',
  photo: 'Photo',
  photo_label: 'Upload a photo (JPEG, PNG, WebP, GIF)',
  sticker_wave: 'Wave',
  sticker_heart: 'Heart',
  sticker_star: 'Star',
  sticker_fish: 'Fish',
  sticker_moon: 'Moon',
  sticker_lantern: 'Lantern',
  uploading: 'Uploading …',
  uploaded: 'Shown to the room',
  uploaded_cached: 'Shown to the room, straight from the cache',
  feed: 'Recent comments',
  feed_empty: 'Nothing yet. Yours could be the first.',
  feed_missed: '{n} missed',
  feed_missed_title: 'This page fell behind and the server skipped ahead',
  you: 'You',
  history: 'earlier',
  kind_sticker: 'Sticker',
  kind_photo: 'Photo',
  picture_alt: '{kind} from the room',
  fig: 'Live figures of the server',
  fig_tiers: 'Memory tiers in use',
  fig_absent: 'absent',
  fig_reuse: 'Buffer reuse',
  fig_reuse_sub: '{n} gets',
  fig_rate: 'Deliveries / s',
  fig_rate_sub: '{n} so far',
  fig_people: 'Connections',
  fig_people_sub: '{n} rooms',
  fig_people_one: '1 room',
  fig_fanout: 'Fan-out p99',
  fig_fanout_sub: 'admitted → socket',
  fig_render: 'Render engine',
  fig_render_sub: '{a} rendered · {b} cached · {c} waiting',
  fig_stale: 'figures unavailable',
  going_away: 'The server is restarting; the page reconnects by itself.',
  err_rate_limited: 'Too fast. You can send again in {s} s.',
  err_busy: 'The server is busy just now. Please try again.',
  err_shutting_down: 'The server is shutting down; the page reconnects by itself.',
  err_text_empty: 'There is nothing visible in this comment.',
  err_text_too_long: 'Too long: at most {max} characters.',
  err_too_large: 'Too large: at most 8 MiB and 40 megapixels.',
  err_unsupported_media: 'Not a picture we know: JPEG, PNG, WebP, GIF or SVG.',
  err_bad_media: 'This picture is broken or takes too long to draw.',
  err_disconnected: 'Not connected just now. Your text is kept.',
  err_network: 'The upload did not get through. Please try again.',
  err_other: 'The server refused: {message}',
  dismiss: 'Dismiss',
};

const zh = {
  title: 'danpool · 弹幕池',
  skip: '跳到发送弹幕',
  room: '房间',
  room_enter: '进入',
  room_bad: '房间名为 1–64 个字符:A–Z a–z 0–9 _ . -',
  lang_switch: 'EN',
  lang_label: 'Switch to English',
  state_connecting: '连接中',
  state_live: '已连接',
  state_waiting: '重连中',
  state_left: '未连接',
  state_retry: '{s} 秒后',
  rtt: '{ms} 毫秒',
  rtt_title: '到服务器的往返时间',
  stage_label: '画面与弹幕;右侧列表以文字显示同样的弹幕',
  stage_drop: '把图片或 SVG 拖到这里',
  stage_calm: '已减少动态效果:弹幕只显示在列表中',
  stage_off: '画面弹幕已关闭,列表继续更新',
  display: '显示',
  display_on: '画面弹幕',
  display_area: '区域',
  area_quarter: '¼',
  area_half: '½',
  area_three: '¾',
  area_full: '全屏',
  display_opacity: '不透明度',
  display_speed: '速度',
  speed_slow: '慢',
  speed_normal: '正常',
  speed_fast: '快',
  write: '你的弹幕',
  write_placeholder: '发个弹幕,和大家打个招呼…',
  write_offline: '等待连接…',
  send: '发送',
  wait_s: '{s} 秒',
  style: '样式',
  colour: '颜色',
  colour_other: '其他颜色',
  size: '字号',
  size_small: '小',
  size_normal: '中',
  size_large: '大',
  mode: '方式',
  mode_scroll: '滚动',
  mode_reverse: '逆向',
  mode_top: '顶部',
  mode_bottom: '底部',
  stickers: '贴纸',
  sticker_file: '上传…',
  sticker_file_label: '上传贴纸文件(SVG、PNG、WebP、GIF、JPEG)',
  photo: '图片',
  photo_label: '上传图片(JPEG、PNG、WebP、GIF)',
  sticker_wave: '浪花',
  sticker_heart: '爱心',
  sticker_star: '星星',
  sticker_fish: '小鱼',
  sticker_moon: '月亮',
  sticker_lantern: '灯笼',
  uploading: '上传中…',
  uploaded: '已发到房间',
  uploaded_cached: '已发到房间(直接取自缓存)',
  feed: '最近弹幕',
  feed_empty: '还没有弹幕,来发第一条吧。',
  feed_missed: '漏掉 {n} 条',
  feed_missed_title: '页面没跟上,服务器已跳到最新',
  you: '我',
  history: '历史',
  kind_sticker: '贴纸',
  kind_photo: '图片',
  picture_alt: '房间里的{kind}',
  fig: '服务器实时数据',
  fig_tiers: '内存层级占用',
  fig_absent: '本机无',
  fig_reuse: '缓冲复用率',
  fig_reuse_sub: '共取用 {n} 次',
  fig_rate: '每秒投递',
  fig_rate_sub: '累计 {n}',
  fig_people: '连接数',
  fig_people_sub: '{n} 个房间',
  fig_people_one: '1 个房间',
  fig_fanout: '扇出 p99',
  fig_fanout_sub: '准入 → 套接字',
  fig_render: '渲染引擎',
  fig_render_sub: '渲染 {a} · 缓存 {b} · 等待 {c}',
  fig_stale: '暂无数据',
  going_away: '服务器正在重启,页面会自动重连。',
  err_rate_limited: '发送太快,{s} 秒后可再发送。',
  err_busy: '服务器正忙,请稍后再试。',
  err_shutting_down: '服务器正在停止,页面会自动重连。',
  err_text_empty: '弹幕里没有可见内容。',
  err_text_too_long: '太长了:最多 {max} 个字符。',
  err_too_large: '文件太大:最多 8 MiB、4000 万像素。',
  err_unsupported_media: '不支持的格式:请用 JPEG、PNG、WebP、GIF 或 SVG。',
  err_bad_media: '图片损坏,或绘制时间过长。',
  err_disconnected: '当前未连接,内容已保留。',
  err_network: '上传没有成功,请再试一次。',
  err_other: '服务器拒绝:{message}',
  dismiss: '关闭',
};

export const TABLES = { en, zh };

const STORED = 'danpool.lang';
const listeners = new Set();
/** @type {'en'|'zh'} */
let lang = initialLang();

/** @returns {'en'|'zh'} */
function initialLang() {
  const stored = globalThis.localStorage?.getItem(STORED);
  if (stored === 'en' || stored === 'zh') {
    return stored;
  }
  return String(globalThis.navigator?.language ?? 'en')
    .toLowerCase()
    .startsWith('zh')
    ? 'zh'
    : 'en';
}

export function currentLang() {
  return lang;
}

/** @param {'en'|'zh'} next */
export function setLang(next) {
  lang = next;
  localStorage.setItem(STORED, next);
  applyLang();
  listeners.forEach((listener) => listener());
}

/** Called after each switch, so that what a script wrote can be written again. */
export function onLang(listener) {
  listeners.add(listener);
}

/**
 * The words for a key, with {name} replaced.
 * @param {string} key
 * @param {Record<string, string|number>} [values]
 */
export function t(key, values = {}) {
  const words = TABLES[lang][key] ?? key;
  return words.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ''));
}

/** @param {number} n */
export function number(n, digits = 0) {
  return new Intl.NumberFormat(lang, { maximumFractionDigits: digits }).format(n);
}

/** 12,345 -> 12.3K / 1.2万, for narrow places. @param {number} n */
export function compact(n) {
  const locale = lang === 'zh' ? 'zh-CN' : 'en';
  return new Intl.NumberFormat(locale, { notation: 'compact', maximumFractionDigits: 1 }).format(n);
}

/** Writes the words into the document. */
export function applyLang() {
  document.documentElement.lang = lang === 'zh' ? 'zh-CN' : 'en';
  document.title = t('title');
  for (const node of document.querySelectorAll('[data-i18n]')) {
    node.textContent = t(node.dataset.i18n);
  }
  for (const attribute of ['label', 'title', 'placeholder']) {
    for (const node of document.querySelectorAll(`[data-i18n-${attribute}]`)) {
      const key = node.getAttribute(`data-i18n-${attribute}`);
      node.setAttribute(attribute === 'label' ? 'aria-label' : attribute, t(key));
    }
  }
}
