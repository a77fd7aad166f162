// Terms of the glossary in sentences.

import assert from "node:assert/strict";
import { test } from "node:test";

import { patternOf, pieces, placesOf } from "../../treeviz/stage/web/terms.js";

const TERMS = [
  ["threshold", "b"],
  ["leaf", "zᵣᵢ"],
  ["dual step", "g"],
  ["fires", "zᵣᵢ ≥ b"],
  ["Gram matrix of the Jacobian", "G = J Jᵀ"],
  ["tree", ""],
].map(([name, symbol]) => ({ name, symbol, means: "…", section: "trees" }));
const PLACES = placesOf(TERMS);

/** @param {string} text */
const linked = (text) =>
  pieces(text, patternOf([...PLACES.keys()]), PLACES)
    .filter(({ place }) => place !== null)
    .map(({ words, place }) => `${words}:${TERMS[place ?? 0].name}`);

test("words, their plurals and symbols are found, each once", () => {
  assert.deepEqual(linked("The leaves of this tree: a leaf ≥ b = 1.4 fires, b is the threshold of all trees."), [
    "leaves:leaf",
    "tree:tree",
    "b:threshold",
    "fires:fires",
  ]);
  assert.deepEqual(linked("solve G g = ρ: the dual step g"), ["G:Gram matrix of the Jacobian", "g:dual step"]);
});

test("parts of words, numbers and other letters are no terms", () => {
  assert.deepEqual(linked("Subtrees and leaflets, a big gain: 2b, b2 and i."), []);
});

test("nothing of the text is lost", () => {
  for (const text of ["", "leaf", "no term", "b, then a tree, then b.", "≥ b."]) {
    const words = pieces(text, patternOf([...PLACES.keys()]), PLACES).map((piece) => piece.words);
    assert.equal(words.join(""), text);
  }
});
