// Draws the datapoint of the tree as what it is: an image, a point among the others in their plane, or a table row.

import { el, setAttribute, svg } from "../../style/web/dom.js";
import { clamp, decimals, numeral, range, things } from "../../style/web/numbers.js";
import { placeOn } from "./moved.js";
import { circle } from "./plane.js";
import { imageOf, largestOf, profileOf, ranking, reachOf } from "./vectors.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { DataKind, DatapointValues, Frame, Header, Point } from "./types.js" */

export const MAP = 140; // pixels of a side of the plane
const [MAP_PAD, LEAST_SPAN] = [9, 0.05];
const EDGE = 3; // pixels from the border of the plane up to which a datapoint can be moved
const [STEP, TURN, LEAP] = [2, 3, 10]; // of the keys: pixels in a plane, degrees on a circle; a leap is so many of them

export class Datapoint {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.section = part("datapoint", HTMLElement);
    /** @type {DatapointValues | null} */
    this.point = null;
    this.tree = 0;
    this.drawn = ""; // run, datapoint and whether it can be moved: the picture stays while only the output changes
    this.picture = el("div", { class: "real", role: "img" });
    this.words = el("div", {});
    /** @type {SVGElement | null} the mark of the datapoint, where it can be moved */
    this.grip = null;
    this.own = svg("path", { class: "own-place" }); // where it is in the run
    this.section.append(this.picture, this.words);
  }

  /** @param {Frame} frame */
  show({ point, iteration, view: { tree }, spread }) {
    if (point === this.point) return;
    [this.point, this.tree] = [point, tree];
    const { header } = this.stage.player;
    const { data, run } = header;
    const isMovable = data.kind === "plane" && spread !== null && header.width <= header.movable;
    if (this.drawn !== `${run} ${tree} ${isMovable}`) {
      this.drawn = `${run} ${tree} ${isMovable}`;
      this.grip = null;
      this.picture.replaceChildren(this.draw(data, point, tree, isMovable));
    }
    const numbers = `target y = ${numeral(point.y, 4)}, network f = ${decimals(point.f)} in iteration ${iteration}`;
    const caption = `${captionOf(data, point)}${data.kind === "plane" && spread ? moveWords(header) : ""}`;
    setAttribute(this.picture, "role", data.kind === "plane" ? "group" : "img"); // in a group the mark can be focused
    setAttribute(this.picture, "aria-label", `Datapoint ${tree}: ${numbers}. ${caption}`);
    const title = el("h3", {}, `Datapoint ${tree}`);
    const { terms } = this.stage;
    const told = numbers.split(", ").map((text) => el("span", {}, ...terms.link(text)));
    this.section.className = `datapoint of-${data.kind}`;
    this.stage.replace(
      this.words,
      title,
      el("p", { class: "numbers" }, ...told),
      el("p", { class: "hint" }, ...terms.link(caption)),
    );
  }

  // ---- the datapoint moved ----

  /**
   * Where the datapoint is: tried, or where it is in the run.
   * @param {Point | null} tried
   * @param {string} text what it says there
   */
  showTried(tried, text) {
    if (!this.grip) return;
    const { data } = this.stage.player.header;
    const own = data.places[this.tree];
    const at = tried ?? own;
    const place = mapOf(shownPlaces(data));
    setAttribute(this.grip, "transform", `translate(${place(at).join()})`);
    setAttribute(this.own, "d", tried ? circle(place(own), 7) : "");
    setAttribute(this.grip, "aria-valuenow", data.dimension === 3 ? at[0] : angleOf(at));
    setAttribute(this.grip, "aria-valuetext", text || `at (${decimals(at[0])}, ${decimals(at[1])}), as in the run`);
  }

  /**
   * Try the datapoint at a place of the picture, or as near to it as it can be.
   * @param {Point} pixels
   */
  tryPixels([x, y]) {
    const { data } = this.stage.player.header;
    const places = shownPlaces(data);
    const inside = (/** @type {number} */ pixel) => clamp(pixel, EDGE, MAP - EDGE);
    this.tryPlace(backOf(places)([inside(x), inside(y)]));
  }

  /** @param {Point} wanted */
  tryPlace(wanted) {
    this.stage.whatIf.try({ place: placeOn(this.stage.player.header.data, wanted) });
    this.wantWeights();
  }

  /** Have the weights asked for, which the tree of another place is made from. */
  wantWeights() {
    const { player } = this.stage;
    player.want(player.at.iteration);
  }

  /**
   * Make a mark one that can be dragged, or moved by the arrow keys.
   * @param {SVGElement} grip
   * @param {SVGElement} map
   * @param {DataKind} data
   */
  listen(grip, map, data) {
    const place = mapOf(shownPlaces(data));
    const now = () => this.stage.whatIf.place ?? data.places[this.tree];
    const pixelsOf = (/** @type {PointerEvent} */ { clientX, clientY }) => {
      const { left, top, width } = map.getBoundingClientRect();
      return /** @type {Point} */ ([((clientX - left) / width) * MAP, ((clientY - top) / width) * MAP]);
    };
    /** @type {Point} from the pointer to the middle of the mark */
    let held = [0, 0];
    grip.addEventListener("pointerdown", (event) => {
      grip.setPointerCapture(event.pointerId);
      const [[x, y], [px, py]] = [place(now()), pixelsOf(event)];
      held = [x - px, y - py];
      this.wantWeights();
    });
    grip.addEventListener("pointermove", (event) => {
      if (!(event.buttons & 1)) return;
      const [px, py] = pixelsOf(event);
      this.tryPixels([px + held[0], py + held[1]]);
    });
    grip.addEventListener("focus", () => this.wantWeights());
    grip.addEventListener("keydown", (event) => {
      const direction = DIRECTIONS[event.key];
      if (!direction || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      event.preventDefault();
      event.stopPropagation();
      const [[x, y], [across, up]] = [now(), direction];
      if (data.dimension === 3) {
        const [px, py] = place([x, y]);
        this.tryPixels([px + STEP * across, py - STEP * up]);
      } else {
        const angle = ((angleOf([x, y]) + TURN * (across + up)) * Math.PI) / 180;
        this.tryPlace([Math.cos(angle), Math.sin(angle)]);
      }
    });
  }

  // ---- the picture ----

  /**
   * @param {DataKind} data
   * @param {DatapointValues} point
   * @param {number} tree
   * @param {boolean} isMovable
   */
  draw(data, { names, values }, tree, isMovable) {
    if (data.image) {
      return imageOf(values, data.image, data.largest, data.signed, (place) => decimals(values[place]));
    }
    if (data.kind === "plane") {
      const marks = this.marks(data, tree);
      const axes = [...circleOf(data), ...axesOf(data), this.own];
      const map = svg("svg", { class: "map", viewBox: `0 0 ${MAP} ${MAP}` }, ...axes, ...marks);
      if (isMovable) this.listen((this.grip = gripOf(marks[marks.length - 1], data, tree)), map, data);
      return map;
    }
    const tell = (/** @type {number} */ place) => `${names[place]}: ${decimals(values[place])}`;
    return profileOf(values, reachOf(values), largestOf(values), tell);
  }

  /**
   * The datapoints in their plane, + or − by the sign of their target; a click opens one's tree.
   * @param {DataKind} data
   * @param {number} tree
   */
  marks(data, tree) {
    const { places } = data;
    const place = mapOf(shownPlaces(data));
    const { targets } = this.stage.player.header;
    const order = [...range(places.length).filter((point) => point !== tree), tree]; // the chosen one on top
    return order.map((point) => {
      const sign = targets[point] >= 0 ? "above" : "below";
      const shape = targets[point] >= 0 ? "M-3.5 0H3.5M0-3.5V3.5" : "M-3.5 0H3.5";
      const chosen = point === tree ? " chosen" : "";
      return svg(
        "g",
        {
          class: `mark ${sign}${chosen}`,
          transform: `translate(${place(places[point]).join()})`,
          onclick: () => point === tree || this.stage.openTree(point),
        },
        svg("path", { class: "reach", d: circle([0, 0], 14) }),
        svg("path", { class: "target", d: circle([0, 0], 7) }),
        svg("path", { d: shape }),
        svg("title", {}, `datapoint ${point}: y = ${decimals(targets[point])}`),
      );
    });
  }
}

