// The pace of playing: which sentences are read, which are glanced at, and for how long.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Pace, dwellTimes, readingTime, wordsOf } from "../../treeviz/stage/web/pace.js";

/** @import { Step } from "../../treeviz/stage/web/types.js" */

/** @param {string[]} texts @returns {Step[]} */
const steps = (...texts) => texts.map((text) => [0, text, -1, []]);

test("a sentence takes a second for 20 characters to read, and 1.2 seconds at least", () => {
  assert.deepEqual(["", "x".repeat(24), "x".repeat(25), "x".repeat(200)].map(readingTime), [1200, 1200, 1250, 10_000]);
});

test("the words of a sentence are the same for other numbers, however they are written", () => {
  for (const [one, other] of [
    ["Node 2: its maximum is 2.519 ≥ b = 1.413.", "Node 1,024: its maximum is −0.5 ≥ b = 1.41312345."],
    ["It changes by 2·10⁻¹⁶, or 45 % of 8.", "It changes by 1, or 7.8 % of 1,016."],
    ["none of its 16 neurons can fire", "none of its 1 neuron can fire"],
    ["2 branches, 1 leaf, 3 change", "2 branches, 1 leaf, 1 changes"],
    ["Above it, the root: 3 is as before.", "Above it, node 34: 0.5 is as before."],
  ]) {
    assert.equal(wordsOf(one), wordsOf(other));
  }
});

test("other words are other words", () => {
  const kinds = [
    "The root: its maximum is 2 ≥ b = 1, so both children are looked at.",
    "Node 3: its maximum is 2 ≥ b = 1, so both children are looked at.",
    "Node 3: its maximum is 0 < b = 1, so none of its 4 neurons can fire. Pruned.",
    "Neuron 3: its leaf is 2 ≥ b = 1, so it fires.",
    "Neuron 3: its leaf is 0 < b = 1, so it does not fire.",
    "Node 3: its maximum is 1 = b, so its 4 neurons are pruned.", // through a fault
  ];
  assert.equal(new Set(kinds.map(wordsOf)).size, kinds.length);
});

test("the first with its words and the last of all are read; others are glanced at", () => {
  const long = "x".repeat(60);
  assert.deepEqual(dwellTimes([`1 ${long}`, "2", `2 ${long}`, `3 ${long}`, "4"]), [3100, 1200, 400, 400, 1200]);
  assert.deepEqual(dwellTimes([long]), [3000]);
});

test("however many sentences repeat, they take six seconds together", () => {
  const times = dwellTimes(Array.from({ length: 1002 }, (_, place) => String(place)));
  assert.deepEqual([times[0], times[1001]], [1200, 1200]);
  const repeated = times.slice(1, -1);
  assert.ok(Math.abs(repeated.reduce((sum, time) => sum + time) - 6000) < 1e-6);
  assert.ok(repeated.every((time) => time === repeated[0]));
});

test("what was told before playing came into a phase has not been read", () => {
  const [pace, phase, other] = [new Pace(), steps("1", "2", "3", "4"), steps("1", "2")];
  assert.deepEqual(
    [2, 3].map((step) => pace.stay(phase, step)),
    [1200, 1200],
  );
  assert.deepEqual(
    [1, 2, 3].map((step) => pace.stay(phase, step)),
    [1200, 400, 1200],
  );
  assert.equal(pace.stay(other, 0), 1200);
  assert.equal(pace.stay(phase, 2), 1200); // come back to
});
