// The question of a scene: its fields, how an answer is judged, and what of it the picture shows.

import { el, setText } from "../../style/web/dom.js";
import { agree, decimals, grouped, numeral, things } from "../../style/web/numbers.js";
import { neuronOf } from "./heap.js";
import { withMarks } from "./marks.js";
import { isNear, judgeNodes } from "./score.js";

/** @import { Stage } from "./stage.js" */
/** @import { GivenAnswer } from "./score.js" */
/** @import { Frame, Hunt, QuestionAsked } from "./types.js" */

const FEW = 34; // nodes to choose from that are listed at once

/**
 * @typedef {object} Kept what a question was answered with before, and what keeps that
 * @property {(asked: string) => GivenAnswer | null} given
 * @property {(answer: GivenAnswer) => void} keep
 */

/**
 * @typedef {object} Verdict on an answer
 * @property {boolean} isRight
 * @property {string} words once the question is over
 * @property {string} notYet what a first answer that is wrong is told, besides the question's own hint
 */

export class QuestionForm {
  /**
   * @param {Stage} stage
   * @param {Kept} kept
   * @param {QuestionAsked | null} question of the scene, if it has one
   */
  constructor(stage, kept, question) {
    this.stage = stage;
    this.kept = kept;
    this.question = question;
    /** @type {HTMLFormElement | null} */
    this.form = null;
    /** @type {Frame | null} that the names of nodes are from */
    this.named = null;
    /** @type {Set<number>} heap numbers of the nodes chosen */
    this.chosen = new Set();
    /** @type {Map<number, string> | null} how each node was judged, once the question is answered */
    this.judged = null;
    /** @type {Set<number>} nodes tried that are not the wrong one looked for */
    this.tried = new Set();
  }

  /**
   * The form of the question. A first answer that is wrong may be given again, or the right one be shown; the second
   * ends it. Where wrong nodes are looked for, there may be many.
   * @param {QuestionAsked} question
   */
  draw(question) {
    const hunt = huntOf(question);
    const feedback = el("div", { class: "feedback", role: "status" });
    const fields = this.fields(question);
    const check = el("button", { type: "submit" }, "check");
    const showMe = el("button", { type: "button", onclick: () => endWith(show) }, "show me");
    showMe.hidden = !hunt;
    let first = ""; // the answer that was wrong
    const tell = (/** @type {Verdict} */ { isRight, words, notYet }, /** @type {boolean} */ isOver) => {
      const hint = [notYet, question.hint].filter(Boolean).join(" ");
      const told = isOver || hunt ? words : `Not yet. ${hint || "Try once more, or have it shown."}`;
      const why = isOver ? [el("p", {}, ...withMarks(question.why))] : [];
      feedback.replaceChildren(el("p", { class: isRight ? "right" : "wrong" }, ...withMarks(told)), ...why);
      showMe.hidden = isOver && !hunt;
      if (isOver) for (const field of form.querySelectorAll("input, button")) field.toggleAttribute("disabled", true);
      this.stage.render();
    };
    const answer = (/** @type {boolean} */ isLast) => {
      const given = this.givenIn(form);
      const found = this.judge(question, form);
      if (!found) return setText(feedback, "Give an answer first.");
      if (!hunt && first === String(given)) return setText(feedback, "Give another answer, or have it shown.");
      const isOver = found.isRight || (!hunt && (isLast || first !== ""));
      first = String(given);
      if (isOver) this.reveal(question);
      this.kept.keep({ asked: question.ask, given, isRight: found.isRight, isOver });
      tell(found, isOver);
    };
    const show = () => {
      this.kept.keep({ asked: question.ask, given: this.givenIn(form), isRight: false, isOver: true });
      this.reveal(question);
      if (hunt) this.stage.jump(hunt.iteration, hunt.tree, hunt.right[0]);
      tell({ isRight: false, words: this.solution(question), notYet: "" }, true);
    };
    const endWith = (/** @type {() => void} */ act) => {
      act();
      this.stage.lesson.scrollTo(feedback);
    };
    const onsubmit = (/** @type {Event} */ event) => {
      event.preventDefault();
      endWith(() => answer(false));
    };
    const asked = el("p", { class: "asked" }, ...withMarks(question.ask));
    const ways = el("div", { class: "row" }, check, showMe);
    const form = el("form", { class: "question", onsubmit }, asked, ...fields, ways, feedback);
    this.form = form;
    const before = this.kept.given(question.ask);
    if (before?.given.length) {
      this.fillIn(form, before.given);
      answer(before.isOver);
    }
    return form;
  }

