// SPDX-License-Identifier: Apache-2.0
// Cases about filters: each part, how they are joined, and the chains that design tools write.
import { combine, doc, grid } from './cases_support.js';

const SHAPE = '<circle cx="45" cy="45" r="25" fill="#36c" stroke="#fb0" stroke-width="6"/>';

function filtered(parts, root = '', content = SHAPE) {
  return doc(`<filter id="f" ${root}>${parts}</filter><g filter="url(#f)">${content}</g>`);
}

function floods() {
  return [
    filtered('<feFlood flood-color="#0a0" flood-opacity=".5"/>'), filtered('<feFlood flood-color="gold"/>', 'x="0" y="0" width="1" height="1"'),
    filtered('<feFlood flood-color="gold" x="20" y="20" width="30" height="40"/>', 'filterUnits="userSpaceOnUse" x="10" y="10" width="70" height="70"'),
    filtered('<feFlood style="flood-color:#00f;flood-opacity:30%"/>', 'color-interpolation-filters="sRGB"'),
    filtered('<feFlood x="10%" y="10%" width="50%" height="50%" flood-color="red"/>', 'primitiveUnits="objectBoundingBox"'),
  ];
}

function matrices() {
  const srgb = 'color-interpolation-filters="sRGB"';
  return [
    ...[0, 0.3, 1].map((s) => filtered(`<feColorMatrix type="saturate" values="${s}"/>`, srgb)),
    ...[30, 180].map((h) => filtered(`<feColorMatrix type="hueRotate" values="${h}"/>`, srgb)),
    filtered('<feColorMatrix type="luminanceToAlpha"/>', srgb), filtered('<feColorMatrix values="0 1 0 0 0 1 0 0 0 0 0 0 1 0 0 0 0 0 .6 0"/>', srgb),
    filtered('<feColorMatrix values="0 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 127 0"/>', srgb), filtered('<feColorMatrix values="1 0 0 0 .2 0 1 0 0 0 0 0 1 0 0 0 0 0 1 0"/>'),
    filtered('<feColorMatrix values="1 2 3"/>', srgb), filtered('<feColorMatrix type="saturate" values=".5"/>'),
  ];
}

function offsets() {
  return [[10, 5], [-8.5, 3.25], [0, 0]].map(([dx, dy]) => filtered(`<feOffset dx="${dx}" dy="${dy}"/>`))
    .concat(filtered('<feOffset dx=".1" dy=".2"/>', 'primitiveUnits="objectBoundingBox"'),
      filtered('<feOffset dx="10"/>', '', `<g transform="scale(.5)">${SHAPE}</g>`));
}

function composites() {
  const two = (tag) => filtered(`<feFlood flood-color="#c33" flood-opacity=".7" x="30" y="30" width="60" height="60" result="b"/>${tag}`, 'color-interpolation-filters="sRGB"');
  return [
    ...['over', 'in', 'out', 'atop', 'xor'].map((op) => two(`<feComposite in="SourceGraphic" in2="b" operator="${op}"/>`)),
    ...[[0.5, 0.5, 0.5, 0], [1, 0, 0, 0], [0, -1, 1, 0], [0, 1, 1, -0.3]].map(([a, b, c, d]) =>
      two(`<feComposite in="SourceGraphic" in2="b" operator="arithmetic" k1="${a}" k2="${b}" k3="${c}" k4="${d}"/>`)),
    ...['normal', 'multiply', 'screen', 'darken', 'lighten', 'overlay', 'color-dodge', 'color-burn', 'hard-light', 'soft-light', 'difference', 'exclusion']
      .map((mode) => two(`<feBlend in="SourceGraphic" in2="b" mode="${mode}"/>`)),
    two('<feMerge><feMergeNode in="b"/><feMergeNode in="SourceGraphic"/></feMerge>'), two('<feMerge><feMergeNode in="b"/></feMerge>'), two('<feMerge/>'),
  ];
}

function blurs() {
  return [
    ...combine({ deviation: [0.5, 1, 1.9, 2, 3, 8, 20] }).map(({ deviation }) => filtered(`<feGaussianBlur stdDeviation="${deviation}"/>`)),
    ...['5 0', '0 5', '3 8', '0', '-1', '0 0'].map((deviation) => filtered(`<feGaussianBlur stdDeviation="${deviation}"/>`)),
    filtered('<feGaussianBlur stdDeviation="4"/>', 'color-interpolation-filters="sRGB"'),
    filtered('<feGaussianBlur in="SourceAlpha" stdDeviation="4"/>'), filtered('<feGaussianBlur stdDeviation=".05"/>', 'primitiveUnits="objectBoundingBox"'),
    filtered('<feGaussianBlur stdDeviation="4"/>', '', `<g transform="scale(.5)">${SHAPE}</g>`), filtered('<feGaussianBlur stdDeviation="6"/>', 'x="0" y="0" width="1" height="1"'),
  ];
}

