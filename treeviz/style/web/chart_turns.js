// Has the charts of a page drawn one at a time, each when the browser has nothing else to do: drawing one takes about a
// tenth of a second, in which no click is answered.

import { mounter } from "./mount.js";

const PLACE = "[data-testid=stVerticalBlock]"; // around the chart and what asks for it
const PATIENCE = 1000; // ms, after which the turn of a chart that has not come is over
const IDLE = 500; // ms, after which a busy browser goes on all the same
const QUIET = 500; // ms after a press, or after the pointer came to what can be pressed, with no chart asked for
const REST = 2000; // ms the same, for a chart that is not seen
const CONTROLS = "a, button, input, label, summary, [role=radio], [role=button], [role=tab]";

/** @typedef {{ wanted: string, drawn: string }} Versions of the chart that is wanted in a place, and of the one there */

/** @type {Set<ChartTurn>} */
const waiting = new Set();
/** @type {ChartTurn | undefined} */
let current;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let touched = -Infinity; // when something was pressed, or was about to be

/** @param {() => void} act */
const whenIdle = (act) => (window.requestIdleCallback ?? setTimeout)(act, { timeout: IDLE });

/** Ask for the chart that waits nearest to what is seen, unless another has not come yet. */
function askNext() {
  if (current || !waiting.size) return;
  const [next] = [...waiting].sort((one, other) => one.distance - other.distance);
  const rest = touched + (next.distance < innerHeight ? QUIET : REST) - performance.now();
  if (rest > 0) {
    clearTimeout(timer);
    timer = setTimeout(() => whenIdle(askNext), rest);
    return;
  }
  current = next;
  clearTimeout(timer);
  timer = setTimeout(() => endTurn(next), PATIENCE);
  next.send?.(true);
}

/** @param {ChartTurn} turn */
function endTurn(turn) {
  if (current !== turn) return;
  clearTimeout(timer);
  current = undefined;
  whenIdle(askNext);
}

const seen = { capture: true, passive: true };
for (const kind of ["pointerdown", "keydown"])
  window.addEventListener(kind, () => void (touched = performance.now()), seen);
window.addEventListener(
  "pointerover",
  ({ target }) => {
    if (target instanceof Element && target.closest(CONTROLS)) touched = performance.now();
  },
  seen,
);
window.addEventListener("scrollend", () => whenIdle(askNext), seen);

class ChartTurn {
  /** @param {Element} element */
  constructor(element) {
    this.element = element;
    /** @type {((answer: boolean) => void) | undefined} */
    this.send = undefined;
    this.drawn = "";
  }

  /** How far the place is from the middle of the window, in pixels. */
  get distance() {
    const root = this.element.getRootNode();
    const place = (root instanceof ShadowRoot ? root.host : this.element).closest(PLACE) ?? this.element;
    const { top, bottom } = place.getBoundingClientRect();
    return Math.abs((top + bottom - innerHeight) / 2);
  }

  /** @param {Versions} versions */
  receive({ wanted, drawn }) {
    const hasCome = drawn !== this.drawn;
    this.drawn = drawn;
    if (wanted === drawn) waiting.delete(this);
    else waiting.add(this);
    if (hasCome) endTurn(this);
    whenIdle(askNext);
  }

  close() {
    waiting.delete(this);
    endTurn(this);
  }
}

export default mounter(
  (root) => /** @type {HTMLElement} */ (root.querySelector("span")),
  (element) => new ChartTurn(element),
  ({ setTriggerValue }) =>
    (answer) =>
      setTriggerValue?.("turn", answer),
);
