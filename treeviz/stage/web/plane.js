// Draws neurons in weight space, with the half-plane in which they fire on the chosen datapoint.

const [PLANE, PLANE_PAD] = [300, 16];

class Plane {
  constructor(stage, part) {
    this.stage = stage;
    [this.svg, this.caption] = [part("plane"), part("plane-caption")];
    this.key = part("skin-key");
    const [half, axes, border, second, never, rests, touched, fires, moves, mark, across, up] = this.svg.children;
    Object.assign(this, { half, axes, border, second, never, rests, touched, fires, moves, mark, across, up });
    this.svg.addEventListener("pointermove", (event) => stage.hover(this.nodeAt(event)));
    this.svg.addEventListener("pointerleave", () => stage.hover(null));
    this.svg.addEventListener("click", (event) => stage.select(this.nodeAt(event)));
  }

  show(frame, { phase, row }) {
    const isMoved = phase === "repair";
    const drawn = `${isMoved} ${phase === "move"}`;
    if (this.frame !== frame || this.drawn !== drawn) {
      [this.frame, this.drawn] = [frame, drawn];
      this.draw(frame.plane, isMoved, isMoved || phase === "move");
    }
    const told = frame.nodes.kind[row] === 1 ? frame.nodes.id[row] : null; // the neuron the narration is about
    const node = this.stage.hovered ?? told ?? this.stage.selected;
    const at = this.points[frame.plane.neurons.indexOf(node - this.stage.header.width)];
    setAttribute(this.mark, "d", at ? circle(at, 8) : "");
  }

  draw(plane, isMoved, hasMoves) {
    const extent = 1.04 * Math.max(0.1, ...[...plane.before, ...plane.after].flat().map(Math.abs));
    const scale = (PLANE / 2 - PLANE_PAD) / extent;
    const place = ([x, y]) => [PLANE / 2 + x * scale, PLANE / 2 - y * scale];
    const [before, after] = [plane.before.map(place), plane.after.map(place)];
    this.points = isMoved ? after : before;
    const touched = isMoved ? plane.will_touch : plane.touched;
    const kinds = { never: [], rests: [], touched: [], fires: [] };
    this.points.forEach(([x, y], index) => {
      if (isSet(isMoved ? plane.will_fire : plane.fires, index)) kinds.fires.push(star(x, y));
      else if (isSet(touched, index)) kinds.touched.push(`M${x} ${y - 4}l4 4-4 4-4-4z`);
      else if (isSet(plane.ever, index)) kinds.rests.push(circle([x, y], 3));
      else kinds.never.push(circle([x, y], 2.2));
    });
    for (const [kind, shapes] of Object.entries(kinds)) setAttribute(this[kind], "d", shapes.join(""));
    setAttribute(this.moves, "d", hasMoves ? before.map((from, index) => arrow(from, after[index])).join("") : "");
    this.drawHalfPlane(plane, 4 * extent, place);
    const [middle, length] = [PLANE / 2, PLANE - 2 * PLANE_PAD];
    setAttribute(this.axes, "d", `M${PLANE_PAD} ${middle}h${length}M${middle} ${PLANE_PAD}v${length}`);
    setText(this.across, `→ ${plane.labels[0]}`);
    setText(this.up, `↑ ${plane.labels[1]}`);
    setText(this.caption, plane.caption);
    setAttribute(this.svg, "aria-label", plane.caption);
  }

  // Where normal · w >= threshold: a polygon far larger than the picture, cut by its edge.
  drawHalfPlane({ normal: [nx, ny], threshold }, far, place) {
    const point = (along, out) => place([nx * out - ny * along, ny * out + nx * along]).join(" ");
    const line = (out) => `M${point(far, out)}L${point(-far, out)}`;
    const [edge, { lowered }] = [line(threshold), this.stage];
    setAttribute(this.border, "d", edge);
    setAttribute(this.second, "d", lowered === null ? "" : line(lowered));
    this.key.hidden = lowered === null;
    setAttribute(this.half, "d", `${edge}L${point(-far, threshold + far)}L${point(far, threshold + far)}Z`);
  }

  // The heap number of the leaf of the neuron under the pointer, or null.
  nodeAt({ clientX, clientY }) {
    if (!this.frame) return null;
    const box = this.svg.getBoundingClientRect();
    const scale = PLANE / box.width;
    const found = nearest(this.points, [(clientX - box.left) * scale, (clientY - box.top) * scale], 10);
    return found < 0 ? null : this.frame.plane.neurons[found] + this.stage.header.width;
  }
}

const circle = ([x, y], r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;
const star = (x, y) => `M${x} ${y - 5.5}l1.5 3.7 4 .2-3.1 2.5 1 3.9-3.4-2.2-3.4 2.2 1-3.9-3.1-2.5 4-.2z`;

function arrow([x, y], [u, v]) {
  const length = Math.hypot(u - x, v - y);
  if (length < 3) return "";
  const [dx, dy] = [(4 * (u - x)) / length, (4 * (v - y)) / length];
  const [left, right] = [[u - dx - dy / 2, v - dy + dx / 2], [u - dx + dy / 2, v - dy - dx / 2]];
  return `M${x} ${y}L${u} ${v}M${left.join(" ")}L${u} ${v}L${right.join(" ")}`;
}
