// The stage: takes what the server sends, listens to the page, and has the pictures drawn.

import { el, find, partsOf, setAttribute } from "../../style/web/dom.js";
import { mounter } from "../../style/web/mount.js";
import { Atlas } from "./atlas.js";
import { noteReader, turnedTo } from "./before.js";
import { ANSWERS } from "./channels.js";
import { momentOf } from "./cursor.js";
import { FilmMenu } from "./film.js";
import { actionOf } from "./keys.js";
import { GramPicture } from "./gram.js";
import { Lecture } from "./lecture.js";
import { LessonPanel } from "./lesson.js";
import { ListBars } from "./lists.js";
import { Meter } from "./meter.js";
import { OutputPicture } from "./output.js";
import { Panel } from "./panel.js";
import { PictureMenu } from "./picture.js";
import { Plane } from "./plane.js";
import { PlantedFault } from "./planted.js";
import { PATIENCE, Playback, Player } from "./player.js";
import { closedWords, detailOfAll } from "./room.js";
import { Terms } from "./terms.js";
import { TouchedPicture } from "./touched.js";
import { Transport } from "./transport.js";
import { TreePicture } from "./tree.js";
import { WhatIf } from "./whatif.js";

/** @import { Place } from "./before.js" */
/** @import { AddressNames, Answer, Frame, Introduction, Moment, PollPress, Question, Refusal, Turn, View } from "./types.js" */

const HEARTBEAT = 250; // milliseconds between looks at what is missing
const SOON = 400; // milliseconds between changes of the address: browsers refuse more than a hundred in half a minute
const QUIET = 500; // milliseconds after a press elsewhere on the page, which may lead to another one

/**
 * Where each run was left, by its settings, as long as the tab is open.
 * @type {Map<string, Place>}
 */
const places = new Map();

export class Stage {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    this.arrivals = Promise.resolve(); // settled when all answers so far are taken
    /** @type {Player | null} of the run on show; null until an answer has come */
    this.current = null;
    /** @type {AddressNames | null} */
    this.names = null;
    this.playback = new Playback();
    /** @type {Frame | null} the frame drawn last */
    this.shown = null;
    /** @type {Moment | null} */
    this.moment = null;
    /** @type {number | null} heap number of a node */
    this.selected = null;
    /** @type {number | null} heap number of a node */
    this.hovered = null;
    this.plays = 0;
    this.lectures = 0;
    this.isEmbedded = this.isBare = false; // alone in a frame of another page; there without anything to press
    this.clock = 0; // number of the frame of the screen in which the player plays on
    this.named = 0; // moments that addresses and buttons have asked for
    this.pressedAt = -Infinity;
    this.kept = ""; // the moment that the address was given last, or the run began at
    this.keptAt = 0;
    this.isClosed = false;
    this.isDue = false;
    /** @type {((message: Question | Turn | PollPress) => void) | undefined} */
    this.send = undefined;
    const part = partsOf(element);
    this.notices = part("notices", HTMLElement);
    this.summary = part("summary", HTMLElement);
    this.watching = part("watching", HTMLElement);
    this.closed = part("closed", HTMLElement);
    this.terms = new Terms(this, part);
    this.transport = new Transport(this, part);
    this.meter = new Meter(part);
    this.panel = new Panel(this, part);
    this.tree = new TreePicture(this, part);
    this.atlas = new Atlas(this, part);
    this.lists = new ListBars(this, part);
    this.touched = new TouchedPicture(this, part);
    this.gram = new GramPicture(this, part);
    this.plane = new Plane(this, part);
    this.output = new OutputPicture(this, part);
    this.picture = new PictureMenu(this, part);
    this.film = new FilmMenu(this, part);
    this.whatIf = new WhatIf(this, part);
    this.planted = new PlantedFault(this, part);
    this.lesson = new LessonPanel(this, part);
    this.lecture = new Lecture(this);
    this.onKey = (/** @type {KeyboardEvent} */ event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.onPress = (/** @type {PointerEvent} */ event) => {
      if (!event.composedPath().includes(this.element)) this.pressedAt = performance.now();
    };
    document.addEventListener("pointerdown", this.onPress, true);
    this.onClick = () => noteReader(this);
    document.addEventListener("click", this.onClick, true);
    this.heartbeat = setInterval(() => this.current?.ask(), HEARTBEAT);
    this.stopTaking = ANSWERS.take((bytes) => this.receive(bytes));
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("pointerdown", this.onPress, true);
    document.removeEventListener("click", this.onClick, true);
    clearInterval(this.heartbeat);
    this.stopTaking();
    this.lesson.close();
    this.lecture.close();
    this.terms.leave();
    this.leave();
    if (this.current) this.current.playing = false;
    this.isClosed = true;
  }

