// The cursor, and what the tree looks like where it is.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  advance,
  cursorAt,
  lengthsOf,
  momentOf,
  nearestStepAbout,
  placeOf,
  settle,
  stateOf,
} from "../../treeviz/stage/web/cursor.js";
import { range } from "../../treeviz/style/web/numbers.js";
import { PHASES, VIEW, frame, nodes } from "./samples.js";

/** @import { Cursor, Nodes, Step, Unit } from "../../treeviz/stage/web/types.js" */

const LENGTHS = [4, 1, 6];
/** @param {number} iteration @param {number} phase @param {number} step @returns {Cursor} */
const at = (iteration, phase, step) => ({ iteration, phase, step });
const pinned = () => frame(3, { view: { ...VIEW, pinned: 1 }, script: {} });

test("a frame has the steps of its script, a comparison one", () => {
  assert.deepEqual(lengthsOf(frame(0), PHASES), LENGTHS);
  assert.deepEqual(lengthsOf(pinned(), PHASES), [1]);
});

test("settling brings phase and step into range", () => {
  assert.deepEqual(settle(at(2, Infinity, Infinity), LENGTHS), at(2, 2, 5));
  assert.deepEqual(settle(at(2, 0, Infinity), LENGTHS), at(2, 0, 3));
  assert.deepEqual(settle(at(2, -1, -1), LENGTHS), at(2, 0, 0));
  assert.deepEqual(settle(at(2, 2, 4), LENGTHS), at(2, 2, 4));
});

test("a unit on or back from every kind of place", () => {
  /** @type {[Cursor, Unit, number, Cursor][]} */
  const cases = [
    [at(1, 0, 0), "step", 1, at(1, 0, 1)],
    [at(1, 0, 2), "step", -1, at(1, 0, 1)],
    [at(1, 0, 3), "step", 1, at(1, 1, 0)],
    [at(1, 2, 0), "step", -1, at(1, 1, Infinity)],
    [at(1, 2, 5), "step", 1, at(2, 0, 0)],
    [at(1, 0, 0), "step", -1, at(0, Infinity, Infinity)],
    [at(1, 0, 2), "phase", 1, at(1, 1, 0)],
    [at(1, 2, 3), "phase", -1, at(1, 2, 0)], // within a phase, its beginning comes first
    [at(1, 2, 0), "phase", -1, at(1, 1, 0)],
    [at(1, 2, 3), "phase", 1, at(2, 0, 0)],
    [at(1, 0, 0), "phase", -1, at(0, Infinity, 0)],
    [at(1, 2, 3), "iteration", 1, at(2, 2, 0)],
    [at(1, 2, 3), "iteration", -1, at(0, 2, 3)],
  ];
  for (const [from, unit, direction, to] of cases) {
    assert.deepEqual(advance(from, unit, direction, LENGTHS), to, `${unit} ${direction} from ${JSON.stringify(from)}`);
  }
  for (const unit of /** @type {Unit[]} */ (["step", "phase", "iteration"])) {
    for (const direction of [1, -1])
      assert.deepEqual(advance(at(3, 0, 0), unit, direction, [1]), at(3 + direction, 0, 0));
  }
});

test("steps on lead through all places and back through the same", () => {
  /** @type {Cursor[]} */
  const places = [at(0, 0, 0)];
  for (let count = 0; count < 22; count++) places.push(settle(advance(places[count], "step", 1, LENGTHS), LENGTHS));
  assert.deepEqual(places.at(-1), at(2, 0, 0));
  assert.equal(new Set(places.map((place) => JSON.stringify(place))).size, 23);
  for (let count = 22; count > 0; count--) {
    assert.deepEqual(settle(advance(places[count], "step", -1, LENGTHS), LENGTHS), places[count - 1]);
  }
});

