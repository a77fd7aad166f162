// The cursor: (iteration, phase, step), and what the tree looks like there. No drawing, no page.

import { clamp, isSet, range } from "../../style/web/numbers.js";

/** @import { Cursor, Frame, Moment, Nodes, Phase, Step, Unit } from "./types.js" */

/**
 * Of a comparison with a pinned iteration, which has one step and no phases.
 * @type {Phase}
 */
const COMPARISON = {
  id: "compare",
  title: "Comparison",
  section: "iteration",
  entersNodes: false,
  hasDualStep: false,
  hasMove: false,
  isAfterMove: false,
};

/**
 * The numbers of steps of each phase; a comparison has one phase of one step.
 * @param {Frame} frame
 * @param {Phase[]} phases
 */
export function lengthsOf(frame, phases) {
  return frame.view.pinned === null ? phases.map((phase) => frame.script[phase.id].length) : [1];
}

/**
 * Bring phase and step into range; Infinity stands for the last.
 * @param {Cursor} at
 * @param {number[]} lengths
 * @returns {Cursor}
 */
export function settle(at, lengths) {
  const phase = clamp(at.phase, 0, lengths.length - 1);
  return { iteration: at.iteration, phase, step: clamp(at.step, 0, lengths[phase] - 1) };
}

/**
 * One unit on or back. `at` must be settled; the result may lie in an iteration that is not there yet.
 * @param {Cursor} at
 * @param {Unit} unit
 * @param {number} direction 1 or -1
 * @param {number[]} lengths
 * @returns {Cursor}
 */
export function advance(at, unit, direction, lengths) {
  const { iteration, phase, step } = at;
  const isCompared = lengths.length === 1;
  if (unit === "iteration" || isCompared) {
    return {
      iteration: iteration + direction,
      phase: isCompared ? 0 : phase,
      step: isCompared || direction > 0 ? 0 : step,
    };
  }
  const last = unit === "phase" ? 0 : Infinity;
  const inside = step + direction;
  if (unit === "step" && inside >= 0 && inside < lengths[phase]) return { iteration, phase, step: inside };
  if (unit === "phase" && direction < 0 && step > 0) return { iteration, phase, step: 0 };
  const next = phase + direction;
  if (next >= lengths.length) return { iteration: iteration + 1, phase: 0, step: 0 };
  if (next < 0) return { iteration: iteration - 1, phase: Infinity, step: last };
  return { iteration, phase: next, step: direction > 0 ? 0 : last };
}

/**
 * The sentence at a place: of a comparison, the one that says what differs.
 * @param {Frame} frame
 * @param {Phase[]} phases
 * @param {Cursor} at settled
 */
const sentenceAt = (frame, phases, at) =>
  frame.view.pinned === null ? frame.script[phases[at.phase].id][at.step][1] : frame.summary;

/**
 * The step about a drawn row that is nearest to `step`, or null if none is about it.
 * @param {Step[]} steps
 * @param {number} row
 * @param {number} step
 */
export function nearestStepAbout(steps, row, step) {
  const same = range(steps.length).filter((place) => steps[place][2] === row);
  const distance = (/** @type {number} */ place) => Math.abs(place - step);
  return same.length ? same.reduce((best, place) => (distance(place) < distance(best) ? place : best)) : null;
}

/**
 * The drawn rows of the way to where a step is, from the lowest up: a search has come to its node from the root, a move
 * and a repair from the leaf told last.
 * @param {Nodes} nodes
 * @param {Step[]} done the steps up to this one
 * @param {boolean} isSearched
 */
function wayOf({ kind, parent }, done, isSearched) {
  const row = done[done.length - 1][2];
  if (row < 0) return []; // of no node: it sums up
  const leaf = done.findLast(([, , about]) => kind[about] === 1);
  const [low, top] = isSearched || !leaf ? [row, 0] : [leaf[2], row];
  const way = [];
  for (let at = low; at >= top; at = parent[at]) way.push(at); // parents come before their children
  return way;
}

/**
 * What is known and written at a moment: nodes the search has entered, values so far, rows written, neurons promoted.
 * @param {Frame} frame
 * @param {Phase[]} phases
 * @param {Cursor} at settled
 * @returns {Moment}
 */
export function momentOf(frame, phases, at) {
  const { nodes } = frame;
  const size = nodes.id.length;
  const mask = (/** @type {string | undefined} */ bits) =>
    Uint8Array.from({ length: size }, (_, row) => (bits !== undefined && isSet(bits, row) ? 1 : 0));
  const [found, promoted] = [mask(nodes.entered), mask(nodes.promoted)];
  const text = sentenceAt(frame, phases, at);
  if (frame.view.pinned !== null) {
    return {
      phase: COMPARISON,
      isCompared: true,
      line: -1,
      text,
      row: -1,
      way: [],
      entered: nodes.watched ? found : new Uint8Array(size).fill(1),
      values: nodes.after,
      written: mask(nodes.changes),
      promoted,
    };
  }
  const phase = phases[at.phase];
  const [line, , row] = frame.script[phase.id][at.step];
  const done = frame.script[phase.id].slice(0, at.step + 1);
  const entered = phase.entersNodes ? new Uint8Array(size) : found;
  const values = nodes.before.slice();
  const written = new Uint8Array(size);
  for (const [, , about, writes] of done) {
    if (phase.entersNodes) {
      for (let node = about; node >= 0 && !entered[node]; node = nodes.parent[node]) entered[node] = 1;
    }
    if (!phase.isAfterMove) continue;
    if (about >= 0 && nodes.promotes && !writes.length) promoted[about] = 1; // only promotions write nothing
    for (const [target, value] of writes) {
      values[target] = value;
      written[target] = 1;
    }
  }
  const way = wayOf(nodes, done, phase.entersNodes);
  return { phase, isCompared: false, line, text, row, way, entered, values, written, promoted };
}

/**
 * The state of a drawn node at a moment, a key of GLYPHS in glyphs.js. With watch lists, entered are the nodes with
 * watched neurons.
 * @param {Nodes} nodes
 * @param {number} row
 * @param {Pick<Moment, "entered" | "written">} moment
 */
export function stateOf(nodes, row, moment) {
  const isStub = nodes.kind[row] === 2;
  if (moment.written[row] && isSet(nodes.starts, row)) return "starts";
  if (moment.written[row] && isSet(nodes.stops, row)) return "stops";
  if (!moment.entered[row]) return isStub ? "stub" : "unseen";
  if (nodes.watched && !isStub && !isSet(nodes.passes, row)) return nodes.kind[row] === 1 ? "watched" : "holds";
  if (nodes.watched && isStub) return "stub-open";
  if (!isSet(nodes.passes, row)) return isStub ? "stub-pruned" : "pruned";
  return isStub ? "stub-open" : nodes.kind[row] === 1 ? "firing" : "open";
}

/**
 * The scrub bar's place for a cursor: a place for each phase of each iteration.
 * @param {Cursor} at
 * @param {number} count phases of an iteration
 */
export const placeOf = (at, count) => at.iteration * count + at.phase;

/**
 * The cursor for a place on the scrub bar.
 * @param {number} place
 * @param {number} count phases of an iteration
 * @returns {Cursor}
 */
export const cursorAt = (place, count) => ({ iteration: Math.floor(place / count), phase: place % count, step: 0 });
