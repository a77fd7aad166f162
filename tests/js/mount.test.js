// What Streamlit calls: one component for an element, closed when the element has gone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { mounter } from "../../treeviz/style/web/mount.js";

/** @param {boolean} isConnected */
const elementOf = (isConnected) => /** @type {HTMLElement} */ (/** @type {unknown} */ ({ isConnected }));
const later = () => new Promise((done) => void setTimeout(done));

test("an element has one component, given all data, until it has gone", async () => {
  /** @type {string[]} */
  const log = [];
  let [element, made] = [elementOf(true), 0];
  const place = elementOf(true);
  const call = mounter(
    () => element,
    (own) => {
      made++;
      return {
        element: own,
        receive: (/** @type {number} */ data) => void log.push(`data ${data}`),
        close: () => void log.push("closed"),
      };
    },
    ({ setStateValue }) =>
      (/** @type {string} */ answer) =>
        setStateValue?.("asked", answer),
  );
  const first = call({ parentElement: place, data: 0 });
  call({ parentElement: place, data: 1 });
  call({ parentElement: place });
  first(); // overtaken by newer data: the element is still there
  await later();
  assert.deepEqual(log, ["data 0", "data 1"]);
  element = elementOf(true);
  const second = call({ parentElement: place, data: 2 });
  assert.deepEqual(log, ["data 0", "data 1", "closed", "data 2"]);
  Object.assign(element, { isConnected: false });
  second();
  await later();
  assert.deepEqual(log.slice(4), ["closed"]);
  call({ parentElement: place, data: 3 }); // mounted again
  assert.deepEqual([log.slice(5), made], [["data 3"], 3]);
});

test("answers go the way of the last call", () => {
  /** @type {import("../../treeviz/style/web/mount.js").Component<number, string>[]} */
  const made = [];
  const place = elementOf(true);
  const call = mounter(
    () => place,
    (element) => {
      made.push({ element, receive: () => undefined, close: () => undefined });
      return made[0];
    },
    ({ setTriggerValue }) =>
      (/** @type {string} */ answer) =>
        setTriggerValue?.("chosen", answer),
  );
  /** @type {string[]} */
  const log = [];
  call({ parentElement: place, data: 0, setTriggerValue: () => void log.push("first") });
  call({ parentElement: place, data: 0, setTriggerValue: (name, answer) => void log.push(name, answer) });
  made[0].send?.("paper");
  assert.deepEqual([log, made.length], [["chosen", "paper"], 1]);
});
