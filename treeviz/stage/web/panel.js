// Draws what stands beside the pictures: narration, pseudocode, badge, bars of the vectors, the node inspected.

const BADGES = { exact: "✓ Exact", wrong: "✗ Not exact", waiting: "… Checking", off: "○ Not checked" };
const SOLVED = ["solve", "move", "repair"]; // phases in which the dual step is known
const BARS = 270;

class Panel {
  constructor(stage, part) {
    this.stage = stage;
    const names = ["narration", "status", "badge", "code", "symbols", "bars-title", "bars", "inspector"];
    [this.narration, this.status, this.badge, this.code, this.symbols, this.title, this.bars, this.inspector] =
      names.map(part);
  }

  setHeader({ code, phases }) {
    this.notes = code.map(({ note }) => note);
    const line = ({ phase, text, indent }) => {
      const index = phases.findIndex(({ id }) => id === phase);
      const title = `go to the phase ${phases[index].title}`;
      const button = el("button", { onclick: () => this.stage.toPhase(index), title }, ...withSubscripts(text));
      return el("li", { style: `padding-left:${1.1 * indent}em` }, button);
    };
    this.code.replaceChildren(...code.map(line));
  }

  show(frame, moment, badge) {
    setAttribute(this.narration, "aria-live", this.stage.playing ? "off" : "polite");
    setText(this.narration, moment.text);
    [...this.code.children].forEach((item, line) => {
      if (line === moment.line) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    });
    if (this.line !== moment.line) {
      this.line = moment.line;
      this.symbols.replaceChildren(...withSubscripts(this.notes[moment.line] ?? ""));
    }
    const { status } = frame.record;
    this.status.hidden = !status;
    setText(this.status, status && `${status[0].toUpperCase()}${status.slice(1)}.`);
    setAttribute(this.badge, "class", `badge ${badge.state}`);
    setText(this.badge.firstElementChild, BADGES[badge.state]);
    setText(this.badge.lastElementChild, badge.text);
    this.drawBars(frame, SOLVED.includes(moment.phase));
    this.inspect(frame);
  }

  // One bar a datapoint: the residual until the system is solved, then the dual step.
  drawBars(frame, isSolved) {
    const values = isSolved ? frame.record.dual : frame.record.residual;
    if (values === this.values) return;
    this.values = values;
    const { tree } = frame.view;
    const largest = Math.max(...values.map(Math.abs));
    const title = isSolved ? "Dual step g, a bar per datapoint" : "Residual f − y, a bar per datapoint";
    setText(this.title, title);
    this.bars.replaceChildren(...barsOf(values, 32, 30 / (largest || 1), (point) => (point === tree ? "chosen" : "")));
    const [most, own] = [largest, values[tree]].map((value) => value.toPrecision(3));
    const words = `The largest is ${most} in size; that of datapoint ${tree} is ${own}.`;
    setAttribute(this.bars, "aria-label", `${title}. ${words}`);
  }

  inspect(frame) {
    const { selected } = this.stage;
    const row = frame.nodes.id.indexOf(selected);
    if (frame === this.frame && selected === this.selected) return;
    [this.frame, this.selected] = [frame, selected];
    if (row < 0) {
      const idle = "Click a node to look into it, a stub to open it.";
      const hint = selected === null ? idle : "The node is being fetched …";
      this.stage.replace(this.inspector, el("h3", {}, "Inspect"), el("p", { class: "hint" }, hint));
      return;
    }
    const [title, ...lines] = this.stage.tree.describe(row);
    const path = [];
    for (let at = row; at >= 0; at = frame.nodes.parent[at]) {
      path.push(`${grouped(frame.nodes.id[at])} (${decimals(frame.nodes.before[at])})`);
    }
    lines.push(`Path to the root, with maxima: ${path.join(" ‹ ")}.`);
    const leaf = frame.leaves[row];
    if (leaf) lines.push(sharing(leaf));
    const lists = leaf?.[4]?.length;
    if (lists) lines.push(`It is on the watch lists of ${lists} of ${things(leaf[0].length, "datapoint")}.`);
    const close = el("button", { onclick: () => this.stage.select(null) }, "close");
    const second = this.stage.lowered === null ? "" : "; dashed: b − skin";
    const caption = `Its leaf in all trees, up from b where it fires${second}:`;
    const strip = leaf ? [el("p", {}, caption), this.strip(leaf)] : [];
    this.stage.replace(this.inspector, el("h3", {}, title), ...lines.map((line) => el("p", {}, line)), ...strip, close);
  }

  // The neuron's leaf in all trees: a bar up from b where it fires, down where it does not.
  strip([before, , fires]) {
    const over = before.map((value) => value / 1000 - this.stage.header.threshold);
    const unit = 30 / Math.max(...over.map(Math.abs), 1e-3);
    const bars = barsOf(over, 32, unit, (point) => (fires.includes(point) ? "fires" : ""));
    const { lowered, header } = this.stage;
    const depth = lowered === null ? Infinity : 32 + (header.threshold - lowered) * unit;
    if (depth < 64) bars.push(svg("path", { class: "skin-line", d: `M0 ${depth}H${BARS}` }));
    const strip = { class: "bars", viewBox: `0 0 ${BARS} 64`, preserveAspectRatio: "none", role: "img" };
    return svg("svg", { ...strip, "aria-label": `Its leaf in all ${before.length} trees, above or below b` }, ...bars);
  }
}

// z_ri becomes z with the subscript ri.
function withSubscripts(text) {
  return text.split(/_([a-z]+)/).map((piece, index) => (index % 2 ? el("sub", {}, piece) : piece));
}

function barsOf(values, zero, unit, classOf) {
  const wide = BARS / values.length;
  return values.map((value, index) => {
    const height = Math.max(0.8, Math.abs(value) * unit);
    const place = { x: index * wide, y: value > 0 ? zero - height : zero, width: Math.max(0.6, wide - 1), height };
    return svg("rect", { class: classOf(index), ...place });
  });
}

// On which datapoints a neuron fires, before the move and after.
function sharing([, , before, after]) {
  if (!before.length) return "It fires on no datapoint, so it does not move.";
  const list = (points) => `${points.length === 1 ? "datapoint" : "datapoints"} ${points.join(", ")}`;
  const gained = after.filter((point) => !before.includes(point));
  const lost = before.filter((point) => !after.includes(point));
  const changes = [];
  if (gained.length) changes.push(`also on ${list(gained)}`);
  if (lost.length) changes.push(`no longer on ${list(lost)}`);
  return `It fires on ${list(before)}${changes.length ? `; after the move ${changes.join(", ")}` : ""}.`;
}
