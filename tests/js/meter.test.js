// The meter: what has been computed at a place, and how it is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { advance, lengthsOf } from "../../treeviz/stage/web/cursor.js";
import { compared, iterationWords, readingAt, runWords } from "../../treeviz/stage/web/meter.js";
import { PHASES, frame } from "./samples.js";

/** @import { Cursor } from "../../treeviz/stage/web/types.js" */

const COSTS = {
  own: [40, 7, 61],
  dense: [300, 9, 0],
  build: 200,
  before: /** @type {[number, number]} */ ([500, 800]),
};
const LENGTHS = lengthsOf(frame(0), PHASES); // 4, 1 and 6 steps

/** @param {number} phase @param {number} step */
const read = (phase, step, costs = COSTS) => readingAt(costs, { iteration: 0, phase, step }, LENGTHS);

test("the last step of an iteration has the whole of it, of the run and of the dense method", () => {
  const { isExact, own, ownAll, denseAll, run, runAll, denseRun } = read(2, 5);
  assert.deepEqual([isExact, own, ownAll, denseAll], [true, 108, 108, 309]);
  assert.deepEqual([run, runAll, denseRun], [200 + 500 + 108, 200 + 500 + 108, 800 + 309]);
});

test("phases are counted when they are over, and within one its operations are shared out over its steps", () => {
  const at = (/** @type {number} */ phase, /** @type {number} */ step) => {
    const { isExact, own, run, runAll, denseRun } = read(phase, step);
    assert.deepEqual([runAll, denseRun], [808, 1109]); // at the end of the iteration, wherever it is
    return [isExact, own, run];
  };
  assert.deepEqual(at(0, 0), [false, 10, 710]);
  assert.deepEqual(at(0, 3), [true, 40, 740]);
  assert.deepEqual(at(1, 0), [true, 47, 747]);
  assert.deepEqual(at(2, 0), [false, 57, 757]); // 61 / 6 is 10.2
  assert.deepEqual(at(2, 4), [false, 98, 798]); // 50.8
});

test("it never falls while an iteration is played", () => {
  let last = { own: 0, run: 0 };
  for (
    let at = /** @type {Cursor} */ ({ iteration: 0, phase: 0, step: 0 });
    at.iteration === 0;
    at = advance(at, "step", 1, LENGTHS)
  ) {
    const now = readingAt(COSTS, at, LENGTHS);
    assert.ok(now.own >= last.own && now.run >= last.run && now.own <= now.ownAll);
    last = now;
  }
  assert.equal(last.own, 108);
});

test("it says which of the two needs more, and by how much", () => {
  assert.equal(compared(1200, 100), "12 times as many");
  assert.equal(compared(50, 200), "0.25 times as many");
  assert.equal(compared(7, 7), "just as many");
  assert.deepEqual([compared(999, 1000), compared(1000, 999)], ["about as many", "about as many"]);
  assert.equal(compared(0, 7), "0 times as many");
  assert.equal(compared(5, 0), "5 times as many");
});

test("what is shared out is said to be about right, and the rest is exact", () => {
  const [within, over] = [read(0, 0), read(2, 5)];
  assert.deepEqual(iterationWords(within, 3), {
    title: "This iteration",
    own: "so far ≈ 10 of 108",
    dense: "dense: 309, 2.9 times as many",
    label: "Operations of iteration 3: about 10 of 108 so far. The dense method computes 309 in it, 2.9 times as many.",
  });
  assert.equal(iterationWords(over, 3).own, "so far 108 of 108");
  assert.deepEqual(runWords(within), {
    title: "Run with building (200)",
    own: "so far ≈ 710 of 808",
    dense: "dense: 1,109, 1.4 times as many",
    label:
      "Operations of the run to the end of this iteration: about 710 of 808 so far, 200 of them for building. " +
      "The dense method has computed 1,109 by the end, 1.4 times as many.",
  });
  assert.equal(runWords(over).own, "so far 808 of 808");
});

test("while building is not paid off, it says so in place of a factor", () => {
  const costs = { ...COSTS, build: 700 };
  assert.equal(runWords(read(0, 0, costs)).dense, "dense: 1,109, building not paid off");
  assert.equal(runWords(read(2, 5, { ...costs, build: 501 })).dense, "dense: 1,109, just as many");
});

test("a run that builds nothing says nothing of building", () => {
  const { title, label } = runWords(read(2, 5, { ...COSTS, build: 0 }));
  assert.equal(title, "Run");
  assert.equal(
    label,
    "Operations of the run to the end of this iteration: 608 of 608 so far. " +
      "The dense method has computed 1,109 by the end, 1.8 times as many.",
  );
});
