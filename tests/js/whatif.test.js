// Another threshold tried on the histogram of leaves.

import assert from "node:assert/strict";
import { test } from "node:test";

import { momentOf, stateOf } from "../../treeviz/stage/web/cursor.js";
import { imagine, thresholdAt, wordsOf } from "../../treeviz/stage/web/whatif.js";
import { PHASES, frame } from "./samples.js";

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
});

test("the sentence counts what the search would read and find", () => {
  const words = wordsOf(SPREAD, 2, 4, 0.7, 1);
  assert.match(words, /^What if b were 0\.7\d* and not 1\b/);
  assert.match(words, /would read 5 of 7 nodes \(71.%\), and 1 neuron fires\. Esc returns/);
});
