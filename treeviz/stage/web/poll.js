// A class poll on the question of a scene, in the place of its text: how to join, and a histogram that grows.

import { el, setText, svg } from "../../style/web/dom.js";
import { numeral, percent, things } from "../../style/web/numbers.js";
import { POLLS } from "./channels.js";
import { withMarks } from "./marks.js";

/** @import { Stage } from "./stage.js" */
/** @import { PollBar, PollNews, PollPress, PollShown, QuestionAsked } from "./types.js" */

const BORDER = 4; // modules of white around a QR code, without which phones do not read it

export class PollPanel {
  /**
   * @param {Stage} stage
   * @param {() => void} changed draw the lesson again: a poll has been opened or closed
   */
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    /** @type {PollShown | null} */
    this.open = null;
    this.error = "";
    /** @type {QuestionAsked | null} the one that is drawn */
    this.question = null;
    this.count = el("p", { class: "poll-count" });
    this.reveal = el("button", { onclick: () => this.press("reveal") }, "show the right answer");
    this.why = el("div", { class: "feedback", role: "status" });
    this.bars = el("ol", { class: "poll-bars" });
    this.labels = "";
    this.note = el("p", {});
    this.close = POLLS.take((news) => this.receive(news));
  }

  /** @param {PollNews} news */
  receive({ poll, error }) {
    const isOther = poll?.code !== this.open?.code || poll?.number !== this.open?.number || error !== this.error;
    [this.open, this.error] = [poll, error];
    if (isOther) {
      this.labels = "";
      this.why.replaceChildren();
      this.changed();
    }
    this.update();
  }

  /** Whether the class has been shown what is right, and answers no more. */
  get isRevealed() {
    return this.open !== null && this.open.revealed;
  }

  /** @param {PollPress["poll"]} act */
  press(act) {
    this.stage.send?.({ poll: act, at: Date.now() });
  }

  /** What is drawn under a question that no poll is open on. */
  offer() {
    const button = el("button", { "data-part": "open-poll", onclick: () => this.press("open") }, "open a poll");
    button.title = "the class answers on their phones";
    return [button, ...(this.error ? [el("p", { class: "status", role: "status" }, this.error)] : [])];
  }

  /**
   * Draw the poll that is open.
   * @param {QuestionAsked} question
   */
  draw(question) {
    const { open } = this;
    this.question = question;
    if (!open) return [];
    const end = el("button", { onclick: () => this.press("close") }, "close the poll");
    const box = el(
      "section",
      { class: "poll", "aria-label": "Class poll" },
      el("p", { class: "asked" }, ...withMarks(question.ask)),
      el(
        "div",
        { class: "join" },
        drawCode(open.qr, `QR code of ${open.link}`),
        el("div", {}, el("p", {}, "Open"), el("p", { class: "address" }, open.address), el("p", {}, "and type")),
        el("p", { class: "join-code", "aria-label": `Code ${[...open.code].join(" ")}` }, open.code),
      ),
      ...(open.warning ? [el("p", { class: "status" }, open.warning)] : []),
      el("div", { class: "row" }, this.reveal, end),
      this.count,
      this.bars,
      this.note,
      this.why,
    );
    this.bars.classList.toggle("of-nodes", question.kind === "click");
    this.update();
    return [box];
  }

  /** Show what is right, once. @param {QuestionAsked} question */
  explain(question) {
    if (this.why.hasChildNodes()) return;
    const words = el("p", { class: "right" }, rightWords(question));
    this.why.replaceChildren(words, el("p", {}, ...withMarks(question.why)));
    this.why.scrollIntoView({ block: "nearest" });
    this.stage.render();
  }

  update() {
    const { open, count, question } = this;
    if (!open || !question) return;
    this.reveal.disabled = this.isRevealed;
    if (this.isRevealed) this.explain(question);
    const { answers, right, bars, full, more } = open;
    const share = this.isRevealed && answers ? `, ${right} right` : "";
    setText(
      count,
      answers ? `${things(answers, "answer")}${share}${full ? ": the poll is full" : ""}` : "No answer yet",
    );
    setText(
      this.note,
      more ? `The ${things(bars.length, "node")} chosen most often; ${things(more, "other")} not shown.` : "",
    );
    const labels = JSON.stringify(bars.map(({ label }) => label));
    if (labels !== this.labels) {
      this.labels = labels;
      this.bars.replaceChildren(...bars.map(drawBar));
    }
    const most = Math.max(1, ...bars.map((bar) => bar.count));
    for (const [place, bar] of bars.entries()) {
      const row = /** @type {HTMLElement} */ (this.bars.children[place]);
      const isRight = this.isRevealed && bar.right;
      row.classList.toggle("right", isRight);
      row.style.setProperty("--length", `${(100 * bar.count) / most}%`);
      const words = this.bars.className.includes("of-nodes") || !answers ? "" : ` · ${percent(bar.count / answers)}`;
      setText(/** @type {Element} */ (row.lastElementChild), `${isRight ? "✓ " : ""}${bar.count}${words}`);
      row.setAttribute(
        "aria-label",
        `${row.firstElementChild?.textContent}: ${bar.count} of ${answers}${isRight ? ", right" : ""}`,
      );
    }
  }

  /**
   * How the picture marks a node while a poll is open.
   * @param {QuestionAsked | null | undefined} question
   * @param {number} node
   */
  markOf(question, node) {
    return this.isRevealed && question?.kind === "click" && question.right.includes(node) ? "right-node" : "";
  }
}

/** @param {PollBar} bar */
function drawBar({ label }) {
  return el("li", {}, el("span", {}, ...withMarks(label)), el("span", { class: "times" }));
}

/** @param {QuestionAsked} question */
function rightWords(question) {
  if (question.kind === "choose") return `Right: “${question.options[question.right]}”.`;
  if (question.kind === "click") return `Right: ${things(question.right.length, "node")}. The picture shows them.`;
  const right = `${numeral(question.right, 3)}${question.unit ? ` ${question.unit}` : ""}`;
  return `Right: ${right}${question.within > 1 ? `, or within a factor of ${numeral(question.within, 3)}` : ""}.`;
}

/**
 * A QR code, dark on white whatever the colours of the page: phones read no other.
 * @param {string[]} rows of 0 and 1
 * @param {string} label
 */
function drawCode(rows, label) {
  const size = rows.length + 2 * BORDER;
  const path = rows.flatMap((row, y) =>
    [...row.matchAll(/1+/g)].map(
      ({ index, 0: run }) => `M${BORDER + index} ${BORDER + y}h${run.length}v1h-${run.length}z`,
    ),
  );
  return svg(
    "svg",
    { class: "qr", role: "img", "aria-label": label, viewBox: `0 0 ${size} ${size}`, "shape-rendering": "crispEdges" },
    svg("path", { fill: "#fff", d: `M0 0h${size}v${size}h-${size}z` }),
    svg("path", { fill: "#000", d: path.join("") }),
  );
}
