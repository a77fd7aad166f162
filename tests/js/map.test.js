// The map: zooming, moving, the way from paper to paper, and where names fit.

import assert from "node:assert/strict";
import { test } from "node:test";

import { View, boxAround, findSpot, insidePicture, neighbour } from "../../treeviz/related/web/view.js";

/** @import { Box, Point } from "../../treeviz/related/web/types.js" */

const SIZE = { width: 812, height: 472 }; // 800 by 400 without the margins
/** @param {Point} found @param {Point} expected */
const close = (found, expected) =>
  found.forEach((value, place) => assert.ok(Math.abs(value - expected[place]) < 1e-9, `${found} is not ${expected}`));
/** @param {number} zoom @param {number} x @param {number} y */
const view = (zoom, x, y) => Object.assign(new View(), { zoom, x, y });

test("the unit square fills the picture but for its margins", () => {
  close(new View().toScreen([0, 0], SIZE), [6, 26]);
  close(new View().toScreen([1, 1], SIZE), [806, 426]);
  close(view(2, 10, -20).toScreen([0.5, 0.25], SIZE), [2 * 406 + 10, 2 * 126 - 20]);
});

test("a place on the screen leads back to its point", () => {
  for (const each of [new View(), view(3, -200, 50)]) {
    for (const point of /** @type {Point[]} */ ([
      [0, 0],
      [0.3, 0.9],
      [1, 1],
    ]))
      close(each.toUnit(each.toScreen(point, SIZE), SIZE), point);
  }
});

test("what is under the pointer stays there while zooming, between one and five times", () => {
  const each = new View();
  const point = each.toUnit([300, 200], SIZE);
  each.zoomBy(1.4, [300, 200], SIZE);
  assert.equal(each.zoom, 1.4);
  close(each.toScreen(point, SIZE), [300, 200]);
  each.zoomBy(10, [300, 200], SIZE);
  assert.equal(each.zoom, 5);
  close(each.toScreen(point, SIZE), [300, 200]);
  each.zoomBy(0.5, [0, 0], SIZE);
  assert.equal(each.zoom, 2.5);
  each.zoomBy(0.1, [0, 0], SIZE);
  assert.deepEqual([each.zoom, each.x, each.y], [1, 0, 0]);
  const small = view(1.4, -20, -30);
  small.zoomBy(0.5, [100, 100], SIZE);
  assert.deepEqual([small.zoom, small.x, small.y], [1, 0, 0]);
});

test("a map that was moved at its full size is not moved back by zooming out", () => {
  const each = view(1, 30, 40);
  each.zoomBy(0.5, [100, 100], SIZE);
  assert.deepEqual([each.zoom, each.x, each.y], [1, 30, 40]);
});

test("the map moves by its slack beyond the edges", () => {
  const each = view(2, 0, 0);
  each.moveTo(9999, 9999, SIZE);
  close([each.x, each.y], [0.35 * 812, 0.35 * 472]);
  each.moveTo(-9999, -9999, SIZE);
  close([each.x, each.y], [-1.35 * 812, -1.35 * 472]);
  each.moveTo(-5, 7, SIZE);
  close([each.x, each.y], [-5, 7]);
});

test("a place outside a zoomed picture is brought in", () => {
  const each = view(2, 0, 0);
  each.reveal([10, 500], SIZE);
  close([each.x, each.y], [20, 426 - 500]);
  const inside = view(2, 3, 4);
  inside.reveal([400, 200], SIZE);
  close([inside.x, inside.y], [3, 4]);
  const whole = view(1, 3, 4);
  whole.reveal([10, 500], SIZE);
  close([whole.x, whole.y], [3, 4]);
  const corner = view(2, 0, 0);
  corner.reveal([900, 0], SIZE);
  close([corner.x, corner.y], [782 - 900, 56]);
});

test("a paper that is dragged stays in the picture", () => {
  assert.deepEqual(insidePicture([-5, 0], SIZE), [15, 41]);
  assert.deepEqual(insidePicture([900, 900], SIZE), [797, 426]);
  assert.deepEqual(insidePicture([100, 100], SIZE), [100, 100]);
});

