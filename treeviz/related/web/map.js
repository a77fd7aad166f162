// The map of related work: papers as nodes that can be pointed at, opened, dragged and searched.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { x: 6, top: 26, bottom: 46 }; // pixels around the unit square; above it are the years, below it buttons
const MAX_ZOOM = 5;
const ZOOM_STEP = 1.4;
const SLACK = 0.35; // of the picture: how far beyond its edges the map can be moved
const CLICK = 5; // pixels a pointer may move in a click
const NUDGE = 14; // pixels a key moves a paper
const REACH = 15; // half the size of a node with its ring
const LABEL_HEIGHT = 15;
const DETAILS_SEEN = 150; // pixels of a paper's details on the screen that are enough not to scroll to them
const SHAPES = {
  this: "M-11-13H11Q13-13 13-11V11Q13 13 11 13H-11Q-13 13-13 11V-11Q-13-13-11-13Z",
  cites: "M-9.5 0A9.5 9.5 0 1 1 9.5 0A9.5 9.5 0 1 1-9.5 0Z",
  cited: "M0-12L12 0 0 12-12 0Z",
};
const DIRECTIONS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const maps = new WeakMap();

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

class PaperMap {
  constructor(element) {
    this.element = element;
    const part = (name) => element.querySelector(`[data-part="${name}"]`);
    [this.canvas, this.picture, this.tip, this.foundKey] = ["canvas", "picture", "tip", "found-key"].map(part);
    this.layers = Object.fromEntries(["lanes", "edges", "headers", "nodes"].map((name) => [name, part(name)]));
    this.view = { zoom: 1, x: 0, y: 0 };
    this.moved = new Map(); // places in the unit square of papers that were dragged
    [this.hovered, this.current, this.gesture] = [null, null, null];
    this.widths = new Map(); // of labels, in pixels
    this.pen = document.createElement("canvas").getContext("2d");
    part("zoom-in").addEventListener("click", () => this.zoomBy(ZOOM_STEP));
    part("zoom-out").addEventListener("click", () => this.zoomBy(1 / ZOOM_STEP));
    part("reset").addEventListener("click", () => this.reset());
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.endGesture());
    canvas.addEventListener("keydown", (event) => this.key(event));
    this.resizing = new ResizeObserver(() => this.render());
    this.resizing.observe(canvas);
  }

  close() {
    this.resizing.disconnect();
  }

  // ---- what there is ----

  receive(data) {
    const isSame = this.data && JSON.stringify(data.papers) === JSON.stringify(this.data.papers);
    this.data = data;
    [this.shown, this.found] = [new Set(data.shown), new Set(data.found)];
    if (!isSame) this.begin();
    this.foundKey.hidden = !this.found.size;
    this.selected = data.selected;
    if (!this.shown.has(this.current)) this.current = this.shown.has(this.selected) ? this.selected : this.home;
    const label = `${this.shown.size} papers. The arrow keys go from one to the next, Enter opens it.`;
    this.canvas.setAttribute("aria-label", label);
    for (const [key, { group, paper }] of this.nodes) {
      const isShown = this.shown.has(key);
      const isSelected = key === this.selected;
      const classes = { faded: !isShown, found: this.found.has(key), selected: isSelected };
      for (const [name, isOn] of Object.entries(classes)) group.classList.toggle(name, isOn);
      group.setAttribute("aria-pressed", String(isSelected));
      if (isShown) group.removeAttribute("aria-hidden");
      else group.setAttribute("aria-hidden", "true");
      const hit = this.found.has(key) ? ", found" : "";
      group.setAttribute("aria-label", `${paper.title}, ${paper.year}, ${paper.relation}${hit}`);
    }
    this.rove();
    this.render();
    if (this.isOpening) this.showDetails();
    this.isOpening = false;
  }

  begin() {
    const { papers, edges, years, themes } = this.data;
    this.moved.clear();
    this.home = papers.find(({ role }) => role === "this").key;
    this.nodes = new Map(papers.map((paper) => [paper.key, this.makeNode(paper)]));
    this.layers.nodes.replaceChildren(...[...this.nodes.values()].map(({ group }) => group));
    const roleOf = (ends) => papers.find(({ key, role }) => ends.includes(key) && role !== "this").role;
    const lines = edges.flatMap(({ ends, cites, authors }) => [
      ...(cites ? [{ ends, kind: roleOf(ends), bend: 0.1 }] : []),
      ...(authors.length ? [{ ends, kind: "authors", bend: -0.12 }] : []),
    ]);
    this.lines = lines.map((line) => ({ ...line, path: svg("path", { class: `edge ${line.kind}` }) }));
    this.layers.edges.replaceChildren(...this.lines.map(({ path }) => path));
    this.lanes = themes.map((band, place) => ({
      ...band,
      ground: svg("rect", { class: place % 2 ? "" : "lane", fill: "none" }),
      title: svg("text", { class: "theme" }, band.name),
    }));
    this.columns = years.map((band) => ({
      ...band,
      border: svg("path", { class: "column" }),
      title: svg("text", { class: "year" }, band.name),
    }));
    this.strip = svg("rect", { class: "strip", height: MARGIN.top - 2 });
    this.layers.lanes.replaceChildren(...this.lanes.map(({ ground }) => ground), ...this.columns.map(({ border }) => border));
    const titles = [...this.lanes.map(({ title }) => title), this.strip, ...this.columns.map(({ title }) => title)];
    this.layers.headers.replaceChildren(...titles);
  }

  makeNode(paper) {
    const label = svg("text", { class: "label" }, paper.label);
    const close = paper.isClose && paper.role !== "this" ? " close" : "";
    const group = svg(
      "g",
      { class: `node ${paper.role}`, role: "button", "data-key": paper.key },
      svg("circle", { class: "area", r: REACH + 2 }),
      svg("circle", { class: "ring hit", r: REACH + 4 }),
      svg("circle", { class: "ring open", r: paper.role === "this" ? REACH + 5 : REACH }),
      svg("path", { class: `glyph ${paper.role}${close}`, d: SHAPES[paper.role] }),
      label,
    );
    group.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && this.point(paper.key));
    group.addEventListener("pointerleave", () => this.point(null));
    group.addEventListener("focus", () => {
      this.current = paper.key;
      this.rove();
      this.reveal(paper.key);
      this.point(paper.key);
    });
    group.addEventListener("blur", () => this.point(null));
    return { paper, group, label };
  }

  // One stop for the Tab key; from there the arrow keys go on.
  rove() {
    for (const [key, { group }] of this.nodes) group.setAttribute("tabindex", key === this.current ? "0" : "-1");
  }

  // ---- places ----

  get size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  placeOf(key) {
    const { x, y } = this.moved.get(key) ?? this.nodes.get(key).paper;
    return this.toScreen(x, y);
  }

  toScreen(x, y) {
    const { width, height } = this.size;
    const { zoom, x: left, y: top } = this.view;
    const inner = [MARGIN.x + x * (width - 2 * MARGIN.x), MARGIN.top + y * (height - MARGIN.top - MARGIN.bottom)];
    return [inner[0] * zoom + left, inner[1] * zoom + top];
  }

  toUnit(across, down) {
    const { width, height } = this.size;
    const { zoom, x: left, y: top } = this.view;
    return {
      x: ((across - left) / zoom - MARGIN.x) / (width - 2 * MARGIN.x),
      y: ((down - top) / zoom - MARGIN.top) / (height - MARGIN.top - MARGIN.bottom),
    };
  }

  zoomBy(factor, [x, y] = [this.size.width / 2, this.size.height / 2]) {
    const zoom = clamp(this.view.zoom * factor, 1, MAX_ZOOM);
    const change = zoom / this.view.zoom;
    this.look({ zoom, x: x - (x - this.view.x) * change, y: y - (y - this.view.y) * change });
  }

  look({ zoom, x, y }) {
    const { width, height } = this.size;
    const within = (offset, extent) => clamp(offset, extent * (1 - zoom) - SLACK * extent, SLACK * extent);
    this.view = zoom === 1 && this.view.zoom > 1 ? { zoom, x: 0, y: 0 } : { zoom, x: within(x, width), y: within(y, height) };
    this.render();
  }

  reset() {
    this.moved.clear();
    this.view = { zoom: 1, x: 0, y: 0 };
    this.render();
  }

  move(key, [x, y]) {
    const { width, height } = this.size;
    this.moved.set(key, this.toUnit(clamp(x, REACH, width - REACH), clamp(y, MARGIN.top + REACH, height - MARGIN.bottom)));
    this.render();
  }

  // Bring a paper into the picture, if it is not there.
  reveal(key) {
    const [x, y] = this.placeOf(key);
    const { width, height } = this.size;
    const lack = (place, low, high) => clamp(place, low, high) - place;
    const [right, down] = [lack(x, 2 * REACH, width - 2 * REACH), lack(y, MARGIN.top + 2 * REACH, height - MARGIN.bottom)];
    if (this.view.zoom > 1) this.look({ ...this.view, x: this.view.x + right, y: this.view.y + down });
  }

  // ---- pointer and keys ----

  at({ clientX, clientY }) {
    const { left, top } = this.canvas.getBoundingClientRect();
    return [clientX - left, clientY - top];
  }

  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 600), this.at(event));
  }

  press(event) {
    if (event.button || this.gesture) return;
    const key = event.target.closest(".node")?.dataset.key ?? null;
    const start = this.at(event);
    const origin = key === null ? [this.view.x, this.view.y] : this.placeOf(key);
    this.gesture = { key, start, origin, pointer: event.pointerId, isDrag: false };
  }

  drag(event) {
    const { gesture } = this;
    if (gesture?.pointer !== event.pointerId) return;
    const [x, y] = this.at(event);
    const by = [x - gesture.start[0], y - gesture.start[1]];
    if (!gesture.isDrag && Math.hypot(...by) < CLICK) return;
    if (!gesture.isDrag) this.canvas.setPointerCapture(event.pointerId);
    gesture.isDrag = true;
    const [left, top] = [gesture.origin[0] + by[0], gesture.origin[1] + by[1]];
    if (gesture.key === null) this.look({ zoom: this.view.zoom, x: left, y: top });
    else this.move(gesture.key, [left, top]);
    this.canvas.classList.toggle("panning", gesture.key === null);
  }

  release(event) {
    const { gesture } = this;
    if (gesture?.pointer !== event.pointerId) return;
    this.endGesture();
    if (gesture.isDrag || gesture.key === null) return;
    this.nodes.get(gesture.key).group.focus({ preventScroll: true });
    this.open(gesture.key);
  }

  endGesture() {
    this.gesture = null;
    this.canvas.classList.remove("panning");
  }

  key(event) {
    const key = event.target.closest(".node")?.dataset.key;
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
    const direction = DIRECTIONS[event.key];
    const act = {
      Enter: () => this.open(key),
      " ": () => this.open(key),
      Escape: () => this.open(""),
      Home: () => this.focus(this.home),
      "+": () => this.zoomBy(ZOOM_STEP),
      "-": () => this.zoomBy(1 / ZOOM_STEP),
      0: () => this.reset(),
    }[event.key];
    if (!act && !direction) return;
    event.preventDefault();
    if (act) act();
    else if (event.shiftKey) this.nudge(key, direction);
    else this.focus(this.neighbour(key, direction));
  }

  nudge(key, [right, down]) {
    const [x, y] = this.placeOf(key);
    this.move(key, [x + NUDGE * right, y + NUDGE * down]);
  }

  focus(key) {
    this.nodes.get(key).group.focus({ preventScroll: true });
  }

  // The nearest paper in a direction; what lies aside of it counts as farther away. The same one, if there is none.
  neighbour(key, [right, down]) {
    const [x, y] = this.placeOf(key);
    let [best, least] = [key, Infinity];
    for (const other of this.shown) {
      const [toX, toY] = this.placeOf(other);
      const ahead = (toX - x) * right + (toY - y) * down;
      const aside = Math.abs((toX - x) * down) + Math.abs((toY - y) * right);
      const distance = ahead + 2 * aside;
      if (other !== key && ahead > 1 && distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  open(key) {
    this.selected = key || this.home;
    this.isOpening = Boolean(key);
    this.point(null);
    this.send(key);
  }

  // Where the details stand below the map and out of sight, they are scrolled into it, once they have been drawn.
  showDetails() {
    setTimeout(() => {
      const details = document.querySelector(".st-key-paper-details");
      if (details?.getBoundingClientRect().top > innerHeight - DETAILS_SEEN) details.scrollIntoView({ block: "nearest" });
    }, 100);
  }

  point(key) {
    if (this.gesture?.isDrag || this.hovered === key) return;
    this.hovered = key;
    this.render();
  }

  // ---- drawing, at most once a frame of the screen ----

  render() {
    if (this.isDue || !this.data) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (this.size.width) this.draw();
    });
  }

  draw() {
    const { width, height } = this.size;
    this.drawBands(width, height);
    const at = new Map([...this.nodes.keys()].map((key) => [key, this.placeOf(key)]));
    for (const [key, { group }] of this.nodes) group.setAttribute("transform", `translate(${at.get(key).map((v) => v.toFixed(1))})`);
    const looked = this.hovered ?? this.selected;
    for (const { ends, kind, bend, path } of this.lines) {
      const [[x, y], [toX, toY]] = ends.map((key) => at.get(key));
      const [midX, midY] = [(x + toX) / 2 - (toY - y) * bend, (y + toY) / 2 + (toX - x) * bend];
      path.setAttribute("d", `M${x} ${y}Q${midX} ${midY} ${toX} ${toY}`);
      const isActive = ends.includes(looked) && (kind === "authors" || looked !== this.home);
      const isFaded = !ends.every((key) => this.shown.has(key));
      path.setAttribute("class", `edge ${kind}${isFaded ? " faded" : isActive ? " active" : ""}`);
    }
    this.drawLabels(at, width, height);
    this.drawTip(at, width, height);
  }

  drawBands(width, height) {
    for (const { from, to, ground, title } of this.lanes) {
      const [[, top], [, bottom]] = [this.toScreen(0, from), this.toScreen(0, to)];
      const box = { x: 0, y: top, width, height: bottom - top };
      for (const [name, value] of Object.entries(box)) ground.setAttribute(name, value);
      title.setAttribute("x", 8);
      title.setAttribute("y", top + 15);
    }
    for (const { from, to, border, title } of this.columns) {
      const [[left], [right]] = [this.toScreen(from, 0), this.toScreen(to, 0)];
      border.setAttribute("d", from ? `M${left} 0V${height}` : "");
      title.setAttribute("x", (left + right) / 2);
      title.setAttribute("y", 17);
    }
    this.strip.setAttribute("width", width);
  }

  // Name as many papers as there is room for, those that matter most first. A name may stand on any side of its paper.
  drawLabels(at, width, height) {
    const reach = (key) => (key === this.home ? REACH + 3 : REACH);
    const taken = [...this.nodes.keys()].map((key) => boxAround(at.get(key), reach(key) - 3));
    for (const { title } of this.lanes) {
      const y = +title.getAttribute("y");
      taken.push([0, y - 12, 8 + this.widthOf(title, "theme"), y + 3]);
    }
    const frame = [2, MARGIN.top, width - 2, height - 2];
    const weight = (key) => {
      const { paper } = this.nodes.get(key);
      return [key === this.selected, key === this.hovered, key === this.home, this.found.has(key), paper.isClose].indexOf(true);
    };
    const rank = (key) => (weight(key) < 0 ? 9 : weight(key));
    const order = [...this.nodes.keys()].sort((one, other) => rank(one) - rank(other));
    for (const key of order) {
      const { label } = this.nodes.get(key);
      const wide = this.widthOf(label, "label");
      const [x, y] = at.get(key);
      const away = reach(key) + 2;
      const spots = [
        [x + away, y - LABEL_HEIGHT / 2],
        [x - away - wide, y - LABEL_HEIGHT / 2],
        [x - wide / 2, y + away - 3],
        [x - wide / 2, y - away - LABEL_HEIGHT + 3],
      ].map(([left, top]) => [left, top, left + wide, top + LABEL_HEIGHT]);
      const own = boxAround([x, y], reach(key) - 3).join();
      const isFree = (box) => isInside(box, frame) && !taken.some((other) => other.join() !== own && overlap(box, other));
      const spot = this.shown.has(key) && spots.find(isFree);
      label.setAttribute("visibility", spot ? "visible" : "hidden");
      if (!spot) continue;
      taken.push(spot);
      label.setAttribute("x", spot[0] - x);
      label.setAttribute("y", spot[1] - y + 11.5);
    }
  }

  widthOf(text, kind) {
    const { fontFamily, fontSize, fontWeight, fontStyle } = getComputedStyle(text);
    const font = `${fontStyle} ${fontWeight} ${fontSize} ${fontFamily}`;
    const name = `${kind} ${font} ${text.textContent}`;
    if (!this.widths.has(name)) {
      this.pen.font = font;
      this.widths.set(name, this.pen.measureText(text.textContent).width + 2);
    }
    return this.widths.get(name);
  }

  drawTip(at, width, height) {
    this.tip.hidden = this.hovered === null;
    if (this.tip.hidden) return;
    const { title, authors, year, relation } = this.nodes.get(this.hovered).paper;
    const [head, tail] = this.tip.children;
    const names = authors.split(", ");
    head.textContent = title;
    tail.textContent = `${names.slice(0, 4).join(", ")}${names.length > 4 ? " and others" : ""}, ${year} · ${relation}`;
    const [x, y] = at.get(this.hovered);
    const { offsetWidth, offsetHeight } = this.tip;
    const above = y - offsetHeight - REACH - 6;
    const left = clamp(x - offsetWidth / 2, 4, width - offsetWidth - 4);
    const top = above > 2 ? above : Math.min(y + REACH + 6, height - offsetHeight - 2);
    this.tip.style.transform = `translate(${left}px, ${top}px)`;
  }
}

const boxAround = ([x, y], reach) => [x - reach, y - reach, x + reach, y + reach];
const overlap = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
const isInside = (box, frame) => box[0] >= frame[0] && box[1] >= frame[1] && box[2] <= frame[2] && box[3] <= frame[3];

export default function ({ parentElement, data, setTriggerValue }) {
  const element = parentElement.querySelector(".map");
  let map = maps.get(parentElement);
  if (map?.element !== element) {
    map?.close();
    maps.set(parentElement, (map = new PaperMap(element)));
  }
  map.send = (key) => setTriggerValue("chosen", key);
  if (data) map.receive(data);
  // Streamlit also cleans up after a call that newer data overtook: then the map is still on the page, and goes on.
  return () =>
    setTimeout(() => {
      if (element.isConnected) return;
      map.close();
      if (maps.get(parentElement) === map) maps.delete(parentElement);
    });
}
