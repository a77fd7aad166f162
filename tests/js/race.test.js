// The race: its axes, its clock, and how contestants are drawn.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, SLIDER_STEPS, findLap, lapAt } from "../../treeviz/race/web/clock.js";
import { makeScale } from "../../treeviz/race/web/scale.js";
import { MARKERS, escapeText, linePath, markedPoints, markerAt, partLabel } from "../../treeviz/race/web/shapes.js";

/** @import { Line } from "../../treeviz/race/web/clock.js" */
/** @import { Axis, Column, Contestant, Point } from "../../treeviz/race/web/types.js" */

/** @param {Partial<Axis>} changes @returns {Axis} */
const axis = (changes = {}) => ({ title: "", format: "count", is_log: false, floor: 0, floor_label: "", ...changes });
const LOSS = axis({ format: "loss", is_log: true, floor: 1e-33 });
const ITERATION = axis({ is_log: true, floor: 0.5, floor_label: "0" });
/** @param {[number, string][]} ticks */
const texts = (ticks) => ticks.map(([, text]) => text);
/** @param {number} value @param {number} expected */
const close = (value, expected) =>
  assert.ok(Math.abs(value - expected) < 1e-6 * Math.max(1, Math.abs(expected)), `${value} is not ${expected}`);

/** @param {Column} seconds @returns {Contestant} */
const contestant = (seconds, key = "a") => ({
  key,
  title: key,
  color: "#123456",
  dash: "",
  marker: "circle",
  reference: false,
  phases: {},
  columns: { iteration: seconds.map((_, lap) => lap), loss: seconds, operations: seconds, seconds },
});

test("a linear axis begins at 0 and has round ticks that fit", () => {
  const scale = makeScale(axis(), [3, 17, null], [100, 203], 6, false);
  assert.deepEqual(texts(scale.ticks), ["0", "5", "10", "15"]);
  close(scale.place(0), 100);
  close(scale.place(17), 200); // three per cent are free at the end
  for (const value of [0, 4.5, 17]) close(scale.invert(scale.place(value)), value);
  for (const [pixel, text] of scale.ticks) close(pixel, scale.place(Number(text)));
});

test("a linear axis of small counts has whole ticks, of other numbers finer ones", () => {
  assert.deepEqual(texts(makeScale(axis(), [2], [0, 100], 6, false).ticks), ["0", "1", "2"]);
  assert.deepEqual(texts(makeScale(axis({ format: "seconds" }), [1], [0, 100], 6, false).ticks), [
    "0",
    "0.2",
    "0.4",
    "0.6",
    "0.8",
    "1",
  ]);
  assert.deepEqual(texts(makeScale(axis({ format: "seconds" }), [60], [0, 100], 6, false).ticks), [
    "0",
    "10",
    "20",
    "30",
    "40",
    "50",
    "60",
  ]);
  assert.deepEqual(texts(makeScale(axis(), [48], [0, 100], 6, false).ticks), ["0", "10", "20", "30", "40"]);
  assert.deepEqual(texts(makeScale(axis(), [480], [0, 100], 6, false).ticks), ["0", "100", "200", "300", "400"]);
});

test("large counts are written short", () => {
  assert.deepEqual(texts(makeScale(axis(), [17000], [0, 100], 6, false).ticks), ["0", "5k", "10k", "15k"]);
  assert.equal(texts(makeScale(axis(), [10000], [0, 100], 5, false).ticks).at(-1), "10k");
  assert.deepEqual(texts(makeScale(axis(), [9999], [0, 100], 6, false).ticks), [
    "0",
    "2,000",
    "4,000",
    "6,000",
    "8,000",
  ]);
  assert.deepEqual(texts(makeScale(axis({ format: "loss" }), [20000], [0, 100], 6, false).ticks)[1], "5,000");
});

test("a linear axis with nothing on it, with zeros, or below zero", () => {
  assert.deepEqual(texts(makeScale(axis(), [], [0, 100], 6, false).ticks), ["0", "1"]);
  assert.deepEqual(texts(makeScale(axis(), [0, 0], [0, 100], 6, false).ticks), ["0", "1"]);
  assert.equal(makeScale(axis({ format: "loss" }), [-7, 10], [0, 106], 4, false).ticks[0][1], "−5");
  const below = makeScale(axis({ format: "loss" }), [-10, 10], [0, 106], 4, false);
  assert.deepEqual(texts(below.ticks), ["−10", "−5", "0", "5", "10"]);
  close(below.place(-10), 3);
  close(below.place(10), 103);
});

