// The leaves that a move changes in all trees: what is drawn of each, which neuron a step tells of, and what is said.

import assert from "node:assert/strict";
import { test } from "node:test";

import { range } from "../../treeviz/style/web/numbers.js";
import { changeOf, touchedWords } from "../../treeviz/stage/web/touched.js";

const TOUCHED = {
  neurons: [0, 2],
  moved: 2,
  first: 0,
  strips: ["52", "67", "40"],
  changed: [3, 1],
  starts: [1, 1],
  stops: [1, 0],
};

test("a leaf starts or stops firing, still fires, changes below b, or stays", () => {
  const found = range(8).map(changeOf);
  assert.deepEqual(found, [null, "stops", "starts", "fires", "changed", "stops", "starts", "fires"]);
});

test("what a neuron does to all trees is said, or what all neurons do", () => {
  assert.equal(
    touchedWords(TOUCHED, 3, 0),
    "Neuron 0 has a leaf in all 3 trees: 3 of them change, 1 starts and 1 stops firing.",
  );
  assert.equal(
    touchedWords(TOUCHED, 3, -1),
    "Each of 2 neurons has a leaf in all 3 trees: of 6 leaves 4 change, 2 start and 1 stops firing.",
  );
});

test("what is not drawn is counted", () => {
  assert.match(touchedWords({ ...TOUCHED, moved: 1203 }, 4, -1), / Not drawn: 1,201 more neurons move, 1 more tree\.$/);
  assert.match(touchedWords({ ...TOUCHED, moved: 3 }, 3, -1), / Not drawn: 1 more neuron moves\.$/);
});
