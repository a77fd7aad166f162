// Draws the tree of the chosen datapoint, and puts it into words. Every state has a shape as well as a colour.

const STAR = "M0-8L2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6Z";
const GLYPHS = {
  open: ["M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5Z", "entered: maximum ≥ b"],
  pruned: ["M-4-4L4 4M-4 4L4-4", "entered and pruned: < b"],
  firing: [STAR, "firing neuron: leaf ≥ b"],
  unseen: ["M0-3A3 3 0 1 1 0 3 3 3 0 1 1 0-3Z", "not entered"],
  stub: ["M0-5L6 5H-6Z", "stub: a part left out, not entered, and how many neurons it holds; click to open"],
  "stub-open": ["M0-5L6 5H-6Z", "stub entered, the darker the more of it"],
  "stub-pruned": ["M0-5L6 5H-6ZM-3-1L3 5M3-1L-3 5", "stub pruned"],
  starts: [`${STAR}M-4-11.5L0-15.5 4-11.5`, "starts firing"],
  stops: [`${STAR}M-4-15L0-11 4-15`, "stops firing"],
  holds: ["M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5Z"],
  watched: ["M0-5A5 5 0 1 1 0 5 5 5 0 1 1 0-5ZM0-1.6A1.6 1.6 0 1 1 0 1.6 1.6 1.6 0 1 1 0-1.6Z"],
};
const PROMOTED = "promoted: moved farther than the skin, so watched in every tree";
// What the states mean in a run through watch lists, given b and b − skin.
const LISTED = (b, lowered) => ({
  firing: `fires: leaf ≥ b = ${b}`,
  watched: `watched, does not fire: leaf was ≥ b − skin = ${lowered} at the start, or promoted`,
  unseen: "not watched, or not read yet",
  open: "a neuron below fires",
  holds: "none below fires, some are watched",
  "stub-open": "stub, the darker the more of its neurons are watched; click to open",
  stub: "stub with nobody watched, and how many neurons it holds",
  starts: "starts firing",
  stops: "stops firing",
});
const RING = "M0-9.5A9.5 9.5 0 1 1 0 9.5 9.5 9.5 0 1 1 0-9.5Z";
const FRAME = "M-8.5-8.5H8.5V8.5H-8.5Z"; // around a promoted neuron
const LEAF_ROOM = 118; // below the leaves, for their labels
const TREE_TOP = 20;
const TREE_SIDE = 16;
const [SMALLEST_UNIT, FULL_UNIT] = [4.5, 11]; // pixels a leaf takes at least, and where nodes have their full size
const LEAF_LABEL = 12.5; // pixels a leaf's label needs
const LETTER = 6.2; // pixels a letter of a label takes

class TreePicture {
  constructor(stage, part) {
    this.stage = stage;
    this.zoom = 1;
    this.items = []; // one a drawn node, used again for the next tree
    const names = ["tree-box", "scroller", "tree", "tip", "node-text"];
    [this.box, this.scroller, this.svg, this.tip, this.text] = names.map(part);
    [this.back, this.followed, this.trail, this.layer] = this.svg.children;
    this.key = part("tree-key");
    this.listen();
    this.text.addEventListener("toggle", () => this.fillText());
    new ResizeObserver(() => this.frame && this.layOut()).observe(this.scroller);
  }

  setHeader({ threshold, skin }) {
    const glyph = (state, path, name) => svg("g", { class: `node ${state}` }, svg("path", { class: name, d: path }));
    const key = (words, drawing) => el("li", {}, svg("svg", { viewBox: "-11 -16 22 27" }, drawing), words);
    const isListed = skin !== null;
    const own = isListed ? LISTED(decimals(threshold), decimals(threshold - skin)) : {};
    const named = isListed ? Object.entries(own) : Object.entries(GLYPHS).map(([state, [, words]]) => [state, words]);
    const keys = named.map(([state, words]) => words && key(words, glyph(state, GLYPHS[state][0], "glyph")));
    if (isListed) keys.push(key(PROMOTED, glyph("promoted", FRAME, "frame")));
    this.ringKey = key(isListed ? "differs from the pinned iteration" : "modified", glyph("written", RING, "ring"));
    this.key.replaceChildren(...keys.filter(Boolean), this.ringKey);
  }

