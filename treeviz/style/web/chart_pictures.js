// The choice of a chart of the page, to be saved as it is seen: Plotly's, and those of components, which mark theirs with
// data-chart and the entries of their key with data-chart-key.

import { el, partsOf } from "./dom.js";
import { pictureOfPart, savePicture } from "./drawing.js";
import { mounter } from "./mount.js";

/** @typedef {{ name: string, main: Element, keys: Element[] }} Chart */

/** All charts of the page that are seen. @returns {Chart[]} */
function findCharts() {
  const roots = [...document.querySelectorAll("*")].flatMap(({ shadowRoot }) => shadowRoot ?? []);
  const own = roots.flatMap((root) =>
    [...root.querySelectorAll("[data-chart]")].map((main) => ({
      name: main.querySelector("h3")?.textContent ?? main.getAttribute("data-chart") ?? "",
      main,
      keys: main.querySelector(".key") ? [] : [...root.querySelectorAll("[data-chart-key]")],
    })),
  );
  const plotly = [...document.querySelectorAll(".js-plotly-plot")].map((main) => ({
    name: /** @type {any} */ (main).layout?.meta?.name ?? "",
    main,
    keys: [],
  }));
  return [...plotly, ...own].filter(({ name, main }) => name && main.getClientRects().length > 0);
}

class ChartPictures {
  /** @param {HTMLElement} element */
  constructor(element) {
    const part = partsOf(element);
    this.element = element;
    this.what = part("what", HTMLSelectElement);
    this.form = part("form", HTMLSelectElement);
    this.button = part("save", HTMLButtonElement);
    this.button.addEventListener("click", () => void this.save());
    element.addEventListener("pointerenter", () => this.receive());
    element.addEventListener("focusin", () => this.receive());
    /** @type {Chart[]} */
    this.charts = [];
  }

  /** Offer the charts that are there: they come and go with what is chosen on the page. */
  receive() {
    this.charts = findCharts();
    const names = this.charts.map(({ name }) => name);
    this.button.disabled = !names.length;
    const offered = [...this.what.options].map(({ value }) => value);
    if (names.join("\n") === offered.join("\n")) return;
    const chosen = this.what.value;
    this.what.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    if (names.includes(chosen)) this.what.value = chosen;
  }

  async save() {
    this.receive();
    const chart = this.charts.find(({ name }) => name === this.what.value);
    if (!chart) return;
    const fill = getComputedStyle(this.element).getPropertyValue("--st-background-color").trim() || "#fff";
    const file = `treeviz-${chart.name.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
    await savePicture(pictureOfPart(chart.main, chart.keys, { title: chart.name, fill }), this.form.value, file);
  }

  close() {}
}

export default mounter(
  (root) => /** @type {HTMLElement} */ (root.querySelector(".chart-pictures")),
  (element) => new ChartPictures(element),
);
