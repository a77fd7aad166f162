// The stage: owns the cursor, asks the server for frames it lacks, and has the pictures drawn.

const FRAMES_KEPT = 240; // of all views together
const AHEAD = 3; // iterations fetched before they are wanted
const HEARTBEAT = 250; // milliseconds between looks at what is missing
const REST = 300; // milliseconds without a move after which the cursor rests
const QUIET = 500; // milliseconds after a press elsewhere on the page, which may lead to another one
const PATIENCE = 6000; // milliseconds until a question without an answer is asked again
const stages = new WeakMap();

class Stage {
  constructor(element) {
    this.element = element;
    this.arrivals = Promise.resolve(); // settled when all answers so far are taken
    this.frames = new Map();
    this.at = { iteration: 0, phase: 0, step: 0 };
    this.owed = []; // what was asked for while its frame was missing
    this.view = { tree: 0, detail: 0, opened: [], pinned: null };
    [this.selected, this.hovered] = [null, null]; // heap numbers of nodes
    [this.playing, this.loop, this.speed, this.unit, this.plays] = [false, false, 8, "step", 0];
    [this.asked, this.askedAt, this.movedAt, this.pressedAt] = [0, 0, 0, -Infinity];
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    [this.notices, this.summary, this.watching] = ["notices", "summary", "watching"].map(part);
    this.transport = new Transport(this, part);
    this.panel = new Panel(this, part);
    this.tree = new TreePicture(this, part);
    this.atlas = new Atlas(this, part);
    this.lists = new ListBars(this, part);
    this.plane = new Plane(this, part);
    this.output = new OutputPicture(this, part);
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.onPress = (event) => event.composedPath().includes(this.element) || (this.pressedAt = performance.now());
    document.addEventListener("pointerdown", this.onPress, true);
    this.heartbeat = setInterval(() => this.ask(), HEARTBEAT);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    document.removeEventListener("pointerdown", this.onPress, true);
    clearInterval(this.heartbeat);
    this.playing = false;
    this.isClosed = true;
  }

  // ---- frames ----

  // Streamlit hands answers over in the order they were made. They are taken in that order too: an old run's large
  // answer must not be ready after a new run's small one. One that cannot be read holds up no other.
  receive(bytes) {
    this.arrivals = this.arrivals.then(() => this.take(bytes)).catch(reportError);
  }

  async take(bytes) {
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const { header, status, frames, fields, notices, start, introduction = {}, nonce } = await new Response(inflated).json();
    if (this.isClosed) return;
    if (nonce === this.asked) this.isWaiting = false;
    if (this.header?.run !== header.run) this.begin(header, start, notices);
    this.status = status;
    this.introduce(introduction);
    if (fields) this.fields = { ...fields, values: { ...this.fields?.values, ...fields.values } };
    for (const frame of frames) this.frames.set(this.name(frame.iteration, frame.view), frame);
    for (const name of [...this.frames.keys()].slice(0, -FRAMES_KEPT)) this.frames.delete(name); // the oldest
    this.transport.setStatus(status);
    if (this.at.iteration > this.last) this.place(this.at);
    while (this.frame && this.owed.length) this.owed.shift()();
    this.render();
  }

  // Play, if the introduction has been closed for that, and have this browser remember that it was.
  introduce({ plays = 0, cookie = "" }) {
    if (cookie) document.cookie = `${cookie}=1; max-age=31536000; path=/; samesite=lax`;
    if (plays > this.plays) this.play(true);
    this.plays = plays;
  }

