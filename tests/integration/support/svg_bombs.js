/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SVG documents that mean harm, as [name, document, what may become of it]: 'refused', or 'bounded',
 * which is an error or a picture, as the engine likes.  Each would cost a careless renderer seconds,
 * gigabytes, or a look at something that is none of its business.
 */
import { svg } from './files.js';

const RECT = '<rect width="90" height="90" fill="#08f"/>';

/** `levels` groups of ten <use> each, one inside the other: 10^levels leaves. */
function nestedUses(levels, leaf) {
  const groups = Array.from({ length: levels }, (_, i) => {
    const uses = `<use href="#l${i}"/>`.repeat(10);
    return `<g id="l${i + 1}">${uses}</g>`;
  });
  return svg(`<defs><g id="l0">${leaf}</g>${groups.join('')}</defs><use href="#l${levels}"/>`);
}

const CIRCLES = {
  use: '<g id="a"><use href="#a"/></g>',
  use_of_two: '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
  symbol: '<symbol id="a"><use href="#a"/></symbol><use href="#a"/>',
  gradient:
    '<linearGradient id="a" href="#b"/><radialGradient id="b" href="#a"/>' +
    '<rect width="9" height="9" fill="url(#a)"/>',
  clip: `<clipPath id="a" clip-path="url(#a)">${RECT}</clipPath><g clip-path="url(#a)">${RECT}</g>`,
  clip_inside:
    '<clipPath id="a"><rect width="9" height="9" clip-path="url(#a)"/></clipPath>' +
    `<g clip-path="url(#a)">${RECT}</g>`,
  mask: `<mask id="a" mask="url(#b)">${RECT}</mask><mask id="b" mask="url(#a)">${RECT}</mask>
    <g mask="url(#a)">${RECT}</g>`,
};

/* What asks for a filter, or the pattern, that it stands in itself: refused, or drawn without. */
const CIRCLES_OF_OTHERS = {
  filter:
    '<filter id="a"><feImage href="#b"/></filter>' +
    '<g id="b" filter="url(#a)"><rect width="9" height="9"/></g>',
  pattern:
    '<pattern id="a" width="9" height="9"><rect width="9" height="9" fill="url(#a)"/></pattern>' +
    '<rect width="90" height="90" fill="url(#a)"/>',
  marker:
    '<marker id="a"><path d="M0 0L9 9" marker-end="url(#a)"/></marker>' +
    '<path d="M0 0L90 90" marker-end="url(#a)"/>',
};

/** Whoever follows one of those to a site comes by at `port`. @param {number} port */
const outside = (port) => ({
  file: '<image href="file:///etc/passwd" width="9" height="9"/>',
  relative: '<image href="../../etc/passwd" width="9" height="9"/>',
  site: `<image xlink:href="http://127.0.0.1:${port}/x.png" width="9" height="9"/>`,
  site_of_the_same_kind: `<image href="//127.0.0.1:${port}/x.png" width="9" height="9"/>`,
  use: '<use href="other.svg#a"/>',
  fill: `<rect width="9" height="9" fill="url(http://127.0.0.1:${port}/a.svg#b)"/>`,
  style: `<style>rect{fill:url("a.svg#b")}</style>` + RECT,
  escape: `<style>rect{fill:u\\72l(a.svg#b)}</style>` + RECT,
  import: `<style>@import "http://127.0.0.1:${port}/a.css";</style>` + RECT,
  font: `<style>@font-face{font-family:a;src:url(http://127.0.0.1:${port}/a.ttf)}</style>` + RECT,
  filter_image:
    '<filter id="f"><feImage href="/etc/passwd"/></filter><g filter="url(#f)"><rect width="9" height="9"/></g>',
  data_svg: '<image href="data:image/svg+xml;base64,PHN2Zy8+" width="9" height="9"/>',
  data_html: '<image href="data:text/html,x" width="9" height="9"/>',
  base: '<g xml:base="file:///etc/"><use href="#a"/></g>',
  include: '<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
});

function entityBomb() {
  const entities = Array.from(
    { length: 12 },
    (_, i) => `<!ENTITY e${i + 1} "${`&e${i};`.repeat(10)}">`,
  );
  return `<!DOCTYPE svg [<!ENTITY e0 "ha">${entities.join('')}]>${svg('<text y="9">&e12;</text>')}`;
}

