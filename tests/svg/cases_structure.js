// SPDX-License-Identifier: Apache-2.0
// Cases about how a document is put together: nesting, references, style, viewports, clips, masks.
import { combine, doc, grid } from './cases_support.js';

const FLAG = '<rect width="40" height="30" fill="#c33"/><circle cx="20" cy="15" r="9" fill="#fe6"/>';

function uses() {
  return [
    doc(`<defs><g id="f">${FLAG}</g></defs><use href="#f" x="10" y="10"/><use xlink:href="#f" transform="translate(60 60) rotate(30) scale(.7)"/>`),
    doc(`<use href="#f" x="10" y="10"/><defs><g id="f">${FLAG}</g></defs>`),
    doc(`<symbol id="s" viewBox="0 0 40 30">${FLAG}</symbol><use href="#s" x="10" y="10" width="80" height="40"/>`),
    doc(`<symbol id="s" viewBox="0 0 40 30" preserveAspectRatio="none">${FLAG}</symbol><use href="#s" x="10" y="10" width="80" height="80"/>`),
    doc(`<symbol id="s" viewBox="5 5 20 20">${FLAG}</symbol><use href="#s" x="10" y="10" width="80" height="80"/>`),
    doc(`<symbol id="s" viewBox="5 5 20 20" overflow="visible">${FLAG}</symbol><use href="#s" x="30" y="30" width="40" height="40"/>`),
    doc(`<symbol id="s">${FLAG}</symbol><use href="#s"/>`),
    doc('<defs><rect id="r" width="30" height="30"/></defs><use href="#r" fill="#36c"/><use href="#r" x="40" fill="#c63" stroke="#000" opacity=".5"/>'),
    doc('<defs><rect id="r" width="30" height="30" fill="#0a0"/></defs><g fill="red"><use href="#r" x="40" fill="#c63"/></g>'),
    doc('<defs><path id="a" d="M0 0h20v20z"/><g id="b"><use href="#a"/><use href="#a" x="30"/></g><g id="c"><use href="#b"/><use href="#b" y="30"/></g></defs><use href="#c" x="5" y="5" fill="#808"/><use href="#c" x="45" y="35" fill="#088"/>'),
    doc('<use href="#absent"/><rect x="10" y="10" width="20" height="20"/>'),
    doc(`<svg id="n" x="10" y="10" width="40" height="40" viewBox="0 0 40 30">${FLAG}</svg><use href="#n" x="40" y="40"/>`),
    doc('<g id="loop"><rect x="10" y="10" width="30" height="30" fill="#36c"/></g><use href="#loop" x="20" y="20"/><use href="#loop" x="40" y="40"/>'),
  ];
}

function transforms() {
  const box = '<rect x="20" y="20" width="40" height="25" fill="#276" stroke="#fb0" stroke-width="4"';
  return ['translate(10)', 'translate(10,20)', 'scale(.5)', 'scale(1.5 .5)', 'rotate(30)', 'rotate(45 50 50)', 'rotate(-400, 40, 40)',
    'skewX(20)', 'skewY(-15)', 'matrix(.8 .3 -.3 .8 20 10)', 'translate(50 50) rotate(20) scale(.8) translate(-50 -50)',
    'scale(-1 1) translate(-100 0)', 'scale(0)', 'translate(10) , rotate(10)', 'matrix(1 0 0 1 0)', 'rotate(10', 'scale(1,-1) translate(0 -90)',
    'matrix(1 .5 2 1 0 0)'].map((t) => doc(`${box} transform="${t}"/>`))
    .concat(doc(`<g transform="translate(20 0)"><g transform="rotate(20)"><g transform="scale(.8 1.2)">${box}/></g></g></g>`),
      doc(`<g style="transform:translate(10px,20px)">${box}/></g>`));
}

