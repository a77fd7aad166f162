// The meter: operations so far, of this run and of the dense method, in this iteration and in the whole run.

import { find, setAttribute, setText } from "../../style/web/dom.js";
import { compact, grouped, numeral, total } from "../../style/web/numbers.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Costs, Cursor, Frame } from "./types.js" */

/**
 * @typedef {object} Reading what the meter says at a place
 * @property {boolean} isExact whether the phase is over; else its operations are shared out evenly over its steps
 * @property {number} own operations of this iteration so far
 * @property {number} ownAll of the whole iteration
 * @property {number} denseAll what the dense method computes in it
 * @property {number} build
 * @property {number} run operations of the run so far, building included
 * @property {number} runAll at the end of the iteration
 * @property {number} denseRun what the dense method has computed at the end of the iteration
 */

/**
 * @param {Costs} costs
 * @param {Cursor} at settled
 * @param {number[]} lengths steps of each phase
 * @returns {Reading}
 */
export function readingAt({ own, dense, build, before }, { phase, step }, lengths) {
  const share = (step + 1) / lengths[phase];
  const soFar = total(own.slice(0, phase)) + Math.round(share * own[phase]);
  const [ownAll, denseAll] = [own, dense].map(total);
  return {
    isExact: share === 1,
    own: soFar,
    ownAll,
    denseAll,
    build,
    run: build + before[0] + soFar,
    runAll: build + before[0] + ownAll,
    denseRun: before[1] + denseAll,
  };
}

/**
 * The dense method's operations, and how they compare.
 * @param {number} dense
 * @param {number} own
 */
export function compared(dense, own) {
  if (dense === own) return "just as many";
  const factor = dense / Math.max(own, 1);
  const times = numeral(factor, 2);
  return times === "1" ? "about as many" : `${times} times as many`;
}

/**
 * @typedef {object} Words
 * @property {string} title
 * @property {string} own
 * @property {string} dense
 * @property {string} label all of it in sentences
 */

/**
 * @param {Reading} reading
 * @param {number} iteration
 * @returns {Words}
 */
export function iterationWords({ isExact, own, ownAll, denseAll }, iteration) {
  const [done, all, dense] = [own, ownAll, denseAll].map(grouped);
  const factor = compared(denseAll, ownAll);
  return {
    title: "This iteration",
    own: `so far ${isExact ? "" : "≈ "}${done} of ${all}`,
    dense: `dense: ${dense}, ${factor}`,
    label:
      `Operations of iteration ${iteration}: ${isExact ? "" : "about "}${done} of ${all} so far. ` +
      `The dense method computes ${dense} in it, ${factor}.`,
  };
}

/**
 * The two methods are compared at the end of the iteration: within one, the dense method pays early, and trees late.
 * @param {Reading} reading
 * @returns {Words}
 */
export function runWords({ isExact, build, run, runAll, denseRun }) {
  const [done, all, dense] = [run, runAll, denseRun].map(grouped);
  const building = build ? `, ${grouped(build)} of them for building` : "";
  const result = build && denseRun < runAll ? "building not paid off" : compared(denseRun, runAll);
  return {
    title: build ? `Run with building (${compact(build)})` : "Run",
    own: `so far ${isExact ? "" : "≈ "}${done} of ${all}`,
    dense: `dense: ${dense}, ${result}`,
    label:
      `Operations of the run to the end of this iteration: ${isExact ? "" : "about "}${done} of ${all} so far` +
      `${building}. The dense method has computed ${dense} by the end, ${result}.`,
  };
}

/** One pair of bars with its words: of this iteration, or of the run. */
class Pair {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.title = find(box, "strong", HTMLElement);
    this.own = find(box, ".own-words", HTMLElement);
    this.dense = find(box, ".dense-words", HTMLElement);
    this.bars = find(box, "svg", SVGSVGElement);
    this.rects = ["ahead", "own", "build", "dense"].map((name) => find(box, `rect.${name}`, SVGRectElement));
  }

  /**
   * @param {Words} words
   * @param {number[]} amounts operations of this run when all is done, so far and for building; of the dense method
   * @param {number} most what fills the width
   */
  show({ title, own, dense, label }, amounts, most) {
    setText(this.title, title);
    setText(this.own, own);
    setText(this.dense, dense);
    setAttribute(this.bars, "aria-label", label);
    this.rects.forEach((rect, place) => setAttribute(rect, "width", `${(100 * amounts[place]) / Math.max(most, 1)}%`));
  }
}

export class Meter {
  /** @param {Part} part */
  constructor(part) {
    this.box = part("meter", HTMLElement);
    this.iteration = new Pair(part("meter-iteration", HTMLElement));
    this.run = new Pair(part("meter-run", HTMLElement));
  }

  /**
   * @param {Frame} frame
   * @param {Cursor} at
   * @param {number[]} lengths
   */
  show({ meter, iteration }, at, lengths) {
    this.box.hidden = !meter;
    if (!meter) return;
    const reading = readingAt(meter, at, lengths);
    const { own, ownAll, denseAll, build, run, runAll, denseRun } = reading;
    this.iteration.show(iterationWords(reading, iteration), [ownAll, own, 0, denseAll], Math.max(ownAll, denseAll));
    this.run.show(runWords(reading), [runAll, run, build, denseRun], Math.max(runAll, denseRun));
  }
}
