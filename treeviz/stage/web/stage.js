// The stage: owns the cursor, asks the server for frames it lacks, and has the pictures drawn.

const PLACES_KEPT = 240; // frames kept, of all views together
const PATIENCE = 6000; // milliseconds until a question without an answer is asked again
const AHEAD = 3; // iterations fetched before they are wanted
const stages = new WeakMap();

class Stage {
  constructor(root) {
    this.frames = new Map();
    this.at = { iteration: 0, phase: 0, step: 0 };
    this.owed = []; // moves asked for while their frame was still missing
    this.view = { tree: 0, detail: 127, opened: [], pinned: null };
    [this.selected, this.hovered, this.playing, this.loop, this.speed, this.unit] = [null, null, false, false, 8, "step"];
    this.asked = 0;
    this.transport = new Transport(this);
    this.panel = new Panel(this);
    this.tree = new TreePicture(this);
    this.atlas = new Atlas(this);
    this.plane = new Plane(this);
    this.output = new OutputPicture(this);
    this.notices = el("div", { class: "notices", role: "status" });
    this.summary = el("p", { class: "totals" });
    this.nodeTable = el("tbody");
    this.nodeText = textVersion("Text version of the tree", ["node", "before", "after", "state", ""], this.nodeTable, () => this.fillNodes());
    this.element = el("section", { class: "stage", tabindex: 0, role: "region", "aria-label": "Stage: one iteration, step by step. Press ? for the keys.", "aria-busy": "true" },
      this.notices, this.transport.element, this.transport.viewRow, this.panel.narration, this.panel.status,
      el("div", { class: "main" },
        el("div", { class: "picture" }, this.tree.element, this.tree.legend(), this.summary, this.panel.badge, this.nodeText),
        this.panel.side),
      el("div", { class: "cards" }, this.atlas.element, this.plane.element, this.output.element));
    root.append(this.element);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.heartbeat = setInterval(() => this.ask(), 250);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    clearInterval(this.heartbeat);
    this.playing = false;
    this.element.remove();
  }

  // ---- frames ----

  async receive(bytes) {
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { header, status, frames, fields, notices, start, nonce } = await new Response(inflated).json();
    if (nonce === this.asked) this.isWaiting = false;
    if (this.header?.run !== header.run) this.begin(header, start, notices);
    this.status = status;
    if (fields) this.fields = { ...fields, values: { ...this.fields?.values, ...fields.values } };
    for (const frame of frames) this.frames.set(this.name(frame.iteration, frame.view), frame);
    for (const name of this.frames.keys()) {
      if (this.frames.size <= PLACES_KEPT) break;
      this.frames.delete(name);
    }
    this.transport.setStatus(status);
    this.settleDebts();
    this.render();
  }

  begin(header, start, notices) {
    this.header = header;
    this.frames.clear();
    this.fields = null;
    [this.selected, this.hovered, this.owed, this.reported] = [start.node, null, [], start.iteration];
    this.play(false);
    this.view = { tree: start.tree, detail: start.detail, opened: start.opened, pinned: start.pinned };
    this.at = { iteration: start.iteration, phase: start.phase, step: start.step };
    this.output.element.hidden = !header.planar;
    this.transport.setHeader(header);
    this.panel.setHeader(header);
    this.notices.replaceChildren(...notices.map((text) => el("p", {}, text)));
    if (notices.length) this.notices.append(el("button", { onclick: () => this.notices.replaceChildren() }, "understood"));
  }

  name(iteration, view = this.view) {
    return JSON.stringify([iteration, view.tree, view.detail, view.opened, view.pinned]);
  }

  get frame() {
    return this.frames.get(this.name(this.at.iteration));
  }

  get last() {
    return this.status.finished ? this.status.computed - 1 : Infinity;
  }

  // Ask for the frame under the cursor, then for those around it; say where the cursor rests. One question at a time.
  ask() {
    if (!this.status || !this.send) return;
    const now = performance.now();
    if (this.isWaiting && now - this.askedAt < PATIENCE) return;
    const lacks = (iteration) => iteration >= 0 && iteration <= this.last && !this.frames.has(this.name(iteration));
    const { iteration } = this.at;
    const isHere = !lacks(iteration);
    let wanted = isHere ? [] : [iteration];
    const isResting = !this.playing && now - this.movedAt > 300;
    if (isHere) {
      wanted = [...range(AHEAD).map((ahead) => iteration + 1 + ahead), iteration - 1].filter((place) => lacks(place) && place < this.status.computed).slice(0, 1);
      if (!this.status.finished && iteration + 1 >= this.status.computed) wanted.push(iteration + 1);
    }
    const isBehind = (this.status.behind || (this.header.planar && !this.fields?.values[iteration])) && now - this.askedAt > 1500;
    const isNews = isResting && (this.reported !== iteration || isBehind);
    if (isResting) this.writeAddress();
    if (!wanted.length && !isNews) return;
    if (isResting) this.reported = iteration;
    [this.isWaiting, this.askedAt] = [true, now];
    this.asked += 1;
    this.send({ run: this.header.run, nonce: this.asked, view: this.view, wanted, at: this.at, node: this.selected, cursor: this.reported });
  }

