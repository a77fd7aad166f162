// A race: its charts, drawn in place when new laps arrive, and linked by one race clock. Pointing shows a moment, a
// click or the slider holds it, Escape lets it go.

import { find, setText } from "../../style/web/dom.js";
import { mounter } from "../../style/web/mount.js";
import { clamp, grouped, numeral, things } from "../../style/web/numbers.js";
import { LineView, PhaseView } from "./charts.js";
import { Clock, SLIDER_STEPS, lapAt } from "./clock.js";
import { escapeText, markerAt } from "./shapes.js";

/** @import { Contestant, LineChart, Payload, PhaseChart } from "./types.js" */

/** @type {Record<string, string>} */
const COLUMNS = {
  done: "iterations done",
  touched: "neurons moved",
  modified: "tree nodes changed",
  amortized_operations: "operations per iteration",
  amortized_seconds: "seconds per iteration",
};

const FORMATS = {
  count: grouped,
  loss: (/** @type {number} */ value) => numeral(value, 6),
  seconds: (/** @type {number} */ value) => `${value >= 100 ? value.toFixed(1) : numeral(value, 4)} s`,
};

/**
 * @param {Contestant} contestant
 * @param {string} column
 * @param {number} lap
 * @param {(value: number) => string} format
 */
function write({ columns }, column, lap, format) {
  const value = columns[column][lap];
  return value === null ? "not finite" : format(value);
}

