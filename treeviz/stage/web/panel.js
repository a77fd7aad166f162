// Draws what stands beside the pictures: narration, pseudocode, badge, bars of the vectors, the node inspected.

import { el, setAttribute, setText, svg } from "../../style/web/dom.js";
import { agree, decimals, grouped, numeral, range, things } from "../../style/web/numbers.js";

import { Datapoint } from "./datapoint.js";
import { neuronOf } from "./heap.js";
import { whyLink, withSubscripts } from "./terms.js";
import { NeuronPicture } from "./neuron.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Badge, Frame, Header, Leaf, Moment } from "./types.js" */

const BADGES = { exact: "✓ Exact", wrong: "✗ Not exact", waiting: "… Checking", off: "○ Not checked" };
const BARS = 270;
const OUTLINE = 4; // pixels around what a scene is about, taken by its outline

export class Panel {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.narration = part("narration", HTMLElement);
    this.status = part("status", HTMLElement);
    this.badge = part("badge", HTMLElement);
    const [verdict, reason] = this.badge.children;
    this.verdict = verdict;
    this.reason = reason;
    this.code = part("code", HTMLElement);
    this.codeSeen = part("code-seen", HTMLElement);
    this.symbols = part("symbols", HTMLElement);
    this.title = part("bars-title", HTMLElement);
    this.bars = part("bars", SVGSVGElement);
    this.scale = part("bars-scale", HTMLElement);
    this.inspector = part("inspector", HTMLElement);
    this.hint = part("inspect-hint", HTMLElement);
    this.datapoint = new Datapoint(stage, part);
    this.neuron = new NeuronPicture(stage);
    /** @type {{ phase: number, element: HTMLElement }[]} what the lines of code came to */
    this.results = [];
    /** @type {string[] | null} */
    this.shownResults = null;
    const hasResults = part("values", HTMLInputElement);
    hasResults.addEventListener("change", () => {
      this.code.classList.toggle("with-values", hasResults.checked);
      this.scrollCode();
    });
    this.line = NaN;
    /** @type {number[] | null} */
    this.values = null;
    /** @type {Frame | null} */
    this.frame = null;
    this.told = ""; // what the inspector says
    this.sentence = "";
    this.code.addEventListener("scroll", () => this.cutCode(), { passive: true });
    new ResizeObserver(() => this.scrollCode()).observe(this.code); // it is lower while a node is inspected
  }

  /** @param {Header} header */
  setHeader({ code, phases }) {
    this.symbols.replaceChildren(...code.map(({ note }) => el("p", {}, ...this.stage.terms.link(note))));
    [this.line, this.shownResults] = [NaN, null];
    this.results = [];
    const lines = code.map(({ phase, text, indent }) => {
      const index = phases.findIndex(({ id }) => id === phase);
      const title = `go to the phase ${phases[index].title}`;
      const onclick = () => this.stage.player.toPhase(index);
      const element = el("span", { class: "value" });
      this.results.push({ phase: index, element });
      const button = el("button", { onclick, title }, ...withSubscripts(text), element);
      return el("li", { style: `padding-left:${1.1 * indent}em` }, button);
    });
    this.code.replaceChildren(...lines);
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   * @param {Badge} badge
   */
  show(frame, moment, badge) {
    const live = this.stage.player.playing ? "off" : "polite";
    const { whatIf } = this.stage; // what is moved says itself what follows
    setAttribute(this.inspector, "aria-live", live);
    setAttribute(this.narration, "aria-live", whatIf.isOn ? "off" : live);
    this.tell(moment.text, () =>
      whatIf.isOn ? backButton(this.stage) : whyLink(this.stage, moment.phase.section, "why?"),
    );
    if (this.line !== moment.line) {
      this.line = moment.line;
      [...this.code.children].forEach((item, line) => {
        if (line === moment.line) item.setAttribute("aria-current", "step");
        else item.removeAttribute("aria-current");
      });
      this.showSymbols(moment.line);
      this.scrollCode();
    }
    this.showResults(frame, moment);
    this.datapoint.show(frame);
    this.datapoint.showTried(whatIf.place, whatIf.isOn ? moment.text : "");
    const { status } = frame.record;
    this.status.hidden = !status;
    this.stage.terms.write(this.status, status && `${status[0].toUpperCase()}${status.slice(1)}.`);
    setAttribute(this.badge, "class", `badge ${badge.state}`);
    setText(this.verdict, BADGES[badge.state]);
    this.stage.terms.write(this.reason, badge.text);
    this.stage.planted.showBadge(badge);
    this.drawBars(frame, moment.phase.hasDualStep);
    this.inspect(frame, moment);
  }

  /**
   * What the symbols of a line mean, in the room that the longest such note takes: nothing below moves.
   * @param {number} line
   */
  showSymbols(line) {
    if (this.stage.hasFocus(this.symbols)) this.stage.element.focus();
    [...this.symbols.children].forEach((note, place) => note.classList.toggle("shown", place === line));
  }

  /**
   * Beside each line of code what it came to in this iteration; of later phases it is not known yet.
   * @param {Frame} frame
   * @param {Moment} moment
   */
  showResults({ values }, { phase }) {
    const current = this.stage.player.header.phases.indexOf(phase);
    this.results.forEach((result, line) => {
      if (values !== this.shownResults) result.element.replaceChildren(...withSubscripts(values[line] ?? ""));
      result.element.classList.toggle("later", result.phase > current);
    });
    this.shownResults = values;
  }

  /**
   * Write the sentence, with its terms as links, and what leads on from it.
   * @param {string} text
   * @param {() => Node} onward
   */
  tell(text, onward) {
    if (this.sentence === text) return;
    this.sentence = text;
    this.stage.replace(this.narration, ...this.stage.terms.link(text), " ", onward());
  }

  /** Have the current line in view, where not all lines are. */
  scrollCode() {
    const item = this.code.children[this.line];
    if (!(item instanceof HTMLElement)) return;
    const { offsetTop, offsetHeight } = item;
    const { scrollTop, clientHeight } = this.code;
    if (offsetTop < scrollTop || offsetTop + offsetHeight > scrollTop + clientHeight) {
      this.code.scrollTop = offsetTop - (clientHeight - offsetHeight) / 2;
    }
    this.cutCode();
  }

  /** Show the lines of code whole or not at all, and say which they are. */
  cutCode() {
    const { scrollTop, clientHeight } = this.code;
    const lines = /** @type {HTMLElement[]} */ ([...this.code.children]);
    /** @type {[number, number][]} */
    const rows = lines.map(({ offsetTop, offsetHeight }) => [
      offsetTop - scrollTop,
      offsetTop + offsetHeight - scrollTop,
    ]);
    const [above, below] = cutsOf(rows, clientHeight);
    setText(this.codeSeen, seenWords(rows, clientHeight));
    this.code.style.clipPath = `inset(${above || -OUTLINE}px ${-OUTLINE}px ${below || -OUTLINE}px)`;
  }

  /**
   * One bar for each datapoint: the residual until the system is solved, then the dual step.
   * @param {Frame} frame
   * @param {boolean} isSolved
   */
  drawBars(frame, isSolved) {
    const values = isSolved ? frame.record.dual : frame.record.residual;
    if (values === this.values) return;
    this.values = values;
    const { tree } = frame.view;
    const largest = Math.max(...values.map(Math.abs));
    const title = isSolved ? "Dual step g, a bar per datapoint" : "Residual f − y, a bar per datapoint";
    this.stage.terms.write(this.title, title);
    const top = roundedUp(largest);
    this.scale.replaceChildren(...[top, 0, -top].map((value) => el("span", {}, numeral(value, 1))));
    this.bars.replaceChildren(...barsOf(values, 32, 32 / top, (point) => (point === tree ? "chosen" : "")));
    const [most, own] = [largest, values[tree]].map((value) => numeral(value, 3));
    const words = `The largest is ${most} in size; that of datapoint ${tree} is ${own}.`;
    setAttribute(this.bars, "aria-label", `${title}. ${words}`);
  }

  /**
   * Say of the node selected what is known by now.
   * @param {Frame} frame
   * @param {Moment} moment
   */
  inspect(frame, moment) {
    const { selected } = this.stage;
    const row = selected === null ? -1 : frame.nodes.id.indexOf(selected);
    this.hint.hidden = selected !== null;
    const { player } = this.stage;
    const { width } = player.header;
    const neuron = selected !== null && selected >= width ? neuronOf(selected, width) : null;
    player.inspect(neuron);
    this.datapoint.section.hidden = neuron !== null && !this.stage.whatIf.place; // it stands beside the neuron's weights
    if (neuron !== null) this.neuron.show(frame, moment, neuron);
    const [title, ...lines] =
      selected === null ? [""] : row < 0 ? this.describeAbsent(selected) : this.describe(frame, row, moment);
    const told = [title, ...lines].join("\n");
    if (frame === this.frame && told === this.told) return;
    [this.frame, this.told] = [frame, told];
    if (selected === null) return this.stage.replace(this.inspector);
    const close = el("button", { onclick: () => this.stage.select(null) }, "close");
    const heading = el("div", { class: "heading" }, el("h3", {}, title), close);
    const draw = el("button", { onclick: () => this.stage.open(selected) }, "draw it");
    const leaf = frame.leaves[row];
    const second = player.lowered === null ? "" : "; dashed: b − skin";
    const caption = `Its leaf in all trees, up from b where it fires${second}:`;
    const { terms } = this.stage;
    const seen = new Set();
    const more = row < 0 ? [draw] : leaf ? [el("p", {}, ...terms.link(caption, seen)), this.strip(leaf)] : [];
    const [first, ...others] = lines.map((line) => el("p", {}, ...terms.link(line, seen)));
    const picture = neuron === null ? [] : [this.neuron.element];
    this.stage.replace(this.inspector, heading, first, ...picture, ...others, ...more);
  }

  /**
   * A node that is not among those drawn: a title, then a line.
   * @param {number} node
   */
  describeAbsent(node) {
    const { width } = this.stage.player.header;
    const title = node >= width ? `Neuron ${grouped(neuronOf(node, width))}` : `Node ${grouped(node)}`;
    return [title, "It is not among the nodes drawn here."];
  }

  /**
   * A drawn node: a title, then lines.
   * @param {Frame} frame
   * @param {number} row
   * @param {Moment} moment
   */
  describe(frame, row, moment) {
    const [title, ...lines] = this.stage.tree.describe(frame, row, moment);
    const path = [];
    for (let at = row; at >= 0; at = frame.nodes.parent[at]) {
      path.push(`${grouped(frame.nodes.id[at])} (${decimals(frame.nodes.before[at])})`);
    }
    lines.push(`Path to the root, with maxima: ${path.join(" ‹ ")}.`);
    /** @type {Leaf | undefined} */
    const leaf = frame.leaves[row];
    if (leaf) lines.push(sharing(leaf, moment.phase.isAfterMove || moment.isCompared));
    const lists = leaf?.[4]?.length;
    if (lists) lines.push(`It is on the watch lists of ${lists} of ${things(leaf[0].length, "datapoint")}.`);
    return [title, ...lines];
  }

  /**
   * The neuron's leaf in all trees: a bar up from b where it fires, down where it does not.
   * @param {Leaf} leaf
   */
  strip([before, , fires]) {
    const { lowered, header } = this.stage.player;
    const over = before.map((value) => value / 1000 - header.threshold);
    const unit = 30 / Math.max(...over.map(Math.abs), 1e-3);
    /** @type {SVGElement[]} */
    const bars = barsOf(over, 32, unit, (point) => (fires.includes(point) ? "fires" : ""));
    const depth = lowered === null ? Infinity : 32 + (header.threshold - lowered) * unit;
    if (depth < 64) bars.push(svg("path", { class: "skin-line", d: `M0 ${depth}H${BARS}` }));
    const strip = { class: "bars", viewBox: `0 0 ${BARS} 64`, preserveAspectRatio: "none", role: "img" };
    return svg(
      "svg",
      { ...strip, "aria-label": `Its leaf in ${things(before.length, "tree")}, above or below b` },
      ...bars,
    );
  }
}