function viewports() {
  const picture = '<rect width="60" height="30" fill="#cde"/><circle cx="30" cy="15" r="15" fill="#36c"/><path d="M0 0L60 30" stroke="#c33" stroke-width="2"/>';
  const aligned = combine({ x: ['Min', 'Mid', 'Max'], y: ['Min', 'Mid', 'Max'], how: ['meet', 'slice'] })
    .map(({ x, y, how }) => doc(`<svg x="10" y="10" width="${x === 'Mid' ? 50 : 80}" height="70" viewBox="0 0 60 30" preserveAspectRatio="x${x}Y${y} ${how}">${picture}</svg>`));
  return [
    ...aligned,
    doc(`<svg x="10" y="10" width="80" height="70" viewBox="0 0 60 30" preserveAspectRatio="none">${picture}</svg>`),
    doc(`<svg x="10" y="10" width="80" height="70">${picture}</svg>`),
    doc(`<svg x="10" y="10" width="30" height="20">${picture}</svg>`),
    doc(`<svg x="10" y="10" width="30" height="20" overflow="visible">${picture}</svg>`),
    doc(`<svg x="10%" y="10%" width="50%" height="50%" viewBox="0 0 60 30">${picture}</svg>`),
    doc(`<svg viewBox="0 0 60 30">${picture}</svg>`),
    doc(`<svg width="50" height="50" viewBox="0 0 60 0">${picture}</svg><rect x="70" y="70" width="9" height="9"/>`),
    doc(picture, 'width="100" height="100" viewBox="0 0 60 30"'), doc(picture, 'viewBox="-10 -10 80 80"'), doc(picture, 'width="60" height="60"'),
    doc(picture, 'width="100" height="100" viewBox="0 0 60 30" preserveAspectRatio="xMaxYMax slice"'),
    doc(picture, 'width="100" height="100" viewBox="0 0 60 30" preserveAspectRatio="none"'),
    doc(picture, 'width="2in" height="50mm" viewBox="0,0,60,50"'), doc(picture, 'width="80" viewBox="0 0 60 60"'),
  ];
}

function styles() {
  const shapes = '<rect class="a" x="5" y="5" width="40" height="40"/><rect id="b" class="a c" x="50" y="5" width="40" height="40"/><g><circle class="c" cx="25" cy="72" r="20"/><circle cx="70" cy="72" r="20" style="fill:#0cc"/></g>';
  return [
    ...['.a{fill:#c33}', '#b{fill:#3c3}.a{fill:#c33}', 'rect{fill:#33c}.c{fill:#cc3}', '*{fill:#999}', 'rect,circle{fill:#639;stroke:#000}',
      '.a.c{fill:#f80}', 'g circle{fill:#080}', 'g>circle{fill:#808;stroke-width:5;stroke:gold}', '.a{fill:red!important}#b{fill:blue}',
      '/* c */ .a { fill : #08f ; } .bad { } .c{fill:lime;}', '.a{fill:#c33;fill:#3c3}', 'circle{fill:orange!important}', 'rect.a{opacity:.4}',
      '.a{fill:nonsense}', '@media print{.a{fill:red}} .c{fill:blue}'].map((css) => doc(`<style>${css}</style>${shapes}`)),
    doc(`<style type="text/css"><![CDATA[.a{fill:#c33}]]></style>${shapes}`),
    doc(`${shapes}<style>.a{fill:#09c}</style>`),
    doc('<rect x="10" y="10" width="60" height="60" fill="red" style="fill:#06c;stroke:#000;stroke-width:4px"/>'),
    doc('<rect x="10" y="10" width="60" height="60" style="fill : #06c ; ; stroke: bad; opacity : 50%"/>'),
    doc('<g fill="#06c" stroke="#f60" stroke-width="5" stroke-dasharray="8 3" fill-opacity=".5"><rect x="10" y="10" width="60" height="60" fill="inherit"/><circle cx="70" cy="70" r="20" stroke-dasharray="none"/></g>'),
    doc('<g color="#a0f"><rect x="10" y="10" width="60" height="60" fill="currentColor"/><circle cx="70" cy="70" r="20" color="#0a5" stroke="currentColor" fill="none" stroke-width="6"/></g>'),
    doc('<rect x="10" y="10" width="40" height="40" fill="currentColor"/>'),
  ];
}

