// The labels of the tree's nodes: what they say, and which of them there is room for.

import { clamp, compact, decimals, range } from "../../style/web/numbers.js";
import { extentOf } from "./glyphs.js";
import { neuronOf } from "./heap.js";

/** @import { Layout } from "./places.js" */
/** @import { Moment, Nodes, Point } from "./types.js" */

const LETTER = 5.7; // pixels a letter of a label takes
const GAP = 2; // pixels kept free on either side of a label
const GLYPH = 9; // pixels from the middle of a node of full size to its border, its ring included
const [UPRIGHT, UPRIGHT_TOP] = ["translate(-4 13) rotate(90)", 13]; // below a leaf
/** @type {Box} a place where no label is */
const NOWHERE = [NaN, NaN, NaN, NaN];

/** @typedef {[left: number, top: number, right: number, bottom: number]} Box */
/** @typedef {{ text: string, transform: string, box: Box }} Label */
/** @typedef {Pick<Moment, "row" | "values" | "written" | "entered">} Known */
/** @typedef {Pick<Layout, "size" | "width" | "at" | "near" | "hasLeaves">} Placed */

/**
 * Pixels that labels below leaves take.
 * @param {number} numNeurons of the network
 * @param {boolean} isBrief whether a changed leaf says its new value alone
 */
export function leafRoomOf(numNeurons, isBrief) {
  const longest = `#${numNeurons - 1} ${isBrief ? "−0.000" : "−00.000→−00.000"}`;
  return UPRIGHT_TOP + LETTER * longest.length + 2 * GAP;
}

/**
 * The labels of all nodes and their places: empty where a label would cover a node, another label or the border. That
 * of the node the cursor is on comes first and is always there, then those that are wanted most, then the others from
 * the root down. Of leaves too close for all, those that have changed come first, then those that the search has
 * entered, then the largest, which the maxima are.
 * @param {Nodes} nodes
 * @param {Known} moment
 * @param {Placed} layout
 * @param {number} numNeurons of the network
 * @param {(node: number) => boolean} [isWanted]
 * @param {boolean} [isBrief] whether a changed leaf says its new value alone
 * @returns {[text: string, transform: string][]}
 */
export function labelsOf(nodes, moment, layout, numNeurons, isWanted = () => false, isBrief = false) {
  const { at, near, size, width } = layout;
  /** @type {(Box | null)[]} */
  const placed = at.map(() => null);
  const glyphs = at.map((place, row) => {
    const [half, base] = nodes.kind[row] === 2 ? extentOf(nodes.neurons[row]) : [GLYPH, GLYPH];
    return boxAt(place, -half * size, -GLYPH * size, 2 * half * size, (GLYPH + base) * size);
  });
  const isFree = (/** @type {number} */ row, /** @type {Box} */ box) =>
    box[0] >= 0 &&
    box[2] <= width &&
    !near[row].some((other) => meet(box, glyphs[other]) || meet(box, placed[other] ?? NOWHERE));
  /** @type {[text: string, transform: string][]} */
  const found = at.map(() => ["", ""]);
  const urgency = at.map((_, row) => (row === moment.row ? 2 : isWanted(nodes.id[row]) ? 1 : 0));
  for (const row of orderOf(nodes, moment, urgency)) {
    const places = labelOf(nodes, row, moment, layout, numNeurons, isBrief);
    const label = places.slice(0, urgency[row] ? 2 : 1).find(({ box }) => isFree(row, box));
    const taken = label ?? (row === moment.row ? places[0] : undefined);
    if (!taken) continue;
    placed[row] = taken.box;
    found[row] = [taken.text, taken.transform];
  }
  return found;
}

/**
 * Rows in the order in which they get their labels.
 * @param {Nodes} nodes
 * @param {Known} moment
 * @param {number[]} urgency
 */
function orderOf({ kind }, { values, written, entered }, urgency) {
  const isLeaf = (/** @type {number} */ row) => Number(kind[row] === 1);
  return range(kind.length).sort(
    (one, other) =>
      urgency[other] - urgency[one] ||
      isLeaf(one) - isLeaf(other) ||
      (isLeaf(one)
        ? written[other] - written[one] || entered[other] - entered[one] || values[other] - values[one]
        : 0) ||
      one - other,
  );
}

/**
 * The label of a node in each place that it may have, the best first; in none, if it is to have no label. It stands on
 * the side away from the node's parent, where no edge crosses it, or else on the other.
 * @param {Nodes} nodes
 * @param {number} row
 * @param {Known} moment
 * @param {Placed} layout
 * @param {number} numNeurons
 * @param {boolean} isBrief
 * @returns {Label[]}
 */
function labelOf(nodes, row, moment, { size, width, at, hasLeaves }, numNeurons, isBrief) {
  const beside = (/** @type {string} */ text, /** @type {number} */ left, /** @type {number} */ base) => {
    const box = boxAt(at[row], left - GAP, base - 9, text.length * LETTER + 2 * GAP, 11);
    return { text, transform: `translate(${left.toFixed(1)} ${base})`, box };
  };
  if (nodes.kind[row] === 2) {
    const text = compact(nodes.neurons[row]);
    return [beside(text, (-text.length * LETTER) / 2, Math.round(extentOf(nodes.neurons[row])[1] * size) + 12)];
  }
  const value = valueOf(nodes, row, moment);
  if (nodes.kind[row] === 0) {
    const isLeft = row > 0 && at[row][0] < at[nodes.parent[row]][0];
    const [before, after] = [beside(value, -11 - value.length * LETTER, -6), beside(value, 11, -6)];
    return isLeft && at[row][0] > 11 + value.length * LETTER ? [before, after] : [after, before];
  }
  const name = `#${neuronOf(nodes.id[row], numNeurons)} `;
  if (hasLeaves) {
    const text = `${name}${isBrief ? decimals(moment.values[row]) : value}`;
    const box = boxAt(at[row], -6, UPRIGHT_TOP, 11, text.length * LETTER);
    return [{ text, transform: UPRIGHT, box }];
  }
  if (row !== moment.row) return [];
  const text = `${name}${value}`;
  const [x, long] = [at[row][0], text.length * LETTER];
  return [beside(text, clamp(-long / 2, -x, width - x - long), 22)]; // in view also below the first and the last leaf
}

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