/**
 * The least of 1, 2 and 5 times a power of ten that is not below a number: an axis that seldom changes, and is easy to read.
 * @param {number} value
 */
export function roundedUp(value) {
  const power = Math.floor(Math.log10(value || 1));
  const steps = [`1e${power}`, `2e${power}`, `5e${power}`, `1e${power + 1}`].map(Number);
  return steps.find((step) => step >= value) ?? steps[3];
}

/** @param {Stage} stage */
const backButton = (stage) =>
  el("button", { class: "why", onclick: () => stage.whatIf.end() }, "back to the run (Esc)");

/**
 * How much to cut off at the top and at the bottom of a box so that no row is seen in part.
 * @param {[top: number, bottom: number][]} rows from the top of the box, in order
 * @param {number} height of the box
 * @returns {[above: number, below: number]}
 */
export function cutsOf(rows, height) {
  const cut = (/** @type {number} */ edge) => rows.find(([top, bottom]) => top < edge - 1 && bottom > edge + 1);
  const [first, last] = [cut(0), cut(height)];
  return [first ? first[1] : 0, last ? height - last[0] : 0];
}

/**
 * Which of the lines of a list are in view, unless all are.
 * @param {[number, number][]} rows top and bottom of each, from the top edge of the list
 * @param {number} height of the list
 */
