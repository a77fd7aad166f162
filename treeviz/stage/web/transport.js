// The transport: buttons, scrub bar, jump, speed, and what is looked at.

const ICONS = {
  "iteration back": "M2 2h2v12H2zM14 2v12L9 8zM9 2v12L4 8z",
  "phase back": "M3 2h2v12H3zM13 2v12L6 8z",
  "step back": "M12 2v12L4 8z",
  play: "M4 2v12l10-6z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  step: "M4 2v12l8-6z",
  phase: "M11 2h2v12h-2zM3 2v12l7-6z",
  iteration: "M12 2h2v12h-2zM2 2v12l5-6zM7 2v12l5-6z",
};
const SPEEDS = [1, 2, 4, 8, 16, 32, 60];
const HELP = [
  ["Space", "play or pause"],
  ["→ ←", "one step on or back"],
  ["↓ ↑", "one phase on or back (with the stage in focus)"],
  ["Shift + → ←", "one iteration on or back"],
  ["Home End", "first or last iteration computed"],
  ["1 to 8", "go to a phase of this iteration"],
  ["?", "this list"],
];

class Transport {
  constructor(stage) {
    this.stage = stage;
    const button = (name, words, action) =>
      el("button", { class: "icon", "aria-label": words, title: words, onclick: action }, icon(name));
    const move = (unit, direction) => () => stage.move(unit, direction);
    this.playButton = button("play", "play", () => stage.play(!stage.playing));
    this.buttons = el("div", { class: "buttons", role: "group", "aria-label": "Playback" },
      button("iteration back", "iteration back", move("iteration", -1)), button("phase back", "phase back", move("phase", -1)), button("step back", "step back", move("step", -1)),
      this.playButton,
      button("step", "step", move("step", 1)), button("phase", "next phase", move("phase", 1)), button("iteration", "next iteration", move("iteration", 1)));
    this.jump = el("input", { type: "number", min: 0, value: 0, onchange: () => stage.go({ iteration: Math.max(0, Math.round(+this.jump.value)), phase: 0, step: 0 }) });
    this.tree = el("input", { type: "number", min: 0, value: 0, onchange: () => stage.look({ tree: clamp(Math.round(+this.tree.value), 0, stage.header.points - 1), opened: [] }) });
    this.speed = el("select", { onchange: () => (stage.speed = +this.speed.value) }, ...SPEEDS.map((n) => el("option", { value: n, selected: n === stage.speed }, `${n} a second`)));
    this.unit = el("select", { onchange: () => (stage.unit = this.unit.value) }, ...["step", "phase", "iteration"].map((unit) => el("option", {}, unit)));
    this.loop = el("input", { type: "checkbox", onchange: () => (stage.loop = this.loop.checked) });
    this.detail = el("select", { onchange: () => stage.look({ detail: +this.detail.value }) });
    this.pin = el("button", { onclick: () => stage.pin() });
    this.reset = el("button", { onclick: () => stage.resetView() }, "whole tree");
    this.copied = el("span", { role: "status", class: "copied" });
    this.help = el("dialog", { "aria-label": "Keys" }, el("h3", {}, "Keys"), el("dl", {}, ...HELP.flatMap(([keys, words]) => [el("dt", {}, keys), el("dd", {}, words)])), el("button", { onclick: () => this.help.close() }, "close"));
    const labelled = (words, ...fields) => el("label", {}, words, ...fields);
    this.scrub = el("input", { type: "range", class: "scrub", min: 0, step: 1, value: 0, "aria-label": "Iteration and phase", oninput: () => this.scrubbed() });
    this.ticks = svg("svg", { class: "ticks", "aria-hidden": "true", preserveAspectRatio: "none" });
    this.where = el("p", { class: "where" });
    this.element = el("div", { class: "transport" },
      el("div", { class: "row" }, this.buttons, this.where, el("div", { class: "options" }, labelled("iteration", this.jump), labelled("tree", this.tree))),
      el("div", { class: "scrub-box" }, this.scrub, this.ticks));
    this.viewRow = el("div", { class: "row view-row" },
      labelled("play by", this.unit), labelled("speed", this.speed), labelled("loop the phase", this.loop), labelled("nodes", this.detail),
      el("div", { class: "buttons", role: "group", "aria-label": "Zoom" },
        el("button", { "aria-label": "zoom in", title: "zoom in", onclick: () => stage.tree.setZoom(stage.tree.zoom * 1.5) }, "+"),
        el("button", { "aria-label": "zoom out", title: "zoom out", onclick: () => stage.tree.setZoom(stage.tree.zoom / 1.5) }, "−"), this.reset),
      this.pin, el("button", { onclick: () => this.copyLink() }, "copy link"), el("button", { title: "keyboard shortcuts", onclick: () => this.help.showModal() }, "keys"), this.copied, this.help);
    new ResizeObserver(() => stage.header && this.drawTicks()).observe(this.ticks);
  }