  /** The player of the run on show: there is one as soon as anything is drawn. */
  get player() {
    if (!this.current) throw new Error("the stage has no run yet");
    return this.current;
  }

  // ---- answers of the server ----

  /**
   * Streamlit hands answers over in the order they were made. They are taken in that order too: an old run's large
   * answer must not be ready after a new run's small one. One that cannot be read holds up no other.
   * @param {BlobPart} bytes
   */
  receive(bytes) {
    this.arrivals = this.arrivals.then(() => this.read(bytes)).catch(reportError);
  }

  /** @param {BlobPart} bytes */
  async read(bytes) {
    if (typeof DecompressionStream === "undefined") {
      this.notices.replaceChildren(
        el("p", {}, "This browser is too old to show the run: please use one of 2023 or later."),
      );
      return;
    }
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const answer = await new Response(inflated).json();
    if (!this.isClosed) this.take(answer);
  }

  /** @param {Answer} answer */
  take(answer) {
    const before = turnedTo(Boolean(answer.lesson));
    if (before) {
      places.set(before.settings, before.place);
      this.element.focus({ preventScroll: true }); // the button that was pressed is gone
    }
    const { introduction = {}, lesson = null } = answer;
    this.embed(introduction.embedding ?? "");
    if (this.current?.header.run !== answer.header.run || this.isAsked(answer.start)) this.begin(answer);
    this.lesson.take(lesson);
    this.playback.isLesson = lesson !== null;
    this.player.take(answer);
    if (answer.refusal && answer.nonce === this.player.asked && !this.player.frame) this.refuse(answer.refusal);
    this.introduce(introduction);
    this.transport.setStatus(answer.status);
    this.planted.setStatus(answer.status);
    this.render();
  }

  /**
   * Say that what was asked for is not held, and how to see it, and return to what is on show.
   * @param {Refusal} refusal
   */
  refuse({ words, app }) {
    const url = app === null ? null : this.addressed(new URL(app));
    const where = url ? [" and open ", el("code", {}, url.href)] : [];
    const command = el("code", {}, "treeviz app");
    const told = el("span", {}, `${words} To see it, start the app with `, command, ...where, ".");
    this.replace(this.closed, told, el("button", { onclick: () => this.replace(this.closed) }, "understood"));
    if (this.shown) this.player.stay(this.shown);
  }

  /** Stand alone in a frame of another page, or not. @param {"" | "controls" | "bare"} embedding */
  embed(embedding) {
    [this.isEmbedded, this.isBare] = [embedding !== "", embedding === "bare"];
    this.element.classList.toggle("embedded", this.isEmbedded);
    this.element.classList.toggle("bare", this.isBare);
  }

  /**
   * Play, if the introduction has been closed for that, and have this browser remember that it was.
   * @param {Introduction} introduction
   */
  introduce({ plays = 0, lectures = 0, cookie = "" }) {
    if (cookie) remember(cookie);
    if (plays > this.plays) this.player.play(true);
    if (lectures > this.lectures) this.lecture.enter();
    [this.plays, this.lectures] = [plays, lectures];
  }

  /**
   * Whether an address or a button asks for a moment that the stage has not been at.
   * @param {Answer["start"]} start
   */
  isAsked({ named = 0 }) {
    return named > 0 && named !== this.named;
  }

