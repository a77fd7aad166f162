// The transport: buttons, scrub bar, jump, speed, and how much of the tree is drawn.

import { el, setAttribute, setText, svg } from "../../style/web/dom.js";
import { clamp } from "../../style/web/numbers.js";
import { cursorAt, placeOf } from "./cursor.js";
import { ticksOf } from "./places.js";
import { wholeTree } from "./room.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Cursor, Frame, Header, Status, Unit } from "./types.js" */

const PLAY_ICONS = { play: "M4 2v12l10-6z", pause: "M3 2h4v12H3zM9 2h4v12H9z" };

export class Transport {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("transport", HTMLElement);
    this.scroller = part("scroller", HTMLElement);
    this.where = part("where", HTMLElement);
    this.rested = part("rested", HTMLElement);
    this.loss = part("loss", HTMLElement);
    this.copied = part("copied", HTMLElement);
    this.help = part("help", HTMLDialogElement);
    this.phaseKeys = part("phase-keys", HTMLElement);
    this.button = part("play", HTMLButtonElement);
    this.icon = part("play-icon", SVGPathElement);
    this.pin = part("pin", HTMLButtonElement);
    this.whole = part("whole", HTMLButtonElement);
    this.closeAll = part("close-all", HTMLButtonElement);
    this.jump = part("jump", HTMLInputElement);
    this.tree = part("tree-number", HTMLInputElement);
    this.detail = part("detail", HTMLSelectElement);
    this.scrub = part("scrub", HTMLInputElement);
    this.ticks = part("ticks", SVGSVGElement);
    this.computed = 0;
    const [unit, speed] = [part("unit", HTMLSelectElement), part("speed", HTMLSelectElement)];
    const loop = part("loop", HTMLInputElement);
    speed.title = part("pace", HTMLElement).textContent ?? "";
    for (const button of this.box.querySelectorAll("button[data-move]")) {
      const [by, direction] = /** @type {[Unit, string]} */ ((button.getAttribute("data-move") ?? "").split(" "));
      button.addEventListener("click", () => stage.current?.move(by, Number(direction)));
    }
    const onClick = (/** @type {string} */ name, /** @type {() => void} */ act) =>
      part(name, HTMLButtonElement).addEventListener("click", act);
    this.lecture = part("lecture", HTMLButtonElement);
    onClick("lecture", () => stage.lecture.toggle());
    onClick("play", () => stage.current?.play(!stage.current.playing));
    onClick("zoom-in", () => stage.tree.zoomBy(1.5));
    onClick("zoom-out", () => stage.tree.zoomBy(1 / 1.5));
    onClick("whole", () => stage.showWhole());
    onClick("close-all", () => stage.closeAll());
    onClick("pin", () => stage.pin());
    onClick("copy", () => this.copyLink());
    onClick("keys", () => this.help.showModal());
    onClick("close-help", () => this.help.close());
    for (const field of [this.jump, this.tree]) {
      field.addEventListener("keydown", ({ key }) => key === "Enter" && stage.element.focus());
    }
    const take = (/** @type {HTMLInputElement} */ field, /** @type {number} */ last) => {
      const number = clamp(Math.round(Number(field.value) || 0), 0, last);
      field.value = String(number);
      return number;
    };
    this.jump.addEventListener("change", () => {
      const iteration = take(this.jump, Math.min(stage.player.last, stage.player.header.iterations - 1));
      stage.player.go({ iteration, phase: 0, step: 0 });
    });
    this.tree.addEventListener("change", () => stage.openTree(take(this.tree, stage.player.header.points - 1)));
    this.detail.addEventListener("change", () => stage.look({ detail: Number(this.detail.value) }));
    speed.addEventListener("change", () => (stage.playback.speed = Number(speed.value)));
    unit.addEventListener("change", () => {
      stage.playback.unit = /** @type {Unit} */ (unit.value);
      loop.disabled = unit.value !== "step";
    });
    loop.addEventListener("change", () => (stage.playback.loop = loop.checked));
    for (const field of [unit, speed, this.detail, loop]) {
      field.addEventListener("change", () => stage.element.focus()); // back to the keys of the stage
    }
    this.scrub.addEventListener("input", () => {
      stage.player.go(cursorAt(Number(this.scrub.value), stage.player.header.phases.length));
    });
    new ResizeObserver(() => this.drawTicks()).observe(this.ticks);
  }

  /** @param {Header} header */
  setHeader(header) {
    const { details, points, phases } = header;
    setText(this.phaseKeys, `1 to ${Math.min(9, phases.length)}`); // a key is one digit
    const { words, why, isPossible } = wholeTree(header);
    setText(this.whole, words);
    setAttribute(this.whole, "title", why);
    this.whole.disabled = !isPossible;
    this.detail.replaceChildren(...details.map((count) => el("option", { value: count }, `up to ${count}`)));
    this.tree.max = String(points - 1);
  }

  /** @param {Status} status */
  setStatus({ computed, finished }) {
    const { phases, iterations } = this.stage.player.header;
    this.scrub.max = String(Math.max(1, computed * phases.length - 1));
    this.jump.max = String((finished ? computed : iterations) - 1);
    if (computed !== this.computed) {
      this.computed = computed;
      this.drawTicks();
    }
  }

  drawTicks() {
    if (!this.stage.current) return;
    const ticks = ticksOf(this.ticks.clientWidth, this.computed, this.stage.current.header.phases.length);
    const marks = ticks.flatMap(({ x, iteration, label }) => {
      if (iteration === null) return [svg("path", { d: `M${x} 0v3` })];
      const mark = svg("path", { class: "major", d: `M${x} 0v7` });
      return label ? [mark, svg("text", { x, y: 18, "text-anchor": "middle" }, label)] : [mark];
    });
    this.ticks.replaceChildren(...marks);
  }

  /**
   * @param {Frame} frame
   * @param {Cursor} at
   * @param {number[]} lengths
   */
  show(frame, at, lengths) {
    const { phases } = this.stage.player.header;
    const { pinned, tree, detail } = frame.view;
    setText(this.lecture, this.stage.lecture.isOn ? "leave lecture mode (Esc)" : "lecture");
    const state = this.stage.player.playing ? "pause" : "play";
    setAttribute(this.icon, "d", PLAY_ICONS[state]);
    for (const name of ["title", "aria-label"]) setAttribute(this.button, name, state);
    const phase = `phase ${at.phase + 1}, ${phases[at.phase]?.title} · step ${at.step + 1} of ${lengths[at.phase]}`;
    const where = `Iteration ${at.iteration} ${pinned === null ? `· ${phase}` : `compared with ${pinned}`}`;
    setText(this.where, where);
    setText(this.rested, this.stage.player.hasRested ? this.restWords(at) : "");
    setText(this.loss, `loss ${frame.record.loss}`);
    setAttribute(this.scrub, "aria-valuetext", where);
    const set = (/** @type {HTMLInputElement | HTMLSelectElement} */ field, /** @type {number} */ value) => {
      if (field.value !== String(value) && !field.matches(":focus")) field.value = String(value);
    };
    set(this.jump, at.iteration);
    set(this.tree, tree);
    set(this.detail, detail);
    const place = String(placeOf(at, phases.length));
    if (this.scrub.value !== place) this.scrub.value = place;
    this.closeAll.hidden = !frame.view.opened.length;
    setText(this.pin, pinned === null ? "pin, to compare" : `unpin iteration ${pinned}`);
  }

  /** What is said where playing has stopped at the end of a phase. @param {Cursor} at */
  restWords({ phase }) {
    const { header, isAtEnd } = this.stage.player;
    const next = header.phases[phase + 1]?.title ?? (isAtEnd ? "iteration 0" : "the next iteration");
    return `${header.phases[phase].title} ends here. Play goes on with ${next}.`;
  }

  /** Where the tree reaches below the window, scroll down until this stands below the header of the page. */
  bringIntoView() {
    const room = this.box.getBoundingClientRect().top - parseFloat(getComputedStyle(this.box).top);
    if (!(room > 0) || this.scroller.getBoundingClientRect().bottom <= innerHeight) return;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.box.scrollIntoView({ block: "start", behavior: isCalm ? "instant" : "smooth" });
  }

  async copyLink() {
    try {
      this.stage.writeAddress();
      await navigator.clipboard.writeText(location.href);
    } catch {
      setText(this.copied, `the browser does not allow it; the link is ${location.href}`); // it stays, to be copied
      return;
    }
    setText(this.copied, this.stage.player.header.portable ? "link copied" : "link copied; the file is not in it");
    setTimeout(() => setText(this.copied, ""), 4000);
  }
}
