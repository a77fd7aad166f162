// Draws the tree of the chosen datapoint. A state has a shape as well as a colour.

const STAR = "M0-8L2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6Z";
const GLYPHS = {
  unseen: "M0-3A3 3 0 1 1 0 3 3 3 0 1 1 0-3Z",
  open: "M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5Z",
  pruned: "M-4-4L4 4M-4 4L4-4",
  firing: STAR,
  starts: STAR + "M-4-11.5L0-15.5 4-11.5",
  stops: STAR + "M-4-15L0-11 4-15",
  stub: "M0-5L6 5H-6Z",
  "stub-open": "M0-5L6 5H-6Z",
  "stub-pruned": "M0-5L6 5H-6ZM-3-1L3 5M3-1L-3 5",
};
const LEGEND = [
  ["open", "entered: maximum ≥ b"],
  ["pruned", "entered and pruned: < b"],
  ["firing", "firing neuron: leaf ≥ b"],
  ["unseen", "not entered"],
  ["stub", "stub: a part left out, and how many neurons it holds"],
  ["starts", "starts firing"],
  ["stops", "stops firing"],
];
const RING = "M0-9.5A9.5 9.5 0 1 1 0 9.5 9.5 9.5 0 1 1 0-9.5Z";
const LEAF_ROOM = 118; // below the leaves, for their labels
const SIDE = 16;

class TreePicture {
  constructor(stage) {
    this.stage = stage;
    this.zoom = 1;
    this.items = []; // one a drawn node, used again for the next tree
    this.back = svg("path", { class: "edges" });
    this.followed = svg("path", { class: "edges followed" });
    this.trail = svg("path", { class: "edges trail" });
    this.layer = svg("g");
    this.svg = svg("svg", { role: "img", class: "tree" }, this.back, this.followed, this.trail, this.layer);
    this.tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    this.scroller = el("div", { class: "scroller", tabindex: 0, role: "region", "aria-label": "Picture of the tree; scrolls sideways" }, this.svg);
    this.element = el("div", { class: "tree-box" }, this.scroller, this.tip);
    this.listen();
    new ResizeObserver(() => this.frame && this.layOut()).observe(this.scroller);
  }