  /** @param {Answer} answer */
  begin({ header, start, notices }) {
    const { tree, detail, opened, pinned, iteration, phase, step, address, named = 0 } = start;
    this.leave();
    const old = this.current;
    const isAsked = this.isAsked(start);
    const isSame = old?.header.settings === header.settings && !isAsked; // begun again by the server
    const wasPlaying = isSame && old?.playing;
    old?.play(false);
    const left = start.stays && old ? sameMoment(old) : isAsked ? undefined : places.get(header.settings);
    const begun = { view: { tree, detail, opened, pinned }, at: { iteration, phase, step }, node: start.node };
    const { view, at, node } = left ?? begun;
    /** @type {Player} */
    const player = new Player(
      header,
      {
        now: () => performance.now(),
        send: (question) => this.send?.(question),
        isLeaving: () => this.isLeaving,
        changed: () => this.render(),
        playing: (isOn) => isOn && this.run(player),
        rest: () => this.keepAddress(),
      },
      this.playback,
      view,
      at,
      old?.asked,
    );
    this.current = player;
    this.kept = "";
    this.named = named;
    [this.hovered, this.names] = [null, address];
    this.selected = node;
    if (!left) player.reported = iteration;
    this.output.card.hidden = !header.planar;
    [this.atlas.card.hidden, this.lists.card.hidden] = [player.lowered !== null, player.lowered === null];
    this.tree.key.setHeader(header);
    this.transport.setHeader(header);
    this.panel.setHeader(header);
    this.planted.setHeader(header);
    const close = el("button", { onclick: () => this.replace(this.notices) }, "understood");
    this.notices.replaceChildren(...notices.map((text) => el("p", {}, text)), ...(notices.length ? [close] : []));
    if (wasPlaying) player.play(true);
  }

  /**
   * Whether the page is being drawn again since a press elsewhere: a question that comes to another page than it was
   * asked on would leave that page blank.
   */
  get isLeaving() {
    const since = performance.now() - this.pressedAt;
    const root = this.element.getRootNode();
    const host = root instanceof ShadowRoot ? root.host : this.element;
    return since < QUIET || (since < PATIENCE && host.closest('[data-stale="true"]') !== null);
  }

