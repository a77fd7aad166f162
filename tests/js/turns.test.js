// Charts are asked for one at a time, the one nearest to the middle of the window first.

import assert from "node:assert/strict";
import { test } from "node:test";

test("a chart is asked for when the one before it has come, and one that has gone is not waited for", async (t) => {
  const mock = { now: 0 };
  t.mock.method(performance, "now", () => mock.now);
  /** @type {(() => void)[]} */
  const idle = [];
  const presses = new EventTarget();
  const window = {
    requestIdleCallback: (/** @type {() => void} */ act) => void idle.push(act),
    addEventListener: presses.addEventListener.bind(presses),
  };
  Object.assign(globalThis, {
    window,
    ShadowRoot: class {},
    innerHeight: 1000,
  });
  const { default: mount } = await import("../../treeviz/style/web/chart_turns.js");
  const rest = () => {
    while (idle.length) idle.shift()?.();
  };
  /** @type {string[]} */
  const asked = [];
  /** @param {string} name @param {number} top */
  const place = (name, top) => {
    const element = {
      isConnected: true,
      getRootNode: () => null,
      closest: () => ({ getBoundingClientRect: () => ({ top, bottom: top + 100 }) }),
    };
    const parentElement = /** @type {HTMLElement} */ (/** @type {unknown} */ ({ querySelector: () => element }));
    /** @param {string} drawn @param {string} wanted */
    const show = (drawn, wanted) =>
      mount({ parentElement, data: { drawn, wanted }, setTriggerValue: () => void asked.push(name) });
    return { element, show };
  };
  const [far, near, there, gone] = [place("far", 5000), place("near", 400), place("there", 450), place("gone", 4000)];
  for (const { show } of [far, near, gone]) show("", "1");
  there.show("1", "1");
  assert.deepEqual(asked, []);
  rest();
  assert.deepEqual(asked, ["near"]);
  far.show("", "1"); // the page is drawn again meanwhile
  rest();
  assert.deepEqual(asked, ["near"]);
  near.show("1", "2"); // it has come, and there is a newer one already
  rest();
  assert.deepEqual(asked, ["near", "near"]);
  near.show("2", "2");
  rest();
  assert.deepEqual(asked.slice(2), ["gone"]);
  const close = gone.show("", "1");
  gone.element.isConnected = false;
  close();
  await new Promise((done) => void setTimeout(done));
  rest();
  assert.deepEqual(asked.slice(3), ["far"]);
  far.show("1", "1");
  rest();
  assert.equal(asked.length, 4);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  presses.dispatchEvent(new Event("pointerdown")); // what was pressed is answered first
  far.show("1", "2");
  rest();
  assert.equal(asked.length, 4);
  near.show("2", "3");
  const pass = (/** @type {number} */ time) => {
    mock.now += time;
    t.mock.timers.tick(time);
    rest();
  };
  pass(500);
  assert.deepEqual(asked.slice(4), ["near"]);
  near.show("3", "3");
  pass(1000);
  assert.deepEqual(asked.slice(5), []); // what is not seen waits longer
  pass(500);
  assert.deepEqual(asked.slice(5), ["far"]);
});
