// SPDX-License-Identifier: Apache-2.0
// Cases about geometry: path data, basic shapes, fill rules, strokes.
import { combine, doc, grid, random } from './cases_support.js';

const path = (d, more = 'fill="#285"') => doc(`<path d="${d}" ${more}/>`);

function pathCommands() {
  const data = [
    'M10 10 L90 20 L70 90 Z', 'm10 10 80 10 -20 70z', 'M10 10H90V90H10Z', 'm10 10h80v80h-80z',
    'M10 50 C10 10 90 10 90 50 S50 120 10 50', 'm10 50c0-40 80-40 80 0s-40 70-80 0',
    'M10 50 Q50 -30 90 50 T10 50', 'm10 50q40-80 80 0t-80 0', 'M10,10L90,20,70,90', 'M10 10 90 20 70 90',
    'M10-10L90.5.5 70e0 9e1z', 'M 20 20 L 80 20 L 80 80 Z M 40 10 L 10 90 L 90 90 Z',
    'M10 10L50 90L90 10M20 30H80', 'M10 10 L90 90 L10 90 Z L50 10', 'M50 50', 'M10 10 L 90 10 L 50 90 L oops 3 4',
    'M10 10 L 90 10 50 90 20', 'L10 10 20 20', '', 'M10 10z m20 20h40v40z m10 -10 h10v10z',
    'M10 80 C 40 10, 65 10, 95 80 S 150 150, 180 80', 'M30 30 S 60 10 80 60 T 20 80 T 10 10',
    'M10 90 C 90 10 10 10 90 90', 'M50 50 C 50 50 50 50 50 50 L 90 90 H 10', 'M+10+10L+90+20l-20+70z',
    'M1e1 1e1L9e1 2E1L7.0e1 9.0e+1Z', 'M10 10h80v80h-80v-60h60v40h-40v-20h20',
  ];
  return data.map((d) => path(d, 'fill="#285" stroke="#115" stroke-width="2"'));
}

function arcs() {
  const flags = combine({ large: [0, 1], sweep: [0, 1], turn: [0, 30] }).map(({ large, sweep, turn }) =>
    path(`M30 40 A30 18 ${turn} ${large} ${sweep} 65 60`, 'fill="#e94" stroke="#222" stroke-width="3"'));
  const others = [
    'M20 50 A30 30 0 0 1 80 50Z', 'M20 50a30 30 0 0160 0', 'M20 50A5 5 0 0 1 80 50', 'M20 50A0 30 0 0 1 80 50L50 90Z',
    'M20 50A30 30 0 1 1 20 50', 'M20 50A-30 -20 0 1 1 60 70', 'M50 50 m-30 0 a30 30 0 1 0 60 0 a30 30 0 1 0 -60 0',
    'M10 50 a20 40 45 0 0 40 0 a20 40 -45 0 0 40 0', 'M20 50 A 30 30 0 2 1 80 50 L 50 90',
  ];
  return [...flags, ...others.map((d) => path(d, 'fill="#e94" stroke="#222" stroke-width="3"'))];
}

function basicShapes() {
  const styled = (shape) => doc(`<g fill="#7ad" stroke="#225" stroke-width="4">${shape}</g>`);
  return [
    '<rect x="10" y="20" width="70" height="50"/>', '<rect width="50%" height="50%"/>',
    '<rect x="10" y="20" width="70" height="50" rx="10"/>', '<rect x="10" y="20" width="70" height="50" ry="10"/>',
    '<rect x="10" y="20" width="70" height="50" rx="20" ry="8"/>', '<rect x="10" y="20" width="70" height="50" rx="90"/>',
    '<rect x="10" y="20" width="70" height="50" rx="90" ry="5"/>', '<rect x="10" y="20" width="0" height="50"/>',
    '<rect x="10" y="20" width="-5" height="50"/>', '<rect x="10" y="20" width="70" height="50" rx="10%"/>',
    '<rect x="10.5" y="20.25" width="33.3" height="50.7" stroke="none"/>', '<rect x="1cm" y="10pt" width="5mm" height="2em" font-size="10"/>',
    '<circle cx="50" cy="50" r="30"/>', '<circle r="30"/>', '<circle cx="50" cy="50" r="0"/>', '<circle cx="50%" cy="40%" r="25%"/>',
    '<circle cx="50" cy="50" r="-4"/>', '<circle cx="50" cy="50" r=".7" stroke-width=".3"/>',
    '<ellipse cx="50" cy="50" rx="40" ry="15"/>', '<ellipse cx="50" cy="50" rx="40"/>', '<ellipse cx="50" cy="50" rx="40" ry="0"/>',
    '<ellipse cx="50" cy="50" rx="40" ry="15" transform="rotate(40 50 50)"/>',
    '<line x1="10" y1="10" x2="90" y2="80"/>', '<line x1="10" y1="10" x2="10" y2="10" stroke-linecap="round"/>', '<line x2="50%" y2="50"/>',
    '<polyline points="10,10 50,90 90,10"/>', '<polyline points="10 10 50 90 90 10 70"/>', '<polyline points="10,10"/>',
    '<polyline points="10,10 50,90 90,10" fill="none" stroke-linejoin="round"/>',
    '<polygon points="10,10 50,90 90,10"/>', '<polygon points="50 5 79 95 3 39 97 39 21 95"/>', '<polygon points="10,10,20,20,x,90"/>',
    '<polygon points="50 5 79 95 3 39 97 39 21 95" fill-rule="evenodd"/>',
  ].map(styled);
}