  setHeader({ details, points, phases }) {
    this.detail.replaceChildren(...details.map((count) => el("option", { value: count }, String(count))));
    this.tree.max = points - 1;
    this.phases = phases;
  }

  // The last place is the start of the iteration after the last computed, unless the run has ended.
  setStatus({ computed, finished }) {
    this.scrub.max = Math.max(1, computed * this.phases.length - 1);
    this.jump.max = finished ? computed - 1 : 99;
    if (computed !== this.computed) {
      this.computed = computed;
      this.drawTicks();
    }
  }

  drawTicks() {
    const wide = this.ticks.clientWidth, count = this.computed * this.phases.length;
    const x = (place) => 8 + ((wide - 16) * place) / Math.max(1, count - 1);
    const apart = (wide - 16) / Math.max(1, this.computed);
    const every = Math.ceil(18 / apart);
    const marks = [];
    for (let place = 0; place < count; place++) {
      const isIteration = place % this.phases.length === 0, iteration = place / this.phases.length;
      if (!isIteration && apart / this.phases.length < 3) continue;
      marks.push(svg("path", { class: isIteration ? "major" : "", d: `M${x(place)} 0v${isIteration ? 7 : 3}` }));
      if (isIteration && iteration % every === 0) marks.push(svg("text", { x: x(place), y: 18, "text-anchor": iteration ? "middle" : "start" }, String(iteration)));
    }
    this.ticks.replaceChildren(...marks);
  }

  scrubbed() {
    const place = +this.scrub.value, count = this.phases.length;
    this.stage.go({ iteration: Math.floor(place / count), phase: place % count, step: 0 });
  }

  show(frame, at, moment, lengths) {
    const { stage } = this;
    const playing = stage.playing ? "pause" : "play";
    if (this.playButton.title !== playing) {
      this.playButton.replaceChildren(icon(playing));
      this.playButton.title = playing;
      this.playButton.setAttribute("aria-label", playing);
    }
    const isCompared = moment.phase === "compare";
    const title = isCompared ? "" : this.phases[at.phase].title;
    const where = isCompared ? `Iteration ${at.iteration}, compared with ${frame.view.pinned}` : `Iteration ${at.iteration} · ${at.phase + 1} ${title} · step ${at.step + 1} of ${lengths[at.phase]}`;
    setText(this.where, where);
    const place = at.iteration * this.phases.length + at.phase;
    if (+this.scrub.value !== place) this.scrub.value = place;
    setAttribute(this.scrub, "aria-valuetext", where);
    for (const [field, value] of [[this.jump, at.iteration], [this.tree, stage.view.tree], [this.detail, stage.view.detail]]) {
      if (+field.value !== value && !field.matches(":focus")) field.value = value;
    }
    setText(this.pin, isCompared ? `unpin iteration ${frame.view.pinned}` : "pin, to compare");
    this.element.classList.toggle("compared", isCompared);
  }

  async copyLink() {
    this.stage.writeAddress();
    let words = "link copied";
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      words = "the browser does not allow it: copy the address bar";
    }
    setText(this.copied, words);
    setTimeout(() => setText(this.copied, ""), 4000);
  }
}

const icon = (name) => svg("svg", { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, svg("path", { d: ICONS[name] }));
const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