function conditions() {
  const dot = (x, fill, more = '') => `<circle cx="${x}" cy="50" r="14" fill="${fill}" ${more}/>`;
  return [
    doc(dot(20, '#c33', 'display="none"') + dot(50, '#3c3') + dot(80, '#33c', 'visibility="hidden"')),
    doc(`<g visibility="hidden">${dot(20, '#c33')}${dot(50, '#3c3', 'visibility="visible"')}</g>`),
    doc(`<g display="none">${dot(20, '#c33')}${dot(50, '#3c3', 'display="inline"')}</g>`),
    doc(`<g style="visibility:collapse">${dot(20, '#c33')}</g>${dot(50, '#3c3')}`),
    doc(`<switch>${dot(20, '#c33', 'systemLanguage="xx"')}${dot(50, '#3c3', 'systemLanguage="en"')}${dot(80, '#33c')}</switch>`),
    doc(`<switch>${dot(20, '#c33', 'requiredExtensions="http://example.org/x"')}${dot(80, '#33c')}</switch>`),
    doc(`<switch><g>${dot(20, '#c33')}${dot(50, '#3c3')}</g>${dot(80, '#33c')}</switch>`),
    doc(`<defs>${dot(20, '#c33')}</defs>${dot(50, '#3c3')}<metadata>words</metadata><title>t</title><desc>d</desc>`),
    doc(`<a href="https://example.org/">${dot(50, '#3c3')}</a>`),
    doc(`<unknown>${dot(20, '#c33')}</unknown>${dot(50, '#3c3')}`),
  ];
}

const SCENE = '<rect width="100" height="100" fill="#fc6"/><circle cx="50" cy="50" r="45" fill="#36c"/><path d="M0 0L100 100M0 100L100 0" stroke="#c33" stroke-width="6"/>';

function clips() {
  const clipped = (definition, content = SCENE, how = 'clip-path="url(#c)"') => doc(`<defs>${definition}</defs><g ${how}>${content}</g>`);
  const star = 'M50 5 L79 95 L3 39 H97 L21 95 Z';
  return [
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>'),
    clipped('<clipPath id="c"><circle cx="35" cy="50" r="25"/><circle cx="65" cy="50" r="25"/></clipPath>'),
    ...['nonzero', 'evenodd'].map((rule) => clipped(`<clipPath id="c"><path d="${star}" clip-rule="${rule}"/></clipPath>`)),
    clipped('<clipPath id="c" clipPathUnits="objectBoundingBox"><rect x=".2" y=".2" width=".5" height=".6"/></clipPath>'),
    clipped('<clipPath id="c" transform="rotate(30 50 50)"><rect x="20" y="20" width="60" height="40"/></clipPath>'),
    clipped('<clipPath id="c"><rect x="20" y="20" width="60" height="40" transform="rotate(20 50 50)"/></clipPath>'),
    clipped('<clipPath id="d"><rect x="40" y="0" width="60" height="100"/></clipPath><clipPath id="c" clip-path="url(#d)"><circle cx="50" cy="50" r="30"/></clipPath>'),
    clipped('<clipPath id="d"><rect x="40" y="0" width="60" height="100"/></clipPath><clipPath id="c"><circle cx="50" cy="50" r="30" clip-path="url(#d)"/><rect width="30" height="30"/></clipPath>'),
    clipped('<clipPath id="c"/>'), clipped('', SCENE),
    clipped('<clipPath id="c"><use href="#r" x="20"/></clipPath><rect id="r" y="20" width="50" height="50"/>'),
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30" fill="none" opacity=".2" stroke="red" stroke-width="20"/></clipPath>'),
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30" visibility="hidden"/><rect width="30" height="30"/></clipPath>'),
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>', `<g clip-path="url(#c)" transform="translate(25 0)">${SCENE}</g>`),
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>', SCENE, 'clip-path="url(#c)" opacity=".5"'),
    clipped('<clipPath id="c"><circle cx="50" cy="50" r="30"/></clipPath>', '<rect x="0" y="0" width="60" height="60" fill="#080"/>', 'style="clip-path:url(#c)"'),
    doc('<defs><clipPath id="c"><rect x="30" y="0" width="40" height="100"/></clipPath></defs><circle cx="50" cy="50" r="40" fill="#f80" stroke="#000" stroke-width="6" clip-path="url(#c)"/>'),
    doc('<defs><clipPath id="c"><path d="M10.3 10.7h50.2v50.4h-50.2z"/></clipPath></defs><rect width="100" height="100" fill="#555" clip-path="url(#c)"/>'),
    clipped('<clipPath id="c"><g><circle cx="50" cy="50" r="30"/></g></clipPath>'),
  ];
}

