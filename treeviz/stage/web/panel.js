// Draws what stands beside the pictures: narration, pseudocode, badge, the node inspected, bars of the vectors.

class Panel {
  constructor(stage) {
    this.stage = stage;
    this.narration = el("p", { class: "narration", "aria-live": "polite" });
    this.status = el("p", { class: "status", role: "status", hidden: true });
    this.badgeMark = el("strong");
    this.badgeText = el("span");
    this.badge = el("p", { class: "badge" }, this.badgeMark, " ", this.badgeText);
    this.code = el("ol", { class: "code", "aria-label": "Pseudocode of one iteration" });
    this.bars = new Bars();
    this.inspector = el("section", { class: "inspector", "aria-label": "Node inspected" });
    this.side = el("aside", { class: "side" }, el("h3", {}, "One iteration"), this.code, this.bars.element, this.inspector);
  }

  setHeader({ code, phases }) {
    this.code.replaceChildren(...code.map(({ phase, text, indent }) => {
      const index = phases.findIndex(({ id }) => id === phase);
      const jump = () => this.stage.go({ iteration: this.stage.at.iteration, phase: index, step: 0 });
      return el("li", { style: `padding-left:${indent * 1.1}em` }, el("button", { onclick: jump, title: `go to the phase ${phases[index].title}` }, text));
    }));
  }

  show(frame, moment) {
    setAttribute(this.narration, "aria-live", this.stage.playing ? "off" : "polite");
    setText(this.narration, moment.text);
    [...this.code.children].forEach((item, line) => {
      if (line === moment.line) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    const status = frame.record.status;
    this.status.hidden = !status;
    setText(this.status, status && status[0].toUpperCase() + status.slice(1) + ".");
    this.bars.show(frame, moment);
    this.inspect(frame);
  }

  showBadge({ state, text }) {
    const marks = { exact: "✓ Exact", wrong: "✗ Not exact", waiting: "… Checking", off: "○ Not checked" };
    setAttribute(this.badge, "class", `badge ${state}`);
    setText(this.badgeMark, marks[state]);
    setText(this.badgeText, text);
  }

  inspect(frame) {
    const row = frame.nodes.id.indexOf(this.stage.selected);
    const shown = `${this.stage.selected} ${frame.iteration} ${JSON.stringify(frame.view)} ${row}`;
    if (shown === this.inspected) return;
    this.inspected = shown;
    if (row < 0) {
      const hint = this.stage.selected === null ? "Click a node to look into it, a stub to open it." : "The node is being fetched …";
      this.inspector.replaceChildren(el("h3", {}, "Inspect"), el("p", { class: "hint" }, hint));
      return;
    }
    const [title, ...lines] = this.stage.describe(row);
    const path = [];
    for (let at = row; at >= 0; at = frame.nodes.parent[at]) path.push(`${frame.nodes.id[at]} (${decimals(frame.nodes.before[at])})`);
    const leaf = frame.leaves[row];
    const parts = [el("h3", {}, title), ...lines.map((line) => el("p", {}, line)), el("p", {}, `Path to the root, with maxima: ${path.join(" ‹ ")}.`)];
    if (leaf) parts.push(el("p", {}, sharing(leaf, frame.view.tree)), this.strip(leaf));
    this.inspector.replaceChildren(...parts, el("button", { onclick: () => this.stage.select(null) }, "close"));
  }

  // The neuron's leaf in all trees: a bar from b up where it fires, down where it does not.
  strip([before, , fires]) {
    const b = 1000 * this.stage.header.threshold, wide = 270 / before.length;
    const largest = Math.max(...before.map((value) => Math.abs(value - b)), 1);
    const bars = before.map((value, point) => svg("rect", { class: fires.includes(point) ? "fires" : "silent", x: point * wide, width: Math.max(1, wide - 1),
      y: 24 - Math.max(0, ((value - b) / largest) * 22), height: Math.max(1, (Math.abs(value - b) / largest) * 22) }));
    return svg("svg", { class: "strip", viewBox: "0 0 270 48", role: "img", "aria-label": `Its leaf in all ${before.length} trees, above or below b` }, ...bars);
  }
}

function sharing([, , fires, later], tree) {
  const others = fires.filter((point) => point !== tree);
  const list = fires.length ? `It fires on ${fires.length === 1 ? "datapoint" : "datapoints"} ${fires.join(", ")}` : "It fires on no datapoint, so it does not move";
  const gained = later.filter((point) => !fires.includes(point)), lost = fires.filter((point) => !later.includes(point));
  return list + (fires.includes(tree) && !others.length ? " alone" : "")
    + (gained.length ? `; after the move also on ${gained.join(", ")}` : "") + (lost.length ? `; after the move no longer on ${lost.join(", ")}` : "") + ".";
}

// One bar a datapoint: the residual until the system is solved, then the dual step.
class Bars {
  constructor() {
    this.title = el("h3");
    this.svg = svg("svg", { role: "img", class: "bars", viewBox: "0 0 270 64", preserveAspectRatio: "none" });
    this.element = el("div", { class: "bars-box" }, this.title, this.svg);
  }

  show(frame, { phase }) {
    const isSolved = ["solve", "move", "repair"].includes(phase);
    if (frame === this.frame && isSolved === this.isSolved) return;
    [this.frame, this.isSolved] = [frame, isSolved];
    const values = isSolved ? frame.record.dual : frame.record.residual;
    const largest = Math.max(...values.map(Math.abs)), wide = 270 / values.length;
    const unit = largest ? 30 / largest : 0;
    setText(this.title, isSolved ? "Dual step g, a bar per datapoint" : "Residual f − y, a bar per datapoint");
    this.svg.replaceChildren(...values.map((value, point) => svg("rect", { class: point === frame.view.tree ? "chosen" : "", x: point * wide, width: Math.max(0.6, wide - 1),
      y: 32 - Math.max(0, value * unit), height: Math.max(0.8, Math.abs(value) * unit) })));
    setAttribute(this.svg, "aria-label", `${this.title.textContent}; the largest is ${largest.toPrecision(3)}, that of datapoint ${frame.view.tree} is ${values[frame.view.tree].toPrecision(3)}.`);
  }
}
