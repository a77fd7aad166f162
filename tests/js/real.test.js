// Real things: a datapoint as image, point and profile, a neuron beside it, and numbers that add up.

import assert from "node:assert/strict";
import { test } from "node:test";

import { partOf } from "./page.js";
import { HEADER, INSPECTION, VIEW, frame } from "./samples.js";
import { Datapoint, mapOf } from "../../treeviz/stage/web/datapoint.js";
import { Inspections } from "../../treeviz/stage/web/inspections.js";
import { NeuronPicture, addUp, spans, sumWords } from "../../treeviz/stage/web/neuron.js";
import { cutsOf, seenWords } from "../../treeviz/stage/web/panel.js";
import { imageOf, largestOf, profileOf } from "../../treeviz/stage/web/vectors.js";

/** @import { DataKind, DatapointValues, Inspection, Look } from "../../treeviz/stage/web/types.js" */

/** @type {DataKind} */
const PLANE = {
  kind: "plane",
  image: null,
  signed: true,
  largest: 1,
  dimension: 2,
  lifted: false,
  axes: [],
  places: [
    [0, 0],
    [2, 1],
    [1, 0.5],
  ],
};
/** @type {DataKind} */
const IMAGE = { ...PLANE, kind: "image", image: [1, 2], signed: false, dimension: 2, places: [] };

/**
 * A stage with a run on such data, and what it was asked to open.
 * @param {Partial<DataKind>} data
 */
function stageWith(data) {
  const player = {
    header: { ...HEADER, data: { ...HEADER.data, ...data } },
    inspections: new Inspections(),
  };
  const terms = { link: (/** @type {string} */ text) => [text] };
  const replace = (/** @type {Element} */ box, /** @type {Node[]} */ ...children) => box.replaceChildren(...children);
  /** @type {number[]} */
  const opened = [];
  return /** @type {any} */ ({
    player,
    opened,
    terms,
    replace,
    openTree: (/** @type {number} */ tree) => opened.push(tree),
  });
}

/**
 * The section of a datapoint, drawn.
 * @param {Partial<DataKind>} data
 * @param {Partial<DatapointValues>} point
 * @param {any} stage
 */
function drawn(data, point = {}, stage = stageWith(data)) {
  const section = document.createElement("section");
  const datapoint = new Datapoint(stage, /** @type {any} */ (() => section));
  const given = { ...frame(3).point, ...point };
  datapoint.show(frame(3, { point: given, view: { ...VIEW, tree: 1 } }));
  return partOf(section);
}

test("an image has a cell a pixel, the stronger the larger, small ones below zero", () => {
  const tell = (/** @type {number} */ place) => `value ${place}`;
  const signed = partOf(imageOf([0.5, -1, 0, 1], [2, 2], 1, true, tell)).all("rect");
  assert.deepEqual(
    signed.map(({ attributes: { x, y, width, class: kind, "fill-opacity": shade } }) => [+x, +y, +width, kind, +shade]),
    [
      [0, 0, 1, "above", 0.5],
      [1.17, 0.17, 1 - 2 * 0.17, "below", 1],
      [0, 1, 1, "above", 0],
      [1, 1, 1, "above", 1],
    ],
  );
  assert.equal(signed[2].textContent, "row 1, column 0: value 2");
  const grey = partOf(imageOf([0.25], [1, 1], 0.5, false, tell)).all("rect");
  assert.deepEqual([grey[0].attributes.class, grey[0].attributes["fill-opacity"]], ["ink", "0.500"]);
});

test("a profile has a bar a column, up where positive, and ranks at the largest", () => {
  const values = [0.2, -0.8, 0, 0.4];
  const named = largestOf(values, 2);
  assert.deepEqual([named, largestOf(values, 9), largestOf([0, 0])], [[1, 3], [1, 3, 0], []]);
  const profile = partOf(profileOf(values, 0.8, named, String));
  const bars = profile.all("rect").map(({ attributes }) => attributes);
  assert.ok(Math.abs(+bars[1].height - 2 * +bars[3].height) < 1e-9 && +bars[1].y > +bars[3].y);
  assert.deepEqual(
    bars.map((bar) => bar.class),
    ["above", "below chosen", "above", "above chosen"],
  );
  const ranks = profile.all("text").filter((text) => text.textContent);
  assert.deepEqual(
    ranks.map((text) => text.textContent),
    ["1", "2"],
  );
});

test("a datapoint says in words what it is, with its target and the output", () => {
  const label = (/** @type {ReturnType<typeof drawn>} */ section) => section.all("div")[0].attributes["aria-label"];
  const row = drawn({ kind: "profile" });
  assert.match(
    label(row),
    /^Datapoint 1: target y = 1, network f = 0\.500 in iteration 3\. As the network sees it, a bar/,
  );
  assert.match(row.textContent, /Largest: 1 b −0\.8, 2 a 0\.6\.$/);
  assert.match(label(drawn({ kind: "profile", dimension: 500 })), /the 2 largest of 500 columns/);
  assert.match(label(drawn(IMAGE, { values: [0.6, 0.8], names: [] })), /1 × 2 pixels.* In grey/);
  assert.match(label(drawn({ ...IMAGE, signed: true }, { values: [0.6, -0.8], names: [] })), /Blue full squares/);
  assert.equal(row.all("div")[0].attributes.role, "img");
});