function rules() {
  const data = ['M50 5 L79 95 L3 39 H97 L21 95 Z', 'M10 10H90V90H10Z M30 30H70V70H30Z', 'M10 10H90V90H10Z M30 30V70H70V30Z',
    'M10 10H60V60H10Z M40 40H90V90H40Z', 'M50 50 m-40 0 a40 40 0 1 0 80 0 a40 40 0 1 0-80 0 M50 50 m-20 0 a20 20 0 1 0 40 0 a20 20 0 1 0-40 0',
    'M10 10H90V90H10Z M10 10H90V90H10Z', 'M10 50 C10 10 90 90 90 50 C90 10 10 90 10 50'];
  const turned = random(7);
  const tangles = [1, 2, 3, 4].map(() => `M${Array.from({ length: 14 }, () => `${turned(5, 95).toFixed(1)} ${turned(5, 95).toFixed(1)}`).join(' ')}Z`);
  return [...data, ...tangles].flatMap((d) => ['nonzero', 'evenodd'].map((rule) => path(d, `fill="#a3c" fill-rule="${rule}"`)));
}

/** Outlines that cross themselves within one pixel: what adding up signed areas gets wrong. */
function overlaps() {
  const fine = random(21);
  const hair = Array.from({ length: 40 }, (_, i) => `M${10 + 2 * i} 10 l.4 80 l.3 0 l-.4 -80z`).join('');
  const back = Array.from({ length: 20 }, (_, i) => `M${10 + 4 * i} 10.3 h3 v80 h-3z m1 0 v80 h1.3 v-80z`).join('');
  const dust = Array.from({ length: 60 }, () => `M${fine(5, 90).toFixed(2)} ${fine(5, 90).toFixed(2)}h${fine(0.1, 3).toFixed(2)}v${fine(-3, 3).toFixed(2)}z`).join('');
  const doubled = 'M50 10.3 L90.2 85.6 L9.7 85.6 Z';
  return [hair, back, dust, doubled + doubled, doubled + doubled + doubled, 'M10.5 10.5h79v79h-79z M10.5 10.5h79v79h-79z',
    'M10 50.4 L90 50.6 L90 49.5 L10 51.2 Z', 'M10 20 L90 20.9 L10 20.4 L90 20.2 L90 80 L10 80 Z'].map((d) => path(d, 'fill="#124"'));
}

const BEND = 'M20 80 L50 20 L80 80';
const CURVE = 'M15 70 C20 -20 80 -20 85 70 S60 90 50 50';

function strokes() {
  const styles = combine({ cap: ['butt', 'round', 'square'], join: ['miter', 'round', 'bevel'], width: [1, 6, 20] })
    .map(({ cap, join, width }) => path(BEND, `fill="none" stroke="#a31" stroke-linecap="${cap}" stroke-linejoin="${join}" stroke-width="${width}"`));
  const curves = combine({ cap: ['butt', 'round'], width: [0.5, 3, 25] })
    .map(({ cap, width }) => path(CURVE, `fill="none" stroke="#246" stroke-linecap="${cap}" stroke-width="${width}"`));
  return [...styles, ...curves];
}

