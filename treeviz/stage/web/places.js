// Where the nodes of the tree stand, which labels there is room for, and where the ticks under the scrub bar are.

import { clamp, compact, decimals, range } from "../../style/web/numbers.js";
import { extentOf } from "./glyphs.js";
import { neuronOf } from "./heap.js";

/** @import { Moment, Nodes, Point } from "./types.js" */

const LEAF_ROOM = 118; // below the leaves, for their labels
const STUB_ROOM = 30; // the same where leaves have no labels
const TREE_TOP = 20;
const TREE_SIDE = 16;
const [SMALLEST_UNIT, LARGEST_UNIT] = [4.5, 90]; // pixels a leaf takes
const FULL_UNIT = 11; // pixels a leaf takes where nodes have their full size
const SMALLEST_NODE = 0.5; // of its full size; less only in a tree that is made to fit
const TREE_HEIGHT = 380; // pixels from the root to the deepest leaves, unless levels would be too near or too far apart
const [SMALLEST_LEVEL, LARGEST_LEVEL] = [23, 62];
const LEAF_LABEL = 12.5; // pixels a leaf's label needs
const LETTER = 5.7; // pixels a letter of a label takes
const LABEL_RISE = 23; // pixels above or below a node where a label of another may be
const LABEL_REACH = 170; // pixels apart that two labels cannot meet
const GLYPH = 9; // pixels from the middle of a node of full size to its border, its ring included
/** @type {Box} a place where no label is */
const NOWHERE = [NaN, NaN, NaN, NaN];
const THUMB = 16; // pixels the thumb of the scrub bar is wide

/**
 * @typedef {object} Layout
 * @property {number} unit pixels a leaf takes
 * @property {number} zoom as it is: not below that at which the tree fills the width
 * @property {number} size of a node, 1 is full
 * @property {number} width
 * @property {number} height
 * @property {Point[]} at where each drawn node is
 * @property {number[][]} near nodes that the label of each node may run into
 * @property {string[]} edges path from each node's parent
 */

/**
 * @param {Pick<Nodes, "x" | "depth" | "parent">} nodes
 * @param {number} available pixels of width
 * @param {number} wanted zoom; 1 gives a leaf at least the room it needs, 0 makes the tree fit
 * @param {number} [scale] pixels of the screen that a pixel of the layout takes; `available` is in those of the screen
 * @param {number} [room] pixels of the layout that the picture may be high
 * @returns {Layout}
 */
export function layOutTree({ x, depth, parent }, available, wanted, scale = 1, room = undefined) {
  const span = Math.max(...x) + 0.5;
  const deepest = Math.max(...depth);
  const fitting = Math.min((available - 2 * TREE_SIDE * scale) / span, LARGEST_UNIT * scale);
  const legible = Math.max(fitting, SMALLEST_UNIT);
  const zoom = Math.max(wanted, fitting / legible);
  const unit = (legible * zoom) / scale;
  const width = Math.max(available / scale, span * unit + 2 * TREE_SIDE);
  const leafRoom = unit >= LEAF_LABEL ? LEAF_ROOM : STUB_ROOM;
  const tall = room === undefined ? TREE_HEIGHT : room - TREE_TOP - leafRoom;
  const least = room === undefined ? SMALLEST_LEVEL : SMALLEST_LEVEL / 2;
  const level = clamp(tall / Math.max(deepest, 1), least, LARGEST_LEVEL);
  const left = (width - span * unit) / 2;
  const at = x.map((place, row) => /** @type {Point} */ ([left + place * unit, TREE_TOP + depth[row] * level]));
  return {
    unit,
    zoom,
    size: clamp(unit / FULL_UNIT, SMALLEST_NODE * Math.min(zoom, 1), 1) * Math.min(1, level / SMALLEST_LEVEL),
    width,
    height: TREE_TOP + deepest * level + leafRoom,
    at,
    near: nearby(at, depth, Math.ceil(LABEL_RISE / level)),
    edges: at.map(([px, py], row) => (row ? `M${at[parent[row]].join(" ")}L${px} ${py}` : "")),
  };
}

/**
 * The nodes a label may run into: those near each node, on its level and some above and below.
 * @param {Point[]} at
 * @param {number[]} depth
 * @param {number} [reach] levels
 * @returns {number[][]}
 */
