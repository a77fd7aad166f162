// Draws the Gram matrix G of the solve: a cell for each pair of datapoints.

import { setAttribute, svg } from "../../style/web/dom.js";
import { agree, grouped, numeral, range, things } from "../../style/web/numbers.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Gram, Moment } from "./types.js" */

const NO_SHADE = 4; // where an entry is 0, and nothing is drawn

/**
 * The shade of the entry of two datapoints: above 0 where it is, 0 where it is 0.
 * @param {Gram} gram
 * @param {number} row
 * @param {number} column
 */
export function gramShadeOf({ shades }, row, column) {
  const [low, high] = [Math.min(row, column), Math.max(row, column)];
  return Number(shades[(high * (high + 1)) / 2 + low]) - NO_SHADE;
}

export class GramPicture {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("gram", HTMLElement);
    this.cells = part("gram-cells", SVGSVGElement);
    this.caption = part("gram-caption", HTMLElement);
    /** @type {Frame | null} */
    this.shown = null;
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   */
  show(frame, { phase, isCompared }) {
    const { gram, view } = frame;
    this.box.hidden = !gram || isCompared || phase.id !== "solve";
    if (!gram || this.box.hidden || frame === this.shown) return;
    this.shown = frame;
    const { points } = this.stage.player.header;
    const places = range(points);
    /** @type {Map<string, string>} */
    const shades = new Map();
    for (const row of places) {
      for (const column of places) {
        const shade = gramShadeOf(gram, row, column);
        if (!shade) continue;
        const name = `gram-${shade > 0 ? "above" : "below"} gram-${Math.abs(shade)}`;
        shades.set(name, `${shades.get(name) ?? ""}M${column} ${row}h1v1h-1z`);
      }
    }
    setAttribute(this.cells, "viewBox", `0 0 ${points} ${points}`);
    const own = svg("path", { class: "gram-row", d: `M0 ${view.tree}h${points}v1h-${points}z` });
    this.cells.replaceChildren(...[...shades].map(([name, d]) => svg("path", { class: name, d })), own);
    const pairs = places.flatMap((row) => places.slice(0, row).map((column) => gramShadeOf(gram, row, column)));
    const empty = pairs.filter((shade) => !shade).length;
    const have = `${grouped(empty)} ${agree(empty, "has", "have")} 0.`;
    const others = pairs.length ? ` Of ${things(pairs.length, "pair")} of different datapoints ${have}` : "";
    const words = `Darkest: ${numeral(gram.largest, 3)}.${others}`;
    setAttribute(this.cells, "aria-label", `G, ${points} × ${points}. ${words}`);
    this.stage.terms.write(this.caption, `${words} Framed: datapoint ${view.tree}.`);
  }
}
