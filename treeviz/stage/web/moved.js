// The tree of a datapoint that is moved in its plane, from the weights: what the server's own search would find in it.

import { clamp, range } from "../../style/web/numbers.js";

/** @import { DataKind, Nodes, Point, Spread } from "./types.js" */

const BINS = 160; // of the histogram of its leaves, as in pictures/spread.py

/**
 * The input of unit length that a place in the plane stands for, made as datapoints are: with a constant 1 appended, if
 * that is in them, and divided by its length.
 * @param {Pick<DataKind, "dimension">} data
 * @param {Point} place
 */
export function unitOf({ dimension }, place) {
  const row = dimension === 3 ? [...place, 1] : place;
  const length = Math.sqrt(row.reduce((sum, part) => sum + part * part, 0));
  return row.map((part) => part / length);
}

/**
 * The nearest place where a datapoint can be: anywhere in a plane that was lifted; else on the unit circle, of which a
 * lifted line is the upper half.
 * @param {Pick<DataKind, "dimension" | "lifted">} data
 * @param {Point} place
 * @returns {Point}
 */
export function placeOn({ dimension, lifted }, [u, v]) {
  if (dimension === 3) return [u, v];
  const angle = Math.atan2(v, u);
  const least = 0.02; // of a lifted line the ends of the half circle stand for infinity
  const along = lifted ? clamp(angle < -Math.PI / 2 ? Math.PI : angle, least, Math.PI - least) : angle;
  return [Math.cos(along), Math.sin(along)];
}

/**
 * The values of the tree of an input by heap number: leaves are inner products, above them maxima.
 * @param {Float64Array} weights m rows
 * @param {number[]} x
 */
export function treeOf(weights, x) {
  const width = weights.length / x.length;
  const values = new Float64Array(2 * width);
  const [x0, x1, x2 = 0] = x;
  for (let neuron = 0, at = 0; neuron < width; neuron++, at += x.length) {
    const sum = weights[at] * x0 + weights[at + 1] * x1;
    values[width + neuron] = x.length === 3 ? sum + weights[at + 2] * x2 : sum;
  }
  for (let node = width - 1; node > 0; node--) {
    const [left, right] = [values[2 * node], values[2 * node + 1]];
    values[node] = left > right ? left : right;
  }
  return values;
}

/**
 * Inner nodes and leaves of at least a threshold in the subtree of a node, itself included.
 * @param {Float64Array} values of the tree
 * @param {number} top
 * @param {number} threshold
 * @returns {[inner: number, leaves: number]}
 */
export function atLeast(values, top, threshold) {
  const width = values.length / 2;
  let [inner, leaves] = [0, 0];
  if (values[top] < threshold) return [0, 0];
  for (let [low, high] = [top, top + 1]; low < 2 * width; [low, high] = [2 * low, 2 * high]) {
    const end = Math.min(high, 2 * width);
    for (let node = low; node < Math.min(end, width); node++) if (values[node] >= threshold) inner++;
    for (let node = Math.max(low, width); node < end; node++) if (values[node] >= threshold) leaves++;
  }
  return [inner, leaves];
}

/**
 * The drawn nodes in another tree, with what a search of it enters and finds; nothing moves in it.
 * @param {Nodes} nodes
 * @param {Float64Array} values of the tree
 * @param {number} threshold
 * @returns {Nodes}
 */
export function redraw(nodes, values, threshold) {
  const { id, kind, parent } = nodes;
  const before = id.map((node) => values[node]);
  const firing = id.map(() => 0);
  const visited = id.map((node) => Number(node === 1 || values[node >> 1] >= threshold));
  for (const row of range(id.length).reverse()) {
    if (kind[row] > 0) {
      const [inner, leaves] = atLeast(values, id[row], threshold);
      firing[row] = leaves;
      if (kind[row] === 2) visited[row] += 2 * inner;
    }
    if (row > 0) firing[parent[row]] += firing[row]; // parents come before their children
  }
  return { ...nodes, before, firing, visited };
}

/**
 * How the leaves of a tree are spread, and what searches with thresholds evenly spaced over them read and find.
 * @param {Float64Array} values of the tree
 * @returns {Spread}
 */
export function spreadOf(values) {
  const width = values.length / 2;
  let low = Infinity;
  for (let node = width; node < 2 * width; node++) if (values[node] < low) low = values[node];
  const highest = values[1];
  const high = highest + Math.max(0.02 * (highest - low), 1e-6 * Math.max(1, Math.abs(highest)));
  const counts = [new Int32Array(BINS + 1), new Int32Array(BINS + 1)]; // of inner nodes, and of leaves
  const scale = BINS / (high - low);
  for (let node = 1; node < 2 * width; node++) {
    counts[node < width ? 0 : 1][Math.min(Math.floor((values[node] - low) * scale), BINS - 1)]++;
  }
  for (const count of counts) for (let bin = BINS - 1; bin >= 0; bin--) count[bin] += count[bin + 1];
  return { low, high, reads: Array.from(counts[0], (count) => 1 + 2 * count), fires: Array.from(counts[1]) };
}
