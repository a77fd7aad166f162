// Draws the network's output over the plane of planar data, with the datapoints.

import { setAttribute, svg } from "../../style/web/dom.js";
import { clamp, range } from "../../style/web/numbers.js";
import { PLANE, circle } from "./plane.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Fields } from "./types.js" */

const OUTPUT_SHADES = 8; // half of them negative

export class OutputPicture {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.card = part("output-card", HTMLElement);
    this.svg = part("output", SVGSVGElement);
    this.caption = part("output-caption", HTMLElement);
    const [shades, points] = this.svg.children;
    this.shades = shades;
    this.points = points;
    /** @type {number[] | null} */
    this.values = null;
    this.tree = -1;
    this.shades.append(...range(OUTPUT_SHADES).map((index) => svg("path", { class: `output-${index}` })));
  }

  /**
   * @param {Fields | null} fields
   * @param {number} iteration
   * @param {number} tree
   */
  show(fields, iteration, tree) {
    const values = fields?.values[iteration];
    if (!values) {
      const reason = fields?.error ? `cannot be computed: ${fields.error}.` : "is being computed …";
      return this.stage.terms.write(this.caption, `The output over the input plane ${reason}`);
    }
    if (values === this.values && tree === this.tree) return;
    [this.values, this.tree] = [values, tree];
    const size = Math.sqrt(values.length);
    const cell = PLANE / size;
    const largest = Math.max(1000, ...values.map(Math.abs));
    /** @type {string[][]} */
    const cells = range(OUTPUT_SHADES).map(() => []);
    values.forEach((value, index) => {
      const shade = clamp(Math.floor(((value / largest + 1) / 2) * OUTPUT_SHADES), 0, OUTPUT_SHADES - 1);
      const top = PLANE - (Math.floor(index / size) + 1) * cell;
      cells[shade].push(`M${(index % size) * cell} ${top}h${cell}v${cell}h${-cell}z`);
    });
    [...this.shades.children].forEach((path, index) => setAttribute(path, "d", cells[index].join("")));
    const [left, right, bottom, top] = fields.extent;
    const points = this.stage.player.header.data.places.map(([u, v], point) => {
      const place = [(PLANE * (u - left)) / (right - left), PLANE - (PLANE * (v - bottom)) / (top - bottom)];
      const ring = point === tree ? circle([0, 0], 8) : "";
      const d = (this.stage.player.header.targets[point] >= 0 ? "M-4 0H4M0-4V4" : "M-4 0H4") + ring;
      const onclick = () => this.stage.openTree(point);
      return svg("path", { transform: `translate(${place.join()})`, d, onclick });
    });
    this.points.replaceChildren(...points);
    const reach = (largest / 1000).toFixed(1);
    const sentence =
      `At iteration ${iteration}, on a scale from −${reach}, orange, to ${reach}, blue. ` +
      `Datapoints are marked + or − by the sign of their target; datapoint ${tree} has a ring.`;
    this.stage.terms.write(this.caption, sentence);
    setAttribute(this.svg, "aria-label", `The network's output over the input plane. ${sentence}`);
  }
}