/** What Figma and its like write. */
function designTools() {
  const begin = '<feFlood flood-opacity="0" result="BackgroundImageFix"/><feBlend in="SourceGraphic" in2="BackgroundImageFix" result="shape"/>';
  const hard = 'type="matrix" values="0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 127 0" result="hardAlpha"';
  const inner = (dx, dy, blur, colour, below, name) => `<feColorMatrix in="SourceAlpha" ${hard}/><feOffset dx="${dx}" dy="${dy}"/><feGaussianBlur stdDeviation="${blur}"/><feComposite in2="hardAlpha" operator="arithmetic" k2="-1" k3="1"/><feColorMatrix values="${colour}"/><feBlend in2="${below}" result="${name}"/>`;
  const root = 'x="0" y="0" width="100" height="100" filterUnits="userSpaceOnUse" color-interpolation-filters="sRGB"';
  const red = '0 0 0 0 .9 0 0 0 0 .1 0 0 0 0 .2 0 0 0 .8 0';
  const white = '0 0 0 0 1 0 0 0 0 1 0 0 0 0 1 0 0 0 .5 0';
  return [
    ...combine({ offset: [-4, 3], blur: [1, 3, 5] }).map(({ offset, blur }) => filtered(begin + inner(offset, offset, blur, red, 'shape', 'e1'), root)),
    filtered(begin + inner(4, 4, 2, white, 'shape', 'e1') + inner(-5, -3, 3, red, 'e1', 'e2'), root),
    ...[1, 4].map((blur) => filtered(`${begin}<feGaussianBlur stdDeviation="${blur}" result="effect1_foregroundBlur"/>`, root)),
    filtered(`<feFlood flood-opacity="0" result="BackgroundImageFix"/><feColorMatrix in="SourceAlpha" ${hard}/><feOffset dx="4" dy="6"/><feGaussianBlur stdDeviation="3"/><feComposite in2="hardAlpha" operator="out"/><feColorMatrix values="0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0.4 0"/><feBlend in2="BackgroundImageFix" result="d"/><feBlend in="SourceGraphic" in2="d"/>`, root),
    ...['', 'flood-color="red" flood-opacity=".5"'].map((colour) => filtered(`<feDropShadow dx="5" dy="7" stdDeviation="3" ${colour}/>`)),
    filtered('<feGaussianBlur in="SourceAlpha" stdDeviation="3" result="b"/><feOffset in="b" dx="4" dy="4" result="o"/><feMerge><feMergeNode in="o"/><feMergeNode in="SourceGraphic"/></feMerge>'),
  ];
}

function placements() {
  const blur = '<feGaussianBlur stdDeviation="3"/>';
  const of = (content) => doc(`<filter id="f">${blur}</filter>${content}`);
  return [
    of('<rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#f)"/>'), of('<rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#f)" opacity=".5"/>'),
    of('<rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#f)" transform="rotate(20 50 50)"/>'),
    of('<rect x="-20" y="-20" width="60" height="60" fill="#c33" filter="url(#f)"/>'), of('<g filter="url(#f)"><g filter="url(#f)"><rect x="30" y="30" width="30" height="30"/></g></g>'),
    of('<clipPath id="c"><circle cx="50" cy="50" r="25"/></clipPath><rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#f)" clip-path="url(#c)"/>'),
    of('<mask id="m"><circle cx="50" cy="50" r="25" fill="#fff"/></mask><rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#f)" mask="url(#m)"/>'),
    of('<rect x="20" y="20" width="50" height="40" fill="#c33" filter="none"/>'), of('<rect x="20" y="20" width="50" height="40" fill="#c33" filter="url(#absent)"/><circle r="20"/>'),
    of('<g filter="url(#f)"/><rect x="20" y="20" width="50" height="40"/>'),
    doc('<filter id="e"/><rect x="20" y="20" width="50" height="40" filter="url(#e)"/>'),
    doc(`<filter id="f" x="-5" y="-5" width="11" height="11">${blur}</filter><rect x="45" y="45" width="9" height="9" filter="url(#f)"/>`),
  ];
}

export const filterCases = {
  'filter: flood': floods(),
  'filter: colour matrix': matrices(),
  'filter: offset': offsets(),
  'filter: composite, blend, merge': composites(),
  'filter: gaussian blur': blurs(),
  'filter: design tools': designTools(),
  'filter: placement': placements(),
  'filter: units': grid(['userSpaceOnUse', 'objectBoundingBox'], (units) => {
    const user = units === 'userSpaceOnUse';
    return filtered('<feGaussianBlur stdDeviation="2"/><feOffset dx="3" dy="3"/>', `filterUnits="${units}" x="${user ? 30 : 0.2}" y="${user ? 30 : 0.2}" width="${user ? 40 : 0.6}" height="${user ? 40 : 0.6}"`);
  }),
};

/** What refers to itself. */
export const circularCases = [
  doc('<g id="a"><use href="#a"/></g>'), doc('<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>'),
  doc('<clipPath id="c" clip-path="url(#c)"><circle r="30"/></clipPath><rect width="50" height="50" clip-path="url(#c)"/>'),
  doc('<mask id="m"><rect width="9" height="9" mask="url(#m)" fill="#fff"/></mask><rect width="50" height="50" mask="url(#m)"/>'),
];

/** What the front end must leave to librsvg, the whole document of it. */
export const foreignCases = [
  doc('<text x="10" y="50">words</text>'), doc('<defs><pattern id="p" width="10" height="10"><rect width="5" height="5"/></pattern></defs><rect width="50" height="50" fill="url(#p)"/>'),
  doc('<image width="10" height="10" href="data:image/png;base64,iVBORw0KGgo="/>'),
  doc('<defs><marker id="m"><path d="M0 0h3v3z"/></marker></defs><path d="M0 0h30v30" marker-end="url(#m)"/>'),
  doc('<style>rect:first-child{fill:#123}</style><rect width="50" height="50"/>'),
  filtered('<feTurbulence baseFrequency=".1"/>'), filtered('<feMorphology radius="2"/>'), filtered('<feImage href="#x"/>'),
];
