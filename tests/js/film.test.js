import assert from "node:assert/strict";
import { test } from "node:test";

import { takesOf } from "../../treeviz/stage/web/film.js";
import { dwellTimes, readingTime } from "../../treeviz/stage/web/pace.js";
import { webmOf } from "../../treeviz/stage/web/webm.js";

/** @import { Frame, Phase } from "../../treeviz/stage/web/types.js" */

const phases = /** @type {Phase[]} */ ([
  { id: "search", title: "Search" },
  { id: "move", title: "Move" },
]);
const frame = /** @type {Frame} */ (
  /** @type {unknown} */ ({
    iteration: 2,
    view: { tree: 3 },
    script: {
      search: [
        [0, "Node 1 is looked at.", 0, []],
        [0, "Node 2 is looked at.", 1, []],
        [0, "All is found.", 1, []],
      ],
      move: [[1, "The weights move.", -1, []]],
    },
  })
);
const at = { iteration: 2, phase: 0, step: 2 };

test("a film of a phase has its steps at the pace of playing", () => {
  const takes = takesOf("phase", frame, phases, at, null);
  assert.deepEqual(
    takes.map((take) => [take.at.phase, take.at.step, take.where, take.text]),
    [
      [0, 0, "Iteration 2, tree 3 · Search", "Node 1 is looked at."],
      [0, 1, "Iteration 2, tree 3 · Search", "Node 2 is looked at."],
      [0, 2, "Iteration 2, tree 3 · Search", "All is found."],
    ],
  );
  assert.deepEqual(
    takes.map(({ time }) => time),
    dwellTimes(takes.map(({ text }) => text)),
  );
});

test("a film of an iteration has all its phases", () => {
  const takes = takesOf("iteration", frame, phases, at, null);
  assert.deepEqual(
    takes.map((take) => [take.at.phase, take.at.step]),
    [
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ],
  );
});

test("a film of a scene begins with what the scene says", () => {
  const scene = { title: "A tree", text: "It has **many**\nnodes.\n\nSee `m`." };
  const takes = takesOf("scene", frame, phases, at, scene);
  assert.deepEqual(
    takes.slice(0, 2).map((take) => [take.where, take.text, take.time]),
    [
      ["A tree", "It has many nodes.", readingTime("It has many nodes.")],
      ["A tree", "See m.", readingTime("See m.")],
    ],
  );
  assert.deepEqual(takes[0].at, { iteration: 2, phase: 0, step: 0 });
  assert.equal(takes.length, 5);
});

test("the cues of a video lead to its clusters", () => {
  const chunk = (/** @type {number} */ time, /** @type {boolean} */ isKey) => ({
    time,
    isKey,
    bytes: new Uint8Array(9),
  });
  const chunks = [chunk(0, true), chunk(1200, false), chunk(6000, true), chunk(7000, false)];
  const file = webmOf(chunks, { width: 4, height: 2, codec: "V_VP8", duration: 8000 });
  const view = new DataView(file.buffer);
  const find = (/** @type {number[]} */ ...bytes) => {
    const places = [...file.keys()].filter((place) => bytes.every((byte, more) => file[place + more] === byte));
    return places;
  };
  const [segment] = find(0x18, 0x53, 0x80, 0x67);
  const content = segment + 12;
  assert.equal(content + Number(view.getBigUint64(segment + 4) & 0xffffffffn), file.length);
  const clusters = find(0x1f, 0x43, 0xb6, 0x75);
  const cues = find(0xf1, 0x01, 0, 0).map((place) => content + Number(view.getBigUint64(place + 9)));
  assert.equal(clusters.length, 2);
  assert.deepEqual(cues, clusters);
});
