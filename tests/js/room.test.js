// What is said of the room there is for a tree, and of the branches that had to be closed.

import assert from "node:assert/strict";
import { test } from "node:test";

import { closedWords, detailOfAll, wholeTree } from "../../treeviz/stage/web/room.js";
import { VIEW, frame, nodes } from "./samples.js";

/** @import { Frame, View } from "../../treeviz/stage/web/types.js" */

const levels = (/** @type {number} */ depth) => [...Array(depth + 1).keys()].map((level) => 2 ** level);

test("a tree is whole in the least detail that holds it", () => {
  const details = [63, 127, 599];
  assert.equal(detailOfAll({ details, levels: levels(5) }), 63); // 63 nodes
  assert.equal(detailOfAll({ details, levels: [...levels(5), 1] }), 127);
  assert.equal(detailOfAll({ details, levels: levels(8) }), 599); // 511
  assert.equal(detailOfAll({ details, levels: levels(9) }), null);
});

test("the button for the whole tree says up to which width there is one", () => {
  const details = [63, 599];
  const small = wholeTree({ details, levels: levels(6) });
  assert.deepEqual(small, { isPossible: true, words: "whole tree", why: "show all 127 nodes, made to fit the panel" });
  assert.equal(wholeTree({ details, levels: [1] }).why, "show all 1 node, made to fit the panel");
  const large = wholeTree({ details, levels: levels(16) });
  assert.deepEqual([large.isPossible, large.words], [false, "whole tree: m ≤ 300"]);
  assert.match(large.why, /131,071 nodes, and at most 599 are drawn/);
});

/**
 * A frame with some of its nodes drawn as stubs.
 * @param {number[]} stubs heap numbers
 * @param {Partial<View>} view
 * @param {number} iteration
 * @returns {Frame}
 */
function drawn(stubs, view = {}, iteration = 0) {
  const table = nodes();
  const kind = table.id.map((id, row) => (stubs.includes(id) ? 2 : table.kind[row]));
  return { ...frame(iteration), nodes: { ...table, kind }, view: { ...VIEW, ...view } };
}

test("what was closed for something opened is said, with the reason", () => {
  const before = drawn([3], { opened: [] });
  const after = drawn([2], { opened: [3] });
  const words = "To make room, the branch at node 2 (2 neurons) was closed: at most 127 nodes are drawn.";
  assert.equal(closedWords(before, after), words);
  assert.equal(closedWords(drawn([], {}), drawn([], { opened: [3] })), "", "nothing had to be closed");
  assert.equal(closedWords(after, drawn([3], { opened: [] })), "", "what was closed on purpose");
  assert.equal(closedWords(before, drawn([2], { opened: [3], tree: 1 })), "", "another tree");
  assert.equal(closedWords(before, drawn([2], { opened: [3] }, 1)), "", "another iteration");
  assert.equal(closedWords(before, drawn([2], { opened: [3], detail: 63 })), "", "less detail");
  const cut = closedWords(drawn([], { opened: [2, 3] }), drawn([2], { opened: [3, 1] }));
  assert.equal(cut, "To make room, the branch at node 2 (2 neurons) was closed: at most 2 branches can be opened.");
  const both = closedWords(drawn([]), drawn([2, 3], { opened: [1] }));
  assert.match(both, /the branches at nodes 2 and 3 \(4 neurons\) were closed/);
});
