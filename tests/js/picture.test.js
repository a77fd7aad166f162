import assert from "node:assert/strict";
import { test } from "node:test";

import { frameCode } from "../../treeviz/stage/web/picture.js";
import { plainColor } from "../../treeviz/style/web/drawing.js";

test("colours are written as every program reads them", () => {
  assert.deepEqual(plainColor("rgb(43, 140, 203)"), { color: "#2b8ccb", opacity: 1 });
  assert.deepEqual(plainColor("rgba(0, 0, 0, 0.25)"), { color: "#000000", opacity: 0.25 });
  assert.deepEqual(plainColor("color(srgb 1 0.5 0)"), { color: "#ff8000", opacity: 1 });
  assert.deepEqual(plainColor("color(srgb 0.2 0.4 1.2 / 0.5)"), { color: "#3366ff", opacity: 0.5 });
  assert.equal(plainColor("none"), null);
});

test("the code of a frame leads to the stage alone, at the moment of the address", () => {
  const code = frameCode(new URL('http://127.0.0.1:8501/?data=digits&it=2&lecture=1&x="'));
  assert.equal(
    code,
    '<iframe src="http://127.0.0.1:8501/?data=digits&amp;it=2&amp;x=%22&amp;view=stage" title="treeviz" width="100%" height="640" allowfullscreen></iframe>',
  );
});
