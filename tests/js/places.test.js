// Where nodes stand, which labels there is room for, and the ticks under the scrub bar.

import assert from "node:assert/strict";
import { test } from "node:test";

import { rowsHigh } from "../../treeviz/stage/web/lists.js";
import { leafOf, levelOf, neuronOf, treeSize } from "../../treeviz/stage/web/heap.js";
import { shadeOf } from "../../treeviz/stage/web/atlas.js";
import { darknessOf, extentOf, glyphOf } from "../../treeviz/stage/web/glyphs.js";
import { labelsOf, leafRoomOf } from "../../treeviz/stage/web/labels.js";
import { pointsOf, powersOf } from "../../treeviz/stage/web/losses.js";
import { layOutTree, nearby, nearest, scrollTo, ticksOf } from "../../treeviz/stage/web/places.js";
import { roundedUp, sharing } from "../../treeviz/stage/web/panel.js";
import { arrow } from "../../treeviz/stage/web/plane.js";
import { range } from "../../treeviz/style/web/numbers.js";
import { nodes } from "./samples.js";

/** @import { Point } from "../../treeviz/stage/web/types.js" */

test("heap numbers", () => {
  assert.deepEqual([1, 2, 3, 4, 7, 8, 2 ** 21 - 1, 2 ** 21].map(levelOf), [0, 1, 1, 2, 2, 3, 20, 21]);
  assert.deepEqual([leafOf(3, 64), neuronOf(67, 64), treeSize(1), treeSize(64)], [67, 3, 1, 127]);
});

test("a tree fills the width, the root above the middle of its leaves", () => {
  const { unit, size, width, height, at, edges } = layOutTree(nodes(), 382, 1);
  assert.deepEqual([unit, size, width], [90, 1, 382]); // (382 − 2 · 16) / 3.5 would be 100, too much
  assert.deepEqual(at[3], [33.5, 20 + 2 * 62]); // (382 − 3.5 · 90) / 2 is left on each side
  assert.deepEqual(at[0], [33.5 + 135, 20]);
  assert.equal(height, 20 + 124 + 118);
  assert.equal(edges[0], "");
  assert.equal(edges[3], `M${at[1].join(" ")}L33.5 144`);
  const narrow = layOutTree(nodes(), 207, 1);
  assert.deepEqual([narrow.unit, narrow.width, narrow.at[3][0]], [50, 207, 16]);
});

test("a wide tree keeps a least width for a leaf, smaller nodes and no labels below", () => {
  const wide = {
    x: [49.75, ...Array(100).keys()],
    depth: [0, ...Array(100).fill(20)],
    parent: [-1, ...Array(100).fill(0)],
  };
  const { unit, size, width, height, at } = layOutTree(wide, 400, 1);
  assert.deepEqual([unit, width, size], [4.5, 99.5 * 4.5 + 32, 0.5]);
  assert.deepEqual([at[1], height], [[16, 20 + 20 * 21], 20 + 420 + 30]);
  const zoomed = layOutTree(wide, 400, 2);
  assert.deepEqual([zoomed.unit, zoomed.size], [9, 9 / 11]);
  const fitting = layOutTree(wide, 400, 0); // made to fit, however small the nodes become
  assert.deepEqual([fitting.width, fitting.unit, fitting.size], [400, 368 / 99.5, 0.5 * fitting.zoom]);
  assert.deepEqual([layOutTree(wide, 400, 0.1).unit, layOutTree(nodes(), 382, 0).zoom], [fitting.unit, 1]);
  assert.equal(layOutTree({ x: [0, 99.5], depth: [0, 20], parent: [-1, 0] }, 1282, 1).height, 20 + 420 + 118); // just room
  const deep = layOutTree({ x: [0, 99.5], depth: [0, 20], parent: [-1, 0] }, 1282, 1, 1, { height: 400, leaves: 118 });
  assert.equal(deep.height, 400); // all the room
  const large = layOutTree(wide, 400, 2, 1.5); // the same places on the screen, with larger letters and nodes
  assert.ok(Math.abs(large.width * 1.5 - zoomed.width) < 40 && Math.abs(large.unit * 1.5 - zoomed.unit) < 1e-9);
  assert.equal(layOutTree({ x: [0], depth: [0], parent: [-1] }, 400, 1).height, 20 + 118); // one node
  assert.equal(layOutTree({ x: [0, 0], depth: [0, 10], parent: [-1, 0] }, 400, 1).at[1][1], 20 + 380);
});

test("a label may run into the nodes near it on its level, above and below", () => {
  /** @type {Point[]} */
  const at = [
    [500, 0],
    [100, 20],
    [269, 20],
    [271, 20],
    [100, 40],
    [100, 60],
  ];
  assert.deepEqual(nearby(at, [0, 1, 1, 1, 2, 3]), [[], [2, 4], [1, 3, 4], [2], [1, 2, 5], [4]]);
});

