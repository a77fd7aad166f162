// Where the nodes of the tree stand, and where the ticks under the scrub bar are.

import { clamp, range } from "../../style/web/numbers.js";

/** @import { Nodes, Point } from "./types.js" */

const LEAF_ROOM = 118; // below the leaves, for their labels
const STUB_ROOM = 30; // the same where leaves have no labels
const TREE_TOP = 20;
const TREE_SIDE = 16;
const [SMALLEST_UNIT, LARGEST_UNIT] = [4.5, 90]; // pixels a leaf takes
const FULL_UNIT = 11; // pixels a leaf takes where nodes have their full size
const SMALLEST_NODE = 0.5; // of its full size; less only in a tree that is made to fit
const TREE_HEIGHT = 380; // pixels from the root to the deepest leaves with short labels, unless levels would be too near or too far apart
const [SMALLEST_LEVEL, LARGEST_LEVEL] = [21, 62];
const LEAST_LEVEL = 8; // where the picture has to do with the room there is
const LEAF_LABEL = 12.5; // pixels a leaf's label needs
const LABEL_RISE = 60; // pixels from node to node down to which their labels can meet, that of a tall stub being the lowest
const LABEL_REACH = 170; // pixels apart that two labels cannot meet
const THUMB = 16; // pixels the thumb of the scrub bar is wide

/**
 * @typedef {object} Layout
 * @property {number} unit pixels a leaf takes
 * @property {number} zoom as it is: not below that at which the tree fills the width
 * @property {number} size of a node, 1 is full
 * @property {number} width
 * @property {number} height
 * @property {boolean} hasLeaves whether there is room for labels below leaves
 * @property {Point[]} at where each drawn node is
 * @property {number[][]} near nodes that the label of each node may run into
 * @property {string[]} edges path from each node's parent
 */

/**
 * @typedef {object} Room pixels of the layout
 * @property {number} [height] that the picture may have, where it has to do with that
 * @property {number} leaves that the labels below leaves may take of it
 */

/**
 * @param {Pick<Nodes, "x" | "depth" | "parent">} nodes
 * @param {number} available pixels of width
 * @param {number} wanted zoom; 1 gives a leaf at least the room it needs, 0 makes the tree fit
 * @param {number} [scale] pixels of the screen that a pixel of the layout takes; `available` is in those of the screen
 * @param {Room} [room]
 * @returns {Layout}
 */
export function layOutTree({ x, depth, parent }, available, wanted, scale = 1, room = { leaves: LEAF_ROOM }) {
  const span = Math.max(...x) + 0.5;
  const deepest = Math.max(...depth);
  const fitting = Math.min((available - 2 * TREE_SIDE * scale) / span, LARGEST_UNIT * scale);
  const legible = Math.max(fitting, SMALLEST_UNIT);
  const zoom = Math.max(wanted, fitting / legible);
  const unit = (legible * zoom) / scale;
  const width = Math.max(available / scale, span * unit + 2 * TREE_SIDE);
  const hasLeaves = room.height !== undefined || unit >= LEAF_LABEL;
  const leafRoom = hasLeaves ? room.leaves : STUB_ROOM;
  const tall = (room.height ?? TREE_TOP + TREE_HEIGHT + LEAF_ROOM) - TREE_TOP - (hasLeaves ? leafRoom : LEAF_ROOM);
  const least = room.height === undefined ? SMALLEST_LEVEL : LEAST_LEVEL;
  const level = clamp(tall / Math.max(deepest, 1), least, LARGEST_LEVEL);
  const left = (width - span * unit) / 2;
  const at = x.map((place, row) => /** @type {Point} */ ([left + place * unit, TREE_TOP + depth[row] * level]));
  return {
    unit,
    zoom,
    size: clamp(unit / FULL_UNIT, SMALLEST_NODE * Math.min(zoom, 1), 1) * Math.min(1, level / SMALLEST_LEVEL),
    width,
    height: TREE_TOP + deepest * level + leafRoom,
    hasLeaves,
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
