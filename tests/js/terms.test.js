// Terms of the glossary in sentences.

import assert from "node:assert/strict";
import { test } from "node:test";

import { partOf } from "./page.js";
import { patternOf, pieces, placesOf, withSubscripts } from "../../treeviz/stage/web/terms.js";

const TERMS = [
  ["threshold", "b"],
  ["leaf", "zᵣᵢ"],
  ["dual step", "g"],
  ["fires", "zᵣᵢ ≥ b"],
  ["Gram matrix of the Jacobian", "G = J Jᵀ"],
  ["tree", ""],
  ["skin", "s"],
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
  assert.deepEqual(linked("Subtrees and leaflets, a big gain: 2b, b2 and i; the method's s."), []);
});

test("words of a lesson for a term lead to it, too", () => {
  const terms = ["touched neurons", "amortized cost", "dense method", "exact"].map((name) => ({
    name,
    symbol: "",
    means: "…",
    section: "moving",
  }));
  const places = placesOf(terms);
  const found = pieces("touched, amortized, dense baseline, exactly", patternOf([...places.keys()]), places);
  assert.deepEqual(
    found.filter(({ place }) => place !== null).map(({ words, place }) => [words, place]),
    [
      ["touched", 0],
      ["amortized", 1],
      ["dense baseline", 2],
      ["exactly", 3],
    ],
  );
});

test("at the start of a sentence, and as code writes them, they are found too", () => {
  assert.deepEqual(linked("Leaves. Dual step"), ["Leaves:leaf", "Dual step:dual step"]);
  assert.deepEqual(linked("all z_ri"), ["z_ri:leaf"]);
});

test("a key of several texts names each term once", () => {
  const seen = new Set();
  const places = ["a tree ≥ b", "this tree", "a leaf"].map((text) =>
    pieces(text, patternOf([...PLACES.keys()]), PLACES, seen).filter(({ place }) => place !== null),
  );
  assert.deepEqual(
    places.map((found) => found.map(({ words }) => words)),
    [["tree", "b"], [], ["leaf"]],
  );
});

test("subscripts are those of symbols, not of columns", () => {
  const written = (/** @type {string} */ text) =>
    withSubscripts(text).map((piece) => (typeof piece === "string" ? piece : `<${partOf(piece).textContent}>`));
  assert.deepEqual(written("a_r/√m Σ K_ij"), ["a", "<r>", "/√m Σ K", "<ij>", ""]);
  assert.deepEqual(written("petal_length, mean_of, x_1"), ["petal_length, mean_of, x_1"]);
});

test("nothing of the text is lost", () => {
  for (const text of ["", "leaf", "no term", "b, then a tree, then b.", "≥ b."]) {
    const words = pieces(text, patternOf([...PLACES.keys()]), PLACES).map((piece) => piece.words);
    assert.equal(words.join(""), text);
  }
});
