// Draws all watch lists of a run: a bar for each datapoint, of the neurons firing, watched and neither.

import { el, setAttribute, setAttributes, svg } from "../../style/web/dom.js";
import { agree, clamp, grouped, percent, range, things, total } from "../../style/web/numbers.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Lists } from "./types.js" */

const [LIST_LEFT, LIST_RIGHT] = [34, 26];
const LISTS_HINT =
  "A bar is the list of a datapoint; its whole length stands for all neurons that ever move. Click a bar to open its " +
  "tree. Of a neuron pointed at, each list is marked at its end: a diamond where it fires, a dash where it is watched.";

/** Pixels a row takes in a picture with a row for each datapoint. @param {number} points */
export const rowsHigh = (points) => clamp(260 / points, 9, 22);

export class ListBars {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.card = part("lists-card", HTMLElement);
    this.svg = part("lists", SVGSVGElement);
    this.scroller = part("lists-scroller", HTMLElement);
    this.totals = part("lists-totals", HTMLElement);
    this.hint = part("lists-hint", HTMLElement);
    this.text = part("lists-text", HTMLDetailsElement);
    const [rest, watched, firing, row, marks, fires, labels] = this.svg.children;
    this.rest = rest;
    this.watched = watched;
    this.firing = firing;
    this.row = row;
    this.marks = marks;
    this.fires = fires;
    this.labels = labels;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {Lists | null} */
    this.lists = null;
    this.wide = 0;
    this.high = 0;
    this.stage.terms.write(this.hint, LISTS_HINT);
    this.svg.addEventListener("pointermove", (event) => this.point(this.listAt(event)));
    this.svg.addEventListener("pointerleave", () => this.stage.terms.write(this.hint, LISTS_HINT));
    this.svg.addEventListener("click", (event) => this.stage.openTree(this.listAt(event)));
    this.text.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => {
      if (!this.frame || !this.lists) return;
      this.draw(this.lists);
      this.mark(this.frame);
    }).observe(this.scroller);
  }

  /** @param {Frame} frame */
  show(frame) {
    if (frame !== this.frame && frame.watch) {
      [this.frame, this.lists] = [frame, frame.watch];
      this.draw(frame.watch);
      this.fillTable();
    }
    this.mark(frame);
  }

  /** @param {number} tree */
  y(tree) {
    return 4 + tree * this.high;
  }

  /** @param {Lists} lists */
  draw({ listed, watched, firing }) {
    const { points } = this.stage.player.header;
    this.wide = Math.max(40, this.scroller.clientWidth - LIST_LEFT - LIST_RIGHT);
    this.high = rowsHigh(points);
    const x = (/** @type {number} */ count) => LIST_LEFT + (count / Math.max(1, listed)) * this.wide;
    const bars = (/** @type {number[]} */ from, /** @type {number[]} */ to) =>
      range(points)
        .map((tree) => `M${x(from[tree])} ${this.y(tree)}H${x(to[tree])}v${this.high - 2}H${x(from[tree])}z`)
        .join("");
    setAttribute(
      this.firing,
      "d",
      bars(
        firing.map(() => 0),
        firing,
      ),
    );
    setAttribute(this.watched, "d", bars(firing, watched));
    setAttribute(
      this.rest,
      "d",
      bars(
        watched,
        watched.map(() => listed),
      ),
    );
    setAttributes(this.svg, { width: LIST_LEFT + this.wide + LIST_RIGHT, height: this.y(points) + 4 });
    const named = range(points).filter((tree) => tree % Math.ceil(13 / this.high) === 0);
    const labels = named.map((tree) => {
      const place = { x: LIST_LEFT - 6, y: this.y(tree) + this.high / 2 + 3, "text-anchor": "end" };
      return svg("text", place, String(tree));
    });
    this.labels.replaceChildren(...labels);
    const pairs = `${grouped(total(watched))} of ${things(listed * points, "pair")}`;
    const share = percent(total(watched) / Math.max(1, listed * points));
    this.stage.terms.write(
      this.totals,
      `${things(points, "list")}, for the ${things(listed, "neuron")} that ever ${agree(listed, "moves", "move")}: ` +
        `${pairs} watched (${share}), ${grouped(total(firing))} ${agree(total(firing), "fires", "fire")}.`,
    );
    setAttribute(this.svg, "aria-label", `Neurons firing and watched on each datapoint. ${this.totals.textContent}`);
  }

  /**
   * The chosen tree's list, and whether the neuron pointed at or selected is on each.
   * @param {Frame} frame
   */
  mark(frame) {
    const place = { x: LIST_LEFT - 1, y: this.y(frame.view.tree) - 1, width: this.wide + 2, height: this.high };
    setAttributes(this.row, place);
    const leaf = this.stage.leafData();
    const [fires, watched] = [leaf?.fires ?? [], leaf?.watched ?? []];
    const [x, r] = [LIST_LEFT + this.wide + LIST_RIGHT / 2, Math.min(4, this.high / 2 - 0.5)];
    const middle = (/** @type {number} */ tree) => this.y(tree) + this.high / 2 - 1;
    const diamonds = fires.map((tree) => `M${x} ${middle(tree) - r}l${r} ${r} ${-r} ${r} ${-r} ${-r}z`);
    const dashes = watched.filter((tree) => !fires.includes(tree)).map((tree) => `M${x - r} ${middle(tree)}h${2 * r}`);
    setAttribute(this.fires, "d", diamonds.join(""));
    setAttribute(this.marks, "d", dashes.join(""));
  }

  /** @param {MouseEvent} event */
  listAt({ clientY }) {
    return Math.floor((clientY - this.svg.getBoundingClientRect().top - 4) / this.high);
  }

  /** @param {number} tree */
  point(tree) {
    if (this.lists?.watched[tree] === undefined) return this.stage.terms.write(this.hint, LISTS_HINT);
    const { listed, watched, firing } = this.lists;
    const found = `${grouped(firing[tree])} ${agree(firing[tree], "fires", "fire")}`;
    this.stage.terms.write(
      this.hint,
      `List of datapoint ${tree}: ${grouped(watched[tree])} of ${things(listed, "neuron")} watched, ${found}.`,
    );
  }

  fillTable() {
    const { lists } = this;
    if (!this.text.open || !lists) return;
    const rows = lists.watched.map((count, tree) => {
      const act = () => this.stage.openTree(tree);
      const open = el("button", { "aria-label": `open tree ${tree}`, onclick: act }, "open");
      const counts = [count, lists.firing[tree]].map((value) => el("td", {}, grouped(value)));
      return el("tr", {}, el("th", { scope: "row" }, String(tree)), ...counts, el("td", {}, open));
    });
    this.text.querySelector("tbody")?.replaceChildren(...rows);
  }
}
