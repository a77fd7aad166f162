// Draws neurons in weight space with the chosen datapoint's half-plane, and the output over the input plane.

const PLANE = 300, PLANE_PAD = 16;

class Plane {
  constructor(stage) {
    this.stage = stage;
    this.half = svg("path", { class: "half-plane" });
    this.border = svg("path", { class: "threshold-line" });
    this.axes = svg("path", { class: "axes" });
    this.never = svg("path", { class: "never" });
    this.idle = svg("path", { class: "touched" });
    this.firing = svg("path", { class: "fires" });
    this.moves = svg("path", { class: "moves" });
    this.mark = svg("path", { class: "plane-mark" });
    this.names = svg("g", { class: "plane-names" });
    this.svg = svg("svg", { role: "img", class: "plane", viewBox: `0 0 ${PLANE} ${PLANE + 18}` }, this.half, this.axes, this.border, this.never, this.idle, this.firing, this.moves, this.mark, this.names);
    this.caption = el("p", { class: "hint" });
    this.element = el("section", { class: "card" }, el("h3", {}, "Neurons in weight space"), this.svg,
      el("ul", { class: "legend", "aria-label": "Key to the plane" },
        key("never", "M-3 0A3 3 0 1 1 3 0 3 3 0 1 1-3 0Z", "fires nowhere, never moves"),
        key("touched", "M0-4L4 0 0 4-4 0Z", "fires on another datapoint"),
        key("fires", STAR, "fires on this one"), key("moves", "M-8 0H8M4-3L8 0 4 3", "its move")),
      this.caption);
    this.svg.addEventListener("pointermove", (event) => this.stage.hover(this.neuronAt(event)));
    this.svg.addEventListener("pointerleave", () => this.stage.hover(null));
    this.svg.addEventListener("click", (event) => this.stage.select(this.neuronAt(event)));
  }

  show(frame, moment) {
    const { plane } = frame;
    const isMoved = moment.phase === "repair" || moment.phase === "compare";
    if (this.frame !== frame || this.isMoved !== isMoved || this.phase !== moment.phase) {
      [this.frame, this.isMoved, this.phase] = [frame, isMoved, moment.phase];
      this.draw(plane);
    }
    const node = this.stage.hovered ?? this.stage.selected;
    const at = node === null ? -1 : plane.neurons.indexOf(node - this.stage.header.width);
    setAttribute(this.mark, "d", at < 0 ? "" : circle(this.place((isMoved ? plane.after : plane.before)[at]), 8));
  }

  draw(plane) {
    const all = [...plane.before, ...plane.after, [0, 0]];
    const extent = Math.max(0.1, ...all.flat().map(Math.abs)) * 1.04;
    const scale = (PLANE / 2 - PLANE_PAD) / extent;
    this.place = ([x, y]) => [PLANE / 2 + x * scale, PLANE / 2 - y * scale];
    const points = this.isMoved ? plane.after : plane.before;
    const fires = this.isMoved ? plane.will_fire : plane.fires;
    const groups = { never: [], touched: [], fires: [] };
    points.forEach((point, index) => {
      const [x, y] = this.place(point);
      if (isSet(fires, index)) groups.fires.push(star(x, y));
      else if (isSet(plane.touched, index)) groups.touched.push(`M${x} ${y - 4}l4 4-4 4-4-4z`);
      else groups.never.push(circle([x, y], 2.2));
    });
    setAttribute(this.never, "d", groups.never.join(""));
    setAttribute(this.idle, "d", groups.touched.join(""));
    setAttribute(this.firing, "d", groups.fires.join(""));
    const showsMoves = this.isMoved || this.phase === "move";
    setAttribute(this.moves, "d", showsMoves ? plane.before.map((from, index) => arrow(this.place(from), this.place(plane.after[index]))).join("") : "");
    this.drawHalfPlane(plane, extent);
    const [[cx, cy]] = [this.place([0, 0])];
    setAttribute(this.axes, "d", `M${PLANE_PAD} ${cy}H${PLANE - PLANE_PAD}M${cx} ${PLANE_PAD}V${PLANE - PLANE_PAD}`);
    this.names.replaceChildren(
      svg("text", { x: PLANE - 2, y: PLANE + 13, "text-anchor": "end" }, `→ ${plane.labels[0]}`),
      svg("text", { x: 2, y: 11 }, `↑ ${plane.labels[1]}`));
    setText(this.caption, plane.caption);
    setAttribute(this.svg, "aria-label", plane.caption);
  }