  /** What is given in the fields of a question. @param {HTMLFormElement} form */
  givenIn(form) {
    const fields = [...form.querySelectorAll("input")].filter(({ type, checked }) => type === "text" || checked);
    return fields.map(({ value }) => value);
  }

  /**
   * Give an answer again that was given before.
   * @param {HTMLFormElement} form
   * @param {string[]} given
   */
  fillIn(form, given) {
    for (const field of form.querySelectorAll("input")) {
      if (field.type === "text") field.value = given[0];
      else field.checked = given.includes(field.value);
      if (field.type === "checkbox" && field.checked) this.chosen.add(Number(field.value));
    }
  }

  /**
   * @param {QuestionAsked} question
   * @returns {HTMLElement[]}
   */
  fields(question) {
    if (question.kind === "choose") {
      const options = question.options.map((text, value) =>
        el("label", {}, el("input", { type: "radio", name: "option", value }), ...withMarks(text)),
      );
      return [el("div", { class: "answers", role: "radiogroup", "aria-label": "Answers" }, ...options)];
    }
    if (question.kind === "estimate") {
      const field = el("input", { type: "text", inputmode: "decimal", name: "number", "aria-label": "Your estimate" });
      return [el("label", {}, field, question.unit)];
    }
    const boxes = question.candidates.map((node) =>
      el(
        "label",
        {},
        el("input", { type: "checkbox", value: node, onchange: () => this.toggle(node) }),
        el("span", { "data-names": node }, this.nameOf(node, huntOf(question))),
      ),
    );
    const list = el("div", { class: "answers nodes" }, ...boxes);
    const ways = huntOf(question)
      ? "Click a node in the picture, or choose it here; point at one to see its children. Below node k are nodes 2k and 2k + 1."
      : "Click nodes in the picture, or choose them here; point at one to see its value.";
    const hint = el("p", { class: "hint" }, ways);
    if (boxes.length <= FEW) return [hint, list];
    return [hint, el("details", {}, el("summary", {}, `List of ${things(boxes.length, "node")}`), list)];
  }

  /**
   * @param {number} node
   * @param {Hunt | null} hunt where the number in the tree matters for leaves, too
   */
  nameOf(node, hunt) {
    const { width } = this.stage.player.header;
    if (hunt && node >= width) return `node ${grouped(node)}, neuron ${grouped(neuronOf(node, width))}`;
    return node >= width ? `neuron ${grouped(neuronOf(node, width))}` : `node ${grouped(node)}`;
  }

  /** Say with each node that can be chosen its value, as soon as it is known. @param {Frame} frame */
  nameNodes(frame) {
    const { question } = this;
    if (this.named === frame || question?.kind !== "click" || !this.form) return;
    const hunt = huntOf(question);
    if (hunt && !isAt(hunt, frame.view.tree, frame.iteration)) return;
    this.named = frame;
    const { id, kind, before, firing } = frame.nodes;
    for (const name of this.form.querySelectorAll("[data-names]")) {
      const node = Number(name.getAttribute("data-names"));
      const row = id.indexOf(node);
      if (row < 0) continue;
      const found = hunt && kind[row] === 1 ? (firing[row] ? ", fires" : ", does not fire") : "";
      const value = decimals(before[row], this.stage.player.header.threshold);
      setText(name, `${this.nameOf(node, hunt)}: ${value}${found}`);
    }
  }

  /** Whether a click on a node of the picture is an answer, or part of one. @param {number} node */
  takesClick(node) {
    const { question } = this;
    if (question?.kind !== "click" || this.judged) return false;
    const { view, at } = this.stage.player;
    const hunt = huntOf(question);
    if (!question.candidates.includes(node) || (hunt && !isAt(hunt, view.tree, at.iteration))) return false;
    this.toggle(node);
    return true;
  }

  /** @param {number} node */
  toggle(node) {
    if (!this.chosen.delete(node)) this.chosen.add(node);
    const box = this.form?.querySelector(`input[value="${node}"]`);
    if (box instanceof HTMLInputElement) box.checked = this.chosen.has(node);
    this.stage.render();
  }

  /** Whether a node is one of few to choose from. @param {number} node */
  isAmongFew(node) {
    const { question } = this;
    return question?.kind === "click" && question.candidates.length <= FEW && question.candidates.includes(node);
  }