/** @param {number} port as above */
const entities = (port) => ({
  entity_bomb: entityBomb(),
  entity_of_a_file: `<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>${svg('<g>&a;</g>')}`,
  parameter_entity: `<!DOCTYPE svg [<!ENTITY % a SYSTEM "http://127.0.0.1:${port}/a.dtd">%a;]>${svg('')}`,
  doctype: `<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://127.0.0.1:${port}/a.dtd">${svg(RECT)}`,
  stylesheet: `<?xml-stylesheet href="http://127.0.0.1:${port}/a.css"?>${svg(RECT)}`,
});

const TOO_MUCH = {
  elements: svg('<g/>'.repeat(1000000)),
  elements_that_draw: svg('<path d="M0 0h9v9"/>'.repeat(300000)),
  elements_of_strangers: svg('<u:g xmlns:u="u"/>'.repeat(100000)),
  groups: svg(`${'<g>'.repeat(100000)}${'</g>'.repeat(100000)}`),
  groups_of_half_light: svg(`${`<g opacity=".9">${RECT}`.repeat(60)}${'</g>'.repeat(60)}`),
  segments: svg(`<path d="M0 0${'L1 1'.repeat(1000000)}"/>`),
  segments_of_many: svg(`<path d="M0 0${'h1'.repeat(130000)}"/>`.repeat(30)),
  attribute: svg(`<rect fill="${' '.repeat(5000000)}red"/>`),
  dashes: svg(`<path d="M0 0L9 9" stroke="red" stroke-dasharray="${'1 '.repeat(100000)}"/>`),
  sheet: svg(`<style>${'rect{fill:red}'.repeat(50000)}</style>${RECT}`),
  selectors: svg(
    `<style>${'g g g g g g g g{fill:red}'.repeat(1600)}</style>${'<g/>'.repeat(19000)}`,
  ),
  stops: svg(
    `<linearGradient id="g">${'<stop/>'.repeat(10000)}</linearGradient><g fill="url(#g)">${RECT}</g>` +
      '<rect width="9" height="9" fill="url(#g)"/>',
  ),
  filter_parts: svg(
    `<filter id="f">${'<feGaussianBlur stdDeviation="9"/>'.repeat(500)}</filter>` +
      '<rect width="90" height="90" filter="url(#f)"/>',
  ),
  uses: nestedUses(9, RECT),
  uses_of_nothing: nestedUses(9, ''),
};

const NUMBERS = ['1e9', '-1e9', '1e308', '-1e308', 'NaN', 'inf', '1e-300', '1e999', '0'];

function wild(n) {
  return svg(
    `<defs><linearGradient id="g" x1="${n}" y2="${n}" gradientTransform="scale(${n})"><stop/>` +
      `<stop offset="${n}" stop-color="red"/></linearGradient><radialGradient id="h" r="${n}" ` +
      `fx="${n}"><stop/><stop offset="1"/></radialGradient></defs>` +
      `<g transform="matrix(${n} 1 1 1 ${n} 1)"><rect x="${n}" width="${n}" height="5" ` +
      `fill="url(#g)" stroke="url(#h)" stroke-width="${n}" stroke-dasharray="${n} 1"/></g>` +
      `<path d="M${n} 0A${n} 5 ${n} 0 1 9 9T${n} 4C${n} ${n} 0 0 ${n} 1z" opacity="${n}"/>` +
      `<path d="M0 0L${n} ${n}L50 ${n}Z" stroke="red" stroke-width="9" stroke-linejoin="miter" ` +
      `stroke-miterlimit="${n}"/><svg viewBox="0 0 ${n} 1"><circle r="${n}"/></svg>`,
  );
}

function deepBlurs() {
  const blur = '<feGaussianBlur stdDeviation="300"/>'.repeat(90);
  const rect = '<rect width="100" height="100" fill="url(#g)"/>';
  return svg(
    `<filter id="f" x="-9" y="-9" width="99" height="99">${blur}</filter>` +
      `${'<g filter="url(#f)">'.repeat(20)}${rect}${'</g>'.repeat(20)}`,
  );
}

function heavyPaint() {
  const gradient =
    '<radialGradient id="g" fx=".1">' +
    Array.from({ length: 200 }, (_, i) => `<stop offset="${i / 200}" stop-opacity=".5"/>`).join(
      '',
    ) +
    '</radialGradient>';
  return svg(
    `<defs>${gradient}<g id="r">${'<rect width="100" height="100" fill="url(#g)"/>'.repeat(90)}` +
      `</g></defs>${'<use href="#r"/>'.repeat(1000)}`,
  );
}

