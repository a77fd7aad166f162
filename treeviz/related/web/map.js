// The map of related work: papers as nodes that can be pointed at, opened, dragged and searched. Longer than other
// scripts: gestures change the very places that are drawn, and two classes would share nearly all of their state.

import { find, partsOf, setAttributes, svg } from "../../style/web/dom.js";
import { mounter } from "../../style/web/mount.js";
import { clamp, things } from "../../style/web/numbers.js";
import { MARGIN, REACH, View, boxAround, findSpot, insidePicture, neighbour } from "./view.js";

/** @import { Band, Box, Drawing, Paper, Point } from "./types.js" */

const ZOOM_STEP = 1.4;
const CLICK = 5; // pixels a pointer may move in a click
const NUDGE = 14; // pixels a key moves a paper
const DRAWN_WITHIN = 3000; // milliseconds in which a slow page has drawn a paper's details
const DETAILS_SEEN = 150; // pixels of a paper's details on the screen that are enough not to scroll to them
const SHAPES = {
  this: "M-11-13H11Q13-13 13-11V11Q13 13 11 13H-11Q-13 13-13 11V-11Q-13-13-11-13Z",
  later: "M-9.5 0A9.5 9.5 0 1 1 9.5 0A9.5 9.5 0 1 1-9.5 0Z",
  earlier: "M0-12L12 0 0 12-12 0Z",
};
/** @type {Record<string, Point>} */
const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** @typedef {{ paper: Paper, group: SVGGElement, label: SVGTextElement }} PaperNode */
/** @typedef {{ ends: [string, string], kind: string, bend: number, path: SVGPathElement }} Edge */
/** @typedef {Band & { ground: SVGRectElement, title: SVGTextElement }} Lane */
/** @typedef {Band & { border: SVGPathElement, title: SVGTextElement }} Column */
/** @typedef {{ key: string | null, start: Point, origin: Point, pointer: number, isDrag: boolean }} Gesture */