export class Race {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    /** @type {number | null} the moment pointed at */
    this.hovered = null;
    /** @type {number | null} the moment held */
    this.held = null;
    /** @type {string | null} key of the contestant nearest to the pointer */
    this.near = null;
    /** @type {{ view: LineView, x: number, y: number } | null} */
    this.pointed = null;
    element.innerHTML = `
      <div class="clock"><output></output>
        <input type="range" min="0" max="${SLIDER_STEPS}" value="${SLIDER_STEPS}" aria-label="Race clock" />
        <button type="button" disabled>Back to now</button></div>
      <p class="hint">Point at a chart, or move the slider, to see where each contestant was at that moment;
        a click holds it.</p>
      <div class="table" tabindex="0" role="region" aria-label="All contestants at that moment"><table>
        <caption class="hidden">The contestants at the moment of the race clock</caption>
        <thead><tr><th scope="col">contestant</th><th scope="col">iteration</th><th scope="col">loss</th>
        <th scope="col">operations</th><th scope="col">time</th></tr></thead><tbody></tbody></table></div>
      <div class="charts"></div><div class="tip" hidden aria-hidden="true"></div>`;
    this.output = find(element, "output", HTMLElement);
    this.slider = find(element, "input", HTMLInputElement);
    this.button = find(element, "button", HTMLButtonElement);
    this.rows = find(element, "tbody", HTMLTableSectionElement);
    this.grid = find(element, ".charts", HTMLElement);
    this.tip = find(element, ".tip", HTMLElement);
    this.slider.addEventListener("input", () => this.holdAt(this.clock.momentOf(Number(this.slider.value))));
    this.button.addEventListener("click", () => this.holdAt(null));
    element.addEventListener("keydown", ({ key }) => key === "Escape" && this.holdAt(null));
    /** @type {Payload | null} */
    this.data = null;
    this.clock = new Clock([], false);
    this.width = 0;
    this.isDue = false;
    this.keys = "";
    this.titles = "";
    /** @type {(LineView | PhaseView)[]} */
    this.views = [];
    this.observer = new ResizeObserver(() => {
      if (this.data && element.clientWidth !== this.width) this.draw(this.data);
    });
    this.observer.observe(element);
  }

  get moment() {
    return this.hovered ?? this.held;
  }

  /** @param {Payload} data */
  receive(data) {
    this.element.hidden = !data.contestants.length; // there is nothing to see yet
    if (this.element.hidden) return;
    this.data = data;
    const keys = data.charts.map(({ key }) => key).join();
    if (keys !== this.keys) {
      this.keys = keys;
      this.views = data.charts.map((chart) =>
        chart.kind === "phases" ? new PhaseView(chart) : new LineView(this, chart),
      );
      this.grid.replaceChildren(...this.views.map(({ figure }) => figure));
    }
    this.draw(data);
  }

  /** @param {Payload} data */
  draw({ charts, contestants, phases }) {
    this.width = this.element.clientWidth;
    const titles = contestants.map(({ key, title }) => `${key} ${title}`).join("\n");
    if (titles !== this.titles) {
      this.titles = titles;
      const rows = contestants.map((contestant) => {
        const paint = `stroke="${contestant.color}" stroke-dasharray="${contestant.dash}"`;
        const line = `<path class="trace" d="M0 8H46" ${paint}/>${markerAt(contestant, [23, 8], 5)}`;
        const swatch = `<svg viewBox="0 0 46 16" aria-hidden="true">${line}</svg>`;
        return `<tr><th scope="row" data-chart-key>${swatch}${escapeText(contestant.title)}</th>${"<td></td>".repeat(4)}</tr>`;
      });
      this.rows.innerHTML = rows.join("");
    }
    const isLog = charts.some((chart) => chart.kind === "lines" && chart.x === "seconds" && chart.x_axis.is_log);
    this.clock = new Clock(
      contestants.map(({ columns }) => columns.seconds),
      isLog,
    );
    this.views.forEach((view, index) => {
      const chart = charts[index];
      if (view instanceof LineView) view.draw(/** @type {LineChart} */ (chart), contestants);
      else view.draw(/** @type {PhaseChart} */ (chart), contestants, phases);
    });
    this.look();
    this.show();
  }

  /**
   * @param {LineView} view
   * @param {PointerEvent} event
   */
  point(view, event) {
    this.pointed = { view, x: event.clientX, y: event.clientY };
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.look();
      this.show();
    });
  }

  leave() {
    this.pointed = null;
    this.hovered = null;
    this.near = null;
    this.tip.hidden = true;
    this.show();
  }

  /** Read off what the pointer is at; done again when new laps move the lines under it. */
  look() {
    const drawing = this.pointed?.view.drawing;
    if (!this.pointed || !drawing) return;
    const { view, x, y } = this.pointed;
    const box = view.svg.getBoundingClientRect();
    const { contestant, lap, moment } = view.find([x - box.left, y - box.top]);
    this.hovered = moment;
    this.near = contestant?.key ?? null;
    this.tip.hidden = !contestant;
    if (!contestant) return;
    const { chart } = drawing;
    const format = FORMATS[chart.y_axis.format];
    const lines = [
      `iteration ${write(contestant, "iteration", lap, grouped)}`,
      `loss ${write(contestant, "loss", lap, FORMATS.loss)}`,
      write(contestant, "operations", lap, (count) => things(count, "operation")),
      write(contestant, "seconds", lap, FORMATS.seconds),
    ];
    if (COLUMNS[chart.y]) lines.push(`${COLUMNS[chart.y]}: ${write(contestant, chart.y, lap, format)}`);
    if (chart.bare) lines.push(`without building: ${write(contestant, chart.bare, lap, format)}`);
    this.tip.innerHTML = `<b>${escapeText(contestant.title)}</b>${lines.join("<br>")}`;
    const frame = this.element.getBoundingClientRect();
    const [width, height] = [this.tip.offsetWidth, this.tip.offsetHeight];
    const beside = x + 16 + width > frame.right ? x - 16 - width : x + 16;
    this.tip.style.left = `${clamp(beside - frame.left, 0, Math.max(0, frame.width - width))}px`;
    this.tip.style.top = `${y - frame.top + (y + 20 + height > innerHeight ? -height - 14 : 20)}px`;
  }

  /** Hold the moment pointed at; let it go, if it is held already. */
  hold() {
    const isSame = this.held !== null && this.clock.stepOf(this.held) === this.clock.stepOf(this.hovered);
    this.held = isSame ? null : this.hovered;
    this.show();
  }

  /** @param {number | null} moment */
  holdAt(moment) {
    this.held = moment;
    this.hovered = null;
    this.show();
  }

  show() {
    if (!this.data) return;
    const { moment } = this;
    const clock = moment === null ? "now" : FORMATS.seconds(moment);
    setText(this.output, `Race clock: ${clock}${this.held !== null && this.hovered === null ? ", held" : ""}`);
    const step = String(this.clock.stepOf(moment));
    if (this.slider.value !== step) this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", clock);
    this.button.disabled = this.held === null;
    for (const view of this.views) if (view instanceof LineView) view.mark();
    this.data.contestants.forEach((contestant, index) => {
      const row = this.rows.children[index];
      const lap = lapAt(contestant, moment);
      row.classList.toggle("near", contestant.key === this.near);
      const cell = (/** @type {string} */ column, /** @type {(value: number) => string} */ format) =>
        lap < 0 ? "–" : write(contestant, column, lap, format);
      const texts = [
        cell("iteration", grouped),
        cell("loss", FORMATS.loss),
        cell("operations", grouped),
        cell("seconds", FORMATS.seconds),
      ];
      texts.forEach((text, column) => setText(row.children[column + 1], text));
    });
  }

  close() {
    this.observer.disconnect();
  }
}

export default mounter(
  (root) => find(root, ".race", HTMLElement),
  (element) => new Race(element),
);
