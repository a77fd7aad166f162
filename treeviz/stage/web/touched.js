// Draws what a move does to the leaves of the neurons that it touches: a strip for each datapoint, a column a neuron.

import { el, setAttribute, svg } from "../../style/web/dom.js";
import { agree, clamp, grouped, things, total } from "../../style/web/numbers.js";
import { neuronOf } from "./heap.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment, Touched } from "./types.js" */

const [STRIP_LABEL, STRIP_ROOM] = [34, 286]; // pixels of a strip's name and of its cells
const STRIP_HIGH = 12; // pixels of a strip
const FEW_STRIPS = 8; // for which a lecture has room
const [DID_FIRE, WILL_FIRE, HAS_CHANGED] = [1, 2, 4]; // of a cell, as in touched.py

/** What is drawn of a leaf: a class of the page, and a shape about the middle of its cell. */
const LEAF_SHAPES = {
  starts: "m0-4.5l3.5 8h-7z",
  stops: "m0 4.5l3.5-8h-7z",
  fires: "m-3-3h6v6h-6z",
  changed: "m-1.5-1.5h3v3h-3z",
};

/**
 * What the move does to a leaf, or null if it stays as it is and does not fire.
 * @param {number} cell
 * @returns {keyof typeof LEAF_SHAPES | null}
 */
export function changeOf(cell) {
  const crossing = cell & (DID_FIRE | WILL_FIRE);
  if (crossing === WILL_FIRE) return "starts";
  if (crossing === DID_FIRE) return "stops";
  return crossing ? "fires" : cell & HAS_CHANGED ? "changed" : null;
}

/**
 * How many leaves there are of each kind in a strip.
 * @param {string} strip
 */
function countsOf(strip) {
  const counts = { starts: 0, stops: 0, changed: 0 };
  for (const cell of strip) {
    const change = changeOf(Number(cell));
    if (change === "starts" || change === "stops") counts[change]++;
    if (Number(cell) & HAS_CHANGED) counts.changed++;
  }
  return counts;
}

export class TouchedPicture {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("touched", HTMLElement);
    this.strips = part("strips", HTMLElement);
    this.column = part("strip-column", HTMLElement);
    this.caption = part("touched-caption", HTMLElement);
    /** @type {Touched | null} */
    this.shown = null;
    this.tree = NaN;
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   */
  show(frame, { phase, isCompared, way }) {
    const { touched, view, nodes } = frame;
    this.box.hidden = !touched || isCompared || !phase.hasMove;
    if (!touched || this.box.hidden) return;
    this.box.classList.toggle("many", touched.strips.length > FEW_STRIPS);
    const wide = clamp(STRIP_ROOM / touched.neurons.length, 8, STRIP_HIGH);
    if (touched !== this.shown || view.tree !== this.tree) {
      [this.shown, this.tree] = [touched, view.tree];
      const strips = touched.strips.map((strip, place) => this.draw(strip, touched.first + place, wide));
      this.stage.replace(this.strips, ...strips);
    }
    const { header } = this.stage.player;
    const place = way.length ? touched.neurons.indexOf(neuronOf(nodes.id[way[0]], header.width)) : -1;
    this.column.hidden = place < 0;
    if (place >= 0) setAttribute(this.column, "style", `left:${STRIP_LABEL + place * wide}px;width:${wide}px`);
    this.stage.terms.write(this.caption, touchedWords(touched, header.points, place));
  }

  /**
   * A strip, which opens the tree of its datapoint.
   * @param {string} strip
   * @param {number} tree
   * @param {number} wide pixels of a cell
   */
  draw(strip, tree, wide) {
    const paths = Object.entries(LEAF_SHAPES).map(([name, shape]) => {
      const places = [...strip].flatMap((cell, place) => (changeOf(Number(cell)) === name ? [place] : []));
      const d = places.map((place) => `M${(place + 0.5) * wide} ${STRIP_HIGH / 2}${shape}`).join("");
      return svg("path", { class: `cell-${name}`, d });
    });
    const picture = svg("svg", { width: wide * strip.length, height: STRIP_HIGH, "aria-hidden": "true" }, ...paths);
    const { starts, stops, changed } = countsOf(strip);
    const words = `tree ${tree}: of ${things(strip.length, "leaf")} ${changed} change, ${starts} start and ${stops} stop firing`;
    const onclick = () => this.stage.openTree(tree);
    const button = el("button", { onclick, "aria-label": words, title: words }, el("span", {}, String(tree)), picture);
    if (tree === this.tree) button.setAttribute("aria-current", "true");
    return el("li", {}, button);
  }
}

/**
 * What the neuron told of does to all trees, or else what all that are drawn do; and what is not drawn.
 * @param {Touched} touched
 * @param {number} points
 * @param {number} place of the neuron told of, or -1
 */
export function touchedWords({ neurons, moved, strips, changed, starts, stops }, points, place) {
  const trees = agree(points, "its tree", `all ${things(points, "tree")}`);
  const ends = (/** @type {number} */ first, /** @type {number} */ last) =>
    `${grouped(first)} ${agree(first, "starts", "start")} and ${grouped(last)} ${agree(last, "stops", "stop")} firing.`;
  const leaves = neurons.length * points;
  const says =
    place >= 0
      ? `Neuron ${grouped(neurons[place])} has a leaf in ${trees}: ${grouped(changed[place])} of them ` +
        `${agree(changed[place], "changes", "change")}, ${ends(starts[place], stops[place])}`
      : `Each of ${things(neurons.length, "neuron")} has a leaf in ${trees}: of ${things(leaves, "leaf")} ` +
        `${grouped(total(changed))} ${agree(total(changed), "changes", "change")}, ${ends(total(starts), total(stops))}`;
  const left = [
    moved > neurons.length
      ? `${grouped(moved - neurons.length)} more ${agree(moved - neurons.length, "neuron moves", "neurons move")}`
      : "",
    points > strips.length
      ? `${grouped(points - strips.length)} more ${agree(points - strips.length, "tree", "trees")}`
      : "",
  ].filter(Boolean);
  return left.length ? `${says} Not drawn: ${left.join(", ")}.` : says;
}
