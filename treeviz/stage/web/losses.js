// The loss of every iteration as a small chart in the lesson, for a scene that speaks of it.

import { el, setAttribute, svg } from "../../style/web/dom.js";
import { clamp, numeral, powerOfTen, range, things } from "../../style/web/numbers.js";

/** @import { Point } from "./types.js" */

const [CHART_WIDE, CHART_HIGH] = [270, 168]; // of the picture
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 10, 10, 26]; // around the curve
const MOST_LINES = 5;
const NUMBER_ROOM = 26; // pixels that the number of an iteration needs

/**
 * Powers of ten from the least to the largest loss, at most five, the same factor apart; a loss of zero counts as the
 * least that is not.
 * @param {number[]} losses
 * @returns {number[]} exponents, ascending
 */
export function powersOf(losses) {
  const logs = losses.filter((loss) => loss > 0).map(Math.log10);
  const [least, most] = logs.length ? [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))] : [-1, 0];
  const apart = Math.max(1, Math.ceil((most - least) / (MOST_LINES - 1)));
  return range(Math.ceil((most - least) / apart) + 1)
    .map((line) => most - apart * line)
    .reverse();
}

/**
 * Where the losses are in the picture.
 * @param {number[]} losses
 * @param {number[]} powers
 * @returns {Point[]}
 */
export function pointsOf(losses, powers) {
  const [least, most] = [powers[0], powers[powers.length - 1]];
  const apart = (CHART_WIDE - LEFT - RIGHT) / Math.max(losses.length - 1, 1);
  return losses.map((loss, iteration) => {
    const height = clamp((Math.log10(loss) - least) / Math.max(most - least, 1), 0, 1);
    return [LEFT + iteration * apart, TOP + (1 - height) * (CHART_HIGH - TOP - BOTTOM)];
  });
}

export class LossChart {
  /**
   * @param {number[]} losses
   * @param {(iteration: number) => void} go
   */
  constructor(losses, go) {
    const powers = powersOf(losses);
    this.points = pointsOf(losses, powers);
    this.now = svg("path", { class: "now" });
    const levels = pointsOf(
      powers.map((power) => 10 ** power),
      powers,
    ).map(([, y]) => y);
    const every = Math.ceil((NUMBER_ROOM * losses.length) / (CHART_WIDE - LEFT - RIGHT));
    const number = (/** @type {number} */ iteration) =>
      svg("text", { x: this.points[iteration][0], y: CHART_HIGH - 6, "text-anchor": "middle" }, String(iteration));
    const least = losses.indexOf(Math.min(...losses));
    const words =
      `The loss of ${things(losses.length, "iteration")}, from ${numeral(losses[0], 3)} in the first ` +
      `to ${numeral(losses[losses.length - 1], 3)} in the last; least in iteration ${least}.`;
    const picture = svg(
      "svg",
      { viewBox: `0 0 ${CHART_WIDE} ${CHART_HIGH}`, role: "img", "aria-label": words },
      svg("path", { class: "levels", d: levels.map((y) => `M${LEFT} ${y}H${CHART_WIDE - RIGHT}`).join("") }),
      ...powers.map((power, line) =>
        svg("text", { x: LEFT - 6, y: levels[line] + 5, "text-anchor": "end" }, powerOfTen(power)),
      ),
      ...range(losses.length)
        .filter((iteration) => iteration % every === 0)
        .map(number),
      this.now,
      svg("path", { class: "course", d: `M${this.points.map((point) => point.join(" ")).join("L")}` }),
      svg("path", { class: "dots", d: this.points.map(([x, y]) => `M${x - 3.5} ${y - 3.5}h7v7h-7z`).join("") }),
    );
    picture.addEventListener("click", ({ clientX }) => {
      const { left, width } = picture.getBoundingClientRect();
      const x = ((clientX - left) / width) * CHART_WIDE;
      const share = (x - LEFT) / (CHART_WIDE - LEFT - RIGHT);
      go(clamp(Math.round(share * (losses.length - 1)), 0, losses.length - 1));
    });
    this.element = el("figure", { class: "losses", "data-part": "losses" }, picture);
    this.element.append(
      el("figcaption", { class: "hint" }, "Upward the loss, across the iterations. Click to go to one."),
    );
  }

  /** Mark the iteration on show. @param {number} iteration */
  mark(iteration) {
    const x = this.points[Math.min(iteration, this.points.length - 1)][0];
    setAttribute(this.now, "d", `M${x} ${TOP - 6}V${CHART_HIGH - BOTTOM + 6}`);
  }
}
