// From the numbers of an axis to pixels, and the numbers written along it.

import { compact, powerOfTen, range, numeral } from "../../style/web/numbers.js";

/** @import { Axis } from "./types.js" */

/**
 * @typedef {object} Scale
 * @property {(value: number) => number} place the pixel of a number
 * @property {(pixel: number) => number} invert the number at a pixel
 * @property {[pixel: number, text: string][]} ticks
 */

/**
 * @param {Axis} axis
 * @param {(number | null)[]} values what must fit
 * @param {[start: number, end: number]} pixels
 * @param {number} maxTicks
 * @param {boolean} isSnapped whether a logarithmic axis goes from one power of ten to another
 * @returns {Scale}
 */
export function makeScale(axis, values, [start, end], maxTicks, isSnapped) {
  const finite = values.filter((value) => value !== null);
  const placed = finite.map((value) => (axis.is_log && value <= 0 ? axis.floor : value));
  const lowest = placed.length ? placed.reduce((a, b) => Math.min(a, b)) : 0.1;
  const highest = placed.length ? placed.reduce((a, b) => Math.max(a, b)) : 1;
  const isFloorUsed = placed.includes(axis.floor);
  const [low, high, ticks] = axis.is_log
    ? logAxis(axis, lowest, highest, maxTicks, isSnapped, isFloorUsed)
    : linearAxis(axis, lowest, highest, maxTicks);
  const margin = 0.03 * (high - low);
  const first = low - (axis.is_log || low < 0 ? margin : 0);
  const span = high + margin - first;
  const pixelOf = (/** @type {number} */ at) => start + ((at - first) / span) * (end - start);
  return {
    place: (value) => pixelOf(axis.is_log ? Math.log10(value > 0 ? value : axis.floor) : value),
    invert: (pixel) => {
      const at = first + ((pixel - start) / (end - start)) * span;
      return axis.is_log ? 10 ** at : at;
    },
    ticks: ticks.map(([at, text]) => [pixelOf(at), text]),
  };
}

/** @typedef {[low: number, high: number, ticks: [at: number, text: string][]]} Span of an axis, in its own numbers */

/**
 * @param {Axis} axis
 * @param {number} lowest
 * @param {number} highest
 * @param {number} maxTicks
 * @param {boolean} isSnapped
 * @param {boolean} isFloorUsed
 * @returns {Span} in powers of ten
 */
function logAxis(axis, lowest, highest, maxTicks, isSnapped, isFloorUsed) {
  let [low, high] = [Math.log10(lowest), Math.log10(highest)];
  if (isSnapped) [low, high] = [axis.floor_label ? low : Math.floor(low + 1e-9), Math.ceil(high - 1e-9)];
  if (high - low < 0.5) [low, high] = [low - 0.25, high + 0.25];
  const [first, last] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
  const step = Math.max(1, Math.ceil((last - first + 1) / maxTicks));
  const isPlain = first >= -3 && last <= 3;
  const isFine = last - first < 1;
  /** @type {[number, string][]} */
  const ticks = [];
  for (let power = first - 1; power <= last; power += 1) {
    if ((power - first) % step && !isFine) continue;
    for (const factor of isFine ? [1, 2, 5] : [1]) {
      const at = power + Math.log10(factor);
      if (at < low - 1e-9 || at > high + 1e-9 || (axis.floor_label && at < 0)) continue;
      const plain = String(Number((factor * 10 ** power).toPrecision(2)));
      const ten = powerOfTen(power);
      ticks.push([at, isPlain ? plain : factor === 1 ? ten : `${factor}·${ten}`]);
    }
  }
  if (axis.floor_label && isFloorUsed) ticks.push([Math.log10(axis.floor), axis.floor_label]);
  return [low, high, ticks];
}

/**
 * @param {Axis} axis
 * @param {number} lowest
 * @param {number} highest
 * @param {number} maxTicks
 * @returns {Span}
 */
function linearAxis(axis, lowest, highest, maxTicks) {
  const low = Math.min(lowest, 0);
  const high = highest > low ? highest : low + 1;
  const rough = (high - low) / maxTicks;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5].map((factor) => factor * unit).find((size) => size >= rough) ?? 10 * unit;
  const apart = axis.format === "count" ? Math.max(step, 1) : step;
  const first = Math.ceil(low / apart);
  const values = range(Math.floor(high / apart) - first + 1).map((place) => (first + place) * apart);
  const isShort = axis.format === "count" && high >= 1e4;
  return [low, high, values.map((value) => [value, isShort ? compact(value) : numeral(value, 4)])];
}
