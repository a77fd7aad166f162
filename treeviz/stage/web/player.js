// The player of one run: owns the cursor and the frames that have arrived, and knows what to ask the server for.

import { clamp, range } from "../../style/web/numbers.js";
import { advance, lengthsOf, nearestStepAbout, settle } from "./cursor.js";
import { Inspections } from "./inspections.js";
import { Pace, readingTime } from "./pace.js";
import { Weights } from "./weights.js";

/** @import { AddressNames, Answer, Cursor, Fields, Frame, Header, Question, Status, Unit, View } from "./types.js" */

const FRAMES_KEPT = 240; // of all views together
const AHEAD = 3; // iterations fetched before they are wanted
const REST = 300; // milliseconds without a move after which the cursor rests
const FOLLOW = 1000; // milliseconds of playing between reports of the iteration to the server, for what follows the cursor
const LONGEST_TICK = 100; // milliseconds of playing that count at most: a tab that was hidden goes on where it was
export const PATIENCE = 6000; // milliseconds until a question without an answer is asked again

/**
 * @typedef {object} Host
 * @property {() => number} now milliseconds
 * @property {(question: Question) => void} send ask the server
 * @property {() => boolean} isLeaving whether the page is about to be left, so that nothing may be asked
 * @property {() => void} changed draw again
 * @property {(isOn: boolean) => void} playing start or stop the clock
 * @property {() => void} rest the cursor rests: write the address
 */

/** How to play: what a viewer has chosen, kept from run to run, and whether a scene of a lesson is open. */
export class Playback {
  speed = 1; // times the pace of reading
  loop = false;
  isLesson = false; // then the steps of a phase are played, and those of the next one only when asked for
  /** @type {Unit} */
  unit = "step";
}

export class Player {
  /**
   * @param {Header} header
   * @param {Host} host
   * @param {Playback} playback
   * @param {View} view
   * @param {Cursor} at
   * @param {number} asked number of the last question, of any run
   */
  constructor(header, host, playback, view, at, asked = 0) {
    this.header = header;
    this.host = host;
    this.playback = playback;
    this.view = view;
    this.at = at;
    /** @type {Status} */
    this.status = { computed: 0, finished: false, behind: false, badges: [] };
    /** @type {Map<string, Frame>} */
    this.frames = new Map();
    /** @type {Fields | null} */
    this.fields = null;
    this.inspections = new Inspections();
    this.weights = new Weights();
    /** @type {number | null} the neuron that is inspected */
    this.inspected = null;
    /** @type {(() => void)[]} what was asked for while its frame was missing */
    this.owed = [];
    /** @type {number | null} heap number of the node that the cursor is to keep to in the next frame */
    this.held = null;
    /** @type {number | null} the iteration that the server was last told the cursor is in */
    this.reported = null;
    this.reportedAt = 0;
    /** @type {string | null} name of the frame that the last question was for, if it was missing under the cursor */
    this.awaited = null;
    this.playing = false;
    this.hasRested = false; // at the end of a phase, where playing stopped by itself
    this.pace = new Pace();
    this.stood = 0; // milliseconds that what is under the cursor has stood while it plays
    this.isWaiting = false;
    this.asked = asked;
    this.askedAt = 0;
    this.movedAt = 0;
  }

  // ---- frames ----

  /** @param {Pick<Answer, "status" | "frames" | "fields" | "neuron" | "weights" | "nonce">} answer */
  take({ status, frames, fields, neuron, weights, nonce }) {
    if (nonce === this.asked) this.isWaiting = false;
    this.status = status;
    if (fields) this.fields = { ...fields, values: { ...this.fields?.values, ...fields.values } };
    if (neuron) this.inspections.take(neuron);
    if (weights) this.weights.take(weights);
    for (const frame of frames) this.frames.set(this.name(frame.iteration, frame.view), frame);
    for (const name of [...this.frames.keys()].slice(0, -FRAMES_KEPT)) this.frames.delete(name); // the oldest
    if (this.at.iteration > this.last) this.place(this.at);
    while (this.frame && this.owed.length) this.owed.shift()?.();
  }

  /**
   * Have what is to be known of a neuron asked for, from now on and wherever the cursor goes.
   * @param {number | null} neuron
   */
  inspect(neuron) {
    if (neuron === this.inspected) return;
    this.inspected = neuron;
    this.ask();
  }

  /** Have all weights of an iteration asked for. @param {number} iteration */
  want(iteration) {
    if (this.weights.wanted === iteration) return;
    this.weights.wanted = iteration;
    this.ask();
  }