test("datapoints in their plane keep their shape, are marked by sign, and open their trees", () => {
  const stage = stageWith(PLANE);
  const marks = drawn(PLANE, {}, stage).all("g");
  const kinds = marks.map(({ attributes }) => attributes.class);
  assert.deepEqual(kinds, ["mark above", "mark above", "mark below chosen"]); // the chosen one on top
  marks.forEach(({ listeners }) => listeners.click());
  assert.deepEqual(stage.opened, [0, 2], "the chosen one is open");
  const place = mapOf(PLANE.places);
  const [[left, low], [right, high]] = [place([0, 0]), place([2, 1])];
  assert.ok(Math.abs(right - left - 2 * (low - high)) < 1e-9, "the same scale along both axes");
  assert.deepEqual(place([1, 0.5]), [70, 70]);
  assert.ok(mapOf([[3, 3]])([3, 3]).every((pixel) => pixel === 70));
});

test("columns with names stand along the edges of the plane", () => {
  assert.match(drawn({ ...PLANE, axes: ["mass", "size"] }).textContent, /→ mass↑ size/);
});

test("parts are written so that they add up to the sum as it is written", () => {
  assert.deepEqual(addUp([1.2344, 1.2344, 1.2344], 3.7032, 3), ["1.234", "1.235", "1.234"]);
  assert.deepEqual(addUp([1, -0.25], 0.75, 3), ["1.000", "−0.250"]);
  let state = 7;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647 - 0.5;
  for (let round = 0; round < 500; round++) {
    const parts = Array.from({ length: 1 + (round % 7) }, () => 4 * random());
    const sum = parts.reduce((total, part) => total + part, 0) + 1e-7 * random(); // parts come rounded
    const digits = 3 + (round % 3);
    const written = addUp(parts, sum, digits).map((text) => Number(text.replace("−", "-")));
    const total = written.reduce((so, part) => so + part, 0);
    assert.equal(total.toFixed(digits).replace("-0.000", "0.000"), sum.toFixed(digits).replace("-0.000", "0.000"));
    written.forEach((part, place) => assert.ok(Math.abs(part - parts[place]) < 1.01 * 10 ** -digits));
  }
});

test("a leaf is the largest products and all others, or those above and below zero", () => {
  /** @type {Look} */
  const look = { names: ["a", "b", "c", "d"], weights: [], values: [], rest: 0.25 };
  const profile = { ...HEADER.data, dimension: 9 };
  const words = sumWords(profile, look, [2, -1, 0.5, 0.25], 2, 3);
  assert.equal(words, "2.000 (1 a) − 1.000 (2 b) + 0.500 (3 c) + 0.500 (the other 6) = 2.000");
  assert.equal(
    sumWords({ ...profile, dimension: 2 }, { ...look, rest: 0 }, [-1, 0.5], -0.5, 3),
    "−1.000 (1 a) + 0.500 (2 b) = −0.500",
  );
  const image = sumWords(IMAGE, { ...look, names: [], rest: 0 }, [2, -1, 0.5], 1.5, 3);
  assert.equal(image, "Products above zero (blue) and below (orange): 2.500 − 1.000 = 1.500");
});

test("rows of code are seen whole or not at all", () => {
  /** @type {[number, number][]} */
  const rows = [
    [-10, 14],
    [14, 38],
    [38, 80],
    [80, 104],
  ];
  assert.deepEqual(cutsOf(rows, 100), [14, 20]);
  assert.deepEqual(cutsOf(rows, 104), [14, 0]);
  assert.deepEqual(cutsOf(rows.slice(1), 60), [0, 22]);
  assert.deepEqual(cutsOf([], 60), [0, 0]);
  assert.equal(seenWords(rows, 100), "lines 2 to 3 of 4");
  assert.equal(seenWords(rows, 104), "lines 2 to 4 of 4");
  assert.deepEqual([seenWords(rows.slice(1), 104), seenWords([], 60)], ["", ""]);
});

test("iterations in a row are written as one span", () => {
  assert.deepEqual(spans([0, 1, 2, 5, 7, 8]), ["0–2", "5", "7–8"]);
  assert.deepEqual(spans([]), []);
});