test("the search has entered the nodes of its steps so far and those above them", () => {
  const entered = (/** @type {number} */ step) => [...momentOf(frame(0), PHASES, at(0, 0, step)).entered];
  assert.deepEqual(entered(0), [1, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(entered(1), [1, 1, 0, 0, 0, 0, 0]);
  assert.deepEqual(entered(2), [1, 1, 0, 1, 0, 0, 0]);
  assert.deepEqual(entered(3), [1, 1, 1, 1, 0, 0, 0]);
  /** @type {Step[]} */
  const search = [[0, "a leaf, all at once", 5, []]];
  const leaf = frame(0, { script: { ...frame(0).script, search } });
  assert.deepEqual([...momentOf(leaf, PHASES, at(0, 0, 0)).entered], [1, 0, 1, 0, 0, 1, 0]);
  for (const phase of [1, 2])
    assert.deepEqual([...momentOf(frame(0), PHASES, at(0, phase, 0)).entered], [1, 1, 1, 1, 1, 0, 0]);
});

test("the repair has written what its steps wrote, the one under the cursor too", () => {
  const moment = (/** @type {number} */ step) => momentOf(frame(0), PHASES, at(0, 2, step));
  assert.deepEqual([moment(0).values[3], moment(0).values[1]], [0.5, 1.5]);
  assert.deepEqual(moment(2).values, [0.5, 0.5, 0.5, 0.5, 0.2, 0.5, 0.1]);
  assert.deepEqual([...moment(2).written], [1, 1, 0, 1, 0, 0, 0]);
  assert.deepEqual(moment(5).values, nodes().after);
  assert.deepEqual([...moment(5).written], [1, 1, 1, 1, 0, 1, 0]);
  assert.deepEqual(momentOf(frame(0), PHASES, at(0, 1, 0)).values, nodes().before);
  const { line, text, row, isCompared, phase } = moment(3);
  assert.deepEqual([line, text, row, isCompared, phase.id], [4, "leaf 6", 5, false, "repair"]);
});

test("a search has come to its node from the root, a repair from the leaf it has written", () => {
  const ways = LENGTHS.map((length, phase) =>
    range(length).map((step) => momentOf(frame(0), PHASES, at(0, phase, step)).way),
  );
  assert.deepEqual(ways, [
    [[0], [1, 0], [3, 1, 0], [2, 0]],
    [[]], // of no node
    [[3], [3, 1], [3, 1, 0], [5], [5, 2], [5, 2, 0]],
  ]);
  const { script } = frame(0);
  const summed = frame(0, { script: { ...script, repair: [...script.repair, [5, "all is repaired", -1, []]] } });
  assert.deepEqual(momentOf(summed, PHASES, at(0, 2, 6)).way, []);
  assert.deepEqual(momentOf(pinned(), PHASES, at(3, 0, 0)).way, []);
});

test("a frame stays as it was sent", () => {
  const sent = frame(0);
  momentOf(sent, PHASES, at(0, 2, 5));
  assert.deepEqual(sent, frame(0));
});

test("a comparison shows all changes at once", () => {
  const moment = momentOf(pinned(), PHASES, at(3, 0, 0));
  assert.deepEqual([...moment.entered], [1, 1, 1, 1, 1, 1, 1]);
  assert.deepEqual([...moment.written], [1, 1, 1, 1, 0, 1, 0]);
  assert.deepEqual([moment.values, moment.text, moment.row, moment.line], [nodes().after, "Tree 0 in short.", -1, -1]);
  const { isCompared, phase } = moment;
  assert.ok(isCompared && !phase.entersNodes && !phase.hasDualStep && !phase.hasMove && !phase.isAfterMove);
});

test("a promotion is a step of the repair about a neuron that writes nothing", () => {
  /** @type {Nodes} */
  const listed = { ...nodes(), watched: [2, 2, 0, 1, 1, 0, 0], promoted: "0000100", promotes: "0001000" };
  /** @type {Step[]} */
  const repair = [
    [4, "moved", 5, [[5, 1.25]]],
    [5, "all others", -1, []],
    [6, "promoted", 3, []],
  ];
  const watched = frame(0, { nodes: listed, script: { ...frame(0).script, repair } });
  const promoted = (/** @type {number} */ phase, /** @type {number} */ step) => [
    ...momentOf(watched, PHASES, at(0, phase, step)).promoted,
  ];
  assert.deepEqual(promoted(0, 3), [0, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual(promoted(2, 1), [0, 0, 0, 0, 1, 0, 0]);
  assert.deepEqual(promoted(2, 2), [0, 0, 0, 1, 1, 0, 0]);
  const alone = frame(0, { nodes: listed, script: { ...frame(0).script, repair: [[6, "promoted", 0, []]] } });
  assert.equal(momentOf(alone, PHASES, at(0, 2, 0)).promoted[0], 1); // a tree of one leaf
  const compared = { ...watched, view: { ...VIEW, pinned: 0 }, script: {} };
  assert.deepEqual([...momentOf(compared, PHASES, at(0, 0, 0)).entered], [1, 1, 1, 1, 1, 0, 0]);
});

test("every state of a node", () => {
  const all = { ...nodes(), kind: [0, 0, 2, 1, 1, 1, 2], passes: "1011000" };
  const state = (/** @type {Nodes} */ of, /** @type {number} */ row, entered = 1, written = 0) =>
    stateOf(of, row, { entered: new Uint8Array(7).fill(entered), written: new Uint8Array(7).fill(written) });
  assert.deepEqual(
    [0, 1, 2, 3, 4, 6].map((row) => state(all, row)),
    ["open", "pruned", "stub-open", "firing", "pruned", "stub-pruned"],
  );
  assert.deepEqual(
    [0, 2, 3].map((row) => state(all, row, 0)),
    ["unseen", "stub", "unseen"],
  );
  assert.deepEqual(
    [3, 5, 4].map((row) => state(all, row, 0, 1)),
    ["stops", "starts", "unseen"],
  );
  assert.deepEqual(
    [3, 5].map((row) => state(all, row, 1, 0)),
    ["firing", "pruned"],
  );
  const listed = { ...all, watched: [2, 2, 0, 1, 1, 0, 0] };
  assert.deepEqual(
    [0, 1, 2, 3, 4, 6].map((row) => state(listed, row)),
    ["open", "holds", "stub-open", "firing", "watched", "stub-open"],
  );
});

test("of several steps about a node the nearest is found", () => {
  const steps = [7, 3, 7, 5, 7, 7].map((row) => /** @type {Step} */ ([0, "", row, []]));
  assert.deepEqual(
    [0, 1, 3, 4, 5, 9].map((step) => nearestStepAbout(steps, 7, step)),
    [0, 0, 2, 4, 5, 5],
  );
  assert.equal(nearestStepAbout(steps, 5, 0), 3);
  assert.equal(nearestStepAbout(steps, 6, 0), null);
});

test("a place on the scrub bar is a phase of an iteration", () => {
  assert.equal(placeOf(at(2, 1, 3), 3), 7);
  for (const place of [0, 2, 3, 7, 11]) assert.equal(placeOf(cursorAt(place, 3), 3), place);
  assert.deepEqual(cursorAt(7, 3), at(2, 1, 0));
});