  /**
   * Let the clock run while a player plays, with all that plays in view.
   * @param {Player} player
   */
  run(player) {
    this.transport.bringIntoView();
    let last = performance.now();
    const tick = (/** @type {number} */ now) => {
      if (!player.playing) return;
      player.playFor(now - last);
      last = now;
      this.clock = requestAnimationFrame(tick);
    };
    cancelAnimationFrame(this.clock); // of a pause that ended before the next frame
    this.clock = requestAnimationFrame(tick);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const path = event.composedPath();
    const isInside = path.includes(this.element);
    const is = (/** @type {string} */ selector) => path[0] instanceof Element && path[0].matches(selector);
    const isControl = is("input, select, textarea, button, a, summary, dialog, dialog *, [role], [contenteditable]");
    const isAnswer = is("input[type=radio]") && ["ArrowLeft", "ArrowRight"].includes(event.key); // others choose one
    const isTyping =
      is("input[type=number], input[type=text], select, dialog, dialog *") ||
      (is("input") && event.key.length > 1 && !isAnswer);
    const isPress = is("button, summary, input") && [" ", "Enter"].includes(event.key);
    const isOurs = isInside ? !isTyping && !isPress : !isControl || is("section");
    if (this.transport.help.open) return;
    if (event.key === "Escape" && this.whatIf.isOn) return this.whatIf.end();
    if (event.key === "Escape" && this.terms.isOpen) return this.terms.close();
    if (event.key === "Escape" && this.lecture.isOn) return this.lecture.leave();
    if (!this.current || !isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = actionOf(this.current, event, isInside, {
      help: () => this.transport.help.showModal(),
      lecture: () => this.lecture.toggle(),
      turn: this.lesson.shown ? (/** @type {number} */ by) => event.repeat || this.lesson.turnBy(by) : undefined,
    });
    if (!act) return;
    event.preventDefault();
    act();
  }

  // ---- what is looked at ----

  /** @param {Partial<View>} change */
  look(change) {
    const row = this.moment?.row ?? -1;
    this.player.look(change, this.shown && row >= 0 ? this.shown.nodes.id[row] : null);
  }

  /** @param {number} tree */
  openTree(tree) {
    if (tree >= 0 && tree < this.player.header.points) this.look({ tree, opened: [] });
  }

  /**
   * Go to a node of a tree at the beginning of an iteration, and inspect it.
   * @param {number} iteration
   * @param {number} tree
   * @param {number} node heap number; it is opened where not all nodes are drawn
   */
  jump(iteration, tree, node) {
    this.player.go({ iteration, phase: 0, step: Infinity });
    this.selected = node;
    this.look({ tree, pinned: null, opened: this.shown?.nodes.kind.includes(2) ? [node] : [] });
  }

  pin() {
    const { view, at } = this.player;
    this.look({ pinned: view.pinned === null ? at.iteration : null });
    this.player.go({ iteration: at.iteration, phase: 0, step: 0 });
  }

  /** Show all nodes of the tree, made to fit the panel, if so many can be drawn. */
  showWhole() {
    const detail = detailOfAll(this.player.header);
    if (detail === null) return;
    this.tree.setZoom(0);
    this.selected = null;
    this.look({ opened: [], detail: Math.max(detail, this.player.view.detail) });
  }

  /** Close what was opened, and show all that is drawn then at its usual size. */
  closeAll() {
    this.tree.setZoom(1);
    this.selected = null;
    this.look({ opened: [] });
  }

  /**
   * A click on a drawn node: a stub opens, any other is inspected.
   * @param {number} row -1 is none
   */
  choose(row) {
    if (!this.shown) return;
    const { kind, id } = this.shown.nodes;
    if (row >= 0 && this.lesson.takesClick(id[row])) return;
    if (kind[row] === 2) this.open(id[row]);
    else this.select(row < 0 ? null : id[row]);
  }

  /** @param {number} node it becomes the latest, the last to be closed for want of room */
  open(node) {
    this.look({ opened: [...this.player.view.opened.filter((other) => other !== node), node] });
  }

  /**
   * Say which branches had to be closed for one that was opened, and offer ways back.
   * @param {Frame | null} old
   * @param {Frame} frame
   */
  sayClosed(old, frame) {
    const words = old ? closedWords(old, frame) : "";
    const { detail } = frame.view;
    const more = this.player.header.details.find((count) => count > detail);
    const back = el("button", { onclick: () => this.look({ opened: old?.view.opened ?? [] }) }, "back");
    const ways = more
      ? [back, el("button", { onclick: () => this.look({ detail: more }) }, `draw up to ${more}`)]
      : [back];
    this.replace(this.closed, ...(words ? [el("span", {}, words), ...ways] : []));
  }

  /** @param {number | null} node */
  select(node) {
    this.selected = node;
    if (node === null || this.shown?.nodes.id.includes(node)) this.look({});
    else this.open(node);
  }

  /** @param {number | null} node */
  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    this.render();
  }

  /** The leaf pointed at, or else the one selected, the trees in which it fires now, and those that watch it. */
  leafData() {
    if (!this.shown || !this.moment) return null;
    const isMoved = this.moment.phase.isAfterMove || this.moment.isCompared;
    for (const node of [this.hovered, this.selected]) {
      const leaf = node === null ? undefined : this.shown.leaves[this.shown.nodes.id.indexOf(node)];
      if (leaf && node !== null) return { node, fires: leaf[isMoved ? 3 : 2], watched: leaf[4] ?? [] };
    }
    return null;
  }

  /**
   * Replace children; if one of them had the focus, the stage takes it.
   * @param {Element} parent
   * @param {...(Node | string)} children
   */
  replace(parent, ...children) {
    const hadFocus = this.hasFocus(parent);
    parent.replaceChildren(...children);
    if (hadFocus) this.element.focus();
  }

