// Draws the forest atlas: a row per tree, a column per level, shade for the share of nodes visited or modified.

const SHADES = [0, 0.001, 0.004, 0.016, 0.0625, 0.25, 0.6]; // shares above which a shade begins
const shadeOf = (share) => SHADES.findLastIndex((low) => share > low);
const [ATLAS_LEFT, ATLAS_TOP] = [34, 20];
const ATLAS_HINT =
  "A row is a tree, a column a level, the root at the left. Click a row to open its tree. " +
  "Of a neuron pointed at, the leaf is marked in all trees: a diamond where it fires, a dash where not.";
const total = (counts) => counts.reduce((sum, count) => sum + count, 0);

class Atlas {
  constructor(stage, part) {
    this.stage = stage;
    const names = ["atlas", "atlas-scroller", "atlas-totals", "atlas-hint", "atlas-mode", "atlas-text"];
    [this.svg, this.scroller, this.totals, this.hint, this.modes, this.text] = names.map(part);
    this.card = part("atlas-card");
    [this.shades, this.row, this.marks, this.fires, this.labels] = this.svg.children;
    this.shades.append(...SHADES.map((_, index) => svg("path", { class: `shade shade-${index}` })));
    this.shades.append(svg("path", { class: "shade-none" }));
    const key = (low, index) =>
      el("li", {}, svg("svg", {}, svg("rect", { class: `shade shade-${index}` })), `> ${percent(low)}`);
    part("atlas-key").append(...SHADES.map(key));
    setText(this.hint, ATLAS_HINT);
    this.svg.addEventListener("pointermove", (event) => this.point(...this.cellAt(event)));
    this.svg.addEventListener("pointerleave", () => setText(this.hint, ATLAS_HINT));
    this.svg.addEventListener("click", (event) => this.stage.openTree(this.cellAt(event)[0]));
    this.modes.addEventListener("change", () => stage.render());
    this.text.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.frame && (this.draw(), this.mark())).observe(this.scroller);
  }

  show(frame, moment) {
    const mode = this.modes.value || (["repair", "compare"].includes(moment.phase) ? "modified" : "visited");
    this.prefix = moment.phase === "compare" ? `In iteration ${frame.iteration} itself: all` : "All";
    if (frame !== this.frame || mode !== this.mode) {
      [this.frame, this.mode] = [frame, mode];
      this.draw();
      this.fillTable();
    }
    this.mark();
  }

  x = (level) => ATLAS_LEFT + level * this.wide;
  y = (tree) => ATLAS_TOP + tree * this.high;

  draw() {
    const { levels, points } = this.stage.header;
    this.wide = clamp((this.scroller.clientWidth - ATLAS_LEFT - 26) / levels.length, 9, 44);
    this.high = clamp(260 / points, 9, 22);
    const cells = SHADES.map(() => []);
    const empty = [];
    const counts = this.frame[this.mode];
    counts.forEach((row, tree) =>
      row.forEach((count, level) => {
        const cell = `M${this.x(level)} ${this.y(tree)}h${this.wide - 1}v${this.high - 1}h${1 - this.wide}z`;
        (count ? cells[shadeOf(count / levels[level])] : empty).push(cell);
      }),
    );
    [...this.shades.children].forEach((path, index) => setAttribute(path, "d", [...cells, empty][index].join("")));
    setAttribute(this.svg, "width", this.x(levels.length) + 24);
    setAttribute(this.svg, "height", this.y(points) + 4);
    const label = (text, x, y, anchor) => svg("text", { x, y, "text-anchor": anchor }, String(text));
    const every = (count, room) => range(count).filter((index) => index % Math.ceil(room) === 0);
    this.labels.replaceChildren(
      ...every(points, 13 / this.high).map((tree) => label(tree, ATLAS_LEFT - 6, this.y(tree + 0.5) + 4, "end")),
      ...every(levels.length, 20 / this.wide).map((level) => label(level, this.x(level + 0.5), 13, "middle")),
    );
    const [sum, all] = [total(counts.map(total)), points * total(levels)];
    const share = `${grouped(sum)} of ${grouped(all)} nodes (${percent(sum / all)})`;
    setText(this.totals, `${this.prefix} ${things(points, "tree")}: ${this.mode} ${share}.`);
    setAttribute(this.svg, "aria-label", `Share of nodes ${this.mode}, by tree and level. ${this.totals.textContent}`);
  }

  // The chosen tree's row, and the leaf of the neuron pointed at or selected in all n trees.
  mark() {
    const { levels, points } = this.stage.header;
    const [width, height] = [levels.length * this.wide + 1, this.high + 1];
    const place = { x: this.x(0) - 1, y: this.y(this.frame.view.tree) - 1, width, height };
    for (const [name, value] of Object.entries(place)) setAttribute(this.row, name, value);
    const leaf = this.stage.leafData();
    const [marks, fires] = [[], []];
    const [x, r] = [leaf && this.x(Math.floor(Math.log2(leaf.node)) + 0.5), Math.min(4, this.high / 2 - 0.5)];
    for (const point of leaf ? range(points) : []) {
      const y = this.y(point + 0.5);
      if (leaf.fires.includes(point)) fires.push(`M${x} ${y - r}l${r} ${r} ${-r} ${r} ${-r} ${-r}z`);
      else marks.push(`M${x - r + 1} ${y}h${2 * r - 2}`);
    }
    setAttribute(this.marks, "d", marks.join(""));
    setAttribute(this.fires, "d", fires.join(""));
  }

  cellAt({ clientX, clientY }) {
    const box = this.svg.getBoundingClientRect();
    const place = [(clientY - box.top - ATLAS_TOP) / this.high, (clientX - box.left - ATLAS_LEFT) / this.wide];
    return place.map(Math.floor);
  }

  point(tree, level) {
    const count = this.frame?.[this.mode][tree]?.[level];
    if (count === undefined) return setText(this.hint, ATLAS_HINT);
    const size = this.stage.header.levels[level];
    const share = `${grouped(count)} of ${things(size, "node")} ${this.mode} (${percent(count / size)})`;
    setText(this.hint, `Tree ${tree}, level ${level}: ${share}.`);
  }

  fillTable() {
    if (!this.text.open || !this.frame) return;
    const rows = this.frame.visited.map((visited, tree) => {
      const act = () => this.stage.openTree(tree);
      const open = el("button", { "aria-label": `open tree ${tree}`, onclick: act }, "open");
      const counts = [visited, this.frame.modified[tree]].map((levels) => el("td", {}, grouped(total(levels))));
      return el("tr", {}, el("th", { scope: "row" }, String(tree)), ...counts, el("td", {}, open));
    });
    this.text.querySelector("tbody").replaceChildren(...rows);
  }
}