/* Lines that cross the whole picture and each other, so that every pixel is cut by thousands. */
function scribble(rule) {
  const d = Array.from({ length: 30000 }, (_, i) => `L${(i * 37) % 101} ${(i % 2) * 100}`).join('');
  return svg(`<path fill-rule="${rule}" d="M0 0${d}"/>`.repeat(6));
}

const SLOW = {
  dashes_without_number: svg(
    '<path d="M0 0L1e9 1e9M0 9H1e9" stroke="red" stroke-width="3" stroke-dasharray="0.001"/>',
  ),
  dashes_on_a_long_way: svg(
    `<path d="M0 0${'C0 100 100 100 100 0S0 0 0 0'.repeat(4000)}" fill="none" stroke="red" ` +
      'stroke-dasharray=".01 .01" stroke-linecap="round" stroke-linejoin="round"/>',
  ),
  arcs: svg(`<path d="M0 0${'A1e9 1e-9 33 1 0 9 9'.repeat(10000)}" stroke="red"/>`),
  blur_of_1e9: svg(
    '<filter id="f" x="-1e9" y="-1e9" width="2e9" height="2e9"><feGaussianBlur ' +
      `stdDeviation="1e9"/></filter><g filter="url(#f)">${RECT}</g>`,
  ),
  region_of_1e9: svg(
    '<filter id="f" filterUnits="userSpaceOnUse" x="-1e9" y="-1e9" width="2e9" height="2e9">' +
      '<feFlood/><feOffset dx="1e9" dy="-1e9"/><feGaussianBlur stdDeviation="1e9 0"/></filter>' +
      `<g filter="url(#f)">${RECT}</g>`,
  ),
  turbulence: svg(
    '<filter id="f"><feTurbulence baseFrequency="9" numOctaves="1000000"/></filter>' +
      `<g filter="url(#f)">${RECT}</g>`,
  ),
  morphology: svg(
    `<filter id="f"><feMorphology radius="100000"/></filter><g filter="url(#f)">${RECT}</g>`,
  ),
  blurs_of_blurs: deepBlurs(),
  paint_on_paint: heavyPaint(),
  scribble_nonzero: scribble('nonzero'),
  scribble_evenodd: scribble('evenodd'),
  masks: svg(
    `<mask id="m">${'<rect width="100" height="100" fill="#888"/>'.repeat(100)}</mask>` +
      `${`<g mask="url(#m)">${RECT}</g>`.repeat(900)}`,
  ),
  clips: svg(
    Array.from(
      { length: 31 },
      (_, i) =>
        `<clipPath id="c${i}" clip-path="url(#c${i + 1})">${'<circle r="99"/>'.repeat(99)}</clipPath>`,
    ).join('') +
      `<clipPath id="c31"><circle r="99"/></clipPath><g clip-path="url(#c0)">${RECT}</g>`,
  ),
  patterns: svg(
    '<pattern id="p" width=".001" height=".001" patternUnits="userSpaceOnUse"><circle r="9"/>' +
      '</pattern><rect width="100" height="100" fill="url(#p)"/>',
  ),
  size: svg(RECT, 'width="1e9" height="1e9" viewBox="0 0 1e9 1e9"'),
  thin: svg(RECT, 'width="1e9" height="1e-9" viewBox="0 0 1e9 1e-9"'),
  long_text: svg(`<text font-size="9">${'x'.repeat(500000)}</text>`),
};

const named = (family, documents, wanted) =>
  Object.entries(documents).map(([name, body]) => [
    `${family}_${name}`,
    Buffer.from(
      body.startsWith('<svg') || body.startsWith('<!') || body.startsWith('<?') ? body : svg(body),
    ),
    wanted,
  ]);

/**
 * @param {number} port of whoever watches for visits
 * @returns {[string, Buffer, 'refused'|'bounded'][]}
 */
export function svgBombs(port) {
  return [
    ...named('circle', CIRCLES, 'refused'),
    ...named('circle', CIRCLES_OF_OTHERS, 'bounded'),
    ...named('outside', outside(port), 'refused'),
    ...named('entity', entities(port), 'refused'),
    ...named('much', TOO_MUCH, 'refused'),
    ...NUMBERS.map((n) => [`number_${n}`, Buffer.from(wild(n)), 'bounded']),
    ...named('slow', SLOW, 'bounded'),
  ];
}
