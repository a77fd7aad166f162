// Draws the datapoint of the tree as what it is: an image, a point among the others in their plane, or a table row.

import { el, setAttribute, svg } from "../../style/web/dom.js";
import { decimals, numeral, range } from "../../style/web/numbers.js";
import { circle } from "./plane.js";
import { imageOf, largestOf, profileOf, ranking, reachOf } from "./vectors.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { DataKind, DatapointValues, Frame, Point } from "./types.js" */

export const MAP = 140; // pixels of a side of the plane
const [MAP_PAD, LEAST_SPAN] = [9, 0.05];

export class Datapoint {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.section = part("datapoint", HTMLElement);
    /** @type {Frame | null} */
    this.frame = null;
    this.drawn = ""; // run and datapoint of the picture: it stays while only the output changes
    this.picture = el("div", { class: "real", role: "img" });
  }

  /** @param {Frame} frame */
  show(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    const { data, run } = this.stage.player.header;
    const { tree } = frame.view;
    const { y, f } = frame.point;
    if (this.drawn !== `${run} ${tree}`) {
      this.drawn = `${run} ${tree}`;
      this.picture.replaceChildren(this.draw(data, frame.point, tree));
    }
    const numbers = `target y = ${numeral(y, 4)}, network f = ${decimals(f)} in iteration ${frame.iteration}`;
    const caption = captionOf(data, frame.point);
    setAttribute(this.picture, "aria-label", `Datapoint ${tree}: ${numbers}. ${caption}`);
    const title = el("h3", {}, `Datapoint ${tree}`);
    const told = el("p", { class: "numbers" }, ...numbers.split(", ").map((text) => el("span", {}, text)));
    this.section.className = `datapoint of-${data.kind}`;
    this.section.replaceChildren(this.picture, el("div", {}, title, told, el("p", { class: "hint" }, caption)));
  }

  /**
   * @param {DataKind} data
   * @param {DatapointValues} point
   * @param {number} tree
   */
  draw(data, { names, values }, tree) {
    if (data.image) {
      return imageOf(values, data.image, data.largest, data.signed, (place) => decimals(values[place]));
    }
    if (data.kind === "plane") {
      return svg("svg", { class: "map", viewBox: `0 0 ${MAP} ${MAP}` }, ...this.marks(data, tree), ...axesOf(data));
    }
    const tell = (/** @type {number} */ place) => `${names[place]}: ${decimals(values[place])}`;
    return profileOf(values, reachOf(values), largestOf(values), tell);
  }

  /**
   * The datapoints in their plane, + or − by the sign of their target; a click opens one's tree.
   * @param {DataKind} data
   * @param {number} tree
   */
  marks({ places }, tree) {
    const place = mapOf(places);
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
          onclick: () => this.stage.openTree(point),
        },
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
  const [low, high] = [Math.min, Math.max].map((end) =>
    [0, 1].map((axis) => places.reduce((found, point) => end(found, point[axis]), places[0][axis])),
  );
  const scale = (MAP - 2 * MAP_PAD) / Math.max(LEAST_SPAN, high[0] - low[0], high[1] - low[1]);
  const middle = [0, 1].map((axis) => (low[axis] + high[axis]) / 2);
  return ([u, v]) => [MAP / 2 + (u - middle[0]) * scale, MAP / 2 - (v - middle[1]) * scale];
}

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