test("a logarithmic axis that is snapped goes from power to power", () => {
  const scale = makeScale(LOSS, [0.02, 30], [100, 0], 6, true);
  assert.deepEqual(texts(scale.ticks), ["0.01", "0.1", "1", "10", "100"]);
  close(scale.place(0.01), 100 - 100 * (0.03 / 1.06));
  close(scale.place(100), 100 * (0.03 / 1.06));
  close(scale.invert(scale.place(0.3)), 0.3);
  assert.deepEqual(texts(makeScale(LOSS, [0.01, 10], [0, 100], 6, true).ticks), ["0.01", "0.1", "1", "10"]);
});

test("a logarithmic axis over many powers has every second, third, ... of them", () => {
  assert.deepEqual(texts(makeScale(LOSS, [1e-6, 1e4], [0, 100], 6, true).ticks), [
    "10⁻⁶",
    "10⁻⁴",
    "10⁻²",
    "10⁰",
    "10²",
    "10⁴",
  ]);
  assert.deepEqual(texts(makeScale(LOSS, [1e-13, 1], [0, 100], 6, true).ticks), [
    "10⁻¹³",
    "10⁻¹⁰",
    "10⁻⁷",
    "10⁻⁴",
    "10⁻¹",
  ]);
  assert.equal(makeScale(LOSS, [0.01, 1000], [0, 100], 6, true).ticks.length, 6); // just as many as there may be
  assert.deepEqual(texts(makeScale(LOSS, [1, 1e4], [0, 100], 6, true).ticks)[0], "10⁰");
  assert.deepEqual(texts(makeScale(LOSS, [1e-4, 1], [0, 100], 6, true).ticks)[0], "10⁻⁴");
  assert.deepEqual(texts(makeScale(LOSS, [1e-30, 1], [0, 100], 6, true).ticks).length, 6);
  assert.deepEqual(texts(makeScale(LOSS, [1e-3, 1e4], [0, 100], 9, true).ticks).at(-1), "10⁴");
  assert.deepEqual(texts(makeScale(LOSS, [1e-3, 1e3], [0, 100], 9, true).ticks).at(-1), "1000");
});

test("a short logarithmic axis has ticks between the powers", () => {
  assert.deepEqual(texts(makeScale(LOSS, [1.5, 6], [0, 100], 6, false).ticks), ["2", "5"]);
  assert.deepEqual(texts(makeScale(LOSS, [1.5e7, 6e7], [0, 100], 6, false).ticks), ["2·10⁷", "5·10⁷"]);
  const equal = makeScale(LOSS, [1, 1], [0, 106], 6, false); // half a power is shown at least
  assert.deepEqual(texts(equal.ticks), ["1"]);
  close(equal.place(1), 53);
});

test("what a logarithmic axis has no place for stands at its floor, under its own name", () => {
  const scale = makeScale(ITERATION, [0, 1, 100], [0, 100], 6, false);
  assert.deepEqual(texts(scale.ticks), ["1", "10", "100", "0"]);
  close(scale.place(0), scale.place(0.5));
  assert.ok(scale.place(0) < scale.place(1));
  assert.deepEqual(texts(makeScale(ITERATION, [1, 100], [0, 100], 6, false).ticks), ["1", "10", "100"]);
  assert.deepEqual(texts(makeScale(ITERATION, [0, 5], [0, 100], 6, true).ticks), ["1", "10", "0"]);
  assert.deepEqual(texts(makeScale(ITERATION, [0, 0], [0, 100], 6, false).ticks), ["0"]);
  assert.deepEqual(texts(makeScale(LOSS, [], [0, 100], 6, true).ticks), ["0.1", "1"]);
});

test("a contestant's lap at a moment is the last whose seconds have passed", () => {
  const each = contestant([1, 2, 2, 5]);
  assert.deepEqual(
    [0.5, 1, 1.5, 2, 4.9, 5, 99, null].map((moment) => lapAt(each, moment)),
    [-1, 0, 0, 2, 2, 3, 3, 3],
  );
  assert.equal(lapAt(contestant([]), null), -1);
});