  // The part of the square where normal · w >= threshold: a polygon far larger than the picture, cut by its edge.
  drawHalfPlane({ normal, threshold }, extent) {
    const [nx, ny] = normal, far = 4 * extent;
    const foot = [nx * threshold, ny * threshold], along = [-ny * far, nx * far], out = [nx * far, ny * far];
    const a = [foot[0] + along[0], foot[1] + along[1]], b = [foot[0] - along[0], foot[1] - along[1]];
    const line = (...points) => points.map((point, index) => `${index ? "L" : "M"}${this.place(point).join(" ")}`).join("");
    setAttribute(this.half, "d", `${line(a, b, [b[0] + out[0], b[1] + out[1]], [a[0] + out[0], a[1] + out[1]])}Z`);
    setAttribute(this.border, "d", line(a, b));
  }

  neuronAt(event) {
    const box = this.svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) * PLANE) / box.width, y = ((event.clientY - box.top) * (PLANE + 18)) / box.height;
    let nearest = null, distance = 100;
    (this.isMoved ? this.frame.plane.after : this.frame.plane.before).forEach((point, index) => {
      const [px, py] = this.place(point);
      const d = (px - x) ** 2 + (py - y) ** 2;
      if (d < distance) [nearest, distance] = [this.frame.plane.neurons[index] + this.stage.header.width, d];
    });
    return nearest;
  }
}

class OutputPicture {
  constructor(stage) {
    this.stage = stage;
    this.shades = range(8).map((index) => svg("path", { class: `output output-${index}` }));
    this.points = svg("g", { class: "datapoints" });
    this.svg = svg("svg", { role: "img", class: "plane", viewBox: `0 0 ${PLANE} ${PLANE}` }, ...this.shades, this.points);
    this.caption = el("p", { class: "hint" });
    this.element = el("section", { class: "card" }, el("h3", {}, "Output over the input plane"), this.svg, this.caption);
  }

  show(fields, iteration, tree) {
    const values = fields?.values[iteration];
    if (!values) return setText(this.caption, "The output over the input plane is being computed …");
    if (values === this.values && tree === this.tree) return;
    [this.values, this.tree] = [values, tree];
    const size = Math.round(Math.sqrt(values.length)), cell = PLANE / size;
    const largest = Math.max(1000, ...values.map(Math.abs));
    const shapes = this.shades.map(() => []);
    values.forEach((value, index) => {
      const shade = Math.max(0, Math.min(7, Math.floor(((value / largest + 1) / 2) * 8)));
      shapes[shade].push(`M${(index % size) * cell} ${PLANE - (Math.floor(index / size) + 1) * cell}h${cell}v${cell}h${-cell}z`);
    });
    this.shades.forEach((path, index) => setAttribute(path, "d", shapes[index].join("")));
    const [left, right, bottom, top] = fields.extent;
    this.points.replaceChildren(...fields.points.map(([u, v], point) => svg("path", {
      class: point === tree ? "chosen" : "", transform: `translate(${(PLANE * (u - left)) / (right - left)},${PLANE - (PLANE * (v - bottom)) / (top - bottom)})`,
      d: this.stage.header.targets[point] >= 0 ? "M-4 0H4M0-4V4" : "M-4 0H4", onclick: () => this.stage.look({ tree: point, opened: [] }) })));
    const reach = (largest / 1000).toFixed(1);
    const sentence = `Orange is negative, down to −${reach}, blue positive, up to ${reach}. Datapoints are marked + or − by the sign of their target; the bold one is datapoint ${tree}.`;
    setText(this.caption, sentence);
    setAttribute(this.svg, "aria-label", `The network's output over the input plane at iteration ${iteration}. ${sentence}`);
  }
}

const circle = ([x, y], r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
const star = (x, y) => `M${x} ${y - 5.5}l1.5 3.7 4 .2-3.1 2.5 1 3.9-3.4-2.2-3.4 2.2 1-3.9-3.1-2.5 4-.2z`;

function arrow([x, y], [u, v]) {
  const length = Math.hypot(u - x, v - y);
  if (length < 3) return "";
  const [cx, cy] = [(u - x) / length, (v - y) / length];
  return `M${x} ${y}L${u} ${v}M${u - 4 * cx - 2 * cy} ${v - 4 * cy + 2 * cx}L${u} ${v}L${u - 4 * cx + 2 * cy} ${v - 4 * cy - 2 * cx}`;
}

function key(name, d, words) {
  return el("li", {}, svg("svg", { viewBox: "-10 -10 20 20", width: 18, height: 18, "aria-hidden": "true" }, svg("path", { class: name, d })), words);
}