  begin(header, start, notices) {
    const { tree, detail, opened, pinned, node, iteration, phase, step } = start;
    const isSame = this.header?.settings === header.settings; // the same run, begun again by the server
    this.header = header;
    this.frames.clear();
    [this.fields, this.owed, this.hovered, this.reported] = [null, [], null, null];
    this.isWaiting = false; // what the old run was asked will not be answered
    this.play(false);
    if (!isSame) {
      [this.view, this.at] = [{ tree, detail, opened, pinned }, { iteration, phase, step }];
      [this.selected, this.reported] = [node, iteration];
    }
    this.output.card.hidden = !header.planar;
    [this.atlas.card.hidden, this.lists.card.hidden] = [this.lowered !== null, this.lowered === null];
    this.tree.setHeader(header);
    this.transport.setHeader(header);
    this.panel.setHeader(header);
    const close = el("button", { onclick: () => this.replace(this.notices) }, "understood");
    this.notices.replaceChildren(...notices.map((text) => el("p", {}, text)), ...(notices.length ? [close] : []));
  }

  name(iteration, { tree, detail, opened, pinned } = this.view) {
    return JSON.stringify([iteration, tree, detail, opened, pinned]);
  }

  get frame() {
    return this.frames.get(this.name(this.at.iteration));
  }

  // b − skin, from which on pairs are watched; null where the search is no watch lists.
  get lowered() {
    const { threshold, skin } = this.header;
    return skin === null ? null : threshold - skin;
  }

  get lengths() {
    return lengthsOf(this.frame, this.header.phases);
  }

  // The last iteration there will be, as far as is known.
  get last() {
    return this.status.finished ? this.status.computed - 1 : Infinity;
  }

  // Whether the page is being drawn anew since a press elsewhere: a question that comes to another page than it was
  // asked on would leave that page blank.
  get isLeaving() {
    const since = performance.now() - this.pressedAt;
    const host = this.element.getRootNode().host ?? this.element;
    return since < QUIET || (since < PATIENCE && host.closest('[data-stale="true"]') !== null);
  }

  // Ask for the frame under the cursor, then for those around it; say where the cursor rests.
  // One question at a time, but what is under the cursor waits for no other.
  ask() {
    if (!this.status || this.isLeaving) return;
    const now = performance.now();
    const { iteration } = this.at;
    const { computed, behind } = this.status;
    const isAwaited = this.awaited === this.name(iteration);
    if (this.isWaiting && now - this.askedAt < PATIENCE && (this.frame || isAwaited)) return;
    const isMissing = (place) => place >= 0 && place <= this.last && !this.frames.has(this.name(place));
    const ahead = [...range(AHEAD).map((more) => iteration + 1 + more), iteration - 1];
    const wanted = isMissing(iteration)
      ? [iteration]
      : ahead.filter((place) => isMissing(place) && (place < computed || place === iteration + 1)).slice(0, 1);
    const isResting = !this.playing && now - this.movedAt > REST;
    const isFieldMissing = this.header.planar && !this.fields?.error && !this.fields?.values[iteration];
    const isNews = this.reported !== iteration || ((behind || isFieldMissing) && now - this.askedAt > PATIENCE / 4);
    if (isResting) this.writeAddress();
    if (!wanted.length && !(isResting && isNews)) return;
    if (isResting) this.reported = iteration;
    [this.isWaiting, this.askedAt, this.awaited] = [true, now, this.frame ? null : this.name(iteration)];
    this.asked += 1;
    const wantedFields = isFieldMissing ? [iteration] : [];
    const question = { run: this.header.run, nonce: this.asked, view: this.view, wanted, cursor: this.reported };
    this.send({ ...question, fields: [...wanted, ...wantedFields] });
  }

  // ---- the cursor ----

  // Go to a place at once, whatever else was asked for.
  go(at) {
    this.owed = [];
    this.place(at);
  }

  // Its phase and step may be Infinity, for the last. Beyond either end of the run, that end is reached.
  place(at) {
    const isBeyond = at.iteration < 0 || at.iteration > this.last;
    const place = at.iteration < 0 ? 0 : Infinity;
    this.at = isBeyond ? { iteration: clamp(at.iteration, 0, this.last), phase: place, step: place } : at;
    if (isBeyond) this.play(false);
    this.movedAt = performance.now();
    if (this.frame) this.at = settle(this.at, this.lengths);
    else this.ask();
    this.render();
  }

