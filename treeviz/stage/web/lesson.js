// The lesson beside the pictures: the scene's text, its question, and the way to the next one.

import { el, setText } from "../../style/web/dom.js";
import { clamp } from "../../style/web/numbers.js";
import { NotesWindow } from "./lecture.js";
import { withMarks } from "./marks.js";
import { LossChart } from "./losses.js";
import { PATIENCE } from "./player.js";
import { PollPanel } from "./poll.js";
import { QuestionForm } from "./question.js";
import { Score } from "./score.js";
import { tableOf } from "./sums.js";
import { labLink } from "./terms.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Kept } from "./question.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, LessonShown } from "./types.js" */

const DOCKED = 1120; // pixels of the stage from which on the lesson stands beside the pictures
const SETTLING = 1500; // milliseconds in which the page around a scene may still find its place: the sidebar closes
const TRIES = 3; // times that a scene is asked for again
const WAYS = 50; // pixels at the foot of the lesson where the ways on cover its text
const ABOVE_SCROLLED = 8; // pixels above what is scrolled to
const DOCKED_LECTURE = 900; // the same in a lecture, whose pictures stand closer together

/** What part of the stage a scene may want to be looked at, by its name in the lesson's file. */
const PLACES = {
  tree: "tree-box",
  sentence: "narration",
  meter: "meter",
  code: "code",
  bars: "bars",
  datapoint: "datapoint",
  inspector: "inspector",
  atlas: "atlas-card",
  lists: "lists-card",
  plane: "plane",
  badge: "badge",
  loss: "losses",
};