test("the slider goes through the seconds of the race, evenly or by powers, and ends now", () => {
  for (const isLog of [false, true]) {
    const clock = new Clock([[0, 0.1, null, 1], [100], []], isLog);
    assert.deepEqual([clock.first, clock.last], [0.1, 100]);
    assert.equal(clock.momentOf(SLIDER_STEPS), null);
    assert.equal(clock.stepOf(null), SLIDER_STEPS);
    for (const step of [0, 1, 500, 999]) assert.equal(clock.stepOf(clock.momentOf(step)), step);
    assert.equal(clock.stepOf(1e9), SLIDER_STEPS);
    assert.equal(clock.stepOf(1e-9), 0);
  }
  close(new Clock([[0.1, 10]], false).momentOf(500) ?? 0, 5);
  close(new Clock([[0.1, 10]], true).momentOf(500) ?? 0, 1);
  close(new Clock([], false).momentOf(500) ?? 0, 0.5);
  close(new Clock([], true).momentOf(0) ?? 0, 0.001);
  assert.equal(new Clock([[3]], true).stepOf(3), SLIDER_STEPS); // one moment: 0 / 0
  close(new Clock([[0]], false).first, 0);
});

test("pointing finds the nearest lap, and on the time axis the nearest contestant at that time", () => {
  /** @type {Line[]} */
  const lines = [
    { contestant: contestant([1, 2, 3, 4], "one"), points: [[0, 50], [10, 40], [20, 30], null] },
    {
      contestant: contestant([2, 4], "other"),
      points: [
        [0, 10],
        [30, 10],
      ],
    },
  ];
  const found = (/** @type {Point} */ place, /** @type {number | null} */ moment = null) => {
    const { contestant: who, lap, moment: when } = findLap(lines, place, moment);
    return [who?.key, lap, when];
  };
  assert.deepEqual(found([11, 42]), ["one", 1, 2]);
  assert.deepEqual(found([24, 12]), ["other", 1, 4]);
  assert.deepEqual(found([500, 41], 2.5), ["one", 1, 2.5]);
  assert.deepEqual(found([500, 20], 2.5), ["other", 0, 2.5]);
  assert.deepEqual(found([0, 0], 0.5), [undefined, -1, 0.5]);
  assert.deepEqual(findLap([], [0, 0], null), { moment: null, lap: -1 });
});

test("a line has gaps, and goes in steps where there are no iterations", () => {
  /** @type {(Point | null)[]} */
  const points = [[0, 1], [2, 3.26], null, [4, 5], [6, 7]];
  assert.equal(linePath(points, false), "M0.0 1.0L2.0 3.3M4.0 5.0L6.0 7.0");
  assert.equal(linePath(points, true), "M0.0 1.0H2.0V3.3M4.0 5.0H6.0V7.0");
  assert.equal(linePath([null, [1, 1]], false), "M1.0 1.0");
  assert.equal(linePath([], false), "");
});

test("markers are apart, and begin elsewhere for the next contestant", () => {
  /** @type {(Point | null)[]} */
  const points = [null, ...Array.from({ length: 30 }, (_, place) => /** @type {Point} */ ([10 * place, 0]))];
  assert.deepEqual(
    markedPoints(points, 40, 0).map((point) => point?.[0]),
    [40, 110, 180, 250],
  );
  assert.deepEqual(
    markedPoints(points, 46, 2).map((point) => point?.[0]),
    [70, 140, 210, 280],
  );
});

test("open markers are drawn as strokes", () => {
  const place = 'transform="translate(1.0 2.0) scale(4)" vector-effect="non-scaling-stroke"';
  assert.equal(
    markerAt({ marker: "square", color: "red" }, [1, 2], 4),
    `<path class="mark" d="${MARKERS.square}" ${place} fill="red"/>`,
  );
  assert.match(
    markerAt({ marker: "cross", color: "red" }, [1, 2], 4),
    /class="mark open".* fill="none" style="stroke:red"/,
  );
});

test("a phase's part of a bar is labelled as room allows", () => {
  const label = (/** @type {number} */ room) => partLabel("solve", "12 %", room);
  assert.deepEqual([48, 49, 90, 91].map(label), ["", "solve", "solve", "solve 12 %"]);
});

test("titles cannot bring in markup", () => {
  assert.equal(escapeText('<b title="a">&'), "&lt;b title=&quot;a&quot;&gt;&amp;");
});
