// Draws a neuron that is inspected as its datapoints are: its weights, the products whose sum is its leaf, and the leaf
// over the iterations.

import { el, setAttributes, svg } from "../../style/web/dom.js";
import { agree, decimals, grouped, isSet, range } from "../../style/web/numbers.js";
import { MAP, axesOf, mapOf } from "./datapoint.js";
import { arrow, circle } from "./plane.js";
import { imageOf, largestOf, profileOf, reachOf } from "./vectors.js";

/** @import { Stage } from "./stage.js" */
/** @import { DataKind, Frame, Inspection, Look, Moment, Point } from "./types.js" */

const [LINE_WIDE, LINE_HIGH, LINE_TOP, LINE_PAD] = [320, 62, 17, 7];
const GRID = 56; // cells along a side of the plane

export class NeuronPicture {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.element = el("div", { class: "look" });
    this.drawn = "";
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   * @param {number} neuron
   */
  show(frame, { phase, isCompared }, neuron) {
    const { player } = this.stage;
    const { tree } = frame.view;
    const at = frame.iteration + (phase.isAfterMove && !isCompared ? 1 : 0);
    const known = player.inspections.get(neuron, tree);
    const look = known?.moments[at];
    const drawn = `${player.header.run} ${neuron} ${tree} ${at} ${known?.leaf.length} ${look !== undefined}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const { data, threshold } = player.header;
    this.element.className = `look of-${data.kind}`;
    if (!known || !look)
      return this.element.replaceChildren(el("p", { class: "hint" }, "Its weights are on their way …"));
    const products = look.weights.map((weight, place) => weight * look.values[place]);
    const leaf = known.leaf[at];
    const digits = decimals(leaf, threshold).split(".")[1].length;
    const isPlanar = data.kind === "plane";
    const when = at ? `after ${grouped(at)} ${agree(at, "move", "moves")}` : "at the start";
    const sum = isPlanar
      ? sumTable(look, products, leaf, digits, when)
      : el("p", { class: "sum" }, `${sumWords(data, look, products, leaf, digits)}, the leaf ${when}.`);
    const picture = this.draw(data, look, products, neuron, tree);
    const label = `Weights of neuron ${grouped(neuron)}, times datapoint ${tree}. ${sum.textContent}`;
    setAttributes(picture, { role: "img", "aria-label": label });
    this.element.replaceChildren(
      ...(isPlanar ? [el("div", { class: "beside" }, picture, sum)] : [picture, sum]),
      lineOf(known, at, threshold),
      el("p", {}, `${firedWords(known)} ${signWords(known)}`),
    );
  }

  /**
   * @param {DataKind} data
   * @param {Look} look
   * @param {number[]} products
   * @param {number} neuron
   * @param {number} tree
   */
  draw(data, { names, weights, values }, products, neuron, tree) {
    if (data.kind === "plane") {
      const plane = planeOf(data, weights, this.stage.player.header.threshold, tree);
      return el("figure", {}, plane, el("figcaption", {}, "shaded: where it fires; arrow: w"));
    }
    const tell = (/** @type {number} */ place) =>
      `${names.length ? `${names[place]}, ` : ""}${decimals(weights[place])} × ${decimals(values[place])} = ${decimals(products[place])}`;
    /** @type {[string, number[], number, boolean][]} */
    const parts = [
      [`w, neuron ${grouped(neuron)}`, weights, reachOf(weights), true],
      [`x, datapoint ${tree}`, values, data.image ? data.largest : reachOf(values), data.signed],
      [data.image ? "w × x" : "w × x, adds up to the leaf", products, reachOf(products), true],
    ];
    const pictures = parts.map(([name, numbers, largest, isSigned]) => {
      if (!data.image) {
        return profileOf(numbers, largest, numbers === products ? largestOf(products) : [], tell, name);
      }
      return el("figure", {}, imageOf(numbers, data.image, largest, isSigned, tell), el("figcaption", {}, name));
    });
    const [first, second, third] = pictures;
    return data.image
      ? el("div", { class: "product" }, first, "×", second, "=", third)
      : el("div", { class: "product stacked" }, ...pictures);
  }
}

/**
 * Parts of a sum as they are shown: each rounded, up or down, so that the numbers shown add up to the sum as it is shown.
 * @param {number[]} parts
 * @param {number} sum
 * @param {number} digits
 */
export function addUp(parts, sum, digits) {
  const unit = 10 ** digits;
  let [exact, shown] = [0, 0];
  return parts.map((part, place) => {
    exact += part;
    const upTo = place === parts.length - 1 ? Number(sum.toFixed(digits)) : exact;
    const step = Math.round(upTo * unit) - shown;
    shown += step;
    return (step / unit).toFixed(digits).replace("-", "−");
  });
}

/**
 * 1.203 + 0.4 − 0.2: a sum of numbers as they are written, with what stands before each.
 * @param {string[]} numbers
 * @param {(place: number) => string} tell
 */
const written = (numbers, tell) =>
  numbers
    .map((number, place) => {
      const isBelow = number.startsWith("−");
      const sign = place ? (isBelow ? " − " : " + ") : isBelow ? "−" : "";
      return `${sign}${number.replace("−", "")}${tell(place)}`;
    })
    .join("");

/**
 * How the products make the leaf, in numbers that add up: of an image those above zero and those below, of a profile the
 * largest and all others.
 * @param {DataKind} data
 * @param {Look} look
 * @param {number[]} products
 * @param {number} leaf
 * @param {number} digits
 */
export function sumWords({ image, dimension }, { names, rest }, products, leaf, digits) {
  const total = decimalsOf(leaf, digits);
  if (image) {
    const above = products.reduce((sum, product) => sum + Math.max(product, 0), 0);
    const numbers = addUp([above, leaf - above], leaf, digits);
    return `Products above zero (blue) and below (orange): ${written(numbers, () => "")} = ${total}`;
  }
  const named = largestOf(products);
  const others = products.reduce((sum, product, place) => sum + (named.includes(place) ? 0 : product), rest);
  const parts = [...named.map((place) => products[place]), ...(named.length < dimension ? [others] : [])];
  const numbers = addUp(parts, leaf, digits);
  const left = dimension - named.length;
  const tell = (/** @type {number} */ place) =>
    place < named.length
      ? ` (${place + 1} ${names[named[place]]})`
      : ` (the other ${agree(left, "column", `${left}`)})`;
  return `${written(numbers, tell)} = ${total}`;
}

/** @param {number} value @param {number} digits */
const decimalsOf = (value, digits) => value.toFixed(digits).replace("-", "−");

/**
 * Coordinate by coordinate, in numbers that add up.
 * @param {Look} look
 * @param {number[]} products
 * @param {number} leaf
 * @param {number} digits
 * @param {string} when
 */
function sumTable({ names, weights, values }, products, leaf, digits, when) {
  const numbers = addUp(products, leaf, digits);
  const cells = (/** @type {string[]} */ texts) => texts.map((text) => el("td", {}, text));
  const rows = names.map((name, place) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      ...cells([decimals(weights[place]), decimals(values[place]), numbers[place]]),
    ),
  );
  const heads = ["", "w", "x", "w × x"].map((text) => el("th", { scope: "col" }, text));
  const sum = el(
    "tr",
    {},
    el("th", { scope: "row", colspan: 3 }, `leaf ${when}`),
    ...cells([decimalsOf(leaf, digits)]),
  );
  return el("table", { class: "sum" }, el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows, sum));
}

/**
 * Where in the plane of the datapoints the neuron fires, and which way its weights point.
 * @param {DataKind} data
 * @param {number[]} weights
 * @param {number} threshold
 * @param {number} tree
 */
function planeOf(data, weights, threshold, tree) {
  const isLifted = data.dimension === 3;
  const tip = /** @type {Point} */ ([weights[0], weights[1]]);
  // In two dimensions weights and inputs share the plane; a lifted input is scaled, so there w only has a direction.
  const place = mapOf(isLifted ? data.places : [...data.places, tip, [0, 0]]);
  const [[left, top], [right]] = [place([0, 0]), place([1, 1])];
  const back = (/** @type {number} */ x, /** @type {number} */ y) => [
    (x - left) / (right - left),
    (top - y) / (right - left),
  ];
  const cell = MAP / GRID;
  const fires = range(GRID * GRID).filter((index) => {
    const [u, v] = back(((index % GRID) + 0.5) * cell, (Math.floor(index / GRID) + 0.5) * cell);
    const input = isLifted ? [u, v, 1].map((part) => part / Math.hypot(u, v, 1)) : [u, v];
    return input.reduce((sum, part, axis) => sum + part * weights[axis], 0) >= threshold;
  });
  const cells = fires.map(
    (index) => `M${(index % GRID) * cell} ${Math.floor(index / GRID) * cell}h${cell}v${cell}h${-cell}z`,
  );
  const length = Math.hypot(...tip) || 1;
  const from = /** @type {Point} */ (isLifted ? [MAP / 2, MAP / 2] : place([0, 0]));
  const to = /** @type {Point} */ (
    isLifted ? [from[0] + (0.36 * MAP * tip[0]) / length, from[1] - (0.36 * MAP * tip[1]) / length] : place(tip)
  );
  const dots = data.places.map((point, index) => circle(place(point), index === tree ? 5 : 1.3));
  return svg(
    "svg",
    { class: "map", viewBox: `0 0 ${MAP} ${MAP}` },
    svg("path", { class: "half-plane", d: cells.join("") }, svg("title", {}, "the neuron fires on datapoints in here")),
    svg("path", { class: "dots", d: dots.join("") }),
    svg("path", { class: "moves", d: arrow(from, to) }, svg("title", {}, "the direction of its weights")),
    ...axesOf(data),
  );
}

/**
 * Its leaf over the iterations computed so far, against b; full where it fires, and a mark at the moment shown.
 * @param {Inspection} inspection
 * @param {number} at
 * @param {number} threshold
 */
function lineOf({ leaf, fires, tree }, at, threshold) {
  const [low, high] = [Math.min(threshold, ...leaf), Math.max(threshold, ...leaf)];
  const place = (/** @type {number} */ moment, /** @type {number} */ value) => {
    const share = leaf.length > 1 ? moment / (leaf.length - 1) : 0;
    const up = (value - low) / (high - low || 1);
    return /** @type {Point} */ ([
      LINE_PAD + share * (LINE_WIDE - 2 * LINE_PAD),
      LINE_HIGH - LINE_PAD - up * (LINE_HIGH - LINE_PAD - LINE_TOP),
    ]);
  };
  const points = leaf.map((value, moment) => place(moment, value));
  const dots = range(fires.length).map((moment) => ({ fired: isSet(fires, moment), d: circle(points[moment], 2.4) }));
  const path = (/** @type {boolean} */ fired) =>
    dots
      .filter((dot) => dot.fired === fired)
      .map(({ d }) => d)
      .join("");
  const [, border] = place(0, threshold);
  const last = leaf.length - 1;
  const label =
    `Its leaf in tree ${tree}, from ${decimals(leaf[0])} at the start to ${decimals(leaf[last])} after ` +
    `${grouped(last)} ${agree(last, "move", "moves")}, against b = ${decimals(threshold)}; ${decimals(leaf[at])} at the mark.`;
  return svg(
    "svg",
    { class: "over-time", viewBox: `0 0 ${LINE_WIDE} ${LINE_HIGH}`, role: "img", "aria-label": label },
    svg("path", { class: "now", d: `M${points[at][0]} ${LINE_TOP - 5}V${LINE_HIGH}` }),
    svg("path", { class: "threshold-line", d: `M0 ${border}H${LINE_WIDE}` }),
    svg("path", { class: "course", d: `M${points.map((point) => point.join(" ")).join("L")}` }),
    svg("path", { class: "rests", d: path(false) }),
    svg("path", { class: "fires", d: path(true) }),
    svg("text", { x: LINE_WIDE - 1, y: border - 3, "text-anchor": "end" }, "b"),
    svg("text", { x: 2, y: 9 }, `leaf in tree ${tree}, iterations 0 to ${last}; full where it fires`),
  );
}

/** @param {Inspection} inspection */
const signWords = ({ sign }) =>
  sign > 0 ? "Its sign a = +1: firing, it raises f." : "Its sign a = −1: firing, it lowers f.";

/** @param {Inspection} inspection */
function firedWords({ fires, tree }) {
  const fired = range(fires.length).filter((iteration) => isSet(fires, iteration));
  const all = `of ${grouped(fires.length)} so far`;
  if (!fired.length) return `On datapoint ${tree} it fired in no iteration ${all}.`;
  const list = spans(fired).join(", ");
  return `On datapoint ${tree} it fired in ${agree(fired.length, "iteration", "iterations")} ${list}, ${all}.`;
}

/**
 * 0, 1, 2, 5 in short: 0–2, 5.
 * @param {number[]} numbers ascending
 */
export function spans(numbers) {
  /** @type {[number, number][]} */
  const found = [];
  for (const number of numbers) {
    const latest = found.at(-1);
    if (latest && latest[1] === number - 1) latest[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
}
