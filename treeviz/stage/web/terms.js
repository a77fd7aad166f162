// Words and symbols of the glossary in what the stage says: each opens its entry beside the pictures.

import { el } from "../../style/web/dom.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */

/** @typedef {{ name: string, symbol: string, means: string, section: string }} Term */

const ONE_COLUMN = 860; // pixels of the stage up to which it has one column, as stage.css says

/** Symbols of one letter that sentences use; any other letter alone is no symbol there. */
const LETTERS = ["b", "f", "g", "m", "n", "d", "J", "G", "K", "C", "P", "p", "y", "x", "w", "z", "ρ", "κ"];
/** @type {Record<string, string[]>} */
const FORMS = { leaf: ["leaves"], fires: ["fire", "firing"] };

export class Terms {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.box = part("term", HTMLElement);
    this.sentence = part("narration", HTMLElement);
    this.datapoint = part("datapoint", HTMLElement); // the first that stands beside the tree
    /** @type {Term[]} */
    this.terms = JSON.parse(part("terms", HTMLElement).textContent ?? "[]");
    this.places = placesOf(this.terms);
    this.pattern = patternOf([...this.places.keys()]);
  }

  /**
   * A text with a button for each term, the first time that it is named.
   * @param {string} text
   * @returns {(Node | string)[]}
   */
  link(text) {
    return pieces(text, this.pattern, this.places).map(({ words, place }) => {
      if (place === null) return words;
      const title = `what is ${this.terms[place].name}?`;
      return el("button", { class: "term", type: "button", title, onclick: () => this.open(place) }, words);
    });
  }

  /** @param {number} place */
  open(place) {
    const { name, symbol, means, section } = this.terms[place];
    const close = el("button", { onclick: () => this.close() }, "close");
    const heading = el("h3", { tabindex: -1 }, symbol ? `${name} (${symbol})` : name);
    this.stage.replace(
      this.box,
      el("div", { class: "heading" }, heading, close),
      el("p", {}, means),
      el("p", {}, whyLink(section, "read more in the method")),
    );
    if (this.stage.element.clientWidth > ONE_COLUMN) this.datapoint.before(this.box);
    else this.sentence.after(this.box); // what stands beside the tree is below it there
    this.box.hidden = false;
    heading.focus({ preventScroll: true });
    this.box.scrollIntoView({ block: "nearest" });
  }

  close() {
    this.stage.replace(this.box);
    this.box.hidden = true;
    this.stage.element.focus({ preventScroll: true });
  }
}

/**
 * A link to a section of the page about the method, in a tab of its own: the stage stays where it is.
 * @param {string} section
 * @param {string} words
 */
export const whyLink = (section, words) =>
  el(
    "a",
    { href: `${location.pathname.replace(/\/?$/, "/")}theory#${section}`, target: "_blank", class: "why" },
    words,
  );

/**
 * Words and symbols as sentences write them, with the place of their term.
 * @param {Term[]} terms
 */
export function placesOf(terms) {
  /** @type {Map<string, number>} */
  const places = new Map();
  const add = (/** @type {string} */ words, /** @type {number} */ place) => {
    if (!places.has(words)) places.set(words, place);
  };
  terms.forEach(({ name, symbol }, place) => {
    for (const words of [name, `${name}s`, ...(FORMS[name] ?? [])]) add(words, place);
    const letter = symbol.split(/[\s,(=]/)[0].replace(/[ᵢᵣ]+$/u, "");
    if (LETTERS.includes(letter)) add(letter, place);
  });
  return places;
}

/** @param {string[]} words */
export function patternOf(words) {
  const escaped = words
    .sort((one, other) => other.length - one.length)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}_])(${escaped.join("|")})(?![\\p{L}\\p{N}_'’])`, "gu");
}

/**
 * A text in pieces: each term the first time it comes, and what is between.
 * @param {string} text
 * @param {RegExp} pattern
 * @param {Map<string, number>} places
 * @returns {{ words: string, place: number | null }[]}
 */
export function pieces(text, pattern, places) {
  const seen = new Set();
  /** @type {{ words: string, place: number | null }[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const place = places.get(match[0]) ?? null;
    if (place === null || seen.has(place)) continue;
    seen.add(place);
    if (match.index > end) found.push({ words: text.slice(end, match.index), place: null });
    found.push({ words: match[0], place });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ words: text.slice(end), place: null });
  return found;
}
