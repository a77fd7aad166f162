// The transport: buttons, scrub bar, jump, speed, and how much of the tree is drawn.

const PLAY_ICONS = { play: "M4 2v12l10-6z", pause: "M3 2h4v12H3zM9 2h4v12H9z" };

class Transport {
  constructor(stage, part) {
    this.stage = stage;
    [this.where, this.loss, this.copied, this.help] = ["where", "loss", "copied", "help"].map(part);
    [this.button, this.icon, this.pin] = ["play", "play-icon", "pin"].map(part);
    [this.jump, this.tree, this.detail] = ["jump", "tree-number", "detail"].map(part);
    [this.scrub, this.ticks] = ["scrub", "ticks"].map(part);
    for (const button of part("transport").querySelectorAll("[data-move]")) {
      const [unit, direction] = button.dataset.move.split(" ");
      button.addEventListener("click", () => stage.move(unit, +direction));
    }
    const onClick = (name, act) => part(name).addEventListener("click", act);
    onClick("play", () => stage.play(!stage.playing));
    onClick("zoom-in", () => stage.tree.setZoom(stage.tree.zoom * 1.5));
    onClick("zoom-out", () => stage.tree.setZoom(stage.tree.zoom / 1.5));
    onClick("whole", () => stage.showWhole());
    onClick("pin", () => stage.pin());
    onClick("copy", () => this.copyLink());
    onClick("keys", () => this.help.showModal());
    onClick("close-help", () => this.help.close());
    const onChange = (field, act) => field.addEventListener("change", () => act(+field.value || 0, field));
    for (const field of [this.jump, this.tree]) {
      field.addEventListener("keydown", ({ key }) => key === "Enter" && stage.element.focus());
    }
    onChange(this.jump, (value) => {
      this.jump.value = clamp(Math.round(value), 0, Math.min(stage.last, 99));
      stage.go({ iteration: +this.jump.value, phase: 0, step: 0 });
    });
    onChange(this.tree, (value) => {
      this.tree.value = clamp(Math.round(value), 0, stage.header.points - 1);
      stage.openTree(+this.tree.value);
    });
    onChange(this.detail, (detail) => stage.look({ detail }));
    onChange(part("speed"), (speed) => (stage.speed = speed));
    onChange(part("unit"), (_, { value }) => {
      stage.unit = value;
      part("loop").disabled = value !== "step";
    });
    onChange(part("loop"), (_, { checked }) => (stage.loop = checked));
    for (const name of ["unit", "speed", "detail", "loop"]) {
      part(name).addEventListener("change", () => stage.element.focus()); // back to the keys of the stage
    }
    this.scrub.addEventListener("input", () => {
      const [place, count] = [+this.scrub.value, stage.header.phases.length];
      stage.go({ iteration: Math.floor(place / count), phase: place % count, step: 0 });
    });
    new ResizeObserver(() => stage.header && this.drawTicks()).observe(this.ticks);
  }

  setHeader({ details, points }) {
    this.detail.replaceChildren(...details.map((count) => el("option", { value: count }, `up to ${count}`)));
    this.tree.max = points - 1;
  }

  setStatus({ computed, finished }) {
    this.scrub.max = Math.max(1, computed * this.stage.header.phases.length - 1);
    this.jump.max = finished ? computed - 1 : 99;
    if (computed !== this.computed) {
      this.computed = computed;
      this.drawTicks();
    }
  }

  // Marks under the scrub bar: an iteration, with its number, and its phases where there is room.
  drawTicks() {
    const { length } = this.stage.header.phases;
    const count = this.computed * length;
    const apart = (this.ticks.clientWidth - 16) / Math.max(1, count - 1); // the thumb is 16 pixels wide
    const every = Math.ceil(18 / (apart * length));
    const marks = [];
    for (const place of range(count)) {
      const x = 8 + apart * place;
      const iteration = place / length;
      if (!Number.isInteger(iteration)) {
        if (apart >= 3) marks.push(svg("path", { d: `M${x} 0v3` }));
        continue;
      }
      marks.push(svg("path", { class: "major", d: `M${x} 0v7` }));
      if (iteration % every === 0) marks.push(svg("text", { x, y: 18, "text-anchor": "middle" }, String(iteration)));
    }
    this.ticks.replaceChildren(...marks);
  }

  show(frame, at, lengths) {
    const { stage } = this;
    const { phases } = stage.header;
    const { pinned } = frame.view;
    const state = stage.playing ? "pause" : "play";
    setAttribute(this.icon, "d", PLAY_ICONS[state]);
    for (const name of ["title", "aria-label"]) setAttribute(this.button, name, state);
    const phase = `phase ${at.phase + 1}, ${phases[at.phase]?.title} · step ${at.step + 1} of ${lengths[at.phase]}`;
    const where = `Iteration ${at.iteration} ${pinned === null ? `· ${phase}` : `compared with ${pinned}`}`;
    setText(this.where, where);
    setText(this.loss, `loss ${frame.record.loss}`);
    setAttribute(this.scrub, "aria-valuetext", where);
    const place = at.iteration * phases.length + at.phase;
    const show = (field, value) => +field.value !== value && !field.matches(":focus") && (field.value = value);
    show(this.jump, at.iteration);
    show(this.tree, stage.view.tree);
    show(this.detail, stage.view.detail);
    if (+this.scrub.value !== place) this.scrub.value = place;
    setText(this.pin, pinned === null ? "pin, to compare" : `unpin iteration ${pinned}`);
  }

  async copyLink() {
    this.stage.writeAddress();
    let words = this.stage.header.portable ? "link copied" : "link copied; the file is not in it";
    try {
      await navigator.clipboard.writeText(location.href);
    } catch {
      words = "the browser does not allow it: copy the address bar";
    }
    setText(this.copied, words);
    setTimeout(() => setText(this.copied, ""), 4000);
  }
}