/**
 * From the plane of the datapoints to pixels, the same scale along both axes.
 * @param {Point[]} places
 * @returns {(point: Point) => Point}
 */
export function mapOf(places) {
  const { scale, middle } = scaleOf(places);
  return ([u, v]) => [MAP / 2 + (u - middle[0]) * scale, MAP / 2 - (v - middle[1]) * scale];
}

/**
 * The way back, from pixels to the plane.
 * @param {Point[]} places
 * @returns {(pixels: Point) => Point}
 */
export function backOf(places) {
  const { scale, middle } = scaleOf(places);
  return ([x, y]) => [middle[0] + (x - MAP / 2) / scale, middle[1] - (y - MAP / 2) / scale];
}

/** @param {Point[]} places */
function scaleOf(places) {
  const [low, high] = [Math.min, Math.max].map((end) =>
    [0, 1].map((axis) => places.reduce((found, point) => end(found, point[axis]), places[0][axis])),
  );
  const scale = (MAP - 2 * MAP_PAD) / Math.max(LEAST_SPAN, high[0] - low[0], high[1] - low[1]);
  return { scale, middle: [0, 1].map((axis) => (low[axis] + high[axis]) / 2) };
}

/**
 * The places that the picture has room for: of datapoints on the unit circle, all of it.
 * @param {DataKind} data
 * @returns {Point[]}
 */
