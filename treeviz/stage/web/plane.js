// Draws neurons in weight space, with the half-plane in which they fire on the chosen datapoint.

import { setAttribute, setText } from "../../style/web/dom.js";
import { isSet } from "../../style/web/numbers.js";
import { leafOf, neuronOf } from "./heap.js";
import { nearest } from "./places.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Frame, Moment, NeuronPlane, Point } from "./types.js" */

export const PLANE = 300; // pixels of a side
const PLANE_PAD = 16;

export class Plane {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.svg = part("plane", SVGSVGElement);
    this.caption = part("plane-caption", HTMLElement);
    this.key = part("skin-key", HTMLElement);
    const [half, axes, border, second, never, rests] = this.svg.children;
    this.half = half;
    this.axes = axes;
    this.border = border;
    this.second = second;
    this.never = never;
    this.rests = rests;
    const [touched, fires, moves, mark, across, up] = [...this.svg.children].slice(6);
    this.touched = touched;
    this.fires = fires;
    this.moves = moves;
    this.mark = mark;
    this.across = across;
    this.up = up;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {Point[]} */
    this.points = [];
    this.drawn = "";
    this.svg.addEventListener("pointermove", (event) => stage.hover(this.nodeAt(event)));
    this.svg.addEventListener("pointerleave", () => stage.hover(null));
    this.svg.addEventListener("click", (event) => stage.select(this.nodeAt(event)));
  }

  /**
   * @param {Frame} frame
   * @param {Moment} moment
   */
  show(frame, { phase, row }) {
    const drawn = `${phase.isAfterMove} ${phase.hasMove}`;
    if (this.frame !== frame || this.drawn !== drawn) {
      [this.frame, this.drawn] = [frame, drawn];
      this.draw(frame.plane, phase.isAfterMove, phase.hasMove);
    }
    const told = frame.nodes.kind[row] === 1 ? frame.nodes.id[row] : null; // the neuron the narration is about
    const node = this.stage.hovered ?? told ?? this.stage.selected;
    const neuron = node === null ? -1 : neuronOf(node, this.stage.player.header.width);
    const at = this.points[frame.plane.neurons.indexOf(neuron)];
    setAttribute(this.mark, "d", at ? circle(at, 8) : "");
  }

  /**
   * @param {NeuronPlane} plane
   * @param {boolean} isMoved
   * @param {boolean} hasMoves
   */
  draw(plane, isMoved, hasMoves) {
    const extent = 1.04 * Math.max(0.1, ...[...plane.before, ...plane.after].flat().map(Math.abs));
    const scale = (PLANE / 2 - PLANE_PAD) / extent;
    const place = (/** @type {Point} */ [x, y]) =>
      /** @type {Point} */ ([PLANE / 2 + x * scale, PLANE / 2 - y * scale]);
    const [before, after] = [plane.before.map(place), plane.after.map(place)];
    this.points = isMoved ? after : before;
    const [fires, touched] = isMoved ? [plane.will_fire, plane.will_touch] : [plane.fires, plane.touched];
    /** @type {Record<"never" | "rests" | "touched" | "fires", string[]>} */
    const kinds = { never: [], rests: [], touched: [], fires: [] };
    this.points.forEach(([x, y], index) => {
      if (isSet(fires, index)) kinds.fires.push(star(x, y));
      else if (isSet(touched, index)) kinds.touched.push(`M${x} ${y - 4}l4 4-4 4-4-4z`);
      else if (isSet(plane.ever, index)) kinds.rests.push(circle([x, y], 3));
      else kinds.never.push(circle([x, y], 2.2));
    });
    setAttribute(this.never, "d", kinds.never.join(""));
    setAttribute(this.rests, "d", kinds.rests.join(""));
    setAttribute(this.touched, "d", kinds.touched.join(""));
    setAttribute(this.fires, "d", kinds.fires.join(""));
    setAttribute(this.moves, "d", hasMoves ? before.map((from, index) => arrow(from, after[index])).join("") : "");
    this.drawHalfPlane(plane, 4 * extent, place);
    const [middle, length] = [PLANE / 2, PLANE - 2 * PLANE_PAD];
    setAttribute(this.axes, "d", `M${PLANE_PAD} ${middle}h${length}M${middle} ${PLANE_PAD}v${length}`);
    setText(this.across, `→ ${plane.labels[0]}`);
    setText(this.up, `↑ ${plane.labels[1]}`);
    this.stage.terms.write(this.caption, plane.caption);
    setAttribute(this.svg, "aria-label", plane.caption);
  }

  /**
   * Where normal · w >= threshold: a polygon far larger than the picture, cut by its edge.
   * @param {NeuronPlane} plane
   * @param {number} far
   * @param {(point: Point) => Point} place
   */
  drawHalfPlane({ normal: [nx, ny], threshold }, far, place) {
    const point = (/** @type {number} */ along, /** @type {number} */ out) =>
      place([nx * out - ny * along, ny * out + nx * along]).join(" ");
    const line = (/** @type {number} */ out) => `M${point(far, out)}L${point(-far, out)}`;
    const { lowered } = this.stage.player;
    const edge = line(threshold);
    setAttribute(this.border, "d", edge);
    setAttribute(this.second, "d", lowered === null ? "" : line(lowered));
    this.key.hidden = lowered === null;
    setAttribute(this.half, "d", `${edge}L${point(-far, threshold + far)}L${point(far, threshold + far)}Z`);
  }

  /**
   * The heap number of the leaf of the neuron under the pointer, or null.
   * @param {MouseEvent} event
   */
  nodeAt({ clientX, clientY }) {
    if (!this.frame) return null;
    const box = this.svg.getBoundingClientRect();
    const scale = PLANE / box.width;
    const found = nearest(this.points, [(clientX - box.left) * scale, (clientY - box.top) * scale], 10);
    return found < 0 ? null : leafOf(this.frame.plane.neurons[found], this.stage.player.header.width);
  }
}

/** @param {Point} centre @param {number} r */
export const circle = ([x, y], r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`;

/** @param {number} x @param {number} y */
const star = (x, y) => `M${x} ${y - 5.5}l1.5 3.7 4 .2-3.1 2.5 1 3.9-3.4-2.2-3.4 2.2 1-3.9-3.1-2.5 4-.2z`;

/**
 * An arrow; nothing where it would be too short to see.
 * @param {Point} from
 * @param {Point} to
 */
export function arrow([x, y], [u, v]) {
  const length = Math.hypot(u - x, v - y);
  if (length < 3) return "";
  const [dx, dy] = [(4 * (u - x)) / length, (4 * (v - y)) / length];
  const [left, right] = [
    [u - dx - dy / 2, v - dy + dx / 2],
    [u - dx + dy / 2, v - dy - dx / 2],
  ];
  return `M${x} ${y}L${u} ${v}M${left.join(" ")}L${u} ${v}L${right.join(" ")}`;
}