test("of a neuron inspected, what is missing is asked for, and what came is kept", () => {
  const known = new Inspections();
  assert.deepEqual(known.missing(null, 0, 0, 9), { neuron: null, moments: [] });
  assert.deepEqual(known.missing(2, 0, 1, 9), { neuron: 2, moments: [1, 2] });
  assert.deepEqual(known.missing(2, 0, 1, 1), { neuron: 2, moments: [1] }); // the move is still to be made
  known.take(INSPECTION);
  assert.deepEqual(known.missing(2, 0, 1, 2), { neuron: 2, moments: [2] });
  const [look] = Object.values(INSPECTION.moments);
  known.take({ ...INSPECTION, moments: { 2: look } });
  assert.deepEqual(known.missing(2, 0, 1, 2), { neuron: null, moments: [] });
  assert.deepEqual(known.missing(2, 0, 1, 3), { neuron: 2, moments: [] }); // the run went on: its line is short
  assert.deepEqual(known.missing(2, 1, 1, 2), { neuron: 2, moments: [1, 2] });
  for (let neuron = 3; neuron < 60; neuron++) known.take({ ...INSPECTION, neuron });
  assert.ok(known.known.size === 40 && !known.get(2, 0) && known.get(59, 0));
  for (let moment = 0; moment < 200; moment++) known.take({ ...INSPECTION, neuron: 59, moments: { [moment]: look } });
  assert.ok(Object.keys(known.get(59, 0)?.moments ?? {}).length <= 60 && known.get(59, 0)?.moments[199]);
});

/**
 * The picture of neuron 2 in iteration 1.
 * @param {Partial<DataKind>} data
 * @param {Partial<Inspection>} changes
 */
function inspected(data, changes = {}) {
  const stage = stageWith(data);
  const picture = new NeuronPicture(stage);
  /** @type {any} */
  const moment = { phase: HEADER.phases[0], isCompared: false };
  picture.show(frame(1), moment, 2);
  const before = partOf(picture.element).textContent;
  stage.player.inspections.take({ ...INSPECTION, ...changes });
  picture.show(frame(1), moment, 2);
  return { before, element: partOf(picture.element) };
}

test("a neuron is drawn once its answer is there, and its line has every iteration", () => {
  const { before, element } = inspected({ kind: "profile" });
  assert.match(before, /on their way/);
  const label = element.all("div")[0].attributes["aria-label"];
  assert.match(
    label,
    /^Weights of neuron 2, times datapoint 0\. 0\.900 \(1 a\) \+ 0\.350 \(2 b\) = 1\.250, the leaf after 1 move\.$/,
  );
  assert.match(
    element.textContent,
    /On datapoint 0 it fired in iteration 1, of 2 so far\. Its sign a = −1: firing, it lowers f\.$/,
  );
  const [line] = element.all("svg").slice(-1);
  assert.match(
    line.attributes["aria-label"],
    /from 0\.500 at the start to 0\.750 after 2 moves, against b = 1\.000; 1\.250 at the mark/,
  );
  const course = line.all("path").find(({ attributes }) => attributes.class === "course");
  assert.equal(course?.attributes.d.split("L").length, 3);
  const never = inspected({ kind: "profile" }, { fires: "00", sign: 1 }).element;
  assert.match(never.textContent, /it fired in no iteration of 2 so far\. Its sign a = \+1/);
});

test("where the move has been made, the weights are those after it", () => {
  const stage = stageWith({ kind: "profile" });
  const [look] = Object.values(INSPECTION.moments);
  stage.player.inspections.take({ ...INSPECTION, moments: { 1: look, 2: { ...look, weights: [1.25, 0] } } });
  const picture = new NeuronPicture(stage);
  const told = (/** @type {number} */ phase, isCompared = false) => {
    picture.show(frame(1), /** @type {any} */ ({ phase: HEADER.phases[phase], isCompared }), 2);
    return partOf(picture.element).textContent;
  };
  assert.match(told(0), /= 1\.250, the leaf after 1 move\./);
  assert.match(told(2), /= 0\.750, the leaf after 2 moves\./);
  assert.match(told(2, true), /= 1\.250, the leaf after 1 move\./); // compared is what was before the moves
});

test("a neuron of planar data fires in a part of the plane, and its products are in a table", () => {
  const looks = { 1: { names: ["coordinate 0", "coordinate 1"], weights: [2, 0], values: [0.625, 0.8], rest: 0 } };
  const { element } = inspected(PLANE, { moments: looks });
  const rows = element.all("tr").map((row) => row.children.map((cell) => partOf(cell).textContent));
  assert.deepEqual(rows, [
    ["", "w", "x", "w × x"],
    ["coordinate 0", "2.000", "0.625", "1.250"],
    ["coordinate 1", "0.000", "0.800", "0.000"],
    ["leaf after 1 move", "1.250"],
  ]);
  const [map] = element.all("svg");
  const part = map.all("path").find(({ attributes }) => attributes.class === "half-plane");
  const cells = part?.attributes.d.split("M").slice(1) ?? [];
  assert.ok(cells.length > 0 && cells.length < 56 * 56);
  // w · (u, v) = 2u ≥ 1: on the map from u = 0 to 2, all that is right of u = 0.5.
  const [[edge]] = [mapOf([...PLANE.places, [2, 0], [0, 0]])([0.5, 0])];
  for (const cell of cells) assert.ok(Number.parseFloat(cell) + 140 / 56 > edge);
});
