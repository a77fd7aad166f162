// The histogram of the tree's leaves, on which another threshold can be tried.

import { setAttribute } from "../../style/web/dom.js";
import { clamp } from "../../style/web/numbers.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Spread } from "./types.js" */
/** @import { WhatIf } from "./whatif.js" */

const [WIDE, HIGH, BASE] = [270, 84, 74]; // of the histogram; its bars stand on the base

export class SpreadPicture {
  /**
   * @param {WhatIf} whatIf
   * @param {Part} part
   */
  constructor(whatIf, part) {
    this.whatIf = whatIf;
    this.box = part("spread-box", HTMLElement);
    this.svg = part("spread", SVGSVGElement);
    this.caption = part("spread-caption", HTMLElement);
    const [low, high, mark, grip] = this.svg.children;
    this.low = low;
    this.high = high;
    this.mark = mark;
    this.grip = grip;
    /** @type {Spread | null} */
    this.spread = null;
    this.at = NaN; // the threshold whose line is drawn
    this.drawn = "";
    this.listen();
  }

  listen() {
    const { svg } = this;
    const take = (/** @type {PointerEvent} */ event) => {
      const box = svg.getBoundingClientRect();
      this.tryPlace(((event.clientX - box.left) / box.width) * this.last);
    };
    svg.addEventListener("pointerdown", (event) => {
      svg.setPointerCapture(event.pointerId);
      take(event);
    });
    svg.addEventListener("pointermove", (event) => {
      if (event.buttons & 1) take(event);
    });
    svg.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (step === undefined || !this.spread) return;
      event.preventDefault();
      event.stopPropagation();
      this.tryPlace(placeOfThreshold(this.spread, this.at) + step);
    });
  }

  get last() {
    return (this.spread?.fires.length ?? 1) - 1;
  }

  /** @param {number} place */
  tryPlace(place) {
    if (!this.spread) return;
    this.whatIf.try({ threshold: thresholdAt(this.spread, clamp(Math.round(place), 0, this.last)) });
  }

  /**
   * @param {Spread | null} spread none where no tree is searched
   * @param {number} at the threshold whose line is drawn
   * @param {number} own that of the run
   * @param {string} text what the line says
   */
  show(spread, at, own, text) {
    this.box.hidden = !spread;
    const isSame = spread === this.spread;
    [this.spread, this.at] = [spread, at];
    if (!spread) return;
    this.whatIf.stage.terms.write(this.caption, at === own ? "Drag the line to try another b." : "");
    // Plain numbers, as accessibility asks for: with no sign or comma of ours.
    setAttribute(this.svg, "aria-valuemin", spread.low);
    setAttribute(this.svg, "aria-valuemax", spread.high);
    setAttribute(this.svg, "aria-valuenow", at);
    setAttribute(this.svg, "aria-valuetext", text);
    const key = `${at} ${own}`;
    if (isSame && this.drawn === key) return;
    this.drawn = key;
    this.draw(spread, at, own);
  }

  /**
   * @param {Spread} spread
   * @param {number} at
   * @param {number} own
   */
  draw({ low, high, fires }, at, own) {
    const counts = fires.slice(1).map((count, bin) => fires[bin] - count);
    const unit = (BASE - 6) / Math.sqrt(Math.max(...counts, 1));
    const wide = WIDE / counts.length;
    const x = (/** @type {number} */ value) => ((value - low) / (high - low)) * WIDE;
    /** @type {[string[], string[]]} below the threshold, and from it on */
    const paths = [[], []];
    counts.forEach((count, bin) => {
      const height = Math.sqrt(count) * unit; // so that the few that fire can be seen beside the many that do not
      if (count)
        paths[Number((bin + 0.5) * wide >= x(at))].push(
          `M${(bin * wide).toFixed(2)} ${BASE}v${-height}h${wide}v${height}z`,
        );
    });
    setAttribute(this.low, "d", paths[0].join(""));
    setAttribute(this.high, "d", paths[1].join(""));
    setAttribute(this.mark, "d", `M${x(own)} 0V${HIGH}`);
    setAttribute(this.grip, "d", `M${x(at)} 0V${BASE}M${x(at) - 6} ${HIGH}L${x(at)} ${BASE}L${x(at) + 6} ${HIGH}Z`);
  }
}

/**
 * @param {Spread} spread
 * @param {number} place
 */
export const thresholdAt = ({ low, high, fires }, place) => low + ((high - low) * place) / (fires.length - 1);

/**
 * The nearest place for a threshold.
 * @param {Spread} spread
 * @param {number} threshold
 */
export function placeOfThreshold({ low, high, fires }, threshold) {
  const last = fires.length - 1;
  return clamp(Math.round(((threshold - low) / (high - low)) * last), 0, last);
}