function masks() {
  const masked = (definition, how = 'mask="url(#m)"', content = SCENE) => doc(`<defs>${definition}</defs><g ${how}>${content}</g>`);
  const fade = '<linearGradient id="g"><stop offset="0" stop-color="#000"/><stop offset="1" stop-color="#fff"/></linearGradient>';
  return [
    masked('<mask id="m"><circle cx="50" cy="50" r="30" fill="#fff"/></mask>'), masked('<mask id="m"><circle cx="50" cy="50" r="30" fill="#f80"/></mask>'),
    masked(`${fade}<mask id="m"><rect width="100" height="100" fill="url(#g)"/></mask>`),
    masked(`${fade}<mask id="m" style="mask-type:alpha"><rect width="70" height="70" fill="#000" opacity=".6"/></mask>`),
    masked('<mask id="m" maskUnits="userSpaceOnUse" x="20" y="20" width="40" height="60"><rect width="100" height="100" fill="#fff"/></mask>'),
    masked('<mask id="m" maskContentUnits="objectBoundingBox"><circle cx=".5" cy=".5" r=".3" fill="#fff"/></mask>'),
    masked('<mask id="m" x="0" y="0" width=".5" height="1"><rect width="100" height="100" fill="#fff"/></mask>'),
    masked('<mask id="m"><rect width="100" height="100" fill="#fff"/><circle cx="50" cy="50" r="20" fill="#000"/></mask>'),
    masked('<mask id="m"><g opacity=".5"><rect width="60" height="60" fill="#fff"/><rect x="30" y="30" width="60" height="60" fill="#fff"/></g></mask>'),
    masked('<mask id="n"><rect width="60" height="100" fill="#fff"/></mask><mask id="m" mask="url(#n)"><circle cx="50" cy="50" r="40" fill="#fff"/></mask>'),
    masked('<mask id="m"/>'), masked('', 'mask="url(#absent)"'), masked('<mask id="m"><circle cx="50" cy="50" r="30" fill="#fff"/></mask>', 'mask="url(#m)" opacity=".5"'),
    masked('<mask id="m"><circle cx="50" cy="50" r="30" fill="#fff"/></mask>', 'mask="url(#m)" transform="rotate(30 50 50) scale(.8)"'),
    masked('<clipPath id="c"><rect width="50" height="100"/></clipPath><mask id="m"><circle cx="50" cy="50" r="30" fill="#fff"/></mask>', 'mask="url(#m)" clip-path="url(#c)"'),
    doc('<mask id="m"><path d="M0 0H100V100Z" fill="#fff"/></mask><rect x="20" y="20" width="60" height="60" fill="#283" stroke="#fb0" stroke-width="8" mask="url(#m)"/>'),
  ];
}

export const structureCases = {
  'use and symbol': uses(),
  transform: transforms(),
  'viewBox and preserveAspectRatio': viewports(),
  style: styles(),
  'display, visibility, switch': conditions(),
  clipPath: clips(),
  mask: masks(),
  'nested groups': grid([2, 8, 20], (depth) =>
    doc(`${'<g transform="rotate(4 50 50)" fill="#258">'.repeat(depth)}<rect x="30" y="30" width="40" height="20"/>${'</g>'.repeat(depth)}`)),
};