  // ---- the cursor ----

  go(at) {
    const iteration = clamp(at.iteration, 0, this.last);
    const isBeyond = at.iteration > this.last;
    this.at = isBeyond ? { iteration, phase: Infinity, step: Infinity } : { ...at, iteration };
    if (isBeyond && this.playing) this.play(false);
    this.movedAt = performance.now();
    if (this.frame) this.at = settle(this.at, lengthsOf(this.frame, this.header.phases));
    else queueMicrotask(() => this.ask());
    this.render();
  }

  move(unit, direction) {
    if (!this.header) return;
    if (!this.frame) {
      this.owed.push([unit, direction]); // five quick presses are five steps, also while a frame is on its way
      return;
    }
    this.go(advance(this.at, unit, direction, lengthsOf(this.frame, this.header.phases)));
  }

  settleDebts() {
    if (this.at.iteration > this.last) this.go({ ...this.at, iteration: this.last + 1 });
    if (!this.frame) return;
    this.at = settle(this.at, lengthsOf(this.frame, this.header.phases));
    while (this.owed.length && this.frame) this.move(...this.owed.shift());
  }

  play(isOn) {
    if (this.playing === isOn) return;
    this.playing = isOn;
    let [last, due] = [performance.now(), 0];
    const tick = (now) => {
      if (!this.playing) return;
      if (this.frame) due += ((now - last) * this.speed) / 1000;
      last = now;
      for (; due >= 1 && this.playing && this.frame; due--) this.playOne();
      requestAnimationFrame(tick);
    };
    if (isOn) requestAnimationFrame(tick);
    this.render();
  }

