// Where the nodes of the tree stand, which labels there is room for, and where the ticks under the scrub bar are.

import { clamp, compact, decimals, range } from "../../style/web/numbers.js";
import { neuronOf } from "./heap.js";

/** @import { Moment, Nodes, Point } from "./types.js" */

const LEAF_ROOM = 118; // below the leaves, for their labels
const STUB_ROOM = 30; // the same where leaves have no labels
const TREE_TOP = 20;
const TREE_SIDE = 16;
const [SMALLEST_UNIT, LARGEST_UNIT] = [4.5, 90]; // pixels a leaf takes
const FULL_UNIT = 11; // pixels a leaf takes where nodes have their full size
const TREE_HEIGHT = 430; // pixels from the root to the deepest leaves, unless levels would be too near or too far apart
const [SMALLEST_LEVEL, LARGEST_LEVEL] = [23, 62];
const LEAF_LABEL = 12.5; // pixels a leaf's label needs
const LETTER = 6.2; // pixels a letter of a label takes
const THUMB = 16; // pixels the thumb of the scrub bar is wide

/**
 * @typedef {object} Layout
 * @property {number} unit pixels a leaf takes
 * @property {number} size of a node, 1 is full
 * @property {number} width
 * @property {number} height
 * @property {Point[]} at where each drawn node is
 * @property {number[]} room pixels from each node to its nearest neighbour on its level
 * @property {string[]} edges path from each node's parent
 */

/**
 * @param {Pick<Nodes, "x" | "depth" | "parent">} nodes
 * @param {number} available pixels of width
 * @param {number} zoom
 * @returns {Layout}
 */
export function layOutTree({ x, depth, parent }, available, zoom) {
  const span = Math.max(...x) + 0.5;
  const deepest = Math.max(...depth);
  const unit = clamp((available - 2 * TREE_SIDE) / span, SMALLEST_UNIT, LARGEST_UNIT) * zoom;
  const width = Math.max(available, span * unit + 2 * TREE_SIDE);
  const level = clamp(TREE_HEIGHT / Math.max(deepest, 1), SMALLEST_LEVEL, LARGEST_LEVEL);
  const left = (width - span * unit) / 2;
  const at = x.map((place, row) => /** @type {Point} */ ([left + place * unit, TREE_TOP + depth[row] * level]));
  return {
    unit,
    size: clamp(unit / FULL_UNIT, 0.5, 1),
    width,
    height: TREE_TOP + deepest * level + (unit >= LEAF_LABEL ? LEAF_ROOM : STUB_ROOM),
    at,
    room: roomOf(at, depth),
    edges: at.map(([px, py], row) => (row ? `M${at[parent[row]].join(" ")}L${px} ${py}` : "")),
  };
}

/**
 * Pixels from each node to the next on its level, to the right or left, whichever is less.
 * @param {Point[]} at
 * @param {number[]} depth
 */
export function roomOf(at, depth) {
  const room = at.map(() => Infinity);
  const rows = range(at.length).sort((a, b) => depth[a] - depth[b] || at[a][0] - at[b][0]);
  rows.forEach((row, place) => {
    const next = rows[place + 1];
    if (next === undefined || depth[next] !== depth[row]) return;
    const apart = at[next][0] - at[row][0];
    room[row] = Math.min(room[row], apart);
    room[next] = Math.min(room[next], apart);
  });
  return room;
}

/**
 * The label of a node and its place: empty where its level has no room for it, unless the cursor is on the node.
 * @param {Nodes} nodes
 * @param {number} row
 * @param {Pick<Moment, "row" | "values" | "written">} moment
 * @param {Pick<Layout, "unit" | "room">} layout
 * @param {number} numNeurons of the network
 * @returns {[text: string, transform: string]}
 */
export function labelOf(nodes, row, moment, { unit, room }, numNeurons) {
  const isNow = row === moment.row;
  const shown = (/** @type {string} */ text, /** @type {boolean} */ isFitting) => (isFitting || isNow ? text : "");
  if (nodes.kind[row] === 2) {
    const text = compact(nodes.neurons[row]);
    return [shown(text, room[row] >= text.length * LETTER + 6), `translate(${-3 * text.length} 20)`];
  }
  const value = valueOf(nodes, row, moment);
  if (nodes.kind[row] === 0) return [shown(value, room[row] >= value.length * LETTER + 22), "translate(11 -6)"];
  const text = `#${neuronOf(nodes.id[row], numNeurons)} ${value}`;
  const isFitting = unit >= LEAF_LABEL;
  const isBelow = isNow && !isFitting;
  const place = isBelow ? `translate(${-(text.length / 2) * LETTER} 22)` : "translate(-4 13) rotate(90)";
  return [shown(text, isFitting), place];
}

/**
 * The value, or old → new where it has been written.
 * @param {Nodes} nodes
 * @param {number} row
 * @param {Pick<Moment, "values" | "written">} moment
 */
function valueOf(nodes, row, { values, written }) {
  const [old, now] = [nodes.before[row], values[row]];
  return written[row] && old !== now ? `${decimals(old, now)}→${decimals(now, old)}` : decimals(now);
}

/**
 * The index of the point nearest to a place, if one is within `reach`; else -1.
 * @param {Point[]} points
 * @param {Point} place
 * @param {number} reach
 */
export function nearest(points, [x, y], reach) {
  let [found, distance] = [-1, reach ** 2];
  points.forEach(([px, py], index) => {
    const squared = (px - x) ** 2 + (py - y) ** 2;
    if (squared < distance) [found, distance] = [index, squared];
  });
  return found;
}

/**
 * How far to scroll so that a place in the picture is in view: to where it is, if it is.
 * @param {number} x
 * @param {number} scrollLeft
 * @param {number} width of what is seen
 */
export function scrollTo(x, scrollLeft, width) {
  return x < scrollLeft + 30 || x > scrollLeft + width - 30 ? x - width / 2 : scrollLeft;
}

/** @typedef {{ x: number, iteration: number | null, label: string }} Tick iteration is null at a phase */

/**
 * Marks under the scrub bar: one for an iteration, with its number, and its phases where there is room.
 * @param {number} width pixels of the bar
 * @param {number} computed iterations
 * @param {number} numPhases of an iteration
 * @returns {Tick[]}
 */
export function ticksOf(width, computed, numPhases) {
  const count = computed * numPhases;
  const apart = (width - THUMB) / Math.max(1, count - 1);
  const every = Math.ceil(18 / (apart * numPhases));
  const ticks = range(count).map((place) => {
    const iteration = place % numPhases ? null : place / numPhases;
    const label = iteration === null || iteration % every ? "" : String(iteration);
    return { x: THUMB / 2 + apart * place, iteration, label };
  });
  return ticks.filter(({ iteration }) => iteration !== null || apart >= 3);
}
