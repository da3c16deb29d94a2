// SPDX-License-Identifier: Apache-2.0
// Cases about what shapes are filled with: colours, gradients, opacity, blending.
import { combine, doc, grid } from './cases_support.js';

const STAR = 'M50 5 L79 95 L3 39 H97 L21 95 Z';

function colours() {
  const written = ['red', 'RebeccaPurple', '#0a0', '#0a0c', '#336699', '#33669980', 'rgb(10,200,30)',
    'rgb(10%, 80%, 30%)', 'rgba(10,20,230,.5)', 'rgb(10 200 30 / 40%)', 'hsl(120,100%,25%)',
    'hsla(300, 60%, 50%, 0.5)', 'transparent', 'none', 'currentColor', 'lightgoldenrodyellow'];
  return written.map((colour) =>
    doc(`<g color="teal"><rect x="10" y="10" width="60" height="60" fill="${colour}" stroke="#222"/></g>`));
}

function opacity() {
  return [
    ...[0, 0.25, 0.5, 1, '40%', 1.5, -1].map((o) =>
      doc(`<rect x="5" y="5" width="60" height="60" fill="#c33"/><circle cx="60" cy="60" r="35" fill="#36c" opacity="${o}"/>`)),
    ...[0.3, '60%'].map((o) =>
      doc(`<circle cx="50" cy="50" r="35" fill="#36c" fill-opacity="${o}" stroke="#c60" stroke-width="14" stroke-opacity="${o}"/>`)),
    // A stroke that overlaps its own fill shows whether leaf opacity is a group's.
    doc('<circle cx="50" cy="50" r="35" fill="#36c" stroke="#c60" stroke-width="14" opacity=".5"/>'),
    doc(`<g opacity=".5"><rect x="5" y="5" width="60" height="60" fill="#c33"/><circle cx="60" cy="60" r="35" fill="#36c"/></g>`),
    doc(`<g opacity=".7"><rect x="5" y="5" width="60" height="60" fill="#c33"/><g opacity=".5"><circle cx="60" cy="60" r="35" fill="#36c"/><rect x="30" y="30" width="40" height="60"/></g></g>`),
    doc(`<g opacity=".8" transform="rotate(20 50 50)"><g opacity=".8"><g opacity=".8"><path d="${STAR}" fill="#283"/></g></g></g>`),
  ];
}

const STOPS = '<stop offset="0" stop-color="#f30"/><stop offset=".4" stop-color="#ff0"/><stop offset="1" stop-color="#039"/>';
const SHEER = '<stop offset=".1" stop-color="#f30" stop-opacity="0"/><stop offset=".9" stop-color="#039"/>';

function painted(definition, shape = '<rect x="10" y="20" width="80" height="60" fill="url(#p)"/>') {
  return doc(`<defs>${definition}</defs>${shape}`);
}

function linearGradients() {
  const made = combine({
    units: ['objectBoundingBox', 'userSpaceOnUse'], spread: ['pad', 'reflect', 'repeat'],
    transform: ['', 'rotate(30)', 'translate(.1 .1) scale(.5 2)'],
  }).map(({ units, spread, transform }) => {
    const ends = units === 'userSpaceOnUse' ? 'x1="30" y1="30" x2="60" y2="50"' : 'x1=".3" y1=".2" x2=".6" y2=".5"';
    return painted(`<linearGradient id="p" gradientUnits="${units}" spreadMethod="${spread}" gradientTransform="${transform}" ${ends}>${STOPS}</linearGradient>`);
  });
  return [
    ...made,
    painted(`<linearGradient id="p">${STOPS}</linearGradient>`),
    painted(`<linearGradient id="p">${SHEER}</linearGradient>`),
    painted(`<linearGradient id="p" x1="10%" x2="40%" y1="10%" y2="90%">${STOPS}</linearGradient>`, `<path d="${STAR}" fill="url(#p)" transform="rotate(15 50 50) scale(.8)"/>`),
    painted(`<linearGradient id="a">${STOPS}</linearGradient><linearGradient id="p" href="#a" x1="1" x2="0"/>`),
    painted(`<linearGradient id="p" xlink:href="#a" spreadMethod="reflect"/><linearGradient id="a" x2=".3" xlink:href="#b"/><linearGradient id="b">${SHEER}</linearGradient>`),
    painted(`<radialGradient id="a" r=".3">${STOPS}</radialGradient><linearGradient id="p" href="#a" y2="1"/>`),
    painted('<linearGradient id="p"/>'),
    painted('<linearGradient id="p"><stop offset=".5" stop-color="green"/></linearGradient>'),
    painted(`<linearGradient id="p" x1=".5" x2=".5">${STOPS}</linearGradient>`),
    painted('<linearGradient id="p"><stop offset=".6" stop-color="red"/><stop offset=".2" stop-color="blue"/><stop offset="90%" stop-color="lime"/></linearGradient>'),
    painted('<linearGradient id="p"><stop offset=".5" stop-color="red"/><stop offset=".5" stop-color="blue"/></linearGradient>'),
    painted('<linearGradient id="p"><stop offset="-1" stop-color="red"/><stop offset="3" style="stop-color:blue;stop-opacity:.3"/></linearGradient>'),
    painted('<linearGradient id="p" color="purple"><stop offset="0" stop-color="currentColor"/><stop offset="1" stop-color="gold"/></linearGradient>'),
    painted(`<linearGradient id="p">${STOPS}</linearGradient>`, '<line x1="10" y1="50" x2="90" y2="50" stroke="url(#p) green" stroke-width="10"/>'),
    painted('', '<rect x="10" y="10" width="50" height="50" fill="url(#absent) orange"/>'),
    painted('', '<rect x="10" y="10" width="50" height="50" fill="url(#absent)" stroke="black"/>'),
    painted(`<linearGradient id="p" y2="1">${STOPS}</linearGradient>`, '<ellipse cx="50" cy="50" rx="40" ry="20" fill="url(#p)" fill-opacity=".5"/>'),
  ];
}

