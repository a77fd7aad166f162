// Where things stand on the map: from the unit square to the screen and back, zoomed and moved, and where names fit.

import { clamp } from "../../style/web/numbers.js";

/** @import { Box, Point } from "./types.js" */

export const MARGIN = { x: 6, top: 26, bottom: 46 }; // pixels around the unit square: years above, buttons below
export const REACH = 15; // half the size of a node with its ring
const MAX_ZOOM = 5;
const SLACK = 0.35; // of the picture: how far beyond its edges the map can be moved
const LABEL_HEIGHT = 15;

/** @typedef {{ width: number, height: number }} Size in pixels */

/** How the map is zoomed and moved. */
export class View {
  zoom = 1;
  x = 0;
  y = 0;

  /**
   * The place on the screen of a point of the unit square.
   * @param {Point} point
   * @param {Size} size
   * @returns {Point}
   */
  toScreen([x, y], { width, height }) {
    const across = MARGIN.x + x * (width - 2 * MARGIN.x);
    const down = MARGIN.top + y * (height - MARGIN.top - MARGIN.bottom);
    return [across * this.zoom + this.x, down * this.zoom + this.y];
  }

  /**
   * The point of the unit square at a place on the screen.
   * @param {Point} place
   * @param {Size} size
   * @returns {Point}
   */
  toUnit([across, down], { width, height }) {
    return [
      ((across - this.x) / this.zoom - MARGIN.x) / (width - 2 * MARGIN.x),
      ((down - this.y) / this.zoom - MARGIN.top) / (height - MARGIN.top - MARGIN.bottom),
    ];
  }

  /**
   * Zoom, while a place on the screen stays where it is; zoomed out to all, everything is back in its place.
   * @param {number} factor
   * @param {Point} place
   * @param {Size} size
   */
  zoomBy(factor, [x, y], size) {
    const zoom = clamp(this.zoom * factor, 1, MAX_ZOOM);
    const change = zoom / this.zoom;
    const isAll = zoom === 1 && this.zoom > 1;
    this.zoom = zoom;
    if (isAll) [this.x, this.y] = [0, 0];
    else this.moveTo(x - (x - this.x) * change, y - (y - this.y) * change, size);
  }

  /**
   * Move the map, no farther than its slack.
   * @param {number} x
   * @param {number} y
   * @param {Size} size
   */
  moveTo(x, y, { width, height }) {
    const within = (/** @type {number} */ offset, /** @type {number} */ extent) =>
      clamp(offset, extent * (1 - this.zoom) - SLACK * extent, SLACK * extent);
    this.x = within(x, width);
    this.y = within(y, height);
  }

  /**
   * Bring a place into the picture, if the map is zoomed and the place is outside.
   * @param {Point} place
   * @param {Size} size
   */
  reveal([x, y], size) {
    if (this.zoom === 1) return;
    const right = clamp(x, 2 * REACH, size.width - 2 * REACH) - x;
    const down = clamp(y, MARGIN.top + 2 * REACH, size.height - MARGIN.bottom) - y;
    this.moveTo(this.x + right, this.y + down, size);
  }
}

/**
 * Keep a paper that is dragged within the picture.
 * @param {Point} place
 * @param {Size} size
 * @returns {Point}
 */
export function insidePicture([x, y], { width, height }) {
  return [clamp(x, REACH, width - REACH), clamp(y, MARGIN.top + REACH, height - MARGIN.bottom)];
}

/**
 * The nearest of some places in a direction; what lies aside of it counts as farther away. Null, if there is none.
 * @param {Point} from
 * @param {Map<string, Point>} places
 * @param {Point} direction
 */
export function neighbour([x, y], places, [right, down]) {
  let [best, least] = [/** @type {string | null} */ (null), Infinity];
  for (const [key, [toX, toY]] of places) {
    const ahead = (toX - x) * right + (toY - y) * down;
    const aside = Math.abs((toX - x) * down) + Math.abs((toY - y) * right);
    const distance = ahead + 2 * aside;
    if (ahead > 1 && distance < least) [best, least] = [key, distance];
  }
  return best;
}

/**
 * Where the name of a paper fits: to its right, left, below or above; undefined, if nowhere.
 * @param {Point} paper
 * @param {number} reach half the size of the paper
 * @param {number} wide pixels of the name
 * @param {Box} frame the name must be in it
 * @param {Box[]} taken and may overlap none of these
 */
export function findSpot([x, y], reach, wide, frame, taken) {
  const away = reach + 2;
  /** @type {Point[]} */
  const corners = [
    [x + away, y - LABEL_HEIGHT / 2],
    [x - away - wide, y - LABEL_HEIGHT / 2],
    [x - wide / 2, y + away - 3],
    [x - wide / 2, y - away - LABEL_HEIGHT + 3],
  ];
  const spots = corners.map(([left, top]) => /** @type {Box} */ ([left, top, left + wide, top + LABEL_HEIGHT]));
  return spots.find((spot) => isInside(spot, frame) && !taken.some((other) => overlap(spot, other)));
}

/** @param {Point} centre @param {number} reach @returns {Box} */
export const boxAround = ([x, y], reach) => [x - reach, y - reach, x + reach, y + reach];

/** @param {Box} one @param {Box} other */
const overlap = (one, other) => one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];

/** @param {Box} box @param {Box} frame */
const isInside = (box, frame) => box[0] >= frame[0] && box[1] >= frame[1] && box[2] <= frame[2] && box[3] <= frame[3];