  listen() {
    let drag = null;
    const on = (name, act, options) => this.scroller.addEventListener(name, act, options);
    on("pointerdown", ({ button, clientX }) => {
      if (button === 0) drag = { x: clientX, left: this.scroller.scrollLeft, isFar: false };
    });
    on("pointermove", (event) => {
      if (!drag || !(event.buttons & 1)) return this.point(this.rowAt(event), event);
      drag.isFar ||= Math.abs(event.clientX - drag.x) > 5;
      // A finger scrolls by itself.
      if (drag.isFar && event.pointerType === "mouse") this.scroller.scrollLeft = drag.left + drag.x - event.clientX;
    });
    on("pointerleave", () => this.point(-1));
    on("click", (event) => {
      if (!drag?.isFar) this.stage.choose(this.rowAt(event));
      drag = null;
    });
    const zoom = (event) => {
      if (!event.ctrlKey) return; // plain scrolling stays the page's own
      event.preventDefault();
      this.setZoom(this.zoom * Math.exp(-event.deltaY / 200), event.clientX);
    };
    on("wheel", zoom, { passive: false });
  }

  rowAt({ clientX, clientY }) {
    const box = this.svg.getBoundingClientRect();
    return nearest(this.at, [clientX - box.left, clientY - box.top], 14);
  }

  // Show what is under the pointer, -1 for nothing.
  point(row, event) {
    this.tip.hidden = row < 0;
    if (!this.frame) return;
    const { kind, id } = this.frame.nodes;
    this.stage.hover(row >= 0 && kind[row] === 1 ? id[row] : null);
    if (row < 0) return;
    const [title, ...lines] = this.describe(row);
    this.tip.replaceChildren(el("strong", {}, title), ...lines.map((line) => el("div", {}, line)));
    const box = this.box.getBoundingClientRect();
    const left = clamp(event.clientX - box.left + 14, 0, Math.max(0, box.width - this.tip.offsetWidth - 4));
    this.tip.style.transform = `translate(${left}px, ${event.clientY - box.top + 16}px)`;
  }

  // Zoom sideways only: a tree is wide, its levels are few.
  setZoom(zoom, clientX) {
    const box = this.scroller.getBoundingClientRect();
    const at = clientX === undefined ? box.width / 2 : clientX - box.left;
    const share = (this.scroller.scrollLeft + at) / this.width;
    this.zoom = clamp(zoom, 1, 24);
    this.layOut();
    this.scroller.scrollLeft = share * this.width - at;
  }

  setFrame(frame) {
    this.frame = frame;
    this.moment = null;
    this.tip.hidden = true;
    const count = frame.nodes.id.length;
    while (this.items.length < count) {
      const [ring, glyph] = [svg("path", { class: "ring", d: RING }), svg("path", { class: "glyph" })];
      const [frame, label] = [svg("path", { class: "frame", d: FRAME }), svg("text")];
      this.items.push({ ring, frame, glyph, label, group: svg("g", {}, ring, frame, glyph, label) });
      this.layer.append(this.items.at(-1).group);
    }
    while (this.items.length > count) this.items.pop().group.remove();
    setAttribute(this.svg, "aria-label", frame.summary);
    this.layOut();
    this.fillText();
  }

  layOut() {
    const { id, x, depth, parent } = this.frame.nodes;
    const room = this.scroller.clientWidth;
    const span = Math.max(...x) + 0.5;
    const deepest = Math.max(...depth);
    this.unit = clamp((room - 2 * TREE_SIDE) / span, SMALLEST_UNIT, 90) * this.zoom;
    const size = clamp(this.unit / FULL_UNIT, 0.5, 1);
    this.width = Math.max(room, span * this.unit + 2 * TREE_SIDE);
    const level = clamp(430 / Math.max(deepest, 1), 23, 62);
    const left = (this.width - span * this.unit) / 2;
    this.at = x.map((place, row) => [left + place * this.unit, TREE_TOP + depth[row] * level]);
    setAttribute(this.svg, "width", this.width);
    setAttribute(this.svg, "height", TREE_TOP + deepest * level + (this.unit >= LEAF_LABEL ? LEAF_ROOM : 30));
    this.room = roomOf(this.at, depth);
    this.edges = this.at.map(([px, py], row) => (row ? `M${this.at[parent[row]].join(" ")}L${px} ${py}` : ""));
    this.items.forEach(({ group, ring, frame, glyph }, row) => {
      setAttribute(group, "data-node", id[row]);
      setAttribute(group, "transform", `translate(${this.at[row].map((place) => place.toFixed(1)).join()})`);
      for (const shape of [ring, frame, glyph]) setAttribute(shape, "transform", `scale(${size})`);
    });
    if (this.moment) this.show(this.moment);
  }

