// Draws the forest atlas: a row per tree, a column per level, shade for the share of nodes visited or modified.

const SHADES = [0, 0.001, 0.004, 0.016, 0.0625, 0.25, 0.6]; // lower ends of the seven shades, as shares
const shadeOf = (share) => SHADES.findLastIndex((low) => share > low);
const [ATLAS_LEFT, ATLAS_TOP] = [34, 20];

class Atlas {
  constructor(stage) {
    this.stage = stage;
    this.shades = SHADES.map((_, index) => svg("path", { class: `shade shade-${index}` }));
    this.row = svg("rect", { class: "atlas-row" });
    this.marks = svg("path", { class: "leaf-marks" });
    this.stars = svg("path", { class: "leaf-stars" });
    this.labels = svg("g", { class: "atlas-labels" });
    this.svg = svg("svg", { role: "img", class: "atlas" }, ...this.shades, this.row, this.marks, this.stars, this.labels);
    this.scroller = el("div", { class: "atlas-scroller", tabindex: 0, role: "region", "aria-label": "Forest atlas; scrolls" }, this.svg);
    this.totals = el("p", { class: "totals" });
    this.hint = el("p", { class: "hint" }, "A row is a tree, a column a level, the root on the left. Point at a cell for its number, click a row to open its tree.");
    this.modes = el("select", { "aria-label": "What the atlas shades", onchange: () => stage.render() },
      ...["follow the phase", "visited", "modified"].map((mode) => el("option", { value: mode }, mode)));
    this.table = el("tbody");
    this.text = textVersion("Table of all trees", ["tree", "visited", "modified", ""], this.table, () => this.fillTable());
    const heading = el("div", { class: "heading" }, el("h3", {}, "Forest atlas"), el("label", {}, "shade ", this.modes));
    this.key = el("ul", { class: "legend shades", "aria-label": "Key to the atlas" },
      ...SHADES.map((low, index) => el("li", {}, svg("svg", { width: 14, height: 14, "aria-hidden": "true" }, svg("rect", { class: `shade shade-${index}`, width: 14, height: 14 })), index ? `> ${percent(low)}` : "> 0")));
    this.element = el("section", { class: "card" }, heading, this.totals, this.scroller, this.key, this.hint, this.text);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => setText(this.hint, this.idle));
    this.svg.addEventListener("click", (event) => {
      const tree = this.cellAt(event)[0];
      if (tree >= 0 && tree < this.stage.header.points) this.stage.look({ tree, opened: [] });
    });
    this.idle = this.hint.textContent;
    new ResizeObserver(() => this.frame && this.draw()).observe(this.scroller);
  }

  show(frame, moment) {
    const chosen = this.modes.value;
    const mode = chosen === "visited" || chosen === "modified" ? chosen : moment.phase === "repair" || moment.phase === "compare" ? "modified" : "visited";
    if (frame !== this.frame || mode !== this.mode) {
      [this.frame, this.mode] = [frame, mode];
      this.draw();
      if (this.text.open) this.fillTable();
    }
    this.mark();
  }

  draw() {
    const { levels, points } = this.stage.header;
    const counts = this.frame[this.mode];
    this.cell = Math.max(9, Math.min((this.scroller.clientWidth - ATLAS_LEFT - 26) / levels.length, 44));
    this.high = Math.max(9, Math.min(22, 260 / points));
    const shapes = SHADES.map(() => []);
    let total = 0;
    counts.forEach((row, tree) => row.forEach((count, level) => {
      total += count;
      if (!count) return;
      shapes[shadeOf(count / levels[level])].push(`M${ATLAS_LEFT + level * this.cell} ${ATLAS_TOP + tree * this.high}h${this.cell - 1}v${this.high - 1}h${1 - this.cell}z`);
    }));
    this.shades.forEach((path, index) => setAttribute(path, "d", shapes[index].join("")));
    setAttribute(this.svg, "width", ATLAS_LEFT + levels.length * this.cell + 24);
    setAttribute(this.svg, "height", ATLAS_TOP + points * this.high + 4);
    const every = Math.ceil(13 / this.high), wide = Math.ceil(20 / this.cell);
    this.labels.replaceChildren(
      ...range(points).filter((tree) => tree % every === 0).map((tree) => svg("text", { x: ATLAS_LEFT - 6, y: ATLAS_TOP + (tree + 0.5) * this.high + 4, "text-anchor": "end" }, String(tree))),
      ...range(levels.length).filter((level) => level % wide === 0).map((level) => svg("text", { x: ATLAS_LEFT + (level + 0.5) * this.cell, y: 13, "text-anchor": "middle" }, String(level))),
    );
    const all = points * levels.reduce((sum, size) => sum + size, 0);
    const sentence = `All ${points} trees: ${this.mode} ${grouped(total)} of ${grouped(all)} nodes (${percent(total / all)}).`;
    setText(this.totals, sentence);
    setAttribute(this.svg, "aria-label", `Share of nodes ${this.mode}, by tree and level. ${sentence}`);
  }

  // The chosen tree's row, and the leaf of the neuron pointed at or selected in all n trees.
  mark() {
    const { points, levels, width } = this.stage.header;
    const { tree } = this.frame.view;
    for (const [name, value] of Object.entries({ x: ATLAS_LEFT - 1, y: ATLAS_TOP + tree * this.high - 1, width: levels.length * this.cell + 1, height: this.high + 1 })) setAttribute(this.row, name, value);
    const leaf = this.stage.leafData();
    const [marks, stars] = [[], []];
    if (leaf) {
      const level = Math.floor(Math.log2(leaf.node));
      const x = ATLAS_LEFT + (level + 0.5) * this.cell;
      for (const point of range(points)) {
        const y = ATLAS_TOP + (point + 0.5) * this.high;
        const r = Math.min(4, this.high / 2 - 0.5);
        if (leaf.fires.includes(point)) stars.push(`M${x} ${y - r}L${x + r} ${y} ${x} ${y + r} ${x - r} ${y}Z`);
        else marks.push(`M${x - r + 1} ${y}h${2 * r - 2}`);
      }
    }
    setAttribute(this.marks, "d", marks.join(""));
    setAttribute(this.stars, "d", stars.join(""));
  }

  cellAt(event) {
    const box = this.svg.getBoundingClientRect();
    return [Math.floor((event.clientY - box.top - ATLAS_TOP) / this.high), Math.floor((event.clientX - box.left - ATLAS_LEFT) / this.cell)];
  }

  point(event) {
    const [tree, level] = this.cellAt(event);
    const count = this.frame[this.mode][tree]?.[level];
    if (count === undefined) return setText(this.hint, this.idle);
    const size = this.stage.header.levels[level];
    setText(this.hint, `Tree ${tree}, level ${level}: ${grouped(count)} of ${grouped(size)} nodes ${this.mode} (${percent(count / size)}).`);
  }

  fillTable() {
    const sum = (row) => row.reduce((total, count) => total + count, 0);
    this.table.replaceChildren(...this.frame.visited.map((row, tree) => el("tr", {},
      el("th", { scope: "row" }, String(tree)), el("td", {}, grouped(sum(row))), el("td", {}, grouped(sum(this.frame.modified[tree]))),
      el("td", {}, el("button", { "aria-label": `open tree ${tree}`, onclick: () => this.stage.look({ tree, opened: [] }) }, "open")))));
  }
}

const range = (count) => [...Array(count).keys()];

// A picture's text equivalent: a table that is filled when somebody opens it.
function textVersion(title, columns, body, fillTable) {
  const head = el("thead", {}, el("tr", {}, ...columns.map((name) => (name ? el("th", { scope: "col" }, name) : el("td")))));
  const details = el("details", { class: "text-version" }, el("summary", {}, title), el("div", { class: "table-box", tabindex: 0, role: "region", "aria-label": title }, el("table", {}, head, body)));
  details.addEventListener("toggle", () => details.open && fillTable());
  return details;
}
