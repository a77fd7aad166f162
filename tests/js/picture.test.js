import assert from "node:assert/strict";
import { test } from "node:test";

import { plainColor } from "../../treeviz/stage/web/picture.js";

test("colours are written as every program reads them", () => {
  assert.deepEqual(plainColor("rgb(43, 140, 203)"), { color: "#2b8ccb", opacity: 1 });
  assert.deepEqual(plainColor("rgba(0, 0, 0, 0.25)"), { color: "#000000", opacity: 0.25 });
  assert.deepEqual(plainColor("color(srgb 1 0.5 0)"), { color: "#ff8000", opacity: 1 });
  assert.deepEqual(plainColor("color(srgb 0.2 0.4 1.2 / 0.5)"), { color: "#3366ff", opacity: 0.5 });
  assert.equal(plainColor("none"), null);
});