export class LessonPanel {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("lesson", HTMLElement);
    /** @type {LessonShown | null} */
    this.shown = null;
    this.content = "null";
    /** @type {number | null} the scene turned to, until it has come */
    this.target = null;
    this.turnedAt = -Infinity;
    this.openedAt = -Infinity;
    this.score = new Score();
    /** @type {Kept} */
    this.kept = {
      given: (asked) => this.shown && this.score.given(this.shown.key, this.shown.index, asked),
      keep: (answer) => {
        if (this.shown) this.score.keep(this.shown.key, this.shown.index, answer);
        this.showScore();
      },
    };
    this.question = new QuestionForm(stage, this.kept, null);
    /** @type {LossChart | null} */
    this.chart = null;
    this.notes = new NotesWindow();
    this.poll = new PollPanel(stage, () => this.showPoll());
    /** @type {HTMLElement | null} */
    this.scoreText = null;
    this.pollSlot = el("div", { "data-part": "poll" });
    new ResizeObserver(() => this.dock()).observe(stage.element); // also when a lecture begins or ends
    const sight = { root: this.box, rootMargin: `0px 0px -${WAYS}px 0px` };
    /** Whether the end of the lesson can be seen, below which there is nothing to scroll to. */
    this.sight = new IntersectionObserver(
      ([{ isIntersecting }]) => this.box.classList.toggle("goes-on", !isIntersecting),
      sight,
    );
  }

  close() {
    this.poll.close();
    this.sight.disconnect();
  }

  dock() {
    const { element, lecture } = this.stage;
    const least = lecture.isOn ? DOCKED_LECTURE : DOCKED;
    element.classList.toggle("docked", !this.box.hidden && element.clientWidth >= least);
    if (performance.now() - this.openedAt < SETTLING) this.bringIntoView();
  }

  /** Have the scene in view, and of the pictures beside it the part that it is about. */
  bringIntoView() {
    const { element } = this.stage;
    const place = this.placeOf(PLACES[/** @type {keyof typeof PLACES} */ (this.shown?.scene.focus)] ?? "");
    element.scrollIntoView({ block: "start" });
    if (!place || !element.classList.contains("docked")) return;
    const foot = this.box.contains(place) ? this.box.getBoundingClientRect().bottom : window.innerHeight;
    if (place.getBoundingClientRect().bottom > foot) place.scrollIntoView({ block: "nearest" });
  }

  /**
   * Scroll to the end of the lesson, but no further than to the beginning of a part of it.
   * @param {HTMLElement} part
   */
  scrollTo(part) {
    const { box } = this;
    box.scrollTop += part.getBoundingClientRect().top - box.getBoundingClientRect().top - ABOVE_SCROLLED;
    if (!this.stage.element.classList.contains("docked")) part.scrollIntoView({ block: "nearest" });
  }

  /**
   * Show a scene, or none.
   * @param {LessonShown | null} lesson
   */
  take(lesson) {
    const content = JSON.stringify(lesson);
    if (content === this.content) return;
    if (lesson?.index !== this.shown?.index) this.stage.terms.clear();
    [this.shown, this.content, this.target] = [lesson, content, null];
    this.question = new QuestionForm(this.stage, this.kept, lesson?.scene.question ?? null);
    this.box.hidden = !lesson;
    this.dock();
    this.draw();
    this.notes.show(lesson);
  }

  /** Say what is known of the moment on show. @param {Frame} frame */
  show(frame) {
    this.question.nameNodes(frame);
    this.chart?.mark(frame.iteration);
  }

  draw() {
    const { shown } = this;
    for (const name of Object.values(PLACES)) this.placeOf(name)?.removeAttribute("data-looked-at");
    const hadFocus = this.stage.hasFocus(this.box);
    this.sight.disconnect();
    this.stage.element.classList.toggle("of-iteration", shown?.scene.meter === "iteration");
    if (!shown) return this.stage.replace(this.box);
    const { index, count, scene } = shown;
    const leave = el("button", { onclick: () => this.turn(null), title: "leave the lesson; the run stays" }, "leave");
    const where = el("p", { class: "hint" }, `${shown.title} · ${index + 1} of ${count}`);
    const progress = el("progress", { max: count, value: index + 1, "aria-label": "Progress of the lesson" });
    const heading = el("h3", { tabindex: -1 }, scene.title);
    const seen = new Set();
    const text = scene.text
      .split(/\n\s*\n/)
      .map((paragraph) => el("p", { class: "told" }, ...this.withTerms(paragraph, seen)));
    const back = el("button", { onclick: () => this.turnBy(-1) }, "← back");
    const next = el("button", { class: "primary", onclick: () => this.turnBy(1) }, "next →");
    back.disabled = index === 0;
    next.disabled = index === count - 1;
    const notes = el("button", { class: "notes", onclick: () => this.notes.open(shown) }, "presenter's notes");
    const score = el("span", { class: "hint", "data-part": "score" });
    this.scoreText = score;
    const on = el("button", { class: "on", tabindex: -1, onclick: () => this.scrollOn() }, "more ↓");
    on.title = "the lesson goes on below";
    const asked = scene.question ? [this.question.draw(scene.question)] : [];
    const go = (/** @type {number} */ iteration) => this.stage.player.go({ iteration, phase: 0, step: 0 });
    this.chart = scene.losses && new LossChart(scene.losses, go);
    const error = scene.error ? [el("p", { class: "status" }, scene.error)] : [];
    this.box.replaceChildren(
      el("div", { class: "heading" }, where, leave),
      progress,
      heading,
      ...text,
      ...(scene.table ? [tableOf(scene.table)] : []),
      ...(this.chart ? [this.chart.element] : []),
      ...error,
      ...asked,
      el("div", { class: "row" }, this.pollSlot, notes, ...(scene.experiment ? [labLink(scene.experiment)] : [])),
      el("div", { class: "row ways" }, back, next, score, on),
    );
    this.box.removeAttribute("aria-busy");
    this.box.scrollTop = 0;
    this.sight.observe(notes); // the last of what scrolls
    if (hadFocus) heading.focus({ preventScroll: true }); // the button that was pressed is gone
    this.showScore();
    this.showPoll();
    const place = this.placeOf(PLACES[/** @type {keyof typeof PLACES} */ (scene.focus)] ?? "");
    place?.setAttribute("data-looked-at", "");
    this.openedAt = performance.now();
    this.bringIntoView();
  }

  /**
   * The pieces of a paragraph. A term is a link to the glossary where the scene names it first, and where it is bold.
   * @param {string} paragraph
   * @param {Set<number>} seen terms that were named before
   */
  withTerms(paragraph, seen) {
    const { terms } = this.stage;
    return withMarks(paragraph).flatMap((piece) => {
      if (typeof piece === "string") return terms.link(piece, seen);
      if (piece.localName === "strong") piece.replaceChildren(...terms.link(piece.textContent ?? ""));
      return [piece];
    });
  }

  /** @param {string} name */
  placeOf(name) {
    return name ? this.stage.element.querySelector(`[data-part="${name}"]`) : null;
  }

  /** @param {number | null} index of the scene to open; null leaves the lesson */
  turn(index) {
    this.stage.send?.({ to: index, at: Date.now() });
  }

  /** Turn on or back, if no scene is being opened: of many quick presses the first counts. @param {number} by */
  turnBy(by) {
    const { shown, scoreText } = this;
    if (!shown || (this.target !== null && performance.now() - this.turnedAt < PATIENCE)) return;
    const to = clamp(shown.index + by, 0, shown.count - 1);
    if (to === shown.index) return;
    [this.target, this.turnedAt] = [to, performance.now()];
    this.box.setAttribute("aria-busy", "true");
    if (scoreText) setText(scoreText, `scene ${to + 1} is being opened …`);
    this.turn(to);
    this.insist(to, TRIES);
  }

  /**
   * Ask again for a scene that has not come: a message may get lost while the page is drawn.
   * @param {number} to
   * @param {number} tries
   */
  insist(to, tries) {
    setTimeout(() => {
      if (this.target !== to || this.stage.isClosed || !tries) return;
      this.turnedAt = performance.now();
      this.turn(to);
      this.insist(to, tries - 1);
    }, PATIENCE);
  }

  /** Show what of the lesson is below what can be seen of it. */
  scrollOn() {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.box.scrollBy({ top: 0.7 * this.box.clientHeight, behavior: isCalm ? "instant" : "smooth" });
  }

  /** Show the poll on the question in the place of the scene's text, or the way to open one. */
  showPoll() {
    const question = this.shown?.scene.question;
    const drawn = question ? this.poll.draw(question) : [];
    this.box.classList.toggle("polling", drawn.length > 0);
    this.pollSlot.replaceChildren(...(drawn.length || !question ? drawn : this.poll.offer()));
    if (drawn.length) this.box.scrollTop = 0;
    if (this.shown) this.stage.render();
  }

  showScore() {
    const { shown, scoreText } = this;
    if (!shown || !scoreText) return;
    const { right, answered } = this.score.of(shown.key);
    const all = `${shown.questions} in all`;
    setText(scoreText, answered ? `${right} of ${answered} right at the first try, ${all}` : "");
  }

  /** Whether a click on a node of the picture is an answer, or part of one. @param {number} node */
  takesClick(node) {
    return !this.poll.open && this.question.takesClick(node);
  }

  /** Whether the picture should say a node's value. @param {number} node */
  isAsked(node) {
    return this.markOf(node) !== "" || this.question.isAmongFew(node);
  }

  /** How the picture marks a node. @param {number} node */
  markOf(node) {
    return this.poll.open ? this.poll.markOf(this.shown?.scene.question, node) : this.question.markOf(node);
  }
}