function strokeEdges() {
  const wide = 'fill="none" stroke="#246" style="stroke-width:16"';
  const plain = 'fill="none" stroke="#246"';
  return [
    ...[1, 1.5, 2, 4, 10, 0.5].map((limit) => path('M10 80 L50 20 L60 80 L90 30', `${plain} stroke-width="8" stroke-miterlimit="${limit}"`)),
    ...['round', 'square', 'butt'].map((cap) => path('M50 50 L50 50', `${wide} stroke-linecap="${cap}"`)),
    ...['round', 'square', 'butt'].map((cap) => path('M50 50z M20 20 h0', `${wide} stroke-linecap="${cap}"`)),
    path('M20 50 C90 50 10 50 80 50', `${wide} stroke-linejoin="round"`), path('M30 80 C30 -40 33 -40 33 80', wide),
    path('M20 20 L80 20 L20 20.5', wide), path('M20 50 L80 50 L20 50', `${wide} stroke-linejoin="round"`),
    path('M10 90 C 90 10 10 10 90 90', wide), path('M50 50 m-8 0 a8 8 0 1 0 16 0 a8 8 0 1 0-16 0', `${plain} stroke-width="30"`),
    path('M20 20 H80 V80 H20 Z', wide), path('M20 20 H80 V80 H20 V20', wide), path('M20 20 H80 V80 Z M30 60 h20', wide),
    path('M10 50 Q50 50 90 50 Q 50 50 10 52', wide), path(CURVE, 'fill="none" stroke="#246" stroke-width=".1"'),
    path(BEND, `${wide} transform="translate(20 0) scale(.5 1)"`), path(BEND, `${wide} transform="skewX(-20) translate(30 0)"`),
    path(CURVE, `${wide} transform="matrix(.3 0 0 1.2 30 0)"`), path(BEND, `${wide} transform="translate(100 0) scale(-1 1)"`),
    path(BEND, 'fill="none" stroke="red" stroke-width="0"'), path(BEND, 'fill="none" stroke="red" stroke-width="-3"'),
    path(BEND, 'fill="none" stroke="red" stroke-width="10%"'), path('M10 10 L40 80 L41 10 L70 80 L72 10', `${plain} stroke-width="4" stroke-linejoin="miter"`),
    path('M20 50 L50 50 L50.01 50 L80 20', `${wide} stroke-linejoin="miter"`),
  ];
}

function dashes() {
  const lists = ['10', '10 5', '10,5,2', '0 12', '12 0', '0', '10 -5', '50%', '1 1', '20 10 5 10', 'none', '300', '7.3 3.1'];
  return [
    ...lists.flatMap((list) => ['butt', 'round'].map((cap) =>
      path('M10 50 C30 0 70 100 90 50', `fill="none" stroke="#520" stroke-width="6" stroke-linecap="${cap}" stroke-dasharray="${list}"`))),
    ...[3, -7, 100, '10%'].map((offset) =>
      doc(`<rect x="15" y="15" width="70" height="70" fill="none" stroke="#520" stroke-width="5" stroke-dasharray="15 6" stroke-dashoffset="${offset}"/>`)),
    doc('<circle cx="50" cy="50" r="36" fill="#fd9" stroke="#520" stroke-width="5" stroke-dasharray="1 8" stroke-linecap="round"/>'),
    doc('<polyline points="10 10 90 10 10 60 90 60" fill="none" stroke="#520" stroke-width="6" stroke-dasharray="30 4" stroke-linejoin="round"/>'),
    doc('<path d="M10 20 H90 M10 50 H60 M10 80 h80 v-10" fill="none" stroke="#520" stroke-width="6" stroke-dasharray="25 7"/>'),
    doc('<rect x="20" y="20" width="60" height="60" rx="20" fill="none" stroke="#520" stroke-width="8" stroke-dasharray="9 9" transform="rotate(30 50 50)"/>'),
  ];
}

export const shapeCases = {
  'path commands': pathCommands(),
  arc: arcs(),
  'basic shapes': basicShapes(),
  'fill rule': rules(),
  'overlap in a pixel': overlaps(),
  stroke: strokes(),
  'stroke edge cases': strokeEdges(),
  dash: dashes(),
  'hairlines and dust': grid([0.05, 0.2, 0.5, 1], (width) =>
    doc(Array.from({ length: 12 }, (_, i) => `<path d="M5 ${5 + 8 * i} L95 ${8 + 7 * i}" stroke="#000" stroke-width="${width}"/>`).join(''))),
};