class PaperMap {
  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
    const part = partsOf(element);
    this.canvas = part("canvas", SVGSVGElement);
    this.tip = part("tip", HTMLElement);
    this.foundKey = part("found-key", HTMLElement);
    this.lanesLayer = part("lanes", SVGGElement);
    this.edgesLayer = part("edges", SVGGElement);
    this.headersLayer = part("headers", SVGGElement);
    this.nodesLayer = part("nodes", SVGGElement);
    this.view = new View();
    /** @type {Drawing | null} */
    this.data = null;
    this.shown = new Set();
    this.found = new Set();
    this.selected = "";
    this.home = ""; // key of this paper
    /** @type {Map<string, Point>} places in the unit square of papers that were dragged */
    this.moved = new Map();
    /** @type {Map<string, PaperNode>} */
    this.nodes = new Map();
    /** @type {Edge[]} */
    this.lines = [];
    /** @type {Lane[]} */
    this.lanes = [];
    /** @type {Column[]} */
    this.columns = [];
    this.strip = svg("rect", { class: "strip", height: MARGIN.top - 2 });
    /** @type {string | null} */
    this.hovered = null;
    this.current = ""; // key of the paper that the Tab key leads to
    /** @type {Gesture | null} */
    this.gesture = null;
    this.isDue = false;
    /** @type {Map<string, number>} of labels, in pixels */
    this.widths = new Map();
    this.pen = document.createElement("canvas").getContext("2d");
    /** @type {((key: string) => void) | undefined} */
    this.send = undefined;
    part("zoom-in", HTMLElement).addEventListener("click", () => this.zoomBy(ZOOM_STEP));
    part("zoom-out", HTMLElement).addEventListener("click", () => this.zoomBy(1 / ZOOM_STEP));
    part("reset", HTMLElement).addEventListener("click", () => this.reset());
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.endGesture());
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.resizing = new ResizeObserver(() => this.render());
    this.resizing.observe(canvas);
  }

  close() {
    this.resizing.disconnect();
  }

  // ---- what there is ----

  /** @param {Drawing} data */
  receive(data) {
    const isSame = JSON.stringify(data.papers) === JSON.stringify(this.data?.papers);
    this.data = data;
    this.shown = new Set(data.shown);
    this.found = new Set(data.found);
    if (!isSame) this.begin(data);
    this.foundKey.hidden = !this.found.size;
    this.selected = data.selected;
    if (!this.shown.has(this.current)) this.current = this.shown.has(this.selected) ? this.selected : this.home;
    const label = `${things(this.shown.size, "paper")}. The arrow keys go from one to the next, Enter opens it.`;
    this.canvas.setAttribute("aria-label", label);
    for (const [key, { group, paper }] of this.nodes) {
      const isShown = this.shown.has(key);
      const isSelected = key === this.selected;
      group.classList.toggle("faded", !isShown);
      group.classList.toggle("found", this.found.has(key));
      group.classList.toggle("selected", isSelected);
      group.setAttribute("aria-pressed", String(isSelected));
      if (isShown) group.removeAttribute("aria-hidden");
      else group.setAttribute("aria-hidden", "true");
      const hit = this.found.has(key) ? ", found" : "";
      group.setAttribute("aria-label", `${paper.title}, ${paper.year}, ${paper.relation}${hit}`);
    }
    this.rove();
    this.render();
  }

  /** @param {Drawing} data */
  begin({ papers, edges, years, themes }) {
    this.moved.clear();
    this.home = papers.find(({ role }) => role === "this")?.key ?? "";
    this.nodes = new Map(papers.map((paper) => [paper.key, this.makeNode(paper)]));
    this.nodesLayer.replaceChildren(...[...this.nodes.values()].map(({ group }) => group));
    const line = (/** @type {[string, string]} */ ends, /** @type {string} */ kind, /** @type {number} */ bend) => ({
      ends,
      kind,
      bend,
      path: svg("path", { class: `edge ${kind}` }),
    });
    const roleOf = (/** @type {string[]} */ ends) =>
      papers.find(({ key, role }) => ends.includes(key) && role !== "this")?.role ?? "";
    this.lines = edges.flatMap(({ ends, is_central: isCentral, authors }) => [
      ...(isCentral ? [line(ends, roleOf(ends), 0.1)] : []),
      ...(authors.length ? [line(ends, "authors", -0.12)] : []),
    ]);
    this.edgesLayer.replaceChildren(...this.lines.map(({ path }) => path));
    this.lanes = themes.map((band, place) => ({
      ...band,
      ground: svg("rect", { class: place % 2 ? "" : "lane", fill: "none" }),
      title: svg("text", { class: "theme" }, band.name),
    }));
    this.columns = years.map((band) => ({
      ...band,
      border: svg("path", { class: "column" }),
      title: svg("text", { class: "year" }, band.name),
    }));
    this.lanesLayer.replaceChildren(
      ...this.lanes.map(({ ground }) => ground),
      ...this.columns.map(({ border }) => border),
    );
    const titles = [...this.lanes.map(({ title }) => title), this.strip, ...this.columns.map(({ title }) => title)];
    this.headersLayer.replaceChildren(...titles);
  }

  /**
   * @param {Paper} paper
   * @returns {PaperNode}
   */
  makeNode(paper) {
    const label = svg("text", { class: "label" }, paper.label);
    const close = paper.isClose && paper.role !== "this" ? " close" : "";
    const group = svg(
      "g",
      { class: `node ${paper.role}`, role: "button", "data-key": paper.key },
      svg("circle", { class: "area", r: REACH + 2 }),
      svg("circle", { class: "ring hit", r: REACH + 4 }),
      svg("circle", { class: "ring open", r: paper.role === "this" ? REACH + 5 : REACH }),
      svg("path", { class: `glyph ${paper.role}${close}`, d: SHAPES[paper.role] }),
      label,
    );
    group.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && this.point(paper.key));
    group.addEventListener("pointerleave", () => this.point(null));
    group.addEventListener("focus", () => {
      this.current = paper.key;
      this.rove();
      this.view.reveal(this.placeOf(paper.key), this.size);
      this.render();
      this.point(paper.key);
    });
    group.addEventListener("blur", () => this.point(null));
    return { paper, group, label };
  }

  /** One stop for the Tab key; from there the arrow keys go on. */
  rove() {
    for (const [key, { group }] of this.nodes) group.setAttribute("tabindex", key === this.current ? "0" : "-1");
  }

  // ---- places ----

  get size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** @param {string} key */
  nodeOf(key) {
    const node = this.nodes.get(key);
    if (!node) throw new Error(`there is no paper ${key} on the map`);
    return node;
  }

  /** @param {string} key */
  placeOf(key) {
    const { x, y } = this.nodeOf(key).paper;
    return this.view.toScreen(this.moved.get(key) ?? [x, y], this.size);
  }

  /** @param {number} factor */
  zoomBy(factor, place = /** @type {Point} */ ([this.size.width / 2, this.size.height / 2])) {
    this.view.zoomBy(factor, place, this.size);
    this.render();
  }

  reset() {
    this.moved.clear();
    this.view = new View();
    this.render();
  }

  /**
   * @param {string} key
   * @param {Point} place on the screen
   */
  move(key, place) {
    this.moved.set(key, this.view.toUnit(insidePicture(place, this.size), this.size));
    this.render();
  }

  // ---- pointer and keys ----

  /**
   * @param {MouseEvent} event
   * @returns {Point}
   */
  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  /** The key of the paper that an event is about. @param {Event} event */
  keyAt({ target }) {
    return target instanceof Element ? (target.closest(".node")?.getAttribute("data-key") ?? null) : null;
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 600), this.at(event));
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button || this.gesture) return;
    const key = this.keyAt(event);
    /** @type {Point} */
    const origin = key === null ? [this.view.x, this.view.y] : this.placeOf(key);
    this.gesture = { key, start: this.at(event), origin, pointer: event.pointerId, isDrag: false };
  }

  /** @param {PointerEvent} event */
  drag(event) {
    const { gesture } = this;
    if (gesture?.pointer !== event.pointerId) return;
    const [x, y] = this.at(event);
    const [across, down] = [x - gesture.start[0], y - gesture.start[1]];
    if (!gesture.isDrag && Math.hypot(across, down) < CLICK) return;
    if (!gesture.isDrag) this.canvas.setPointerCapture(event.pointerId);
    gesture.isDrag = true;
    const [left, top] = [gesture.origin[0] + across, gesture.origin[1] + down];
    if (gesture.key === null) {
      this.view.moveTo(left, top, this.size);
      this.render();
    } else this.move(gesture.key, [left, top]);
    this.canvas.classList.toggle("panning", gesture.key === null);
  }

  /** @param {PointerEvent} event */
  release(event) {
    const { gesture } = this;
    if (gesture?.pointer !== event.pointerId) return;
    this.endGesture();
    if (gesture.isDrag || gesture.key === null) return;
    this.focus(gesture.key);
    this.open(gesture.key);
  }

  endGesture() {
    this.gesture = null;
    this.canvas.classList.remove("panning");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const key = this.keyAt(event);
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = DIRECTIONS[event.key];
    /** @type {Record<string, () => void>} */
    const acts = {
      Enter: () => this.open(key),
      " ": () => this.open(key),
      Escape: () => this.open(""),
      Home: () => this.focus(this.home),
      "+": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.reset(),
    };
    const act = acts[event.key];
    if (!act && !direction) return;
    event.preventDefault();
    if (act) act();
    else if (event.shiftKey) this.nudge(key, direction);
    else this.focus(this.next(key, direction));
  }

  /**
   * @param {string} key
   * @param {Point} direction
   */
  nudge(key, [right, down]) {
    const [x, y] = this.placeOf(key);
    this.move(key, [x + NUDGE * right, y + NUDGE * down]);
  }

  /** @param {string} key */
  focus(key) {
    this.nodeOf(key).group.focus({ preventScroll: true });
  }

  /**
   * The nearest paper in a direction, or the same one.
   * @param {string} key
   * @param {Point} direction
   */
  next(key, direction) {
    const others = [...this.shown].filter((other) => other !== key);
    const places = new Map(others.map((other) => [other, this.placeOf(other)]));
    return neighbour(this.placeOf(key), places, direction) ?? key;
  }

  /** @param {string} key of a paper; the empty one closes the open paper */
  open(key) {
    this.selected = key || this.home;
    if (key) this.showDetails();
    this.point(null);
    this.send?.(key);
  }

  /**
   * Where the details stand below the map and out of sight, scroll to them. A slow page draws them late, moves what is
   * above them, and may draw this map again before: so look again for a while, until the reader scrolls.
   */
  showDetails() {
    const look = setInterval(() => {
      const details = document.querySelector(".st-key-paper-details");
      const isBelow = details && details.getBoundingClientRect().top > innerHeight - DETAILS_SEEN;
      if (isBelow) details.scrollIntoView({ block: "nearest" });
    }, 100);
    const stop = () => clearInterval(look);
    const signal = AbortSignal.timeout(DRAWN_WITHIN);
    signal.addEventListener("abort", stop);
    for (const kind of ["wheel", "touchstart", "pointerdown", "keydown"]) addEventListener(kind, stop, { signal });
  }

  /** @param {string | null} key */
  point(key) {
    if (this.gesture?.isDrag || this.hovered === key) return;
    this.hovered = key;
    this.render();
  }

  // ---- drawing, at most once a frame of the screen ----

  render() {
    if (this.isDue || !this.data) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (this.size.width) this.draw();
    });
  }

  draw() {
    this.drawBands();
    const at = new Map([...this.nodes.keys()].map((key) => [key, this.placeOf(key)]));
    for (const [key, { group }] of this.nodes) {
      group.setAttribute("transform", `translate(${at.get(key)?.map((place) => place.toFixed(1))})`);
    }
    const looked = this.hovered ?? this.selected;
    for (const { ends, kind, bend, path } of this.lines) {
      const [[x, y], [toX, toY]] = ends.map((key) => this.placeOf(key));
      const [midX, midY] = [(x + toX) / 2 - (toY - y) * bend, (y + toY) / 2 + (toX - x) * bend];
      path.setAttribute("d", `M${x} ${y}Q${midX} ${midY} ${toX} ${toY}`);
      const isActive = ends.includes(looked) && (kind === "authors" || looked !== this.home);
      const isFaded = !ends.every((key) => this.shown.has(key));
      path.setAttribute("class", `edge ${kind}${isFaded ? " faded" : isActive ? " active" : ""}`);
    }
    this.drawLabels(at);
    this.drawTip();
  }

  drawBands() {
    const { size, view } = this;
    for (const { from, to, ground, title } of this.lanes) {
      const [[, top], [, bottom]] = [view.toScreen([0, from], size), view.toScreen([0, to], size)];
      setAttributes(ground, { x: 0, y: top, width: size.width, height: bottom - top });
      setAttributes(title, { x: 8, y: top + 15 });
    }
    for (const { from, to, border, title } of this.columns) {
      const [[left], [right]] = [view.toScreen([from, 0], size), view.toScreen([to, 0], size)];
      border.setAttribute("d", from ? `M${left} 0V${size.height}` : "");
      setAttributes(title, { x: (left + right) / 2, y: 17 });
    }
    setAttributes(this.strip, { width: size.width });
  }

  /**
   * Name as many papers as there is room for, those that matter most first.
   * @param {Map<string, Point>} at
   */
  drawLabels(at) {
    const { width, height } = this.size;
    const reach = (/** @type {string} */ key) => (key === this.home ? REACH + 3 : REACH);
    const glyphs = new Map([...at].map(([key, place]) => [key, boxAround(place, reach(key) - 3)]));
    /** @type {Box[]} */
    const taken = this.lanes.map(({ title }) => {
      const y = Number(title.getAttribute("y"));
      return [0, y - 12, 8 + this.widthOf(title, "theme"), y + 3];
    });
    for (const key of this.byImportance()) {
      const { label } = this.nodeOf(key);
      const [place, wide] = [this.placeOf(key), this.widthOf(label, "label")];
      const others = [...glyphs].filter(([other]) => other !== key).map(([, box]) => box);
      const spot = this.shown.has(key)
        ? findSpot(place, reach(key), wide, [2, MARGIN.top, width - 2, height - 2], [...taken, ...others])
        : undefined;
      label.setAttribute("visibility", spot ? "visible" : "hidden");
      if (!spot) continue;
      taken.push(spot);
      setAttributes(label, { x: spot[0] - place[0], y: spot[1] - place[1] + 11.5 });
    }
  }

  /** The keys of all papers: the open one, the one pointed at, this paper, those found, those close, all others. */
  byImportance() {
    const rank = (/** @type {string} */ key) => {
      const isClose = this.nodeOf(key).paper.isClose;
      const reasons = [key === this.selected, key === this.hovered, key === this.home, this.found.has(key), isClose];
      return reasons.includes(true) ? reasons.indexOf(true) : reasons.length;
    };
    return [...this.nodes.keys()].sort((one, other) => rank(one) - rank(other));
  }

  /**
   * @param {SVGTextElement} text
   * @param {string} kind
   */
  widthOf(text, kind) {
    const { fontFamily, fontSize, fontWeight, fontStyle } = getComputedStyle(text);
    const font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
    const words = text.textContent ?? "";
    const name = `${kind} ${font} ${words}`;
    let width = this.widths.get(name);
    if (width === undefined) {
      if (!this.pen) throw new Error("the browser draws on no canvas");
      this.pen.font = font;
      width = this.pen.measureText(words).width + 2;
      this.widths.set(name, width);
    }
    return width;
  }

  drawTip() {
    this.tip.hidden = this.hovered === null;
    if (this.hovered === null) return;
    const { title, authors, year, relation } = this.nodeOf(this.hovered).paper;
    const [head, tail] = this.tip.children;
    const names = authors.split(", ");
    head.textContent = title;
    tail.textContent = `${names.slice(0, 4).join(", ")}${names.length > 4 ? " and others" : ""}, ${year} · ${relation}`;
    const [[x, y], { width, height }] = [this.placeOf(this.hovered), this.size];
    const { offsetWidth, offsetHeight } = this.tip;
    const above = y - offsetHeight - REACH - 6;
    const left = clamp(x - offsetWidth / 2, 4, width - offsetWidth - 4);
    const top = above > 2 ? above : Math.min(y + REACH + 6, height - offsetHeight - 2);
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}

export default mounter(
  (root) => find(root, ".map", HTMLElement),
  (element) => new PaperMap(element),
  ({ setTriggerValue }) =>
    (/** @type {string} */ key) =>
      setTriggerValue?.("chosen", key),
);
