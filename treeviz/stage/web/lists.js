// Draws all watch lists of a run: a bar a datapoint, with who fires, who is watched, and who is neither.

const [LIST_LEFT, LIST_RIGHT] = [34, 26];
const LISTS_HINT =
  "A bar is the list of a datapoint; its whole length stands for all neurons that ever move. Click a bar to open its " +
  "tree. Of a neuron pointed at, each list is marked at its end: a diamond where it fires, a dash where it is watched.";

class ListBars {
  constructor(stage, part) {
    this.stage = stage;
    const names = ["lists-card", "lists", "lists-scroller", "lists-totals", "lists-hint", "lists-text"];
    [this.card, this.svg, this.scroller, this.totals, this.hint, this.text] = names.map(part);
    [this.rest, this.watched, this.firing, this.row, this.marks, this.fires, this.labels] = this.svg.children;
    setText(this.hint, LISTS_HINT);
    this.svg.addEventListener("pointermove", (event) => this.point(this.listAt(event)));
    this.svg.addEventListener("pointerleave", () => setText(this.hint, LISTS_HINT));
    this.svg.addEventListener("click", (event) => this.stage.openTree(this.listAt(event)));
    this.text.addEventListener("toggle", () => this.fillTable());
    new ResizeObserver(() => this.frame && (this.draw(), this.mark())).observe(this.scroller);
  }

  show(frame) {
    if (frame !== this.frame) {
      this.frame = frame;
      this.draw();
      this.fillTable();
    }
    this.mark();
  }

  y = (tree) => 4 + tree * this.high;

  draw() {
    const { listed, watched, firing } = this.frame.watch;
    const { points } = this.stage.header;
    this.wide = Math.max(40, this.scroller.clientWidth - LIST_LEFT - LIST_RIGHT);
    this.high = clamp(260 / points, 9, 22);
    const x = (count) => LIST_LEFT + (count / Math.max(1, listed)) * this.wide;
    const bar = (tree, from, to) => `M${x(from)} ${this.y(tree)}H${x(to)}v${this.high - 2}H${x(from)}z`;
    const bars = (from, to) =>
      range(points)
        .map((tree) => bar(tree, from(tree), to(tree)))
        .join("");
    setAttribute(this.firing, "d", bars(() => 0, (tree) => firing[tree]));
    setAttribute(this.watched, "d", bars((tree) => firing[tree], (tree) => watched[tree]));
    setAttribute(this.rest, "d", bars((tree) => watched[tree], () => listed));
    setAttribute(this.svg, "width", LIST_LEFT + this.wide + LIST_RIGHT);
    setAttribute(this.svg, "height", this.y(points) + 4);
    const named = range(points).filter((tree) => tree % Math.ceil(13 / this.high) === 0);
    const label = (tree) => {
      const place = { x: LIST_LEFT - 6, y: this.y(tree) + this.high / 2 + 3, "text-anchor": "end" };
      return svg("text", place, String(tree));
    };
    this.labels.replaceChildren(...named.map(label));
    const pairs = `${grouped(total(watched))} of ${grouped(listed * points)} pairs`;
    const share = percent(total(watched) / Math.max(1, listed * points));
    setText(
      this.totals,
      `${things(points, "list")}, for the ${things(listed, "neuron")} that ever move: ${pairs} watched (${share}), ` +
        `${grouped(total(firing))} fire.`,
    );
    setAttribute(this.svg, "aria-label", `Neurons firing and watched on each datapoint. ${this.totals.textContent}`);
  }

  // The chosen tree's list, and whether the neuron pointed at or selected is on each.
  mark() {
    const place = { x: LIST_LEFT - 1, y: this.y(this.frame.view.tree) - 1, width: this.wide + 2, height: this.high };
    for (const [name, value] of Object.entries(place)) setAttribute(this.row, name, value);
    const { fires, watched } = this.stage.leafData() ?? { fires: [], watched: [] };
    const [x, r] = [LIST_LEFT + this.wide + LIST_RIGHT / 2, Math.min(4, this.high / 2 - 0.5)];
    const middle = (tree) => this.y(tree) + this.high / 2 - 1;
    const diamonds = fires.map((tree) => `M${x} ${middle(tree) - r}l${r} ${r} ${-r} ${r} ${-r} ${-r}z`);
    const dashes = watched.filter((tree) => !fires.includes(tree)).map((tree) => `M${x - r} ${middle(tree)}h${2 * r}`);
    setAttribute(this.fires, "d", diamonds.join(""));
    setAttribute(this.marks, "d", dashes.join(""));
  }

  listAt({ clientY }) {
    return Math.floor((clientY - this.svg.getBoundingClientRect().top - 4) / this.high);
  }

  point(tree) {
    const { listed, watched, firing } = this.frame?.watch ?? {};
    if (watched?.[tree] === undefined) return setText(this.hint, LISTS_HINT);
    const counts = `${grouped(watched[tree])} of ${things(listed, "neuron")} watched, ${grouped(firing[tree])} fire`;
    setText(this.hint, `List of datapoint ${tree}: ${counts}.`);
  }

  fillTable() {
    if (!this.text.open || !this.frame) return;
    const { watched, firing } = this.frame.watch;
    const rows = watched.map((count, tree) => {
      const act = () => this.stage.openTree(tree);
      const open = el("button", { "aria-label": `open tree ${tree}`, onclick: act }, "open");
      const counts = [count, firing[tree]].map((value) => el("td", {}, grouped(value)));
      return el("tr", {}, el("th", { scope: "row" }, String(tree)), ...counts, el("td", {}, open));
    });
    this.text.querySelector("tbody").replaceChildren(...rows);
  }
}
