// Films to take home: a phase, an iteration or a scene of a lesson, step by step at reading pace, each with its sentence.

import { el, setText } from "../../style/web/dom.js";
import { download, loadedImage, pictureOf } from "../../style/web/drawing.js";
import { GifWriter } from "./gif.js";
import { dwellTimes, readingTime } from "./pace.js";
import { WebmWriter } from "./webm.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Cursor, Frame, Phase } from "./types.js" */

/**
 * @typedef {object} Take a frame of a film
 * @property {Cursor} at
 * @property {string} where what stands above the sentence
 * @property {string} text
 * @property {number} time milliseconds for which it stays
 */
/** @typedef {"phase" | "iteration" | "scene"} Span */

const [FILM_EDGE, WHERE_SIZE, TEXT_SIZE, TEXT_LINE] = [16, 14, 18, 25]; // pixels
const FILM_WIDTH = 480; // pixels at least, so that a sentence has room
const WIDEST_VIDEO = 1920;
const NO_ENCODER = "This browser cannot write WebM here: choose GIF.";

/**
 * The frames of a film, in order.
 * @param {Span} span
 * @param {Frame} frame
 * @param {Phase[]} phases
 * @param {Cursor} at where the cursor is
 * @param {{ title: string, text: string } | null} scene of a lesson
 * @returns {Take[]}
 */
