// "What if": another threshold tried on the histogram of leaves, and a datapoint moved in its plane.

import assert from "node:assert/strict";
import { test } from "node:test";

import { momentOf, stateOf } from "../../treeviz/stage/web/cursor.js";
import { atLeast, placeOn, redraw, spreadOf, treeOf, unitOf } from "../../treeviz/stage/web/moved.js";
import { placeOfThreshold, thresholdAt } from "../../treeviz/stage/web/spread.js";
import { Weights } from "../../treeviz/stage/web/weights.js";
import { foundWords, imagine } from "../../treeviz/stage/web/whatif.js";
import { PHASES, frame } from "./samples.js";

/** @import { Point } from "../../treeviz/stage/web/types.js" */

/** Of the tree of the samples, whose leaves are 1.5, 0.2, 0.5 and 0.1. */
const SPREAD = { low: 0.1, high: 1.6, reads: [7, 7, 5, 5, 5, 5], fires: [4, 2, 1, 1, 1, 0] };

/** @param {number} threshold */
function statesWith(threshold) {
  const shown = frame(0);
  const run = momentOf(shown, PHASES, { iteration: 0, phase: 2, step: 3 });
  const { nodes, moment } = imagine(shown.nodes, run, threshold, "what if");
  assert.deepEqual(moment.values, shown.nodes.before); // nothing of the move is seen
  return nodes.id.map((_, row) => stateOf(nodes, row, moment));
}

test("a search with another threshold is drawn from the maxima alone", () => {
  assert.deepEqual(statesWith(0.4), ["open", "open", "open", "firing", "pruned", "firing", "pruned"]);
  assert.deepEqual(statesWith(1), ["open", "open", "pruned", "firing", "pruned", "unseen", "unseen"]);
  assert.deepEqual(statesWith(2), ["pruned", "unseen", "unseen", "unseen", "unseen", "unseen", "unseen"]);
});

test("the run's own frame is left as it is", () => {
  const shown = frame(0);
  const before = structuredClone(shown.nodes);
  imagine(shown.nodes, momentOf(shown, PHASES, { iteration: 0, phase: 0, step: 0 }), 0.1, "");
  assert.deepEqual(shown.nodes, before);
});

test("thresholds lie evenly between the ends", () => {
  assert.equal(thresholdAt(SPREAD, 0), 0.1);
  assert.equal(thresholdAt(SPREAD, 5), 1.6);
  assert.ok(Math.abs(thresholdAt(SPREAD, 2) - 0.7) < 1e-12);
  for (let place = 0; place <= 5; place++) assert.equal(placeOfThreshold(SPREAD, thresholdAt(SPREAD, place)), place);
  assert.deepEqual([placeOfThreshold(SPREAD, -9), placeOfThreshold(SPREAD, 9)], [0, 5]);
});

test("the sentence counts what the search would read and find, beside the run", () => {
  const words = foundWords({ reads: 5, fires: 1 }, { reads: 7, fires: 3 }, 4);
  assert.match(words, /would read 5 of 7 nodes \(71.%; in the run 7\), and 1 neuron fires \(in the run 3\)\.$/);
});

// ---- a datapoint moved ----

const WEIGHTS = Float64Array.from([2, 0, 0, 1, -1, 0, 0.5, 0.5, 0, -2]); // of five neurons in two dimensions

test("the tree of another input is made of its inner products", () => {
  const values = treeOf(WEIGHTS, [0.6, 0.8]);
  const expected = [1.2, 1.2, 0.8, 0.7, 1.2, 0.8, -0.6, 0.7, -1.6]; // node 1 on; leaves are 5 to 9
  expected.forEach((value, place) => assert.ok(Math.abs(values[place + 1] - value) < 1e-12));
  assert.deepEqual(atLeast(values, 1, 0.75), [3, 2]);
  assert.deepEqual(atLeast(values, 2, 0.75), [1, 1]);
  assert.deepEqual(atLeast(values, 4, 0.75), [0, 0]);
  assert.deepEqual(atLeast(values, 1, values[5]), [2, 1], "a value at the threshold counts");
});

test("the drawn nodes of another tree are told what is in them", () => {
  const drawn = { ...frame(0).nodes, id: [1, 2, 3, 4, 5], parent: [-1, 0, 0, 1, 1], kind: [0, 0, 2, 2, 1] };
  const { before, firing, visited } = redraw(drawn, treeOf(WEIGHTS, [0.6, 0.8]), 0.65);
  assert.ok(Math.abs(before[3] - 0.7) < 1e-12);
  assert.deepEqual(firing, [3, 2, 1, 1, 1]);
  assert.deepEqual(visited, [1, 1, 3, 3, 1]); // in the stubs 3 and 4 both children are read
  assert.deepEqual(redraw(drawn, treeOf(WEIGHTS, [0.6, 0.8]), 1).visited, [1, 1, 1, 1, 1]);
  assert.deepEqual(redraw(drawn, treeOf(WEIGHTS, [0.6, 0.8]), 2).visited, [1, 0, 0, 0, 0]);
});

test("the spread of another tree counts its nodes from each threshold on", () => {
  const values = treeOf(WEIGHTS, [0.6, 0.8]);
  const spread = spreadOf(values);
  assert.equal(spread.low, values[9]);
  assert.ok(spread.high > values[1]);
  assert.deepEqual([spread.fires[0], spread.reads[0], spread.fires.at(-1), spread.reads.at(-1)], [5, 9, 0, 1]);
  for (let place = 1; place < spread.fires.length; place++) {
    const [inner, leaves] = atLeast(values, 1, thresholdAt(spread, place));
    assert.deepEqual([spread.reads[place], spread.fires[place]], [1 + 2 * inner, leaves]);
  }
});

test("a datapoint stays where datapoints can be", () => {
  const plane = { dimension: 3, lifted: true };
  assert.deepEqual(placeOn(plane, [3, -4]), [3, -4]);
  assert.deepEqual(unitOf(plane, [2, -2]), [2 / 3, -2 / 3, 1 / 3]);
  const circle = { dimension: 2, lifted: false };
  const near = (/** @type {Point} */ one, /** @type {Point} */ other) =>
    assert.ok(Math.hypot(one[0] - other[0], one[1] - other[1]) < 1e-12, `${one} is not ${other}`);
  near(placeOn(circle, [3, -4]), [0.6, -0.8]);
  const line = { dimension: 2, lifted: true };
  near(placeOn(line, [3, 4]), [0.6, 0.8]);
  near(placeOn(line, [3, -1]), [Math.cos(0.02), Math.sin(0.02)]);
  near(placeOn(line, [-3, -1]), [-Math.cos(0.02), Math.sin(0.02)]);
});

test("weights are asked for once, and those of a few iterations are kept", () => {
  const weights = new Weights();
  assert.equal(weights.missing, null);
  weights.wanted = 4;
  assert.equal(weights.missing, 4);
  const values = btoa(String.fromCharCode(...new Uint8Array(Float64Array.from([0.1, -2e-9]).buffer)));
  weights.take({ iteration: 4, values });
  assert.equal(weights.missing, null);
  assert.deepEqual(weights.known.get(4), Float64Array.from([0.1, -2e-9]));
  for (const iteration of [5, 6, 7]) weights.take({ iteration, values });
  assert.deepEqual([...weights.known.keys()], [5, 6, 7]);
});