  move(unit, direction) {
    if (!this.header) return;
    // Five quick presses are five steps, also while a frame is on its way.
    if (this.frame) this.place(advance(settle(this.at, this.lengths), unit, direction, this.lengths));
    else this.owed.push(() => this.move(unit, direction));
  }

  toPhase(phase) {
    if (this.frame) this.place({ ...this.at, phase, step: 0 });
    else this.owed.push(() => this.toPhase(phase));
  }

  play(isOn) {
    if (this.playing === isOn) return;
    this.playing = isOn;
    if (isOn && this.isAtEnd) this.go({ iteration: 0, phase: 0, step: 0 });
    let [last, due] = [performance.now(), 0];
    const tick = (now) => {
      if (!this.playing) return;
      if (this.frame) due += ((now - last) * this.speed) / 1000;
      last = now;
      for (; due >= 1 && this.playing && this.frame; due--) this.playOne();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.render();
  }

  get isAtEnd() {
    const { iteration, phase, step } = this.at;
    if (!this.frame || iteration < this.last) return false;
    return phase === this.lengths.length - 1 && step === this.lengths[phase] - 1;
  }

  playOne() {
    const isPhaseOver = this.at.step >= this.lengths[this.at.phase] - 1;
    if (this.loop && this.unit === "step" && isPhaseOver) this.place({ ...this.at, step: 0 });
    else this.move(this.unit, 1);
  }

  key(event) {
    const path = event.composedPath();
    const isInside = path.includes(this.element);
    const is = (selector) => path[0].matches?.(selector);
    const isControl = is("input, select, textarea, button, a, summary, dialog, dialog *, [role], [contenteditable]");
    const isTyping = is("input[type=number], select, dialog, dialog *") || (is("input") && event.key.length > 1);
    const isPress = is("button, summary, input") && [" ", "Enter"].includes(event.key);
    const isOurs = isInside ? !isTyping && !isPress : !isControl || is("section");
    if (!this.status || !isOurs || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = this.actionOf(event, isInside);
    if (!act) return;
    event.preventDefault();
    act();
  }

  actionOf({ key, shiftKey }, isInside) {
    const unit = shiftKey ? "iteration" : "step";
    const end = { iteration: this.status.computed - 1, phase: Infinity, step: Infinity };
    const phase = Number(key) - 1;
    if (phase >= 0 && phase < this.header.phases.length) return () => this.toPhase(phase);
    return {
      " ": () => this.play(!this.playing),
      ArrowRight: () => this.move(unit, 1),
      ArrowLeft: () => this.move(unit, -1),
      ArrowDown: isInside && (() => this.move("phase", 1)), // elsewhere they scroll the page
      ArrowUp: isInside && (() => this.move("phase", -1)),
      Home: () => this.go({ iteration: 0, phase: 0, step: 0 }),
      End: () => this.go(end),
      "?": () => this.transport.help.showModal(),
    }[key];
  }

  // ---- what is looked at ----

  look(change) {
    // The same node stays under the cursor where more or fewer are drawn.
    const isSameTree = !("tree" in change || "pinned" in change);
    this.held = isSameTree && this.moment?.row >= 0 ? this.shown.nodes.id[this.moment.row] : null;
    Object.assign(this.view, change);
    this.view.opened = [...new Set(this.view.opened)].slice(-this.header.opened);
    [this.movedAt, this.reported] = [performance.now(), null];
    this.ask();
    this.render();
  }

  openTree(tree) {
    if (tree >= 0 && tree < this.header.points) this.look({ tree, opened: [] });
  }

  pin() {
    const isPinned = this.view.pinned !== null;
    this.look({ pinned: isPinned ? null : this.at.iteration });
    this.go({ iteration: this.at.iteration, phase: 0, step: 0 });
  }

  showWhole() {
    [this.tree.zoom, this.selected] = [1, null];
    this.look({ opened: [] });
    if (this.shown) this.tree.layOut();
  }

  // A click on a drawn node: a stub opens, any other is inspected. Row -1 is none.
  choose(row) {
    const { kind, id } = this.shown.nodes;
    if (kind[row] === 2) this.look({ opened: [...this.view.opened, id[row]] });
    else this.select(row < 0 ? null : id[row]);
  }

  select(node) {
    this.selected = node;
    const isDrawn = node === null || this.shown.nodes.id.includes(node);
    this.look(isDrawn ? {} : { opened: [...this.view.opened, node] });
  }

  hover(node) {
    if (node === this.hovered) return;
    this.hovered = node;
    this.render();
  }

  // The leaf pointed at, or else the one selected, the trees in which it fires now, and those that watch it.
  leafData() {
    const isMoved = ["repair", "compare"].includes(this.moment.phase);
    for (const node of [this.hovered, this.selected]) {
      const leaf = this.shown.leaves[this.shown.nodes.id.indexOf(node)];
      if (leaf) return { node, fires: leaf[isMoved ? 3 : 2], watched: leaf[4] ?? [] };
    }
    return null;
  }

  // Replace children; if the focus was among them, the stage takes it, lest it be lost.
  replace(parent, ...children) {
    const hadFocus = parent.contains(this.element.getRootNode().activeElement);
    parent.replaceChildren(...children);
    if (hadFocus) this.element.focus();
  }

  // The address holds the moment; the settings' part of it is Streamlit's own.
  writeAddress() {
    const url = new URL(location.href);
    const { tree, detail, opened, pinned } = this.view;
    const { iteration, phase, step } = this.at;
    const isPinned = pinned !== null;
    const moment = {
      tree,
      it: iteration,
      phase: isPinned ? null : this.header.phases[phase]?.id,
      step: isPinned || !step ? null : step,
      node: this.selected,
      nodes: detail === this.header.detail ? null : detail,
      open: opened.length ? opened.join() : null,
      pin: pinned,
    };
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

  holdNode(frame) {
    const phase = this.header.phases[this.at.phase]?.id;
    const row = this.held ? frame.nodes.id.indexOf(this.held) : -1;
    const steps = (row >= 0 && frame.script[phase]) || [];
    // A node may come up in several steps: stay as near to where the cursor was as the script allows.
    const same = range(steps.length).filter((step) => steps[step][2] === row);
    const near = (step) => Math.abs(step - this.at.step);
    if (same.length) this.at.step = same.reduce((best, step) => (near(step) < near(best) ? step : best));
    this.held = null;
  }

  draw() {
    const { frame, header, status } = this;
    setAttribute(this.element, "aria-busy", String(!frame));
    if (!frame) return;
    this.at = settle(this.at, this.lengths);
    if (frame !== this.shown) this.holdNode(frame);
    this.moment = momentOf(frame, header.phases, this.at);
    if (frame !== this.shown) {
      this.shown = frame;
      this.tree.setFrame(frame);
      setText(this.summary, frame.summary);
      this.watching.hidden = !frame.watch;
      setText(this.watching, frame.watch?.sentence ?? "");
    }
    this.tree.show(this.moment);
    (frame.watch ? this.lists : this.atlas).show(frame, this.moment);
    this.plane.show(frame, this.moment);
    if (header.planar) this.output.show(this.fields, frame.iteration, frame.view.tree);
    this.panel.show(frame, this.moment, status.badges[frame.iteration] ?? { state: "waiting", text: "" });
    this.transport.show(frame, this.at, this.lengths);
  }
}

export default function ({ parentElement, data, setStateValue }) {
  const element = parentElement.querySelector(".stage");
  let stage = stages.get(parentElement);
  if (stage?.element !== element) {
    stage?.close();
    stages.set(parentElement, (stage = new Stage(element)));
  }
  stage.send = (question) => setStateValue("asked", question);
  if (data) stage.receive(data);
  // Streamlit also cleans up after a call that newer data overtook: then the stage is still on the page, and goes on.
  return () =>
    setTimeout(() => {
      if (element.isConnected) return;
      stage.close();
      if (stages.get(parentElement) === stage) stages.delete(parentElement);
    });
}