export function takesOf(span, frame, phases, at, scene) {
  const places = span === "iteration" ? [...phases.keys()] : [at.phase];
  const told = places.flatMap((place) => {
    const texts = frame.script[phases[place].id].map(([, text]) => text);
    const where = `Iteration ${frame.iteration}, tree ${frame.view.tree} · ${phases[place].title}`;
    return dwellTimes(texts).map((time, step) => ({
      at: { iteration: frame.iteration, phase: place, step },
      where,
      text: texts[step],
      time,
    }));
  });
  if (span !== "scene" || !scene) return told;
  const paragraphs = scene.text.split(/\n\s*\n/).map((text) =>
    text
      .replace(/\*\*|`/g, "")
      .replace(/\s+/g, " ")
      .trim(),
  );
  const opening = paragraphs.map((text) => ({ at: told[0].at, where: scene.title, text, time: readingTime(text) }));
  return [...opening, ...told];
}

export class FilmMenu {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.part = part;
    this.box = part("film", HTMLElement);
    this.span = part("film-span", HTMLSelectElement);
    this.form = part("film-form", HTMLSelectElement);
    this.button = part("film-make", HTMLButtonElement);
    this.progress = part("film-progress", HTMLProgressElement);
    this.words = part("film-words", HTMLElement);
    this.isStopped = false;
    part("take-picture", HTMLButtonElement).addEventListener("click", () => this.open());
    part("picture-menu", HTMLDialogElement).addEventListener("close", () => (this.isStopped = true));
    this.button.addEventListener("click", () => void this.press());
  }

  /** Offer what can be filmed: a comparison has no steps. */
  open() {
    const { shown, lesson } = this.stage;
    this.box.hidden = shown?.view.pinned !== null;
    const spans = lesson.shown ? ["phase", "iteration", "scene"] : ["phase", "iteration"];
    const chosen = this.span.value;
    this.span.replaceChildren(...spans.map((span) => el("option", { value: span }, `this ${span}`)));
    if (spans.includes(chosen)) this.span.value = chosen;
    setText(this.words, "");
  }

  /** Make a film, or stop the one that is made. */
  async press() {
    if (!this.progress.hidden) {
      this.isStopped = true;
      return;
    }
    this.isStopped = false;
    this.progress.hidden = false;
    setText(this.button, "stop");
    const { player } = this.stage;
    const at = { ...player.at };
    player.play(false);
    let [words, isMade] = ["", true];
    try {
      const film = await this.make();
      if (film) words = `The film has ${film.count} frames and takes ${Math.round(film.time / 1000)} s.`;
    } catch (error) {
      [words, isMade] = [error instanceof Error ? error.message : String(error), false];
    }
    setText(this.words, words);
    this.words.classList.toggle("failed", !isMade);
    player.go(at);
    this.progress.hidden = true;
    setText(this.button, "make");
  }

  /** Write all frames; null if it was stopped. */
  async make() {
    const { player, shown, lesson } = this.stage;
    if (!shown) return null;
    const span = /** @type {Span} */ (this.span.value);
    const takes = takesOf(span, shown, player.header.phases, player.at, lesson.shown?.scene ?? null);
    const name = `${this.stage.picture.fileOf(span)}.${this.form.value}`;
    const drawing = this.part(this.stage.picture.what.value, SVGSVGElement);
    const page = new FilmPage(drawing, getComputedStyle(this.stage.element), takes, this.form.value === "webm");
    const writer =
      this.form.value === "gif" ? new GifWriter() : await WebmWriter.open(page.canvas.width, page.canvas.height);
    if (!writer) throw new Error(NO_ENCODER);
    this.progress.max = takes.length;
    try {
      for (const [number, take] of takes.entries()) {
        this.progress.value = number;
        player.go(take.at);
        this.stage.draw();
        await page.paint(drawing, take);
        await writer.add(page.canvas, take.time);
        await new Promise((done) => setTimeout(done)); // a press on “stop” comes in between
        if (this.isStopped || this.stage.isClosed) return null;
      }
      download(await writer.finish(), name);
    } finally {
      writer.close();
    }
    return { count: takes.length, time: takes.reduce((sum, { time }) => sum + time, 0) };
  }
}

/** The page that all frames of a film are painted on, one after the other. */
class FilmPage {
  /**
   * @param {SVGSVGElement} drawing
   * @param {CSSStyleDeclaration} style of the stage
   * @param {Take[]} takes
   * @param {boolean} isVideo
   */
  constructor(drawing, style, takes, isVideo) {
    const box = drawing.getBoundingClientRect();
    const width = Math.max(FILM_WIDTH, box.width) + 2 * FILM_EDGE;
    this.scale = isVideo ? Math.min(2, Math.max(1, WIDEST_VIDEO / width)) : 1;
    this.style = style;
    this.canvas = el("canvas", {});
    const pen = this.canvas.getContext("2d", { willReadFrequently: !isVideo });
    if (!pen) throw new Error("this browser cannot paint the film");
    this.pen = pen;
    this.width = width;
    this.setFont(TEXT_SIZE);
    this.room = Math.max(...takes.map(({ text }) => this.linesOf(text).length)) * TEXT_LINE;
    const height = this.drawingAt + box.height + FILM_EDGE;
    const even = (/** @type {number} */ size) => 2 * Math.ceil((this.scale * size) / 2); // as encoders want it
    [this.canvas.width, this.canvas.height] = [even(width), even(height)];
  }

  get drawingAt() {
    return 2 * FILM_EDGE + WHERE_SIZE + this.room;
  }

  /** @param {number} size */
  setFont(size) {
    this.pen.font = `${size}px ${this.style.fontFamily}`;
  }

  /** A sentence in lines that fit. @param {string} text */
  linesOf(text) {
    const lines = [""];
    for (const word of text.split(" ")) {
      const longer = `${lines.at(-1)} ${word}`.trim();
      if (this.pen.measureText(longer).width <= this.width - 2 * FILM_EDGE) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines;
  }

  /**
   * @param {SVGSVGElement} drawing
   * @param {Take} take
   */
  async paint(drawing, { where, text }) {
    const image = await loadedImage(pictureOf(drawing));
    const { pen, style } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = style.getPropertyValue("--page").trim() || "#fff";
    pen.fillRect(0, 0, this.canvas.width, this.canvas.height);
    pen.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    pen.fillStyle = style.color;
    pen.textBaseline = "top";
    this.setFont(WHERE_SIZE);
    pen.globalAlpha = 0.75;
    pen.fillText(where, FILM_EDGE, FILM_EDGE);
    pen.globalAlpha = 1;
    this.setFont(TEXT_SIZE);
    for (const [number, line] of this.linesOf(text).entries()) {
      pen.fillText(line, FILM_EDGE, FILM_EDGE + WHERE_SIZE + FILM_EDGE / 2 + number * TEXT_LINE);
    }
    pen.drawImage(image, (this.width - image.width) / 2, this.drawingAt, image.width, image.height);
  }
}