  /** Whether an element of the stage has the focus, or something in it. @param {Element} element */
  hasFocus(element) {
    const root = this.element.getRootNode();
    const focused = root instanceof Document || root instanceof ShadowRoot ? root.activeElement : null;
    return element.contains(focused);
  }

  /** Remember where the run on show is left. */
  leave() {
    if (!this.current) return;
    const { header, view, at } = this.current;
    places.set(header.settings, { view: { ...view }, at: { ...at }, node: this.selected });
  }

  /** Keep the moment in the address soon after a move: a reload may come before the cursor has rested. */
  keepMove() {
    const { at, view } = this.player;
    const moment = JSON.stringify([at, view, this.selected]);
    const isFirst = !this.kept;
    const now = performance.now();
    if (moment === this.kept || this.isLeaving || (now - this.keptAt < SOON && !isFirst)) return;
    [this.kept, this.keptAt] = [moment, now];
    if (!isFirst) this.keepAddress();
  }

  /** Keep the moment in the address, unless the browser refuses: in a frame of another page, or after many changes. */
  keepAddress() {
    try {
      this.writeAddress();
    } catch {
      // The link can still be asked for by its button, which says what happened.
    }
  }

  /** The address holds the moment; the settings' part of it is Streamlit's own. Throws where a browser refuses. */
  writeAddress() {
    if (!this.names) return;
    const url = this.addressed(new URL(location.href));
    this.lecture.write(url);
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  /** The address with the moment in it. @param {URL} url */
  addressed(url) {
    const parts = this.names ? this.player.address(this.names, this.selected) : [];
    for (const [name, value] of parts) {
      if (value === null) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    return url;
  }

  /** Draw at most once a frame of the screen. */
  render() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
    });
  }

  draw() {
    const frame = this.current?.frame;
    setAttribute(this.element, "aria-busy", String(!frame));
    if (!frame) return;
    const { player } = this;
    const { header, status } = player;
    player.settle(frame);
    if (frame !== this.shown) player.holdNode(frame);
    this.moment = momentOf(frame, header.phases, player.at);
    if (frame !== this.shown) {
      this.sayClosed(this.shown, frame);
      this.shown = frame;
      this.tree.setFrame(frame);
      this.terms.write(this.summary, frame.summary);
      this.watching.hidden = !frame.watch;
      this.terms.write(this.watching, frame.watch?.sentence ?? "");
    }
    const seen = this.whatIf.show(frame, this.moment);
    this.element.classList.toggle("imagined", seen.moment !== this.moment);
    this.tree.show(seen.moment, seen.frame.nodes);
    if (frame.watch) this.lists.show(frame);
    else this.atlas.show(frame, this.moment);
    this.touched.show(frame, this.moment);
    this.gram.show(frame, this.moment);
    this.plane.show(frame, this.moment);
    if (header.planar) this.output.show(player.fields, frame.iteration, frame.view.tree);
    this.lesson.show(frame);
    this.panel.show(seen.frame, seen.moment, status.badges[frame.iteration] ?? { state: "waiting", text: "" });
    const lengths = player.lengths(frame);
    this.meter.show(frame, player.at, lengths);
    this.transport.show(frame, player.at, lengths);
    this.keepMove();
  }
}

/**
 * Where a player is, for another run on the same data: what was opened in its trees is not in theirs.
 * @param {Player} player
 */
function sameMoment({ view: { tree, detail }, at: { iteration, phase } }) {
  return { view: { tree, detail, opened: [], pinned: null }, at: { iteration, phase, step: 0 }, node: null };
}

/** @param {string} cookie set in this browser for a year, unless it is in a frame that may have none */
function remember(cookie) {
  try {
    document.cookie = `${cookie}=1; max-age=31536000; path=/; samesite=lax`;
  } catch {
    // Then the introduction is shown again next time.
  }
}

export const mountStage = mounter(
  (root) => find(root, ".stage", HTMLElement),
  (element) => new Stage(element),
  ({ setStateValue, setTriggerValue }) =>
    (/** @type {Question | Turn | PollPress} */ message) =>
      "run" in message ? setStateValue?.("asked", message) : setTriggerValue?.("turned", message),
);

export default mountStage;
