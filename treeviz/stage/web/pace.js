// How long sentences stay while they play: as long as reading them takes, unless the same words have just been read.

/** @import { Step } from "./types.js" */

const [READING, SHORTEST] = [1000 / 20, 1200]; // milliseconds it takes to read a character, and any sentence at least
const [GLANCE, GLANCES] = [400, 6000]; // milliseconds of a repeated sentence at most, and of all those in a phase together
const NUMBER = /[+−-]?\d+(?:[.,]\d+)*(?:·10)?[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]*/gu;

/**
 * Milliseconds it takes to read a sentence.
 * @param {string} text
 */
export const readingTime = (text) => Math.max(SHORTEST, READING * text.length);

/**
 * The words of a sentence. Numbers in it are all alike, and so are one and many of the same thing; a climb may come to
 * the root as it comes to any other node.
 * @param {string} text
 */
export const wordsOf = (text) =>
  text
    .replace(/\bthe root\b/gu, "node 1")
    .replace(NUMBER, "#")
    .replace(/(# \p{L}+?)s\b/gu, "$1");

/**
 * Milliseconds for which each of some sentences stays that are told one after the other. The first with its words is
 * read, and so is the last of all; any other is glanced at: no more than its numbers are new, and the picture shows them.
 * @param {string[]} texts
 */
export function dwellTimes(texts) {
  const isRead = new Set([texts.length - 1]);
  const known = new Set();
  for (const [place, text] of texts.entries()) {
    const words = wordsOf(text);
    if (!known.has(words)) isRead.add(place);
    known.add(words);
  }
  const glance = Math.min(GLANCE, GLANCES / (texts.length - isRead.size));
  return texts.map((text, place) => (isRead.has(place) ? readingTime(text) : glance));
}

/** The pace of a phase from where playing came into it: what was told before that has not been read. */
export class Pace {
  /** @type {Step[] | null} */
  steps = null;
  from = 0;
  /** @type {number[]} */
  times = [];

  /**
   * Milliseconds for which the sentence of a step stays.
   * @param {Step[]} steps of its phase
   * @param {number} step
   */
  stay(steps, step) {
    if (steps !== this.steps || step < this.from) {
      [this.steps, this.from] = [steps, step];
      this.times = dwellTimes(steps.slice(step).map(([, text]) => text));
    }
    return this.times[step - this.from];
  }
}