  playOne() {
    const lengths = lengthsOf(this.frame, this.header.phases);
    const isPhaseOver = this.at.step >= lengths[this.at.phase] - 1;
    if (this.loop && (isPhaseOver || this.unit !== "step")) this.go({ ...this.at, step: 0 });
    else this.move(this.unit, 1);
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.header) return;
    const target = event.composedPath()[0];
    const isInside = event.composedPath().includes(this.element);
    if (target.matches?.("input, select, textarea, [contenteditable], dialog, dialog *")) return;
    if (!isInside && target !== document.body) return;
    if (target.matches?.("button, summary") && [" ", "Enter"].includes(event.key)) return;
    const unit = event.shiftKey ? "iteration" : "step";
    const actions = {
      " ": () => this.play(!this.playing),
      ArrowRight: () => this.move(unit, 1),
      ArrowLeft: () => this.move(unit, -1),
      Home: () => this.go({ iteration: 0, phase: 0, step: 0 }),
      End: () => this.go({ iteration: this.status.computed - 1, phase: Infinity, step: Infinity }),
      "?": () => this.transport.help.showModal(),
    };
    if (isInside) Object.assign(actions, { ArrowDown: () => this.move("phase", 1), ArrowUp: () => this.move("phase", -1) });
    if (/^[1-9]$/.test(event.key) && +event.key <= this.header.phases.length) {
      actions[event.key] = () => this.go({ iteration: this.at.iteration, phase: +event.key - 1, step: 0 });
    }
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }

  // ---- what is looked at ----

  look(change) {
    Object.assign(this.view, change);
    this.movedAt = performance.now();
    this.reported = null;
    this.ask();
    this.render();
  }

  pin() {
    const isPinned = this.view.pinned !== null;
    this.look({ pinned: isPinned ? null : this.at.iteration });
    if (!isPinned) this.go({ iteration: this.at.iteration, phase: 0, step: 0 });
  }

  resetView() {
    this.tree.zoom = 1;
    this.selected = null;
    this.look({ opened: [] });
    if (this.shown) this.tree.layOut();
  }

  // A click on a drawn node: a stub opens, any other is inspected.
  choose(nodes, row) {
    if (nodes.kind[row] === 2) this.look({ opened: [...this.view.opened, nodes.id[row]] });
    else this.select(nodes.id[row]);
  }

  select(node) {
    this.selected = node;
    this.movedAt = performance.now();
    this.reported = null;
    if (node !== null && this.frame && !this.frame.nodes.id.includes(node)) this.look({ opened: [...this.view.opened, node] });
    else this.render();
  }

  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    this.render();
  }

  // The leaf pointed at, or else the one selected, in all trees.
  leafData() {
    const frame = this.shown;
    for (const node of [this.hovered, this.selected]) {
      const leaf = frame.leaves[frame.nodes.id.indexOf(node)];
      if (leaf) return { node, fires: leaf[this.moment.phase === "repair" || this.moment.phase === "compare" ? 3 : 2] };
    }
    return null;
  }

  // A drawn node in words: a title, then lines.
  describe(row) {
    const { nodes, record } = this.shown;
    const [before, after] = [nodes.before[row], nodes.after[row]];
    const passes = isSet(nodes.passes, row);
    const sign = `${decimals(before, this.header.threshold)} ${passes ? "≥" : "<"} b = ${decimals(this.header.threshold, before)}`;
    const lines = [];
    if (nodes.kind[row] === 1) lines.push(`neuron ${grouped(nodes.id[row] - this.header.width)}`, `leaf ${grouped(nodes.id[row])}: ${sign}, ${passes ? "fires" : "does not fire"}`);
    else lines.push(`${nodes.kind[row] === 2 ? "stub" : "inner node"} ${grouped(nodes.id[row])}`, `maximum ${sign}`, `${grouped(nodes.neurons[row])} neurons below, ${grouped(nodes.firing[row])} fire`);
    if (nodes.kind[row] === 2) lines.push(`${grouped(2 * nodes.neurons[row] - 1)} nodes: ${grouped(nodes.visited[row])} entered, ${grouped(nodes.modified[row])} modified; click to open`);
    if (!isSet(nodes.entered, row)) lines.push("not entered: a maximum above it is below b");
    if (isSet(nodes.changes, row)) lines.push(`${decimals(before, after)} → ${decimals(after, before)}`);
    else if (record) lines.push("not modified");
    return lines;
  }

  fillNodes() {
    const { nodes } = this.shown;
    const rows = range(nodes.id.length).filter((row) => nodes.kind[row] > 0);
    this.nodeTable.replaceChildren(...rows.map((row) => {
      const isStub = nodes.kind[row] === 2;
      const name = isStub ? `stub ${grouped(nodes.id[row])}, ${grouped(nodes.neurons[row])} neurons` : `neuron ${grouped(nodes.id[row] - this.header.width)}`;
      const states = [isSet(nodes.entered, row) ? (isSet(nodes.passes, row) ? (isStub ? "entered" : "fires") : "pruned") : "not entered"];
      if (isSet(nodes.starts, row)) states.push("starts firing");
      if (isSet(nodes.stops, row)) states.push("stops firing");
      return el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, decimals(nodes.before[row])), el("td", {}, decimals(nodes.after[row])), el("td", {}, states.join(", ")),
        el("td", {}, el("button", { "aria-label": `${isStub ? "open" : "inspect"} ${name}`, onclick: () => this.choose(nodes, row) }, isStub ? "open" : "inspect")));
    }));
  }

  // The address holds the moment; the settings' part of it is Streamlit's own.
  writeAddress() {
    const url = new URL(location.href);
    const { tree, detail, pinned } = this.view;
    const moment = { tree, it: this.at.iteration, phase: pinned === null ? this.header.phases[this.at.phase]?.id : null, step: this.at.step || null, node: this.selected, nodes: detail === this.header.detail ? null : detail, pin: pinned };
    for (const [name, value] of Object.entries(moment)) {
      if (value === null || value === undefined || value === Infinity) url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }

  // Draw at most once a frame of the screen.
  render() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      this.draw();
    });
  }

  draw() {
    const { frame } = this;
    setAttribute(this.element, "aria-busy", String(!frame));
    if (!frame || !this.element.isConnected) return;
    const { phases } = this.header;
    const lengths = lengthsOf(frame, phases);
    this.at = settle(this.at, lengths);
    const isNew = frame !== this.shown;
    this.shown = frame;
    this.moment = momentOf(frame, phases, this.at);
    if (isNew) {
      this.tree.setFrame(frame);
      setAttribute(this.tree.svg, "aria-label", frame.summary);
      setText(this.summary, frame.summary);
      if (this.nodeText.open) this.fillNodes();
    }
    this.tree.show(this.moment);
    this.atlas.show(frame, this.moment);
    this.plane.show(frame, this.moment);
    if (this.header.planar) this.output.show(this.fields, frame.iteration, frame.view.tree);
    this.panel.show(frame, this.moment);
    this.panel.showBadge(this.status.badges[frame.iteration]);
    this.transport.show(frame, this.at, this.moment, lengths);
  }
}

export default function ({ parentElement, data, setStateValue }) {
  let stage = stages.get(parentElement);
  if (!stage) stages.set(parentElement, (stage = new Stage(parentElement)));
  stage.send = (question) => setStateValue("asked", question);
  if (data) stage.receive(data);
  return () => {
    stage.close();
    stages.delete(parentElement);
  };
}
