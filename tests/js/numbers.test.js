// How numbers are written. The table of counts and shares is also read by tests/test_views.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  clamp,
  compact,
  decimals,
  grouped,
  isSet,
  percent,
  powerOfTen,
  range,
  scientific,
  things,
  total,
} from "../../treeviz/style/web/numbers.js";

/** @type {Record<"compact" | "percent", [number, string][]>} */
const FORMATS = JSON.parse(readFileSync(new URL("../number_formats.json", import.meta.url), "utf8"));

test("counts and shares are written as in Python", () => {
  for (const [number, text] of FORMATS.compact) assert.equal(compact(number), text);
  for (const [share, text] of FORMATS.percent) assert.equal(percent(share), text);
});

test("two values that differ are written with as many decimals as it takes", () => {
  assert.equal(decimals(1.23456), "1.235");
  assert.equal(decimals(-0.5), "−0.500");
  assert.equal(decimals(1.00001, 1.00002), "1.00001");
  assert.equal(decimals(1, 1), "1.000");
  assert.equal(decimals(1, 1 + 1e-12), "1.00000000");
});

test("very small and large numbers get a power of ten", () => {
  const cases = [
    [0, "0"],
    [0.001, "0.001"],
    [0.00099, "9.9·10⁻⁴"],
    [999999, "999999"],
    [1e6, "10⁶"],
    [-1.5e-12, "-1.5·10⁻¹²"],
  ];
  for (const [value, text] of cases) assert.equal(scientific(Number(value), 6), text);
  assert.equal(scientific(0.123456, 3), "0.123");
  assert.equal(scientific(1.23456e-7, 3), "1.23·10⁻⁷");
  assert.equal(powerOfTen(-10), "10⁻¹⁰");
});

test("counts have commas and their noun a plural", () => {
  assert.deepEqual([grouped(1234567), grouped(99.128), grouped(100.6), grouped(0)], ["1,234,567", "99.13", "101", "0"]);
  assert.deepEqual(
    [things(0, "leaf"), things(1, "leaf"), things(1200, "neuron")],
    ["0 leafs", "1 leaf", "1,200 neurons"],
  );
});

test("the small ones", () => {
  assert.deepEqual([clamp(-1, 0, 2), clamp(1, 0, 2), clamp(3, 0, 2)], [0, 1, 2]);
  assert.deepEqual(range(3), [0, 1, 2]);
  assert.equal(total([1, 2, 3.5]), 6.5);
  assert.deepEqual([isSet("01", 0), isSet("01", 1), isSet("01", 2)], [false, true, false]);
});