  /** @param {number} iteration */
  name(iteration, { tree, detail, opened, pinned } = this.view) {
    return JSON.stringify([iteration, tree, detail, opened, pinned]);
  }

  get frame() {
    return this.frames.get(this.name(this.at.iteration));
  }

  /** b − skin, from which on pairs are watched; null where the search is no watch lists. */
  get lowered() {
    const { threshold, skin } = this.header;
    return skin === null ? null : threshold - skin;
  }

  /** The last iteration there will be, as far as is known. */
  get last() {
    return this.status.finished ? this.status.computed - 1 : Infinity;
  }

  /**
   * Ask for the frame under the cursor, then for those around it; say where the cursor rests, or passes while it plays.
   * One question at a time, but what is under the cursor waits for no other.
   */
  ask() {
    if (this.host.isLeaving()) return;
    const now = this.host.now();
    const { iteration } = this.at;
    const { computed, behind } = this.status;
    const isAwaited = this.awaited === this.name(iteration);
    if (this.isWaiting && now - this.askedAt < PATIENCE && (this.frame || isAwaited)) return;
    const isMissing = (/** @type {number} */ place) =>
      place >= 0 && place <= this.last && !this.frames.has(this.name(place));
    const ahead = [...range(AHEAD).map((more) => iteration + 1 + more), iteration - 1];
    const wanted = isMissing(iteration)
      ? [iteration]
      : ahead.filter((place) => isMissing(place) && (place < computed || place === iteration + 1)).slice(0, 1);
    const isResting = !this.playing && now - this.movedAt > REST;
    const isFieldMissing = this.header.planar && !this.fields?.error && !this.fields?.values[iteration];
    const isNews = this.reported !== iteration || ((behind || isFieldMissing) && now - this.askedAt > PATIENCE / 4);
    if (isResting) this.host.rest();
    const isPassing = this.playing && this.frame && this.reported !== iteration && now - this.reportedAt >= FOLLOW;
    const { tree } = this.view;
    const neuron = this.inspections.missing(this.inspected, tree, iteration, computed);
    const weights = this.weights.missing;
    if (!wanted.length && !(isResting && isNews) && !isPassing && !neuron.moments.length && weights === null) return;
    if (isResting || isPassing) [this.reported, this.reportedAt] = [iteration, now];
    [this.isWaiting, this.askedAt, this.awaited] = [true, now, this.frame ? null : this.name(iteration)];
    this.asked += 1;
    const base = { run: this.header.run, nonce: this.asked, view: this.view, wanted, cursor: this.reported };
    const question = { ...base, ...neuron, weights };
    this.host.send({ ...question, fields: isFieldMissing ? [...wanted, iteration] : wanted });
  }

  // ---- the cursor ----

  /**
   * Go to a place at once, whatever else was asked for.
   * @param {Cursor} at
   */
  go(at) {
    this.owed = [];
    this.place(at);
  }

  /**
   * Its phase and step may be Infinity, for the last. Beyond either end of the run, that end is reached.
   * @param {Cursor} at
   */
  place(at) {
    const isBeyond = at.iteration < 0 || at.iteration > this.last;
    const end = at.iteration < 0 ? 0 : Infinity;
    this.at = isBeyond ? { iteration: clamp(at.iteration, 0, this.last), phase: end, step: end } : at;
    if (isBeyond) this.play(false);
    this.stood = 0;
    this.hasRested = false;
    this.movedAt = this.host.now();
    if (this.frame) this.settle(this.frame);
    else this.ask();
    this.host.changed();
  }

  /** @param {Frame} frame */
  lengths(frame) {
    return lengthsOf(frame, this.header.phases);
  }

  /** @param {Frame} frame */
  settle(frame) {
    this.at = settle(this.at, this.lengths(frame));
  }

  /**
   * @param {Unit} unit
   * @param {number} direction
   */
  move(unit, direction) {
    // Five quick presses are five steps, also while a frame is on its way.
    if (!this.frame) return void this.owed.push(() => this.move(unit, direction));
    const lengths = this.lengths(this.frame);
    this.place(advance(settle(this.at, lengths), unit, direction, lengths));
  }

  /** @param {number} phase */
  toPhase(phase) {
    if (this.frame) this.place({ ...this.at, phase, step: 0 });
    else this.owed.push(() => this.toPhase(phase));
  }

  /** In a lesson, to play from the end of a phase is to go on to the next one. @param {boolean} isOn */
  play(isOn) {
    if (this.playing === isOn) return;
    this.playing = isOn;
    this.stood = 0;
    this.hasRested = false;
    if (isOn && this.isAtEnd) this.go({ iteration: 0, phase: 0, step: 0 });
    else if (isOn && this.restsHere) this.move("step", 1);
    this.host.playing(isOn);
    this.host.changed();
  }