function radialGradients() {
  const made = combine({
    units: ['objectBoundingBox', 'userSpaceOnUse'], spread: ['pad', 'reflect', 'repeat'],
    focus: ['', 'f', 'edge'],
  }).map(({ units, spread, focus }) => {
    const user = units === 'userSpaceOnUse';
    const circle = user ? 'cx="50" cy="50" r="25"' : 'cx=".5" cy=".5" r=".3"';
    const foci = { '': '', f: user ? 'fx="40" fy="55"' : 'fx=".4" fy=".6"', edge: user ? 'fx="10" fy="50"' : 'fx="0" fy=".5"' };
    return painted(`<radialGradient id="p" gradientUnits="${units}" spreadMethod="${spread}" ${circle} ${foci[focus]}>${STOPS}</radialGradient>`);
  });
  return [
    ...made,
    painted(`<radialGradient id="p">${STOPS}</radialGradient>`),
    painted(`<radialGradient id="p">${SHEER}</radialGradient>`),
    painted(`<radialGradient id="p" gradientTransform="skewX(30) scale(.7)">${STOPS}</radialGradient>`),
    painted(`<radialGradient id="p" gradientUnits="userSpaceOnUse" cx="0" cy="0" r="1" gradientTransform="matrix(20 10 -15 30 50 50)">${STOPS}</radialGradient>`),
    painted(`<radialGradient id="p" r="0">${STOPS}</radialGradient>`),
    painted(`<radialGradient id="p" fr=".2">${STOPS}</radialGradient>`),
    painted(`<radialGradient id="p" fr=".1" fx=".3">${STOPS}</radialGradient>`),
    painted('<radialGradient id="p"><stop offset="1" stop-color="navy"/></radialGradient>'),
    painted(`<linearGradient id="a">${STOPS}</linearGradient><radialGradient id="p" xlink:href="#a" cx=".2" cy=".2"/>`),
    painted(`<radialGradient id="p" cx="20%" cy="30%" r="70%">${STOPS}</radialGradient>`, '<circle cx="50" cy="50" r="40" fill="url(#p)" opacity=".6"/>'),
    painted(`<radialGradient id="p">${STOPS}</radialGradient>`, '<rect x="10" y="10" width="80" height="80" fill="none" stroke="url(#p)" stroke-width="18"/>'),
  ];
}

function blending() {
  const modes = ['multiply', 'screen', 'overlay', 'darken', 'lighten', 'color-dodge', 'color-burn', 'hard-light',
    'soft-light', 'difference', 'exclusion'];
  return [
    ...modes.map((mode) => doc(`<rect x="5" y="5" width="60" height="60" fill="#c63"/><circle cx="60" cy="60" r="35" fill="#39c" style="mix-blend-mode:${mode}"/>`)),
    doc('<rect width="100" height="100" fill="#fc9"/><g style="isolation:isolate"><rect x="5" y="5" width="60" height="60" fill="#c63"/><circle cx="60" cy="60" r="35" fill="#39c8" style="mix-blend-mode:multiply"/></g>'),
    doc('<rect width="100" height="100" fill="#fc9"/><g style="mix-blend-mode:screen" opacity=".7"><rect x="5" y="5" width="60" height="60" fill="#c63"/><circle cx="60" cy="60" r="35" fill="#39c"/></g>'),
  ];
}

export const paintCases = {
  colour: colours(),
  opacity: opacity(),
  'linear gradient': linearGradients(),
  'radial gradient': radialGradients(),
  blending: blending(),
  'paint-order': grid(['normal', 'stroke', 'fill stroke', 'stroke fill', 'markers stroke'], (order) =>
    doc(`<path d="${STAR}" fill="#fc3" stroke="#247" stroke-width="8" stroke-linejoin="round" paint-order="${order}"/>`)),
};