export function nearby(at, depth, reach = 1) {
  /** @type {number[][]} */
  const levels = [];
  at.forEach((_, row) => (levels[depth[row]] ??= []).push(row));
  return at.map(([x], row) =>
    range(2 * reach + 1)
      .flatMap((apart) => levels[depth[row] + apart - reach] ?? [])
      .filter((other) => other !== row && Math.abs(at[other][0] - x) < LABEL_REACH),
  );
}

/**
 * The labels of all nodes and their places: empty where a label would cover a node, another label or the border. That
 * of the node the cursor is on comes first and is always there, then the others from the root down.
 * @param {Nodes} nodes
 * @param {Pick<Moment, "row" | "values" | "written">} moment
 * @param {Pick<Layout, "unit" | "size" | "width" | "at" | "near">} layout
 * @param {number} numNeurons of the network
 * @returns {[text: string, transform: string][]}
 */
export function labelsOf(nodes, moment, layout, numNeurons) {
  const { at, near, size, width } = layout;
  const labels = at.map((_, row) => labelOf(nodes, row, moment, layout, numNeurons));
  /** @type {(Box | null)[]} */
  const placed = at.map(() => null);
  const glyph = (/** @type {number} */ row) => {
    const [half, base] = nodes.kind[row] === 2 ? extentOf(nodes.neurons[row]) : [GLYPH, GLYPH];
    return boxAt(at[row], -half * size, -GLYPH * size, 2 * half * size, (GLYPH + base) * size);
  };
  const isFree = (/** @type {number} */ row, /** @type {Box} */ box) =>
    box[0] >= 0 &&
    box[2] <= width &&
    !near[row].some((other) => meet(box, glyph(other)) || meet(box, placed[other] ?? NOWHERE));
  const order = range(at.length);
  if (moment.row >= 0) order.unshift(...order.splice(moment.row, 1));
  for (const row of order) {
    const { box } = labels[row];
    if (box && (row === moment.row || isFree(row, box))) placed[row] = box;
    else if (box) labels[row].text = "";
  }
  return labels.map(({ text, transform }) => [text, transform]);
}

/**
 * The label of a node, and the box it would fill: none for an upright one, which has room or is empty. It stands on the
 * side away from the node's parent, where no edge crosses it.
 * @param {Nodes} nodes
 * @param {number} row
 * @param {Pick<Moment, "row" | "values" | "written">} moment
 * @param {Pick<Layout, "unit" | "size" | "width" | "at">} layout
 * @param {number} numNeurons
 * @returns {{ text: string, transform: string, box: Box | null }}
 */
function labelOf(nodes, row, moment, { unit, size, width, at }, numNeurons) {
  const beside = (/** @type {string} */ text, /** @type {number} */ left, /** @type {number} */ base) => {
    const box = boxAt(at[row], left, base - 9, text.length * LETTER, 11);
    return { text, transform: `translate(${left.toFixed(1)} ${base})`, box };
  };
  if (nodes.kind[row] === 2) {
    const text = compact(nodes.neurons[row]);
    return beside(text, (-text.length * LETTER) / 2, Math.round(extentOf(nodes.neurons[row])[1] * size) + 12);
  }
  const value = valueOf(nodes, row, moment);
  if (nodes.kind[row] === 0) {
    const isLeft = row > 0 && at[row][0] < at[nodes.parent[row]][0];
    return beside(value, isLeft && at[row][0] > 11 + value.length * LETTER ? -11 - value.length * LETTER : 11, -6);
  }
  const text = `#${neuronOf(nodes.id[row], numNeurons)} ${value}`;
  const isFitting = unit >= LEAF_LABEL;
  if (row === moment.row && !isFitting) {
    const [x, long] = [at[row][0], text.length * LETTER];
    return beside(text, clamp(-long / 2, -x, width - x - long), 22); // in view also below the first and the last leaf
  }
  return { text: isFitting ? text : "", transform: "translate(-4 13) rotate(90)", box: null };
}

/** @typedef {[left: number, top: number, right: number, bottom: number]} Box */

/**
 * @param {Point} place
 * @param {number} left from the place
 * @param {number} top from the place
 * @param {number} width
 * @param {number} height
 * @returns {Box}
 */
const boxAt = ([x, y], left, top, width, height) => [x + left, y + top, x + left + width, y + top + height];

/**
 * @param {Box} one
 * @param {Box} other
 */
const meet = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];

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