  get isAtEnd() {
    const { iteration, phase, step } = this.at;
    if (!this.frame || iteration < this.last) return false;
    const lengths = this.lengths(this.frame);
    return phase === lengths.length - 1 && step === lengths[phase] - 1;
  }

  get isPhaseOver() {
    return this.frame !== undefined && this.at.step >= this.lengths(this.frame)[this.at.phase] - 1;
  }

  /** Whether playing stops here: at the end of a phase, in a lesson, which speaks of one at a time. */
  get restsHere() {
    const { isLesson, loop, unit } = this.playback;
    return isLesson && !loop && unit === "step" && this.view.pinned === null && this.isPhaseOver;
  }

  playOne() {
    const { loop, unit } = this.playback;
    if (loop && unit === "step" && this.isPhaseOver) this.place({ ...this.at, step: 0 });
    else this.move(unit, 1);
  }

  /**
   * Milliseconds for which the sentence under the cursor stays, at the speed chosen.
   * @param {Frame} frame
   */
  dwell(frame) {
    const { phase, step } = settle(this.at, this.lengths(frame));
    const isCompared = frame.view.pinned !== null;
    const time = isCompared
      ? readingTime(frame.summary)
      : this.pace.stay(frame.script[this.header.phases[phase].id], step);
    return time / this.playback.speed;
  }

  /**
   * Let a tick of the clock pass, and play on if the sentence has stood for long enough: once at most, so that each is
   * drawn.
   * @param {number} elapsed milliseconds
   */
  playFor(elapsed) {
    if (!this.frame) return;
    if (this.restsHere) {
      this.play(false);
      this.hasRested = true;
      return;
    }
    this.stood += Math.min(elapsed, LONGEST_TICK);
    const left = this.stood - this.dwell(this.frame);
    if (left < 0) return;
    this.playOne();
    this.stood = Math.min(left, LONGEST_TICK);
  }

  // ---- what is looked at ----

  /**
   * @param {Partial<View>} change
   * @param {number | null} node heap number of the node under the cursor
   */
  look(change, node) {
    // Where more or fewer nodes are drawn, the end of a phase stays its end, and else the same node under the cursor.
    const isSameTree = !("tree" in change || "pinned" in change);
    const isEnd = isSameTree && this.isPhaseOver;
    if (isEnd) this.at = { ...this.at, step: Infinity };
    this.held = isSameTree && !isEnd ? node : null;
    Object.assign(this.view, change);
    this.view.opened = [...new Set(this.view.opened)].slice(-this.header.opened);
    [this.movedAt, this.reported] = [this.host.now(), null];
    this.ask();
    this.host.changed();
  }

  /** Stay with a frame that is there: what was looked for is not to be had. @param {Frame} frame */
  stay(frame) {
    this.play(false);
    this.owed = [];
    this.view = { ...frame.view };
    this.go({ ...this.at, iteration: frame.iteration });
  }

  /**
   * Put the cursor on the node that is held, if a step of the phase is about it: as near to where it was as can be.
   * @param {Frame} frame
   */
  holdNode(frame) {
    const phase = this.header.phases[this.at.phase]?.id;
    const row = this.held ? frame.nodes.id.indexOf(this.held) : -1;
    const step = row < 0 ? null : nearestStepAbout(frame.script[phase] ?? [], row, this.at.step);
    if (step !== null) this.at.step = step;
    this.held = null;
  }

  /**
   * What the address is to hold, name by name; null for what is to be left out.
   * @param {AddressNames} names
   * @param {number | null} node
   */
  address(names, node) {
    const { tree, detail, opened, pinned } = this.view;
    const { iteration, phase, step } = this.at;
    const isPinned = pinned !== null;
    const moment = {
      tree,
      iteration,
      phase: isPinned ? null : this.header.phases[phase]?.id,
      step: isPinned || !step ? null : step,
      node,
      detail: detail === this.header.detail ? null : detail,
      opened: opened.length ? opened.join() : null,
      pinned,
    };
    const parts = /** @type {(keyof AddressNames)[]} */ (Object.keys(names));
    const isLeftOut = (/** @type {unknown} */ value) => value === null || value === undefined || value === Infinity;
    return parts.map((part) => {
      const value = moment[part];
      return /** @type {[string, string | null]} */ ([names[part], isLeftOut(value) ? null : String(value)]);
    });
  }
}
