// The line about a planted fault, without a page.

import assert from "node:assert/strict";
import test from "node:test";

import { notShown } from "../../treeviz/stage/web/planted.js";

test("a fault that has not shown says how much was checked", () => {
  assert.equal(notShown(0), "It has not shown so far.");
  assert.equal(notShown(1), "It has not shown so far: 1 iteration passed the check.");
  assert.equal(notShown(8), "It has not shown so far: 8 iterations passed the check.");
});
