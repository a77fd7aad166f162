// Draws a vector as what its coordinates are: the pixels of an image, or a bar for each column.

import { svg } from "../../style/web/dom.js";
import { numeral, range } from "../../style/web/numbers.js";

const [PROFILE_WIDE, PROFILE_HIGH] = [320, 44];
const NAMED = 3; // bars that are named

/**
 * The largest numbers in size, by place, the largest first; no zeros.
 * @param {number[]} values
 * @param {number} count
 */
export function largestOf(values, count = NAMED) {
  const places = range(values.length).filter((place) => values[place] !== 0);
  return places.sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]) || a - b).slice(0, count);
}

/** The largest size of any number; 1 if all are zero, so that it can be divided by. @param {number[]} values */
export const reachOf = (values) => Math.max(...values.map(Math.abs)) || 1;

/**
 * An image of cells, the stronger the shade the larger in size. Where numbers can be negative, those above zero are full
 * squares and those below are small ones, each in its colour.
 * @param {number[]} values row after row
 * @param {[number, number]} shape
 * @param {number} largest
 * @param {boolean} isSigned
 * @param {(place: number) => string} tell
 */
export function imageOf(values, [rows, columns], largest, isSigned, tell) {
  const cells = values.map((value, place) => {
    const [x, y] = [place % columns, Math.floor(place / columns)];
    const inset = value < 0 ? 0.17 : 0;
    const [kind, side] = [isSigned ? (value < 0 ? "below" : "above") : "ink", 1 - 2 * inset];
    const shade = (Math.abs(value) / largest).toFixed(3);
    const square = { class: kind, x: x + inset, y: y + inset, width: side, height: side, "fill-opacity": shade };
    return svg("rect", square, svg("title", {}, `row ${y}, column ${x}: ${tell(place)}`));
  });
  return svg("svg", { class: "cells", viewBox: `0 0 ${columns} ${rows}`, "aria-hidden": "true" }, ...cells);
}

/**
 * Bars on a line at zero, up where positive. Those of the places named have their rank at the end.
 * @param {number[]} values
 * @param {number} largest
 * @param {number[]} named
 * @param {(place: number) => string} tell
 * @param {string} title
 */
export function profileOf(values, largest, named, tell, title = "") {
  const [wide, zero] = [PROFILE_WIDE / values.length, PROFILE_HIGH / 2];
  const unit = (zero - (named.length ? 11 : 2)) / largest; // room for the ranks
  const bars = values.map((value, place) => {
    const high = Math.max(0.6, Math.abs(value) * unit);
    const box = { x: place * wide + wide / 10, y: value < 0 ? zero : zero - high, width: 0.8 * wide, height: high };
    const kind = `${value < 0 ? "below" : "above"}${named.includes(place) ? " chosen" : ""}`;
    return svg("rect", { class: kind, ...box }, svg("title", {}, tell(place)));
  });
  const ranks = named.map((place, rank) => {
    const end = zero - values[place] * unit;
    const at = { x: (place + 0.5) * wide, y: values[place] < 0 ? end + 10 : end - 2, "text-anchor": "middle" };
    return svg("text", at, String(rank + 1));
  });
  const axis = svg("path", { class: "axes", d: `M0 ${zero}h${PROFILE_WIDE}` });
  return svg(
    "svg",
    { class: "profile", viewBox: `0 0 ${PROFILE_WIDE} ${PROFILE_HIGH}`, "aria-hidden": "true" },
    axis,
    ...bars,
    ...ranks,
    svg("text", { x: 2, y: 9 }, title),
  );
}

/**
 * Say which are the largest: 1 alcohol 0.52, 2 ash −0.31.
 * @param {string[]} names
 * @param {number[]} values
 * @param {number[]} named
 */
export const ranking = (names, values, named) =>
  named.map((place, rank) => `${rank + 1} ${names[place]} ${numeral(values[place], 2)}`).join(", ");