  show(moment) {
    this.moment = moment;
    const { nodes } = this.frame;
    const { selected, hovered } = this.stage;
    const edges = [[], []]; // not followed by the search, followed
    const hasRings = !nodes.watched || moment.phase === "compare"; // watch lists modify no node
    this.ringKey.hidden = !hasRings;
    this.items.forEach(({ group, glyph, label }, row) => {
      const state = stateOf(nodes, row, moment);
      const marks = [
        [hasRings && moment.written[row], "written"],
        [moment.promoted[row], "promoted"],
        [row === moment.row, "now"],
        [nodes.id[row] === selected, "selected"],
        [nodes.id[row] === hovered, "hovered"],
      ];
      const names = marks.filter(([is]) => is).map(([, name]) => name);
      setAttribute(group, "class", ["node", state, ...names].join(" "));
      setAttribute(glyph, "d", GLYPHS[state][0]);
      const share = nodes.watched
        ? nodes.watched[row] / nodes.neurons[row]
        : nodes.visited[row] / (2 * nodes.neurons[row] - 1);
      setAttribute(glyph, "fill-opacity", state === "stub-open" ? (0.1 + 0.9 * Math.sqrt(share)).toFixed(2) : 1);
      this.label(label, row, moment);
      edges[moment.entered[row]].push(this.edges[row]);
    });
    setAttribute(this.back, "d", edges[0].join(""));
    setAttribute(this.followed, "d", edges[1].join(""));
    let trail = "";
    for (let row = moment.row; row > 0; row = nodes.parent[row]) trail += this.edges[row];
    setAttribute(this.trail, "d", trail);
    if (moment.row >= 0) this.keepInView(this.at[moment.row][0]);
  }

  // A label stands where its level has room for it; that of the node under the cursor always.
  label(text, row, moment) {
    const { id, kind, neurons } = this.frame.nodes;
    const isNow = row === moment.row;
    let [content, place, isFitting] = [this.values(row, moment), "translate(11 -6)", false];
    if (kind[row] === 1) {
      content = `#${id[row] - this.stage.header.width} ${content}`;
      [place, isFitting] = ["translate(-4 13) rotate(90)", this.unit >= LEAF_LABEL];
      if (isNow && !isFitting) place = `translate(${-(content.length / 2) * LETTER} 22)`;
    } else if (kind[row] === 2) {
      content = compact(neurons[row]);
      [place, isFitting] = [`translate(${-3 * content.length} 20)`, this.room[row] >= content.length * LETTER + 6];
    } else isFitting = this.room[row] >= content.length * LETTER + 22;
    setText(text, isFitting || isNow ? content : "");
    setAttribute(text, "transform", place);
  }

  // The value, or old → new where it has been written.
  values(row, { values, written }) {
    const [old, now] = [this.frame.nodes.before[row], values[row]];
    return written[row] && old !== now ? `${decimals(old, now)}→${decimals(now, old)}` : decimals(now);
  }

  keepInView(x) {
    const { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft + 30 || x > scrollLeft + clientWidth - 30) this.scroller.scrollLeft = x - clientWidth / 2;
  }

