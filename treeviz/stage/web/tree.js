// Draws the tree of the chosen datapoint, and puts it into words.

import { el, setAttribute, setText, svg } from "../../style/web/dom.js";
import { clamp, decimals, grouped, isSet, range, things } from "../../style/web/numbers.js";
import { stateOf } from "./cursor.js";
import { FRAME, RING, darknessOf, diamondOf, extentOf, glyphOf } from "./glyphs.js";
import { neuronOf, treeSize } from "./heap.js";
import { TreeKey } from "./key.js";
import { labelsOf, leafRoomOf } from "./labels.js";
import { layOutTree, nearest, scrollTo } from "./places.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Layout } from "./places.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment, Nodes, Point } from "./types.js" */

const LECTURE_SCALE = 2.2 / 1920; // for each pixel of width: then labels, 11 pixels high, can be read from the last row
const LECTURE_REST = 24; // pixels of the screen below the tree
const [LECTURE_LEAST, LECTURE_HIGH] = [170, 420]; // pixels a tree can be low; how high it is where it has to be scrolled to

/** @typedef {Record<"ring" | "frame" | "glyph" | "label" | "group", SVGElement>} Item what is drawn of a node */

export class TreePicture {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.zoom = 1;
    this.scale = 1; // pixels of the screen a pixel of the layout takes
    /** @type {Item[]} one for each drawn node, used again for the next tree */
    this.items = [];
    this.box = part("tree-box", HTMLElement);
    this.scroller = part("scroller", HTMLElement);
    this.svg = part("tree", SVGSVGElement);
    this.tip = part("tip", HTMLElement);
    this.text = part("node-text", HTMLDetailsElement);
    this.picture = part("picture", HTMLElement);
    this.key = new TreeKey(stage.terms, part("tree-key", HTMLElement));
    const [back, followed, trail, touched, layer] = this.svg.children;
    this.back = back;
    this.followed = followed;
    this.trail = trail;
    this.layer = layer;
    this.touched = touched;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {Nodes | undefined} */
    this.nodes = undefined;
    /** @type {Moment | null} */
    this.moment = null;
    /** @type {Layout | null} */
    this.layout = null;
    /** @type {Point[]} where each node is pointed at: a silhouette in its middle */
    this.middles = [];
    this.pointed = -1; // row
    this.listen();
    this.text.addEventListener("toggle", () => this.fillText());
    const resized = new ResizeObserver(() => this.layOut());
    for (const box of [this.scroller, this.key.list, stage.panel.badge]) resized.observe(box); // in a lecture all fit
  }

  listen() {
    /** @type {{ x: number, left: number, isFar: boolean } | null} */
    let drag = null;
    const { scroller } = this;
    scroller.addEventListener("pointerdown", ({ button, clientX }) => {
      if (button === 0) drag = { x: clientX, left: scroller.scrollLeft, isFar: false };
    });
    scroller.addEventListener("pointermove", (event) => {
      if (!drag || !(event.buttons & 1)) return this.point(this.rowAt(event), event);
      drag.isFar ||= Math.abs(event.clientX - drag.x) > 5;
      // A finger scrolls by itself.
      if (drag.isFar && event.pointerType === "mouse") scroller.scrollLeft = drag.left + drag.x - event.clientX;
    });
    scroller.addEventListener("pointerleave", (event) => this.point(-1, event));
    scroller.addEventListener("click", (event) => {
      if (!drag?.isFar) this.stage.choose(this.rowAt(event));
      drag = null;
    });
    const zoom = (/** @type {WheelEvent} */ event) => {
      if (!event.ctrlKey) return; // plain scrolling stays the page's own
      event.preventDefault();
      this.setZoom((this.layout?.zoom ?? 1) * Math.exp(-event.deltaY / 200), event.clientX);
    };
    scroller.addEventListener("wheel", zoom, { passive: false });
  }

  /** @param {MouseEvent} event */
  rowAt({ clientX, clientY }) {
    const { left, top } = this.svg.getBoundingClientRect();
    return nearest(this.middles, [(clientX - left) / this.scale, (clientY - top) / this.scale], 14);
  }

  /**
   * Show what is under the pointer.
   * @param {number} row -1 is nothing
   * @param {MouseEvent} event
   */
  point(row, { clientX, clientY }) {
    this.pointed = row;
    this.tip.hidden = row < 0;
    if (!this.frame) return;
    const { kind, id } = this.frame.nodes;
    this.stage.hover(row >= 0 && kind[row] === 1 ? id[row] : null);
    this.fillTip();
    const box = this.box.getBoundingClientRect();
    const left = clamp(clientX - box.left + 14, 0, Math.max(0, box.width - this.tip.offsetWidth - 4));
    this.tip.style.transform = `translate(${left}px, ${clientY - box.top + 16}px)`;
  }

  /** Say of the node pointed at what is known by now. */
  fillTip() {
    if (this.tip.hidden || !this.frame || !this.moment) return;
    const seen = { ...this.frame, nodes: this.nodes ?? this.frame.nodes };
    const [title, ...lines] = this.describe(seen, this.pointed, this.moment);
    this.tip.replaceChildren(el("strong", {}, title), ...lines.map((line) => el("div", {}, line)));
  }

  /**
   * Zoom mostly sideways: a tree is wide, its levels are few. Nodes and letters grow with it, up to twice their size.
   * The tree always fills the panel, so 0 shows it whole.
   * @param {number} zoom
   * @param {number} [clientX] the place that stays where it is; the middle, if it is not given
   */
  setZoom(zoom, clientX) {
    if (!this.layout) return;
    const box = this.scroller.getBoundingClientRect();
    const at = clientX === undefined ? box.width / 2 : clientX - box.left;
    const share = (this.scroller.scrollLeft + at) / (this.layout.width * this.scale);
    this.zoom = clamp(zoom, 0, 24);
    this.layOut();
    this.scroller.scrollLeft = share * this.layout.width * this.scale - at;
  }

  /** @param {number} factor */
  zoomBy(factor) {
    if (this.layout) this.setZoom(this.layout.zoom * factor);
  }

  /** @param {Frame} frame */
  setFrame(frame) {
    this.frame = frame;
    this.nodes = frame.nodes;
    this.moment = null;
    this.tip.hidden = true;
    const count = frame.nodes.id.length;
    while (this.items.length < count) {
      const [ring, glyph] = [svg("path", { class: "ring", d: RING }), svg("path", { class: "glyph" })];
      const [border, label] = [svg("path", { class: "frame", d: FRAME }), svg("text", {})];
      const group = svg("g", {}, ring, border, glyph, label);
      this.items.push({ ring, frame: border, glyph, label, group });
      this.layer.append(group);
    }
    while (this.items.length > count) this.items.pop()?.group.remove();
    setAttribute(this.svg, "aria-label", frame.summary);
    this.key.setWhole(!frame.nodes.kind.includes(2));
    this.layOut();
    this.fillText();
  }

  layOut() {
    if (!this.frame) return;
    const { id, kind, neurons } = this.frame.nodes;
    const isLecture = this.stage.lecture.isOn;
    this.scale = (isLecture ? clamp(LECTURE_SCALE * window.innerWidth, 1.2, 4) : 1) * clamp(Math.sqrt(this.zoom), 1, 2);
    const leaves = leafRoomOf(this.stage.player.header.width, this.isBrief);
    const room = this.isBrief ? { height: this.roomLeft(), leaves } : { leaves };
    const layout = layOutTree(this.frame.nodes, this.scroller.clientWidth, this.zoom, this.scale, room);
    this.layout = layout;
    this.middles = layout.at.map(([x, y], row) => {
      const low = kind[row] === 2 ? (extentOf(neurons[row])[1] * layout.size) / 2 : 0;
      return [x, y + low];
    });
    setAttribute(this.svg, "width", layout.width * this.scale);
    setAttribute(this.svg, "height", layout.height * this.scale);
    setAttribute(this.svg, "viewBox", `0 0 ${layout.width} ${layout.height}`);
    this.items.forEach(({ group, ring, frame, glyph }, row) => {
      setAttribute(group, "data-node", id[row]);
      setAttribute(group, "transform", `translate(${layout.at[row].map((place) => place.toFixed(1)).join()})`);
      for (const shape of [ring, frame, glyph]) setAttribute(shape, "transform", `scale(${layout.size})`);
    });
    if (this.moment) this.show(this.moment);
  }

  /** What of the screen is left to the tree in a lecture or a frame, below the sentence and above the key. */
  roomLeft() {
    const top = this.scroller.getBoundingClientRect().top + this.stage.element.scrollTop;
    const below = this.picture.offsetHeight - this.box.offsetHeight;
    const left = window.innerHeight - top - below - LECTURE_REST;
    const low = this.stage.isEmbedded ? LECTURE_LEAST : LECTURE_HIGH; // a frame of another page is often low
    return (left < LECTURE_LEAST ? low : left) / this.scale;
  }

  /** Whether the tree has to do with the room there is, so that the label of a changed leaf says its new value alone. */
  get isBrief() {
    return this.stage.lecture.isOn || this.stage.isEmbedded;
  }

  /**
   * @param {Moment} moment
   * @param {Nodes} [nodes] what is drawn of them: the run's own, or what is tried
   */
  show(moment, nodes = this.nodes) {
    const isOther = nodes !== this.nodes;
    [this.moment, this.nodes] = [moment, nodes];
    this.fillTip();
    if (isOther) this.fillText();
    const { frame, layout, stage } = this;
    if (!frame || !layout || !nodes) return;
    /** @type {[string[], string[]]} not followed by the search, followed */
    const edges = [[], []];
    const isWanted = (/** @type {number} */ node) => node === stage.selected || stage.lesson.isAsked(node);
    const labels = labelsOf(nodes, moment, layout, stage.player.header.width, isWanted, this.isBrief);
    const seen = new Set();
    const isMoving = moment.phase.hasMove && !moment.phase.isAfterMove;
    /** @type {string[]} */
    const diamonds = [];
    const hasRings = !nodes.watched || moment.isCompared; // watch lists modify no node
    this.items.forEach(({ group, glyph, label }, row) => {
      const state = stateOf(nodes, row, moment);
      /** @type {[unknown, string][]} */
      const marks = [
        [hasRings && moment.written[row], "written"],
        [moment.promoted[row], "promoted"],
        [isMoving && isSet(nodes.touched, row), "touched"],
        [row === moment.row, "now"],
        [nodes.id[row] === stage.selected, "selected"],
        [nodes.id[row] === stage.hovered, "hovered"],
      ];
      const names = marks.filter(([is]) => is).map(([, name]) => name);
      if (names.includes("touched")) diamonds.push(`M${layout.at[row].join(" ")}${diamondOf(layout.size)}`);
      const answer = stage.lesson.markOf(nodes.id[row]);
      setAttribute(group, "class", ["node", state, ...names, answer].join(" ").trim());
      for (const mark of [state, ...names, answer]) seen.add(mark);
      setAttribute(glyph, "d", glyphOf(state, nodes.neurons[row]));
      const share = nodes.watched
        ? nodes.watched[row] / nodes.neurons[row]
        : (nodes.visited?.[row] ?? 0) / treeSize(nodes.neurons[row]);
      setAttribute(glyph, "fill-opacity", state === "stub-open" ? darknessOf(share) : 1);
      const [text, place] = labels[row];
      setText(label, text);
      setAttribute(label, "transform", place);
      edges[moment.entered[row]].push(layout.edges[row]);
    });
    this.key.show(seen, hasRings);
    setAttribute(this.back, "d", edges[0].join(""));
    setAttribute(this.followed, "d", edges[1].join(""));
    setAttribute(this.touched, "d", diamonds.join(""));
    const trail = moment.way.slice(0, -1).map((row) => layout.edges[row]);
    setAttribute(this.trail, "d", trail.join(""));
    if (moment.row < 0) return;
    const { scrollLeft, clientWidth } = this.scroller;
    const left = scrollTo(layout.at[moment.row][0] * this.scale, scrollLeft, clientWidth);
    if (left !== scrollLeft) this.scroller.scrollLeft = left;
  }

  /**
   * A drawn node in words, as far as it is known at a moment: a title, then lines.
   * @param {Frame} frame
   * @param {number} row
   * @param {Moment} moment
   */
  describe(frame, row, { phase, isCompared, ...known }) {
    const { id, kind, before, neurons, firing, visited, watched, modified, ...bits } = frame.nodes;
    const { header } = this.stage.player;
    const { width } = header;
    const threshold = this.stage.whatIf.threshold ?? header.threshold;
    const isAfter = phase.isAfterMove || isCompared; // before that, nothing is said of what the move will change
    const passes = isSet(bits.passes, row);
    const isFound = header.fault ? firing[row] > 0 : passes; // through a fault, a leaf that passes may be missed
    const sign = isSet(bits.ties ?? "", row)
      ? `${decimals(threshold)} = b`
      : `${decimals(before[row], threshold)} ${passes ? "≥" : "<"} b = ${decimals(threshold, before[row])}`;
    const node = grouped(id[row]);
    const isStub = kind[row] === 2;
    const lines =
      kind[row] === 1
        ? [
            `Neuron ${grouped(neuronOf(id[row], width))}`,
            `Leaf ${node}: ${sign}, it ${isFound ? "fires" : "does not fire"}.`,
          ]
        : [
            `${isStub ? "Stub" : "Inner node"} ${node}`,
            `Maximum ${sign}; ${things(neurons[row], "neuron")} below, ${grouped(firing[row])} firing.`,
          ];
    if (header.fault && kind[row] === 0) {
      const below = range(id.length).filter((other) => frame.nodes.parent[other] === row);
      lines.push(
        `Its children: ${below.map((child) => `${grouped(id[child])} (${decimals(before[child])})`).join(", ")}.`,
      );
    }
    if (watched && kind[row] === 1) lines.push(this.whyWatched(frame, row, known.promoted[row] === 1));
    else if (watched) lines.push(`${grouped(watched[row])} of them watched.${isStub ? " Click to open it." : ""}`);
    else if (isStub) {
      const inside = [`${grouped(visited?.[row] ?? 0)} entered`, `${grouped(modified[row])} modified`];
      const found = inside.slice(0, isAfter ? 2 : 1).join(", ");
      lines.push(`${things(treeSize(neurons[row]), "node")}: ${found}. Click to open it.`);
    }
    if (!watched && !known.entered[row]) {
      const why = isSet(bits.entered, row) ? "Not entered yet." : "Not entered: a maximum above it is below b.";
      lines.push(why);
    }
    const [old, now] = [before[row], known.values[row]];
    if (isAfter && known.written[row] && old !== now) {
      lines.push(`Modified: ${decimals(old, now)} → ${decimals(now, old)}.`);
    } else if (isAfter) lines.push(isCompared ? "Not modified." : "Not modified so far.");
    return lines;
  }

  /**
   * Why a leaf is on the watch list of its tree, or is not.
   * @param {Frame} frame
   * @param {number} row
   * @param {boolean} isPromoted by now
   */
  whyWatched({ nodes, leaves }, row, isPromoted) {
    const { watched = [], promoted = "" } = nodes;
    const lowered = decimals(this.stage.player.lowered ?? 0);
    const next = isPromoted ? " This move takes it farther than the skin: it is promoted." : "";
    if (isSet(promoted, row)) return "Promoted, so watched in every tree.";
    if (watched[row]) return `Watched: at the start it was at least b − skin = ${lowered}.${next}`;
    if (leaves[row]?.[4]?.length === 0) return "Not watched: at the start it fired nowhere, so it never moves.";
    return `Not watched here: at the start it was below b − skin = ${lowered}, or fired nowhere.${next}`;
  }

  /** The tree in words, for those who do not see it; filled while it is open. */
  fillText() {
    if (!this.text.open || !this.nodes) return;
    const { id, kind, before, after, neurons, visited, watched, promoted, promotes, ...bits } = this.nodes;
    const line = (/** @type {number} */ row) => {
      const isStub = kind[row] === 2;
      const number = grouped(isStub ? id[row] : neuronOf(id[row], this.stage.player.header.width));
      const name = isStub ? `stub ${number}, ${things(neurons[row], "neuron")}` : `neuron ${number}`;
      const passes = isSet(bits.passes, row);
      const found = () => {
        if (watched) return isStub ? `${grouped(watched[row])} watched` : passes ? "fires" : "watched";
        if (!passes) return "pruned";
        return isStub
          ? `entered: ${grouped(visited?.[row] ?? 0)} of ${things(treeSize(neurons[row]), "node")} read`
          : "fires";
      };
      const states = [isSet(bits.entered, row) ? found() : watched ? "not watched" : "not entered"];
      if (promoted && isSet(promoted, row)) states.push("promoted");
      if (promotes && isSet(promotes, row)) states.push("is promoted now");
      if (isSet(bits.touched, row)) states.push("moves");
      if (isSet(bits.starts, row)) states.push("starts firing");
      if (isSet(bits.stops, row)) states.push("stops firing");
      const act = isStub ? "open" : "inspect";
      const button = el("button", { "aria-label": `${act} ${name}`, onclick: () => this.stage.choose(row) }, act);
      const cells = [decimals(before[row]), decimals(after[row]), states.join(", "), button];
      return el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell)));
    };
    const rows = range(id.length).filter((row) => kind[row] > 0);
    const [body] = this.text.querySelectorAll("tbody");
    this.stage.replace(body, ...rows.map(line));
  }
}