export function seenWords(rows, height) {
  const seen = range(rows.length).filter((row) => rows[row][0] > -2 && rows[row][1] < height + 2);
  if (!seen.length || seen.length === rows.length) return "";
  return `lines ${seen[0] + 1} to ${seen[seen.length - 1] + 1} of ${rows.length}`;
}

/**
 * @param {number[]} values
 * @param {number} zero pixels down to where a bar begins
 * @param {number} unit pixels
 * @param {(index: number) => string} classOf
 */
function barsOf(values, zero, unit, classOf) {
  const wide = BARS / values.length;
  return values.map((value, index) => {
    const height = Math.max(0.8, Math.abs(value) * unit);
    const place = { x: index * wide, y: value > 0 ? zero - height : zero, width: Math.max(0.6, wide - 1), height };
    return svg("rect", { class: classOf(index), ...place });
  });
}

/**
 * On which datapoints a neuron fires, and once it has moved, what that changed.
 * @param {Leaf} leaf
 * @param {boolean} isAfter the move
 */
export function sharing([, , before, after], isAfter) {
  if (!before.length) return "It fires on no datapoint, so it does not move.";
  const list = (/** @type {number[]} */ points) =>
    `${agree(points.length, "datapoint", "datapoints")} ${points.join(", ")}`;
  const gained = isAfter ? after.filter((point) => !before.includes(point)) : [];
  const lost = isAfter ? before.filter((point) => !after.includes(point)) : [];
  const changes = [];
  if (gained.length) changes.push(`also on ${list(gained)}`);
  if (lost.length) changes.push(`no longer on ${list(lost)}`);
  return `It fires on ${list(before)}${changes.length ? `; after the move ${changes.join(", ")}` : ""}.`;
}
