// Markers and lines of the contestants, as SVG text.

/** @import { Contestant, Point } from "./types.js" */

/**
 * Outlines around (0, 0), of radius 1; the open ones are drawn as strokes.
 * @type {Record<string, string>}
 */
export const MARKERS = {
  circle: "M-1 0a1 1 0 1 0 2 0a1 1 0 1 0-2 0Z",
  square: "M-.9-.9H.9V.9H-.9Z",
  triangle: "M0-1.15L1.05 .8H-1.05Z",
  diamond: "M0-1.3L1.15 0L0 1.3L-1.15 0Z",
  cross: "M-1.2 0H1.2M0-1.2V1.2",
  saltire: "M-.95-.95L.95 .95M-.95 .95L.95-.95",
  wedge: "M0 1.15L1.05-.8H-1.05Z",
  star: "M0-1.4L.4-.45L1.35-.4L.6 .2L.85 1.15L0 .6L-.85 1.15L-.6 .2L-1.35-.4L-.4-.45Z",
};
const OPEN_MARKERS = ["cross", "saltire"];
const MARKER_APART = 70; // pixels from one marker of a line to the next

/** @type {Record<string, string>} */
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** @param {string} text */
export const escapeText = (text) => text.replace(/[&<>"]/g, (sign) => ESCAPES[sign]);

/**
 * @param {Pick<Contestant, "marker" | "color">} contestant
 * @param {Point} place
 * @param {number} radius
 */
export function markerAt({ marker, color }, [x, y], radius) {
  const isOpen = OPEN_MARKERS.includes(marker);
  const scale = `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${radius})`;
  const paint = isOpen ? `fill="none" style="stroke:${color}"` : `fill="${color}"`;
  const path = `d="${MARKERS[marker]}" transform="${scale}" vector-effect="non-scaling-stroke"`;
  return `<path class="mark${isOpen ? " open" : ""}" ${path} ${paint}/>`;
}

/**
 * The path through some points; a gap begins a new piece.
 * @param {(Point | null)[]} points
 * @param {boolean} isStepped whether it goes across, then up or down
 */
export function linePath(points, isStepped) {
  return points.reduce((/** @type {string} */ d, point, index) => {
    if (!point) return d;
    const [x, y] = point.map((pixel) => pixel.toFixed(1));
    if (!points[index - 1]) return `${d}M${x} ${y}`;
    return isStepped ? `${d}H${x}V${y}` : `${d}L${x} ${y}`;
  }, "");
}

/**
 * The points of a line that get a marker; neighbours in the list of contestants start at different places.
 * @param {(Point | null)[]} points
 * @param {number} left
 * @param {number} order of the contestant
 */
export function markedPoints(points, left, order) {
  let next = left + 12 * order;
  return points.filter((point) => {
    if (!point || point[0] < next) return false;
    next = point[0] + MARKER_APART;
    return true;
  });
}

/**
 * What is written into a phase's part of a bar: name and share, the name, or nothing, by the room there is.
 * @param {string} name
 * @param {string} share
 * @param {number} room pixels
 */
export function partLabel(name, share, room) {
  if (room > 8 * name.length + 50) return `${name} ${share}`;
  return room > 8 * name.length + 8 ? name : "";
}
