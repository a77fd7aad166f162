// The race clock: a moment is so many seconds since the start, null stands for now.

import { clamp } from "../../style/web/numbers.js";

/** @import { Column, Contestant, Point } from "./types.js" */

export const SLIDER_STEPS = 1000;

/**
 * The index of the last lap at or before a moment; -1 before the first.
 * @param {Pick<Contestant, "columns">} contestant
 * @param {number | null} moment
 */
export function lapAt({ columns: { seconds } }, moment) {
  if (moment === null) return seconds.length - 1;
  return seconds.findLastIndex((value) => value !== null && value <= moment);
}

/** The seconds of a race, as far as it has come, on its slider. */
export class Clock {
  /**
   * @param {Column[]} seconds of all contestants
   * @param {boolean} isLog
   */
  constructor(seconds, isLog) {
    const times = seconds.flat().filter((value) => value !== null);
    const positive = times.filter((value) => value > 0);
    this.last = times.length ? times.reduce((a, b) => Math.max(a, b)) : 1;
    this.first = positive.length ? positive.reduce((a, b) => Math.min(a, b)) : this.last / 1000;
    this.isLog = isLog;
  }

  /** @param {number} step */
  momentOf(step) {
    if (step >= SLIDER_STEPS) return null;
    const share = step / SLIDER_STEPS;
    return this.isLog ? this.first * (this.last / this.first) ** share : this.last * share;
  }

  /** @param {number | null} moment */
  stepOf(moment) {
    if (moment === null) return SLIDER_STEPS;
    const share = this.isLog ? Math.log(moment / this.first) / Math.log(this.last / this.first) : moment / this.last;
    return Number.isFinite(share) ? clamp(Math.round(SLIDER_STEPS * share), 0, SLIDER_STEPS) : SLIDER_STEPS;
  }
}

/**
 * @typedef {object} Line what is drawn of a contestant
 * @property {Contestant} contestant
 * @property {(Point | null)[]} points by lap; null is a gap
 */

/**
 * @typedef {object} Found
 * @property {number | null} moment
 * @property {Contestant} [contestant]
 * @property {number} lap
 */

/**
 * The moment at a place, and the contestant nearest to it: if a moment is given, of the laps there; else of all laps,
 * and the moment is that of the nearest.
 * @param {Line[]} lines
 * @param {Point} place
 * @param {number | null} moment
 * @returns {Found}
 */
export function findLap(lines, [px, py], moment) {
  let least = Infinity;
  /** @type {Found} */
  let found = { moment, lap: -1 };
  for (const { contestant, points } of lines) {
    const only = moment === null ? null : lapAt(contestant, moment);
    points.forEach((point, lap) => {
      if (!point || (only !== null && lap !== only)) return;
      const distance = Math.hypot(moment === null ? point[0] - px : 0, point[1] - py);
      if (distance >= least) return;
      least = distance;
      found = { contestant, lap, moment: moment ?? contestant.columns.seconds[lap] };
    });
  }
  return found;
}