  // A drawn node in words: a title, then lines.
  describe(row) {
    const { id, kind, before, after, neurons, firing, visited, watched, modified, ...bits } = this.frame.nodes;
    const { threshold, width } = this.stage.header;
    const passes = isSet(bits.passes, row);
    const sign = `${decimals(before[row], threshold)} ${passes ? "≥" : "<"} b = ${decimals(threshold, before[row])}`;
    const node = grouped(id[row]);
    const lines =
      kind[row] === 1
        ? [`Neuron ${grouped(id[row] - width)}`, `Leaf ${node}: ${sign}, it ${passes ? "fires" : "does not fire"}.`]
        : [
            `${kind[row] === 2 ? "Stub" : "Inner node"} ${node}`,
            `Maximum ${sign}; ${things(neurons[row], "neuron")} below, ${grouped(firing[row])} firing.`,
          ];
    const isStub = kind[row] === 2;
    if (watched && kind[row] === 1) lines.push(this.whyWatched(row));
    else if (watched) lines.push(`${grouped(watched[row])} of them watched.${isStub ? " Click to open it." : ""}`);
    else if (isStub) {
      const [size, entered, changed] = [2 * neurons[row] - 1, visited[row], modified[row]].map(grouped);
      lines.push(`${size} nodes: ${entered} entered, ${changed} modified. Click to open it.`);
    }
    if (!watched && !isSet(bits.entered, row)) lines.push("Not entered: a maximum above it is below b.");
    const [old, now] = [before[row], after[row]];
    const isModified = isSet(bits.changes, row);
    lines.push(isModified ? `Modified: ${decimals(old, now)} → ${decimals(now, old)}.` : "Not modified.");
    return lines;
  }

  // Why a leaf is on the watch list of its tree, or is not.
  whyWatched(row) {
    const { nodes, leaves } = this.frame;
    const { watched, promoted, promotes } = nodes;
    const lowered = decimals(this.stage.lowered);
    const next = isSet(promotes, row) ? " This move takes it farther than the skin: it is promoted." : "";
    if (isSet(promoted, row)) return "Promoted, so watched in every tree.";
    if (watched[row]) return `Watched: at the start it was at least b − skin = ${lowered}.${next}`;
    if (leaves[row]?.[4].length === 0) return "Not watched: at the start it fired nowhere, so it never moves.";
    return `Not watched here: at the start it was below b − skin = ${lowered}, or fired nowhere.${next}`;
  }

  // The tree in words, for those who do not see it; filled while it is open.
  fillText() {
    if (!this.text.open || !this.frame) return;
    const { id, kind, before, after, neurons, watched, ...bits } = this.frame.nodes;
    const line = (row) => {
      const isStub = kind[row] === 2;
      const number = grouped(isStub ? id[row] : id[row] - this.stage.header.width);
      const name = isStub ? `stub ${number}, ${things(neurons[row], "neuron")}` : `neuron ${number}`;
      const passes = isSet(bits.passes, row);
      const listed = () => (isStub ? `${grouped(watched[row])} watched` : passes ? "fires" : "watched");
      const searched = () => (passes ? (isStub ? "entered" : "fires") : "pruned");
      const found = watched ? listed : searched;
      const states = [isSet(bits.entered, row) ? found() : watched ? "not watched" : "not entered"];
      if (watched && isSet(bits.promoted, row)) states.push("promoted");
      if (watched && isSet(bits.promotes, row)) states.push("is promoted now");
      if (isSet(bits.starts, row)) states.push("starts firing");
      if (isSet(bits.stops, row)) states.push("stops firing");
      const act = isStub ? "open" : "inspect";
      const button = el("button", { "aria-label": `${act} ${name}`, onclick: () => this.stage.choose(row) }, act);
      const cells = [decimals(before[row]), decimals(after[row]), states.join(", "), button];
      return el("tr", {}, el("th", { scope: "row" }, name), ...cells.map((cell) => el("td", {}, cell)));
    };
    const rows = range(id.length).filter((row) => kind[row] > 0);
    this.stage.replace(this.text.querySelector("tbody"), ...rows.map(line));
  }
}

// Pixels from each node to the next on its level, to the right or left, whichever is less.
function roomOf(at, depth) {
  const room = at.map(() => Infinity);
  const rows = range(at.length).sort((a, b) => depth[a] - depth[b] || at[a][0] - at[b][0]);
  rows.forEach((row, place) => {
    const next = rows[place + 1];
    if (next === undefined || depth[next] !== depth[row]) return;
    const apart = at[next][0] - at[row][0];
    room[row] = Math.min(room[row], apart);
    room[next] = Math.min(room[next], apart);
  });
  return room;
}

// The index of the point nearest to a place, if one is within `reach`; else -1.
function nearest(points, [x, y], reach) {
  let [found, distance] = [-1, reach ** 2];
  points.forEach(([px, py], index) => {
    const squared = (px - x) ** 2 + (py - y) ** 2;
    if (squared < distance) [found, distance] = [index, squared];
  });
  return found;
}
