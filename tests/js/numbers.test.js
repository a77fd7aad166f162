// How numbers are written. The table of counts and shares is also read by tests/test_views.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  agree,
  clamp,
  compact,
  decimals,
  grouped,
  isSet,
  numeral,
  percent,
  powerOfTen,
  range,
  things,
  total,
} from "../../treeviz/style/web/numbers.js";

/**
 * @type {Record<"compact" | "percent", [number, string][]> &
 *   { decimals: [number, number, string][], numeral: [number, number, string][], count: [number, string, string][] }}
 */
const FORMATS = JSON.parse(readFileSync(new URL("../number_formats.json", import.meta.url), "utf8"));

test("numbers and counted things are written as in Python", () => {
  for (const [number, text] of FORMATS.compact) assert.equal(compact(number), text);
  for (const [share, text] of FORMATS.percent) assert.equal(percent(share), text);
  for (const [value, digits, text] of FORMATS.numeral) assert.equal(numeral(value, digits), text);
  for (const [value, other, text] of FORMATS.decimals) assert.equal(decimals(value, other), text);
  for (const [count, noun, text] of FORMATS.count) assert.equal(things(count, noun), text);
});

test("what is no finite number is said in words or by a sign", () => {
  assert.deepEqual(
    [Infinity, -Infinity, NaN].map((value) => numeral(value, 3)),
    ["∞", "−∞", "no number"],
  );
  assert.equal(powerOfTen(-10), "10⁻¹⁰");
});

test("counts have commas, and words agree with them", () => {
  assert.deepEqual([grouped(1234567), grouped(99.128), grouped(100.6), grouped(0)], ["1,234,567", "99.13", "101", "0"]);
  assert.deepEqual(
    [0, 1, 2].map((count) => agree(count, "has", "have")),
    ["have", "has", "have"],
  );
});

test("the small ones", () => {
  assert.deepEqual([clamp(-1, 0, 2), clamp(1, 0, 2), clamp(3, 0, 2)], [0, 1, 2]);
  assert.deepEqual(range(3), [0, 1, 2]);
  assert.equal(total([1, 2, 3.5]), 6.5);
  assert.deepEqual([isSet("01", 0), isSet("01", 1), isSet("01", 2)], [false, true, false]);
});
