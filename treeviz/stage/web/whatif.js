// "What if": another threshold, or the datapoint elsewhere in its plane. What a search of the tree would then read and
// find is drawn in place of the run's own, until the run is returned to.

import { agree, decimals, grouped, percent, things, total } from "../../style/web/numbers.js";
import { treeSize } from "./heap.js";
import { atLeast, redraw, spreadOf, treeOf, unitOf } from "./moved.js";
import { SpreadPicture, placeOfThreshold } from "./spread.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment, Nodes, Point, Spread } from "./types.js" */

/** @typedef {{ values: Float64Array, spread: Spread }} MovedTree the tree of a datapoint that is moved, by heap number */

export class WhatIf {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.histogram = new SpreadPicture(this, part);
    /** @type {number | null} the threshold tried */
    this.threshold = null;
    /** @type {Point | null} where the datapoint is tried */
    this.place = null;
    this.triedAt = ""; // where the cursor was: as soon as it moves, the run is back
    /** @type {{ key: string, tree: MovedTree } | null} the last one found */
    this.moved = null;
  }

  /** Whether anything but the run's own is tried. */
  get isOn() {
    return this.threshold !== null || this.place !== null;
  }

  get cursor() {
    const { header, at, view } = this.stage.player;
    return JSON.stringify([header.run, at, view.tree, view.pinned]);
  }

  /** @param {{ threshold?: number, place?: Point }} change */
  try(change) {
    this.stage.player.play(false);
    this.triedAt = this.cursor;
    Object.assign(this, change);
    this.stage.render();
  }

  /** Return to the run. */
  end() {
    if (!this.isOn) return;
    this.threshold = this.place = null;
    this.stage.render();
    this.stage.element.focus({ preventScroll: true });
  }

  /**
   * What is drawn: the run's own frame and moment, or those of a search with what is tried.
   * @param {Frame} frame
   * @param {Moment} moment
   * @returns {{ frame: Frame, moment: Moment }}
   */
  show(frame, moment) {
    const own = this.stage.player.header.threshold;
    if (!frame.spread || this.cursor !== this.triedAt) this.threshold = this.place = null;
    const moved = this.moveTree(frame);
    const spread = moved?.spread ?? frame.spread;
    const tried = this.threshold ?? own;
    const text = spread && this.isOn ? this.words(frame, spread, moved?.values) : "";
    this.histogram.show(spread, tried, own, this.threshold === null ? `b = ${decimals(own)}, the run's own` : text);
    if (!text) return { frame, moment };
    const unread = frame.nodes.visited?.map(() => 0); // how much of a stub would be read is known with the weights only
    const nodes = moved ? redraw(frame.nodes, moved.values, tried) : { ...frame.nodes, visited: unread };
    const seen = imagine(nodes, moment, tried, text);
    return { frame: { ...frame, nodes: seen.nodes }, moment: seen.moment };
  }

  /**
   * The tree of the datapoint where it is tried; null where it is not moved, or the weights are still on their way.
   * @param {Frame} frame
   * @returns {MovedTree | null}
   */
  moveTree({ iteration }) {
    const { header, weights } = this.stage.player;
    const known = weights.known.get(iteration);
    if (!this.place || !known) return null;
    const key = JSON.stringify([header.run, iteration, this.place]);
    if (this.moved?.key !== key) {
      const values = treeOf(known, unitOf(header.data, this.place));
      this.moved = { key, tree: { values, spread: spreadOf(values) } };
    }
    return this.moved.tree;
  }

  /**
   * @param {Frame} frame
   * @param {Spread} spread
   * @param {Float64Array} [values] of the tree, where the datapoint is moved
   */
  words({ nodes, view }, spread, values) {
    const { data, threshold: own, width } = this.stage.player.header;
    const tried = this.threshold ?? own;
    const conditions = [];
    if (this.threshold !== null) conditions.push(`b were ${decimals(tried, own)} and not ${decimals(own, tried)}`);
    if (this.place) {
      const [to, from] = [this.place, data.places[view.tree]].map(placeWords);
      conditions.push(`datapoint ${view.tree} were at ${to} and not at ${from}`);
    }
    const condition = `What if ${conditions.join(", and ")}`;
    if (this.place && !values) return `${condition}? The weights of this iteration are on their way.`;
    const at = placeOfThreshold(spread, tried);
    const [inner, fires] = values ? atLeast(values, 1, tried) : [(spread.reads[at] - 1) / 2, spread.fires[at]];
    const run = { reads: total(nodes.visited ?? []), fires: nodes.firing[0] };
    return `${condition}: ${foundWords({ reads: 1 + 2 * inner, fires }, run, width)}`;
  }
}

/** @param {Point} place */
export const placeWords = ([u, v]) => `(${decimals(u)}, ${decimals(v)})`;

/**
 * What a search reads and finds, beside the run's own.
 * @param {{ reads: number, fires: number }} found
 * @param {{ reads: number, fires: number }} own
 * @param {number} width
 */
export function foundWords(found, own, width) {
  const size = treeSize(width);
  return (
    `a search of this tree would read ${grouped(found.reads)} of ${things(size, "node")} ` +
    `(${percent(found.reads / size)}; in the run ${grouped(own.reads)}), and ${things(found.fires, "neuron")} ` +
    `${agree(found.fires, "fires", "fire")} (in the run ${grouped(own.fires)}).`
  );
}

/**
 * The nodes and the moment at the end of a search with another threshold, or of another tree.
 * @param {Nodes} nodes
 * @param {Moment} moment
 * @param {number} threshold
 * @param {string} text
 * @returns {{ nodes: Nodes, moment: Moment }}
 */
export function imagine(nodes, moment, threshold, text) {
  const { before, parent } = nodes;
  const passes = before.map((value) => Number(value >= threshold));
  const entered = Uint8Array.from(parent, (above) => (above < 0 ? 1 : passes[above]));
  const none = new Uint8Array(before.length);
  const bits = { passes: passes.join(""), entered: entered.join("") };
  return {
    nodes: { ...nodes, ...bits, after: before, starts: none.join(""), stops: none.join("") },
    moment: {
      ...moment,
      phase: { ...moment.phase, isAfterMove: false, hasMove: false },
      line: -1,
      row: -1,
      way: [],
      text,
      entered,
      values: before,
      written: none,
      promoted: none,
    },
  };
}
