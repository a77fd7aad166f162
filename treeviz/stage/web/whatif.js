// The histogram of the tree's leaves, on which another threshold can be tried: what a search with it would read.

import { setAttribute, setText } from "../../style/web/dom.js";
import { agree, clamp, decimals, grouped, percent, things } from "../../style/web/numbers.js";
import { treeSize } from "./heap.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment, Nodes, Spread } from "./types.js" */

const [WIDE, HIGH, BASE] = [270, 84, 74]; // of the histogram; its bars stand on the base

export class WhatIf {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("spread-box", HTMLElement);
    this.svg = part("spread", SVGSVGElement);
    this.caption = part("spread-caption", HTMLElement);
    this.back = part("spread-back", HTMLButtonElement);
    const [low, high, mark, grip] = this.svg.children;
    this.low = low;
    this.high = high;
    this.mark = mark;
    this.grip = grip;
    /** @type {number | null} place of the threshold tried among those of the spread */
    this.place = null;
    /** @type {Spread | null} */
    this.spread = null;
    this.drawn = "";
    /** @type {Spread | null} */
    this.shownSpread = null;
    this.triedAt = ""; // where the cursor was: as soon as it moves, the run is back
    this.listen();
  }

  /** The threshold tried, or null. */
  get threshold() {
    return this.place === null || !this.spread ? null : thresholdAt(this.spread, this.place);
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
      if (step === undefined && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      if (step === undefined) this.end();
      else this.tryPlace((this.place ?? this.placeOf(this.stage.player.header.threshold)) + step);
    });
    this.back.addEventListener("click", () => this.end());
  }

  get last() {
    return (this.spread?.fires.length ?? 1) - 1;
  }

  get cursor() {
    const { at, view } = this.stage.player;
    return JSON.stringify([at, view.tree, view.pinned]);
  }

  /** @param {number} threshold */
  placeOf(threshold) {
    if (!this.spread) return 0;
    const { low, high } = this.spread;
    return clamp(Math.round(((threshold - low) / (high - low)) * this.last), 0, this.last);
  }

  /** @param {number} place */
  tryPlace(place) {
    if (!this.spread) return;
    this.stage.player.play(false);
    this.triedAt = this.cursor;
    this.place = clamp(Math.round(place), 0, this.last);
    this.stage.render();
  }

  /** Return to the run. */
  end() {
    if (this.place === null) return;
    this.place = null;
    this.stage.render();
    this.stage.element.focus({ preventScroll: true });
  }

  /**
   * What is drawn: the run's own nodes and moment, or those of a search with the threshold tried.
   * @param {Frame} frame
   * @param {Moment} moment
   * @returns {{ nodes: Nodes, moment: Moment }}
   */
  show(frame, moment) {
    const { spread } = frame;
    this.box.hidden = !spread;
    this.spread = spread;
    if (!spread || this.cursor !== this.triedAt) this.place = null;
    if (!spread) return { nodes: frame.nodes, moment };
    const { threshold } = this.stage.player.header;
    const tried = this.threshold;
    this.draw(spread, tried ?? threshold, threshold);
    const place = this.place ?? this.placeOf(threshold);
    const isTried = tried !== null;
    this.box.classList.toggle("tried", isTried);
    this.back.hidden = !isTried;
    setText(this.caption, isTried ? "" : "Drag the line to try another b.");
    // Plain numbers, as accessibility asks for: with no sign or comma of ours.
    setAttribute(this.svg, "aria-valuemin", spread.low);
    setAttribute(this.svg, "aria-valuemax", spread.high);
    setAttribute(this.svg, "aria-valuenow", tried ?? threshold);
    if (!isTried) {
      setAttribute(this.svg, "aria-valuetext", `b = ${decimals(threshold)}, the run's own`);
      return { nodes: frame.nodes, moment };
    }
    const text = wordsOf(spread, place, this.stage.player.header.width, tried, threshold);
    setAttribute(this.svg, "aria-valuetext", text);
    return imagine(frame.nodes, moment, tried, text);
  }

  /**
   * @param {Spread} spread
   * @param {number} at the threshold whose line is drawn
   * @param {number} own that of the run
   */
  draw(spread, at, own) {
    const key = `${at} ${own}`;
    if (this.drawn === key && this.shownSpread === spread) return;
    [this.drawn, this.shownSpread] = [key, spread];
    const { low, high, fires } = spread;
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
 * @param {Spread} spread
 * @param {number} place
 * @param {number} width
 * @param {number} tried
 * @param {number} own
 */
export function wordsOf({ reads, fires }, place, width, tried, own) {
  const size = treeSize(width);
  const share = percent(reads[place] / size);
  const found = `${things(fires[place], "neuron")} ${agree(fires[place], "fires", "fire")}`;
  return (
    `What if b were ${decimals(tried)} and not ${decimals(own)}: a search of this tree would read ` +
    `${grouped(reads[place])} of ${things(size, "node")} (${share}), and ${found}. Esc returns to the run.`
  );
}

/**
 * The nodes and the moment at the end of a search with another threshold.
 * @param {Nodes} nodes
 * @param {Moment} moment
 * @param {number} threshold
 * @param {string} text
 * @returns {{ nodes: Nodes, moment: Moment }}
 */
export function imagine(nodes, moment, threshold, text) {
  const { before, parent } = nodes;
  const passes = before.map((value) => Number(value >= threshold));
  const entered = Uint8Array.from(parent, (above) => (above < 0 ? 1 : passes[above]));
  const none = new Uint8Array(before.length);
  const bits = { passes: passes.join(""), entered: entered.join("") };
  const visited = nodes.visited?.map(() => 0); // how much of a stub would be read is not known here
  return {
    nodes: { ...nodes, ...bits, visited, starts: none.join(""), stops: none.join("") },
    moment: {
      ...moment,
      phase: { ...moment.phase, isAfterMove: false, hasMove: false },
      line: -1,
      row: -1,
      text,
      entered,
      values: before,
      written: none,
      promoted: none,
    },
  };
}