  /** How the picture marks a node. @param {number} node */
  markOf(node) {
    const unjudged = this.chosen.has(node) ? "chosen-node" : this.tried.has(node) ? "wrong-node" : "";
    return this.judged?.get(node) ?? unjudged;
  }

  /**
   * @param {QuestionAsked} question
   * @param {HTMLFormElement} form
   * @returns {Verdict | null} null where no answer was given
   */
  judge(question, form) {
    if (question.kind === "choose") {
      const given = new FormData(form).get("option");
      if (given === null) return null;
      const isRight = Number(given) === question.right;
      return { isRight, words: isRight ? "Right." : `No: ${continued(this.solution(question))}`, notYet: "" };
    }
    if (question.kind === "estimate") {
      const given = Number(String(new FormData(form).get("number")).trim().replace(",", ".") || NaN);
      if (!Number.isFinite(given)) return null;
      const isRight = isNear(given, question.right, question.within);
      const verdict = given === question.right ? "Right" : isRight ? "Near enough" : "No";
      const notYet = given < question.right ? "It is more." : "It is less.";
      return { isRight, words: `${verdict}: ${continued(this.solution(question))}`, notYet };
    }
    if (!this.chosen.size) return null;
    const hunt = huntOf(question);
    if (hunt) return this.judgeFind(hunt);
    const wrong = [...this.chosen].filter((node) => !question.right.includes(node)).length;
    const missed = question.right.length - (this.chosen.size - wrong);
    const parts = [
      missed && `${missed} more to find`,
      wrong && `${wrong} of those chosen ${agree(wrong, "is", "are")} wrong`,
    ];
    const isRight = !missed && !wrong;
    const words = isRight ? "Right, all of them." : `Not all; ${this.solution(question)}`;
    return { isRight, words, notYet: `${parts.filter(Boolean).join(", and ")}.` };
  }

  /**
   * Whether all nodes chosen are wrong in the run, as they should be here; if not, the viewer may look on.
   * @param {Hunt & { right: number[] }} hunt
   * @returns {Verdict}
   */
  judgeFind({ right, reasons }) {
    const chosen = [...this.chosen];
    const why = chosen.map((node) => reasons[node]).join(" ");
    if (chosen.every((node) => right.includes(node))) {
      this.chosen = new Set(right);
      return { isRight: true, words: `Found. ${why}`, notYet: "" };
    }
    for (const node of chosen) {
      this.toggle(node);
      if (!right.includes(node)) this.tried.add(node);
    }
    return { isRight: false, words: `No. ${why} Look on, or have it shown.`, notYet: "" };
  }

  /** Have the picture show what is right of the nodes, and of those chosen. @param {QuestionAsked} question */
  reveal(question) {
    if (question.kind === "click") this.judged = judgeNodes(this.chosen, question.right);
  }

  /**
   * What is right, in a sentence.
   * @param {QuestionAsked} question
   */
  solution(question) {
    if (question.kind === "choose") return `The right answer is “${question.options[question.right]}”.`;
    if (question.kind === "estimate") {
      return `It is ${numeral(question.right, 3)}${question.unit ? ` ${question.unit}` : ""}.`;
    }
    const { reasons, right } = question;
    if (reasons) return right.map((node) => reasons[node]).join(" ");
    const marks = judgeNodes(this.chosen, right);
    const named = (/** @type {string} */ mark) =>
      [...marks]
        .filter(([, found]) => found === mark)
        .map(([node]) => this.nameOf(node, null))
        .join(", ");
    const [missed, wrong] = [named("missed-node"), named("wrong-node")];
    const parts = [missed && `missed: ${missed}`, wrong && `too many: ${wrong}`].filter(Boolean);
    return `${parts.length ? `${parts.join("; ")}. ` : ""}The picture shows them.`;
  }
}

/** A sentence as it goes on after a colon. @param {string} sentence */
const continued = (sentence) => sentence[0].toLowerCase() + sentence.slice(1);

/**
 * A question that looks for wrong nodes, with what is said of each node; null for any other.
 * @param {QuestionAsked} question
 * @returns {Hunt & { right: number[] } | null}
 */
const huntOf = (question) =>
  question.kind === "click" && question.reasons ? /** @type {Hunt & { right: number[] }} */ (question) : null;

/**
 * Whether the tree on show is the one in which the wrong nodes are looked for, at that iteration.
 * @param {Hunt} hunt
 * @param {number} tree
 * @param {number} iteration
 */
const isAt = (hunt, tree, iteration) => hunt.tree === tree && hunt.iteration === iteration;