test("an arrow key leads to the nearest paper ahead, what lies aside counting double", () => {
  /** @type {Map<string, Point>} */
  const places = new Map([
    ["right", [30, 0]],
    ["aside", [14, 9]],
    ["above", [0, -20]],
    ["far", [100, 5]],
    ["here", [0.5, 0]],
  ]);
  assert.equal(neighbour([0, 0], places, [1, 0]), "right");
  assert.equal(neighbour([0, 0], places, [0, 1]), "aside"); // 9 + 2 · 14, against 5 + 2 · 100
});

test("the direction matters", () => {
  /** @type {Map<string, Point>} */
  const places = new Map([
    ["right", [30, 0]],
    ["left", [-30, 1]],
    ["down", [1, 30]],
    ["up", [0, -30]],
  ]);
  const ways = /** @type {Point[]} */ ([
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ]);
  assert.deepEqual(
    ways.map((way) => neighbour([0, 0], places, way)),
    ["right", "left", "down", "up"],
  );
  assert.equal(neighbour([30, 0], new Map([["left", [0, 0]]]), [1, 0]), null);
  for (const [from, way] of /** @type {[Point, Point][]} */ ([
    [
      [100, 200],
      [1, 0],
    ],
    [
      [100, 200],
      [0, 1],
    ],
  ])) {
    /** @type {Map<string, Point>} */
    const around = new Map([
      ["ahead", [104 + 20 * way[1], 204 + 20 * way[0]]],
      ["other", [150, 250]],
    ]);
    assert.equal(neighbour(from, around, way), "ahead");
  }
  assert.equal(
    neighbour(
      [100, 200],
      new Map([
        ["behind", [90, 200]],
        ["far", [400, 210]],
      ]),
      [1, 0],
    ),
    "far",
  );
  assert.equal(
    neighbour(
      [0, 0],
      new Map([
        ["same", [1, 0]],
        ["ahead", [1.5, 20]],
      ]),
      [1, 0],
    ),
    "ahead",
  );
  assert.equal(
    neighbour(
      [0, 0],
      new Map([
        ["aside", [10, 11]],
        ["straight", [33, 0]],
      ]),
      [1, 0],
    ),
    "aside",
  );
});

test("only the difference between two places matters", () => {
  /** @type {[Point, Point, Point][]} */
  const cases = [
    [
      [110, 200],
      [105, 150],
      [1, 0],
    ],
    [
      [100, 210],
      [60, 205],
      [0, 1],
    ],
  ];
  for (const [ahead, aside, way] of cases) {
    const places = new Map(Object.entries({ aside, ahead }));
    assert.equal(neighbour([100, 200], places, way), "ahead");
  }
  assert.equal(neighbour([100, 200], new Map([["above", [100, 190]]]), [0, 1]), null);
});

test("a name stands to the right of its paper, or where there is room", () => {
  /** @type {Box} */
  const frame = [0, 0, 400, 400];
  const [right, left, below] = /** @type {Box[]} */ ([
    [217, 192.5, 267, 207.5],
    [133, 192.5, 183, 207.5],
    [175, 214, 225, 229],
  ]);
  const spot = (/** @type {Box[]} */ taken, /** @type {Point} */ place = [200, 200]) =>
    findSpot(place, 15, 50, frame, taken);
  assert.deepEqual(spot([]), right);
  assert.deepEqual(spot([[266, 200, 300, 201]]), left);
  assert.deepEqual(spot([[267, 200, 300, 201]]), right); // touching is not overlapping
  for (const beside of /** @type {Box[]} */ ([
    [200, 190, 217, 210],
    [217, 180, 267, 192.5],
    [217, 207.5, 267, 220],
  ])) {
    assert.deepEqual(spot([beside]), right);
  }
  assert.deepEqual(findSpot([200, 200], 15, 50, right, []), right); // it just fits
  assert.equal(findSpot([200, 200], 15, 50, [218, 0, 400, 400], []), undefined);
  assert.deepEqual(spot([right, left]), below);
  assert.deepEqual(spot([right, left, below]), [175, 171, 225, 186]);
  assert.equal(spot([[0, 0, 400, 400]]), undefined);
  assert.deepEqual(spot([], [380, 200])?.[0], 313); // at the right edge
  assert.deepEqual(spot([], [40, 5])?.[1], 19); // in the corner there is room only below
  assert.deepEqual(boxAround([10, 20], 3), [7, 17, 13, 23]);
});