test("labels stand away from the edge above, and where they cover nothing, or where the cursor is", () => {
  const moment = { row: -1, values: nodes().before, written: new Uint8Array(7), entered: new Uint8Array(7) };
  const labels = (/** @type {number} */ width, changes = {}, of = nodes()) =>
    labelsOf(of, { ...moment, ...changes }, layOutTree(of, width, 1), 4);
  const whole = labels(382); // the nodes are at 33.5, 78.5, 123.5 ... across, with 62 from level to level
  assert.deepEqual(whole[0], ["1.500", "translate(11.0 -6)"]);
  assert.deepEqual(whole[1], ["1.500", "translate(-39.5 -6)"]); // its parent is to the right
  assert.deepEqual(whole[2], ["0.500", "translate(11.0 -6)"]);
  const moved = { values: nodes().after, written: new Uint8Array(7).fill(1) };
  assert.deepEqual(labels(300, moved)[1], ["1.500→0.500", "translate(11.0 -6)"]); // too near the border: 54.3 < 11 + 62.7
  assert.deepEqual(labels(382, moved)[4][0], "#1 0.200");
  // A label that would cover a node, another label or the border is left out, unless the cursor is there.
  const close = { ...nodes(), x: [0.2, 1, 1.5, 0, 1, 2, 3] };
  assert.deepEqual([labels(382, {}, close)[1][0], labels(382, { row: 1 }, close)[1][0]], ["", "1.500"]);
  const stubs = { ...nodes(), x: [0.2, 1, 1.2, 0, 1, 2, 3], kind: [0, 2, 2, 1, 1, 1, 1], neurons: Array(7).fill(2048) };
  assert.deepEqual([labels(382, {}, stubs)[1][0], labels(382, {}, stubs)[2][0]], ["2k", "2k"]);
  assert.deepEqual([labels(122, {}, stubs)[1][0], labels(122, {}, stubs)[2][0]], ["2k", ""]); // 5 pixels apart
  const edge = { ...nodes(), x: [1.5, 0.5, 3.5, 0, 1, 2, 3] };
  assert.deepEqual([labels(136, {}, edge)[2][0], labels(136, { row: 2 }, edge)[2][0]], ["", "0.500"]);
  // A leaf's stands upright below it.
  assert.deepEqual(whole[3], ["#0 1.500", "translate(-4 13) rotate(90)"]);
  const narrow = layOutTree(nodes(), 75, 1); // 12.3 a leaf
  assert.deepEqual(labelsOf(nodes(), moment, narrow, 4)[3][0], "");
  assert.deepEqual(labelsOf(nodes(), { ...moment, row: 3 }, narrow, 4)[3], ["#0 1.500", "translate(-16.0 22)"]);
  assert.equal(labelsOf(nodes(), { ...moment, row: 5 }, narrow, 4)[5][1], "translate(-22.8 22)");
  const last = labelsOf(nodes(), { ...moment, row: 6 }, narrow, 4)[6][1]; // the last leaf is 22 pixels from the border
  assert.equal(last, "translate(-23.5 22)");
  assert.deepEqual(labels(382, { row: 3 })[3][1], "translate(-4 13) rotate(90)");
  // A stub's says how many neurons it holds.
  const stub = { ...nodes(), kind: [0, 2, 0, 1, 1, 1, 1], neurons: [4, 1200, 2, 1, 1, 1, 1] };
  assert.deepEqual(labels(382, {}, stub)[1], ["1.2k", "translate(-11.4 28)"]); // below its silhouette
});

