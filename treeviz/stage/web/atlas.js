// Draws the forest atlas: a row per tree, a column per level, shade for the share of nodes visited or modified.

import { el, setAttribute, setAttributes, svg } from "../../style/web/dom.js";
import { clamp, grouped, percent, range, things, total } from "../../style/web/numbers.js";
import { levelOf } from "./heap.js";
import { rowsHigh } from "./lists.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment } from "./types.js" */

const SHADES = [0, 0.001, 0.004, 0.016, 0.0625, 0.25, 0.6]; // shares above which a shade begins
const [ATLAS_LEFT, ATLAS_TOP] = [34, 20];
const ATLAS_HINT =
  "A row is a tree, a column a level, the root at the left. Click a row to open its tree. " +
  "Of a neuron pointed at, the leaf is marked in all trees: a diamond where it fires, a dash where not.";

/** The number of the shade for a share; -1 for none. @param {number} share */
export const shadeOf = (share) => SHADES.findLastIndex((low) => share > low);

export class Atlas {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.card = part("atlas-card", HTMLElement);
    this.svg = part("atlas", SVGSVGElement);
    this.scroller = part("atlas-scroller", HTMLElement);
    this.totals = part("atlas-totals", HTMLElement);
    this.hint = part("atlas-hint", HTMLElement);
    this.modes = part("atlas-mode", HTMLSelectElement);
    this.text = part("atlas-text", HTMLDetailsElement);
    const [shades, row, marks, fires, labels] = this.svg.children;
    this.shades = shades;
    this.row = row;
    this.marks = marks;
    this.fires = fires;
    this.labels = labels;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {"visited" | "modified"} */
    this.mode = "visited";
    this.prefix = "";
    this.wide = 0;
    this.high = 0;
    this.shades.append(...SHADES.map((_, index) => svg("path", { class: `shade shade-${index}` })));
    this.shades.append(svg("path", { class: "shade-none" }));
    const keys = SHADES.map((low, index) =>
      el("li", {}, svg("svg", {}, svg("rect", { class: `shade shade-${index}` })), `> ${percent(low)}`),
    );
    part("atlas-key", HTMLElement).append(...keys);
    this.stage.terms.write(this.hint, ATLAS_HINT);
    this.svg.addEventListener("pointermove", (event) => this.point(...this.cellAt(event)));
    this.svg.addEventListener("pointerleave", () => this.stage.terms.write(this.hint, ATLAS_HINT));
    this.svg.addEventListener("click", (event) => this.stage.openTree(this.cellAt(event)[0]));
    this.modes.addEventListener("change", () => stage.render());
    this.text.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => {
      if (this.frame) this.redraw(this.frame);
    }).observe(this.scroller);
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   */
  show(frame, { phase, isCompared }) {
    const chosen = /** @type {"visited" | "modified" | ""} */ (this.modes.value);
    const mode = chosen || (phase.isAfterMove || isCompared ? "modified" : "visited");
    this.prefix = isCompared ? `In iteration ${frame.iteration} itself: all` : "All";
    if (frame !== this.frame || mode !== this.mode) {
      [this.frame, this.mode] = [frame, mode];
      this.draw(frame);
      this.fillTable();
    }
    this.mark(frame);
  }

  /** @param {Frame} frame */
  redraw(frame) {
    this.draw(frame);
    this.mark(frame);
  }

  /** @param {number} level */
  x(level) {
    return ATLAS_LEFT + level * this.wide;
  }

  /** @param {number} tree */
  y(tree) {
    return ATLAS_TOP + tree * this.high;
  }

  /** @param {Frame} frame */
  draw(frame) {
    const { levels, points } = this.stage.player.header;
    this.wide = clamp((this.scroller.clientWidth - ATLAS_LEFT - 26) / levels.length, 9, 44);
    this.high = rowsHigh(points);
    /** @type {string[][]} */
    const cells = [...SHADES, null].map(() => []); // the last is for no node at all
    const counts = frame[this.mode];
    counts.forEach((row, tree) =>
      row.forEach((count, level) => {
        const cell = `M${this.x(level)} ${this.y(tree)}h${this.wide - 1}v${this.high - 1}h${1 - this.wide}z`;
        cells[count ? shadeOf(count / levels[level]) : SHADES.length].push(cell);
      }),
    );
    [...this.shades.children].forEach((path, index) => setAttribute(path, "d", cells[index].join("")));
    setAttributes(this.svg, { width: this.x(levels.length) + 24, height: this.y(points) + 4 });
    const every = (/** @type {number} */ count, /** @type {number} */ room) =>
      range(count).filter((index) => index % Math.ceil(room) === 0);
    const trees = every(points, 13 / this.high).map((tree) =>
      svg("text", { x: ATLAS_LEFT - 6, y: this.y(tree + 0.5) + 4, "text-anchor": "end" }, String(tree)),
    );
    const columns = every(levels.length, 20 / this.wide).map((level) =>
      svg("text", { x: this.x(level + 0.5), y: 13, "text-anchor": "middle" }, String(level)),
    );
    this.labels.replaceChildren(...trees, ...columns);
    const [sum, all] = [total(counts.map(total)), points * total(levels)];
    const share = `${grouped(sum)} of ${things(all, "node")} (${percent(sum / all)})`;
    this.stage.terms.write(this.totals, `${this.prefix} ${things(points, "tree")}: ${this.mode} ${share}.`);
    setAttribute(this.svg, "aria-label", `Share of nodes ${this.mode}, by tree and level. ${this.totals.textContent}`);
  }

  /**
   * The chosen tree's row, and the leaf of the neuron pointed at or selected in all n trees.
   * @param {Frame} frame
   */
  mark(frame) {
    const { levels, points } = this.stage.player.header;
    const [width, height] = [levels.length * this.wide + 1, this.high + 1];
    setAttributes(this.row, { x: this.x(0) - 1, y: this.y(frame.view.tree) - 1, width, height });
    const leaf = this.stage.leafData();
    /** @type {[string[], string[]]} */
    const [marks, fires] = [[], []];
    const [x, r] = [leaf ? this.x(levelOf(leaf.node) + 0.5) : 0, Math.min(4, this.high / 2 - 0.5)];
    for (const point of leaf ? range(points) : []) {
      const y = this.y(point + 0.5);
      if (leaf?.fires.includes(point)) fires.push(`M${x} ${y - r}l${r} ${r} ${-r} ${r} ${-r} ${-r}z`);
      else marks.push(`M${x - r + 1} ${y}h${2 * r - 2}`);
    }
    setAttribute(this.marks, "d", marks.join(""));
    setAttribute(this.fires, "d", fires.join(""));
  }

  /**
   * The tree and the level under the pointer.
   * @param {MouseEvent} event
   * @returns {[number, number]}
   */
  cellAt({ clientX, clientY }) {
    const box = this.svg.getBoundingClientRect();
    const [across, down] = [clientX - box.left - ATLAS_LEFT, clientY - box.top - ATLAS_TOP];
    return [Math.floor(down / this.high), Math.floor(across / this.wide)];
  }

  /**
   * @param {number} tree
   * @param {number} level
   */
  point(tree, level) {
    const count = this.frame?.[this.mode][tree]?.[level];
    if (count === undefined) return this.stage.terms.write(this.hint, ATLAS_HINT);
    const size = this.stage.player.header.levels[level];
    const share = `${grouped(count)} of ${things(size, "node")} ${this.mode} (${percent(count / size)})`;
    this.stage.terms.write(this.hint, `Tree ${tree}, level ${level}: ${share}.`);
  }

  fillTable() {
    const { frame } = this;
    if (!this.text.open || !frame) return;
    const rows = frame.visited.map((visited, tree) => {
      const act = () => this.stage.openTree(tree);
      const open = el("button", { "aria-label": `open tree ${tree}`, onclick: act }, "open");
      const counts = [visited, frame.modified[tree]].map((levels) => el("td", {}, grouped(total(levels))));
      return el("tr", {}, el("th", { scope: "row" }, String(tree)), ...counts, el("td", {}, open));
    });
    this.text.querySelector("tbody")?.replaceChildren(...rows);
  }
}