  listen() {
    let dragged = null;
    this.scroller.addEventListener("pointerdown", (event) => {
      if (event.button === 0) dragged = { x: event.clientX, left: this.scroller.scrollLeft, far: false };
    });
    this.scroller.addEventListener("pointermove", (event) => {
      if (dragged && event.buttons & 1) {
        dragged.far ||= Math.abs(event.clientX - dragged.x) > 5;
        if (dragged.far && event.pointerType === "mouse") this.scroller.scrollLeft = dragged.left + dragged.x - event.clientX;
      } else this.point(this.rowAt(event), event);
    });
    this.scroller.addEventListener("pointerleave", () => this.point(-1));
    this.scroller.addEventListener("click", (event) => {
      const row = dragged?.far ? -2 : this.rowAt(event);
      dragged = null;
      if (row >= 0) this.stage.choose(this.frame.nodes, row);
      else if (row === -1) this.stage.select(null);
    });
    this.scroller.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // plain scrolling stays the page's own
      event.preventDefault();
      this.setZoom(this.zoom * Math.exp(-event.deltaY / 200), event.clientX);
    }, { passive: false });
  }

  rowAt(event) {
    const box = this.svg.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let nearest = -1, distance = 14 ** 2;
    this.at.forEach(([px, py], row) => {
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < distance) [nearest, distance] = [row, d];
    });
    return nearest;
  }

  point(row, event) {
    this.tip.hidden = row < 0;
    const { nodes } = this.frame;
    this.stage.hover(row >= 0 && nodes.kind[row] === 1 ? nodes.id[row] : null);
    if (row < 0) return;
    this.tip.replaceChildren(...this.stage.describe(row).map((line, index) => el(index ? "div" : "strong", {}, line)));
    const box = this.element.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 4);
    this.tip.style.transform = `translate(${Math.max(0, left)}px, ${event.clientY - box.top + 16}px)`;
  }

  setZoom(zoom, clientX = null) {
    const box = this.scroller.getBoundingClientRect();
    const at = clientX === null ? box.width / 2 : clientX - box.left;
    const share = (this.scroller.scrollLeft + at) / this.width;
    this.zoom = Math.max(1, Math.min(zoom, 24));
    this.layOut();
    this.scroller.scrollLeft = share * this.width - at;
  }

  setFrame(frame) {
    this.frame = frame;
    this.moment = null;
    const count = frame.nodes.id.length;
    while (this.items.length < count) {
      const [ring, glyph, label] = [svg("path", { class: "ring", d: RING }), svg("path", { class: "glyph" }), svg("text")];
      this.items.push({ ring, glyph, label, group: svg("g", {}, ring, glyph, label) });
      this.layer.append(this.items.at(-1).group);
    }
    while (this.items.length > count) this.items.pop().group.remove();
    this.layOut();
  }

  layOut() {
    const { x, depth, parent } = this.frame.nodes;
    const room = this.scroller.clientWidth;
    const span = x.reduce((largest, value) => Math.max(largest, value), 0) + 0.5;
    const fit = (room - 2 * SIDE) / span;
    this.unit = Math.min(Math.max(fit, 11), 90) * this.zoom;
    const deepest = Math.max(...depth);
    const level = Math.max(23, Math.min(430 / Math.max(deepest, 1), 62));
    this.width = Math.max(room, span * this.unit + 2 * SIDE);
    const shift = Math.max(SIDE, (this.width - span * this.unit) / 2);
    this.at = x.map((value, row) => [shift + value * this.unit, 20 + depth[row] * level]);
    setAttribute(this.svg, "width", this.width);
    setAttribute(this.svg, "height", 20 + deepest * level + LEAF_ROOM);
    this.items.forEach(({ group }, row) => {
      setAttribute(group, "data-node", this.frame.nodes.id[row]);
      setAttribute(group, "transform", `translate(${this.at[row].map((place) => place.toFixed(1)).join()})`);
    });
    this.edges = this.at.map(([px, py], row) => (row ? `M${this.at[parent[row]].join(" ")}L${px} ${py}` : ""));
    if (this.moment) this.show(this.moment);
  }

  show(moment) {
    this.moment = moment;
    const { nodes } = this.frame;
    const [back, followed] = [[], []];
    this.items.forEach((item, row) => {
      const state = stateOf(nodes, row, moment);
      const classes = `node ${state}${moment.written[row] ? " written" : ""}${row === moment.row ? " now" : ""}`
        + `${nodes.id[row] === this.stage.selected ? " selected" : ""}${nodes.id[row] === this.stage.hovered ? " hovered" : ""}`;
      setAttribute(item.group, "class", classes);
      setAttribute(item.glyph, "d", GLYPHS[state]);
      this.label(item.label, row, moment);
      (moment.entered[row] ? followed : back).push(this.edges[row]);
    });
    setAttribute(this.back, "d", back.join(""));
    setAttribute(this.followed, "d", followed.join(""));
    const trail = [];
    for (let row = moment.row; row > 0; row = nodes.parent[row]) trail.push(this.edges[row]);
    setAttribute(this.trail, "d", trail.join(""));
    if (moment.row >= 0) this.keepInView(this.at[moment.row][0]);
  }

  label(text, row, moment) {
    const { nodes } = this.frame;
    let content = "";
    if (nodes.kind[row] === 1 && this.unit >= 12.5) {
      const values = moment.written[row]
        ? `${decimals(nodes.before[row], moment.values[row])}→${decimals(moment.values[row], nodes.before[row])}`
        : decimals(moment.values[row]);
      content = `#${nodes.id[row] - this.stage.header.width} ${values}`;
      setAttribute(text, "transform", "translate(4 13) rotate(90)");
    } else if (nodes.kind[row] === 2 && this.unit >= 15) {
      content = compact(nodes.neurons[row]);
      setAttribute(text, "transform", `translate(${-3 * content.length} 20)`);
    }
    setText(text, content);
  }

  keepInView(x) {
    const { scrollLeft, clientWidth } = this.scroller;
    if (x < scrollLeft + 30 || x > scrollLeft + clientWidth - 30) this.scroller.scrollLeft = x - clientWidth / 2;
  }

  legend() {
    const key = ([state, words]) =>
      el("li", {}, svg("svg", { viewBox: "-10 -16 20 26", width: 20, height: 22, "aria-hidden": "true" }, svg("g", { class: `node ${state}` }, svg("path", { class: "glyph", d: GLYPHS[state] }))), words);
    const ring = el("li", {}, svg("svg", { viewBox: "-11 -11 22 22", width: 20, height: 20, "aria-hidden": "true" }, svg("g", { class: "node written" }, svg("path", { class: "ring", d: RING }))), "modified");
    return el("ul", { class: "legend", "aria-label": "Key to the tree" }, ...LEGEND.map(key), ring);
  }
}
