// The choice of a chart of the page, to be saved as it is seen: Plotly's, and those of components, which mark theirs with
// data-chart and the entries of their key with data-chart-key.

import { el, partsOf, svg } from "./dom.js";
import { copyOf, plainColor, savePicture } from "./drawing.js";
import { mounter } from "./mount.js";

const PICTURE_EDGE = 12; // around what is seen of a part of a page, in pixels
const KEY_GAP = 8;
const STRIPE = 8.5; // from one stripe of a bar to the next, across

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

/**
 * What is seen of a part of a page, words and drawings, as one picture; below it `keys`, side by side.
 * @param {Element} main
 * @param {Element[]} keys
 * @param {{ title: string, fill: string }} words the title of the file, and its background
 */
function pictureOfPart(main, keys, { title, fill }) {
  const { left, top, width: wide, height: high } = main.getBoundingClientRect();
  const parts = [...seenIn(main, -left, -top)];
  let [x, y, below] = [0, high, 0];
  for (const key of keys) {
    const inside = document.createRange();
    inside.selectNodeContents(key);
    const box = inside.getBoundingClientRect();
    if (x && x + box.width > wide) [x, y, below] = [0, y + below, 0];
    parts.push(...seenIn(key, x - box.left, y + KEY_GAP - box.top));
    x += box.width + 2 * KEY_GAP;
    below = Math.max(below, box.height + KEY_GAP);
  }
  const [width, height] = [wide + 2 * PICTURE_EDGE, y + below + 2 * PICTURE_EDGE];
  const whole = svg("svg", { width, height, viewBox: [-PICTURE_EDGE, -PICTURE_EDGE, width, height].join(" ") });
  whole.append(
    svg("title", {}, title),
    svg("rect", { x: -PICTURE_EDGE, y: -PICTURE_EDGE, width, height, fill }),
    ...parts,
  );
  return new XMLSerializer().serializeToString(whole);
}

/**
 * Copies of what is seen in an element, moved by so much from where it is on the screen.
 * @param {Element} element
 * @param {number} x
 * @param {number} y
 * @returns {Generator<SVGElement>}
 */
function* seenIn(element, x, y) {
  const style = getComputedStyle(element);
  if (style.display === "none" || style.visibility === "hidden") return;
  const { left, top, width, height } = element.getBoundingClientRect();
  const at = { x: left + x, y: top + y, width, height };
  if (element instanceof SVGSVGElement) {
    const copy = copyOf(element);
    for (const [name, value] of Object.entries({ ...at, overflow: style.overflow }))
      copy.setAttribute(name, `${value}`);
    yield copy;
    return;
  }
  const ground = plainColor(style.backgroundColor);
  if (ground?.opacity) yield svg("rect", { ...at, fill: ground.color, "fill-opacity": ground.opacity });
  if (style.backgroundImage.includes("gradient")) yield* hatched(at);
  for (const child of element.childNodes) {
    if (child instanceof Element) yield* seenIn(child, x, y);
    else if (child instanceof Text) yield* linesOf(child, style, x, y);
  }
}

/**
 * The lines of a text as they are broken on the screen.
 * @param {Text} text
 * @param {CSSStyleDeclaration} style
 * @param {number} x
 * @param {number} y
 */
function* linesOf(text, style, x, y) {
  /** @type {{ words: string[], box: DOMRect }[]} */
  const lines = [];
  for (const { 0: word, index } of text.data.matchAll(/\S+/g)) {
    const range = document.createRange();
    range.setStart(text, index);
    range.setEnd(text, index + word.length);
    const box = range.getBoundingClientRect();
    const line = lines.at(-1);
    if (line && Math.abs(line.box.top - box.top) < 1) line.words.push(word);
    else lines.push({ words: [word], box });
  }
  const pen = document.createElement("canvas").getContext("2d");
  if (!pen) throw new Error("the browser draws on no canvas");
  const { fontWeight, fontSize, fontFamily } = style;
  pen.font = `${fontWeight} ${fontSize} ${fontFamily}`;
  const fonts = { "font-weight": fontWeight, "font-size": fontSize, "font-family": fontFamily };
  const fill = plainColor(style.color)?.color ?? style.color;
  for (const { words, box } of lines) {
    const { fontBoundingBoxAscent: rise } = pen.measureText(words[0]);
    yield svg("text", { x: box.left + x, y: box.top + y + rise, fill, ...fonts }, words.join(" "));
  }
}

/**
 * The stripes of a bar that is told from its neighbours by them, as drawn by a gradient on the page.
 * @param {{ x: number, y: number, width: number, height: number }} at
 */
function* hatched({ x, y, width, height }) {
  for (let from = x - height; from < x + width; from += STRIPE) {
    const [first, last] = [Math.max(0, x - from), Math.min(height, x + width - from)];
    const d = `M${from + first} ${y + first}L${from + last} ${y + last}`;
    yield svg("path", { d, stroke: "#000", "stroke-opacity": 0.28, "stroke-width": 2 });
  }
}

export default mounter(
  (root) => /** @type {HTMLElement} */ (root.querySelector(".chart-pictures")),
  (element) => new ChartPictures(element),
);