test("of leaves too close for all labels, those that matter most have one", () => {
  const leaves = range(8);
  const of = {
    ...nodes(),
    id: [1, ...leaves.map((leaf) => 8 + leaf)],
    parent: [-1, ...leaves.map(() => 0)],
    x: [3.5, ...leaves],
    depth: [0, ...leaves.map(() => 1)],
    kind: [0, ...leaves.map(() => 1)],
    before: [0.9, 0.1, 0.2, 0.3, 0.9, 0.5, 0.6, 0.7, 0.8],
    neurons: [8, ...leaves.map(() => 1)],
  };
  const layout = layOutTree(of, 104, 1, 1, { height: 300, leaves: leafRoomOf(8, true) }); // 8.5 a leaf: every other has room
  const moment = { row: -1, values: of.before.slice(), written: new Uint8Array(9), entered: new Uint8Array(9) };
  const named = (/** @type {object} */ changes, /** @type {number[]} */ wanted = []) =>
    labelsOf(of, { ...moment, ...changes }, layout, 8, (node) => wanted.includes(node), true)
      .slice(1)
      .flatMap(([text], leaf) => (text ? [leaf] : []));
  assert.deepEqual(named({}), [1, 3, 5, 7]); // 0.9 and 0.8 first, then what is free beside them
  assert.deepEqual(named({ entered: new Uint8Array(9).fill(1, 1, 2) }), [0, 3, 5, 7]);
  assert.deepEqual(named({ written: new Uint8Array(9).fill(1, 3, 4) }), [0, 2, 5, 7]);
  assert.deepEqual(named({ written: new Uint8Array(9).fill(1, 3, 4) }, [11]), [1, 3, 5, 7]);
  assert.deepEqual(named({ row: 3 }, [11]), [0, 2, 5, 7]);
  assert.equal(layout.height, 20 + 62 + leafRoomOf(8, true));
  // A leaf that has changed says so with both values where there is room.
  const moved = { ...moment, values: of.before.map((value) => value + 0.3), written: new Uint8Array(9).fill(1) };
  const wide = layOutTree(of, 400, 1);
  const first = (/** @type {boolean} */ isBrief) => labelsOf(of, moved, wide, 8, undefined, isBrief)[2][0];
  assert.deepEqual([first(false), first(true)], ["#1 0.200→0.500", "#1 0.500"]);
  // Below the leaves there is room for both, letters being 5.7 pixels wide, also of many neurons.
  assert.ok(leafRoomOf(65_536, false) >= 13 + 5.7 * "#65535 −2.423→−12.071".length);
  assert.equal(
    layOutTree(of, 400, 1, 1, { leaves: leafRoomOf(65_536, false) }).height,
    20 + 62 + leafRoomOf(65_536, false),
  );
});

test("no two labels meet, however low the levels of a deep tree are", () => {
  // Paths to four leaves of 65,536, and stubs beside them.
  const depth = 16;
  const ends = [57, 31_500, 44_568, 65_457].map((leaf) => leafOf(leaf, 2 ** depth));
  const of = { ...nodes(), id: [1], parent: [-1], x: [0], depth: [0], kind: [0] };
  let terminals = 0;
  const grow = (/** @type {number} */ row) => {
    const [id, level] = [of.id[row], of.depth[row]];
    const isOpen = level < depth && ends.some((end) => end >> (depth - level) === id);
    of.kind[row] = isOpen ? 0 : level === depth ? 1 : 2;
    of.x[row] = isOpen ? 0 : terminals++;
    if (!isOpen) return;
    const below = [2 * id, 2 * id + 1].map((child) => {
      of.parent.push(row);
      of.depth.push(level + 1);
      return of.id.push(child) - 1;
    });
    below.forEach(grow);
    of.x[row] = (of.x[below[0]] + of.x[below[1]]) / 2;
  };
  grow(0);
  of.neurons = of.depth.map((level) => 2 ** (depth - level));
  of.before = of.id.map(() => 2.25);
  const none = new Uint8Array(of.id.length);
  const moment = { row: -1, values: of.before, written: none, entered: none };
  for (const height of [260, 300, 400, 600]) {
    const layout = layOutTree(of, 800, 1, 1, { height, leaves: leafRoomOf(2 ** depth, true) });
    const boxes = labelsOf(of, moment, layout, 2 ** depth).flatMap(([text, transform], row) => {
      const [, left, base, isUpright] = /^translate\(([-.0-9]+) ([-.0-9]+)\)( rotate)?/.exec(transform) ?? [];
      const [x, y] = [layout.at[row][0] + Number(left), layout.at[row][1] + Number(base)];
      const long = 5.5 * text.length;
      const box = isUpright ? [x - 2, y, x + 8, y + long] : [x, y - 8, x + long, y + 2];
      return text ? [{ box, text }] : [];
    });
    assert.ok(boxes.length >= 20, `${boxes.length} labels`);
    for (const [place, { box: one, text }] of boxes.entries()) {
      for (const { box: other, text: words } of boxes.slice(place + 1)) {
        const isApart = one[2] < other[0] || other[2] < one[0] || one[3] < other[1] || other[3] < one[1];
        assert.ok(isApart, `${text} runs into ${words} in ${height} pixels`);
      }
    }
  }
});

test("a silhouette is larger the more neurons it stands for, and darker the more of it is read", () => {
  const [small, middle, large] = [2, 1024, 65_536].map(extentOf);
  assert.deepEqual(
    [small, large],
    [
      [3.8, 2.5],
      [8.3, 25],
    ],
  );
  assert.ok(small[0] < middle[0] && middle[0] < large[0] && small[1] < middle[1] && middle[1] < large[1]);
  assert.equal(glyphOf("stub", 65_536), "M0 -5L8.3 25.0H-8.3Z");
  assert.equal(glyphOf("stub-pruned", 65_536), "M0 -5L8.3 25.0H-8.3ZM-3 19L3 25M3 19L-3 25");
  assert.equal(glyphOf("open", 4), glyphOf("open", 4096));
  assert.deepEqual([0, 0.01, 0.25, 1].map(darknessOf), ["0.08", "0.17", "0.54", "1.00"]);
});