const shownPlaces = ({ dimension, places }) => (dimension === 2 ? [...places, [-1, -1], [1, 1]] : places);

/** The circle that the datapoints are on, if they are on one. @param {DataKind} data */
function circleOf(data) {
  if (data.dimension !== 2) return [];
  const [[left, middle], [right]] = [
    [-1, 0],
    [1, 0],
  ].map((end) => mapOf(shownPlaces(data))(/** @type {Point} */ (end)));
  return [svg("path", { class: "unit-circle", d: circle([(left + right) / 2, middle], (right - left) / 2) })];
}

/** Degrees from the first axis on. @param {Point} place */
const angleOf = ([u, v]) => Math.round((Math.atan2(v, u) * 18000) / Math.PI) / 100;

/** @type {Record<string, Point>} */
const DIRECTIONS = {
  ArrowRight: [1, 0],
  ArrowLeft: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
  PageUp: [0, LEAP],
  PageDown: [0, -LEAP],
};

/**
 * Give a mark what a slider has.
 * @param {SVGElement} mark
 * @param {DataKind} data
 * @param {number} tree
 */
function gripOf(mark, data, tree) {
  const back = backOf(shownPlaces(data));
  const [least, most] = data.dimension === 3 ? [back([EDGE, 0])[0], back([MAP - EDGE, 0])[0]] : [-180, 180];
  for (const [name, value] of Object.entries({
    role: "slider",
    tabindex: 0,
    "aria-roledescription": data.dimension === 3 ? "place in a plane" : "place on a circle",
    "aria-label": `Try datapoint ${tree} elsewhere`,
    "aria-valuemin": least,
    "aria-valuemax": most,
  }))
    mark.setAttribute(name, String(value));
  mark.setAttribute("class", `${mark.getAttribute("class")} movable`);
  return mark;
}

/** What is said of moving a datapoint of planar data. @param {Header} header */
const moveWords = ({ width, movable }) =>
  width <= movable
    ? " Drag the ringed one: the tree follows."
    : !movable
      ? " In the app, where all neurons are drawn, the ringed one can be dragged."
      : ` The ringed one can be dragged in runs of up to ${things(movable, "neuron")}.`;

/** The names of the columns along the edges, where there are some. @param {DataKind} data */
export function axesOf({ axes }) {
  if (!axes.length) return [];
  const up = axes.length > 1 ? [svg("text", { x: 2, y: 9 }, `↑ ${axes[1]}`)] : [];
  return [svg("text", { x: MAP - 2, y: MAP - 3, "text-anchor": "end" }, `→ ${axes[0]}`), ...up];
}

/**
 * What the picture shows, and how.
 * @param {DataKind} data
 * @param {DatapointValues} point
 */
function captionOf({ kind, image, signed, dimension }, { names, values }) {
  if (image) {
    const shades = signed
      ? "Blue full squares are above zero, small orange ones below; the stronger the shade, the larger."
      : "In grey: the stronger the shade, the larger the pixel.";
    return `${image[0]} × ${image[1]} pixels as the network sees them, scaled to length 1. ${shades}`;
  }
  if (kind === "plane")
    return "In the plane of the datapoints, each + or − by the sign of its target. Click one for its tree.";
  const part = values.length < dimension ? `the ${values.length} largest of ${dimension} columns` : "a bar a column";
  return `As the network sees it, ${part}, scaled to length 1. Largest: ${ranking(names, values, largestOf(values))}.`;
}