test("a chart of losses has few powers of ten, the same factor apart, and every loss in its place", () => {
  assert.deepEqual(powersOf([4.15, 6.66, 1.2, 3.76e-31]), [-31, -23, -15, -7, 1]);
  assert.deepEqual(powersOf([5, 0.02]), [-2, -1, 0, 1]);
  assert.deepEqual(powersOf([0, 0]), [-1, 0]);
  const points = pointsOf([10, 1, 0.1, 0], [-1, 0, 1]);
  assert.deepEqual(
    points.map(([x]) => x),
    [50, 120, 190, 260],
  );
  assert.deepEqual(
    points.map(([, y]) => y),
    [10, 76, 142, 142], // none is below the least
  );
});

test("an axis ends at 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual([1, 1.01, 2, 3, 5, 5.1, 0.3, 0.00012, 0].map(roundedUp), [1, 2, 2, 5, 5, 10, 0.5, 0.0002, 1]);
});

test("the nearest point within reach", () => {
  /** @type {Point[]} */
  const points = [
    [0, 0],
    [10, 0],
    [10, 8],
  ];
  assert.deepEqual([nearest(points, [1, 2], 14), nearest(points, [9, 5], 14), nearest(points, [6, 0], 14)], [0, 2, 1]);
  assert.deepEqual(
    [nearest(points, [0, 9.9], 10), nearest(points, [0, -10], 10), nearest([], [0, 0], 10)],
    [0, -1, -1],
  );
});

test("a place out of view is scrolled to the middle", () => {
  assert.deepEqual([scrollTo(130, 100, 400), scrollTo(470, 100, 400)], [100, 100]);
  assert.deepEqual([scrollTo(129, 100, 400), scrollTo(471, 100, 400)], [-71, 271]);
});

test("ticks stand where the thumb will, and as close as is legible", () => {
  const few = ticksOf(116, 2, 3); // 100 pixels for 5 gaps
  assert.deepEqual(
    few.map(({ x }) => x),
    [8, 28, 48, 68, 88, 108],
  );
  assert.deepEqual(
    few.map(({ iteration }) => iteration),
    [0, null, null, 1, null, null],
  );
  assert.deepEqual(
    few.map(({ label }) => label),
    ["0", "", "", "1", "", ""],
  );
  const many = ticksOf(16 + 299 * 2.9, 100, 3); // 2.9 pixels a phase: no room for the phases, a number every third
  assert.equal(many.length, 100);
  assert.deepEqual(
    many.slice(0, 5).map(({ label }) => label),
    ["0", "", "", "3", ""],
  );
  assert.equal(ticksOf(16 + 299 * 3, 100, 3).length, 300);
  assert.deepEqual(
    ticksOf(116, 2, 1).map(({ x }) => x),
    [8, 108],
  );
  const named = (/** @type {number} */ apart) => ticksOf(16 + apart * 9, 10, 1).filter(({ label }) => label).length;
  assert.deepEqual([named(18), named(17.9)], [10, 5]);
  assert.deepEqual(ticksOf(116, 1, 1), [{ x: 8, iteration: 0, label: "0" }]);
});

test("rows of atlas and lists are as high as fits, and legible", () => {
  assert.deepEqual([5, 12, 20, 29, 500].map(rowsHigh), [22, 260 / 12, 13, 9, 9]);
});

test("shades of the atlas", () => {
  assert.deepEqual([0, 0.0005, 0.001, 0.0011, 0.05, 0.3, 1].map(shadeOf), [-1, 0, 0, 1, 3, 5, 6]);
});

test("where a neuron fires, in words", () => {
  assert.equal(sharing([[], [], [], [1]], true), "It fires on no datapoint, so it does not move.");
  assert.equal(sharing([[], [], [2], [2]], true), "It fires on datapoint 2.");
  const words = "It fires on datapoints 0, 2; after the move also on datapoints 4, 5, no longer on datapoint 0.";
  assert.equal(sharing([[], [], [0, 2], [2, 4, 5]], true), words);
  assert.equal(sharing([[], [], [0, 2], [2, 4, 5]], false), "It fires on datapoints 0, 2.");
});

test("an arrow has a head at its end, and is left out where it is too short", () => {
  assert.equal(arrow([0, 0], [10, 0]), "M0 0L10 0M6 2L10 0L6 -2");
  assert.equal(arrow([0, 0], [0, 2.9]), "");
  assert.notEqual(arrow([0, 0], [0, 3]), "");
});
