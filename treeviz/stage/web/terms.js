// Words and symbols of the glossary in what the stage says, and in captions and keys of its pictures and of the charts
// below it: each opens its entry beside the pictures.

import { el } from "../../style/web/dom.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */

/** @typedef {{ name: string, symbol: string, means: string, section: string }} Term */

/** What begins the address of a link to a term, on the page around the stage; as in style/glossary.py. */
const LINK = "#term-";
const CLOSING = /^[,.;:!?)]+/; // what no line begins with
const ONE_COLUMN = 860; // pixels of the stage up to which it has one column, as stage.css says

/** Symbols of one letter that sentences use; any other letter alone is no symbol there. */
const LETTERS = ["b", "f", "g", "m", "n", "d", "J", "G", "K", "C", "P", "p", "y", "x", "w", "z", "ρ", "κ"];
/** @type {Record<string, string[]>} */
const FORMS = {
  leaf: ["leaves"],
  fires: ["fire", "firing"],
  "touched neurons": ["touched"],
  "implicit weights": ["implicit"],
  "dense method": ["dense baseline"],
  "amortized cost": ["amortized"],
  exact: ["exactly"],
};

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
    /** @type {WeakMap<Element, string>} what was written last */
    this.written = new WeakMap();
    /** @type {HTMLElement | SVGElement | null} what opened the entry, and has the focus again when it is closed */
    this.opener = null;
    for (const box of stage.element.querySelectorAll("[data-terms]")) this.linkAll(box);
    this.onClick = (/** @type {MouseEvent} */ event) => this.follow(event);
    document.addEventListener("click", this.onClick, true);
  }

  leave() {
    document.removeEventListener("click", this.onClick, true);
  }

  /**
   * A text with a button for each term, the first time that it is named.
   * @param {string} text
   * @param {Set<number>} [seen] terms that were named before, to which those of the text are added
   * @returns {(Node | string)[]}
   */
  link(text, seen) {
    if (this.stage.isBare) return withSubscripts(text);
    const found = pieces(text, this.pattern, this.places, seen);
    return found.flatMap(({ words, place }, index) => {
      const isAfterTerm = index > 0 && found[index - 1].place !== null;
      if (place === null) return withSubscripts(isAfterTerm ? words.replace(CLOSING, "") : words);
      const title = `what is ${this.terms[place].name}?`;
      const onclick = (/** @type {MouseEvent} */ { currentTarget }) => this.open(place, currentTarget);
      const button = el("button", { class: "term", type: "button", title, onclick }, ...withSubscripts(words));
      const next = found[index + 1];
      const closing = next?.place === null ? CLOSING.exec(next.words) : null;
      return [closing ? el("span", { class: "together" }, button, closing[0]) : button];
    });
  }

  /**
   * Write a text with its terms, if it is another than before.
   * @param {Element} element
   * @param {string} text
   */
  write(element, text) {
    if (this.written.get(element) === text) return;
    this.written.set(element, text);
    this.stage.replace(element, ...this.link(text));
  }

  /** Make links of the terms in all texts of a part of the page, each the first time in it. @param {Element} box */
  linkAll(box) {
    const walker = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    /** @type {Text[]} */
    const texts = [];
    while (walker.nextNode()) texts.push(/** @type {Text} */ (walker.currentNode));
    const seen = new Set();
    for (const text of texts) text.replaceWith(...this.link(text.data, seen));
  }

  /** Open the term that a link of the page around the stage names. @param {MouseEvent} event */
  follow(event) {
    const link = event.composedPath().find((one) => one instanceof HTMLAnchorElement);
    const address = link?.getAttribute("href") ?? "";
    const name = address.startsWith(LINK) ? decodeURIComponent(address.slice(LINK.length)) : null;
    const place = this.terms.findIndex((term) => term.name === name);
    if (!link || place < 0) return;
    event.preventDefault();
    this.open(place, link);
  }

  /**
   * @param {number} place
   * @param {EventTarget | null} [opener]
   */
  open(place, opener = null) {
    this.opener = opener instanceof HTMLElement ? opener : null;
    const { name, symbol, means, section } = this.terms[place];
    const close = el("button", { onclick: () => this.close() }, "close");
    const heading = el("h3", { tabindex: -1 }, symbol ? `${name} (${symbol})` : name);
    this.stage.replace(
      this.box,
      el("div", { class: "heading" }, heading, close),
      el("p", {}, means),
      el("p", {}, whyLink(this.stage, section, "read more in the method")),
    );
    if (this.stage.element.clientWidth > ONE_COLUMN) this.datapoint.before(this.box);
    else this.sentence.after(this.box); // what stands beside the tree is below it there
    this.box.hidden = false;
    heading.focus({ preventScroll: true });
    this.box.scrollIntoView({ block: "nearest" });
  }

  get isOpen() {
    return !this.box.hidden;
  }

  /** Show no entry, and leave the focus where it is unless it was there. */
  clear() {
    this.stage.replace(this.box);
    this.box.hidden = true;
  }

  close() {
    this.clear();
    if (this.opener?.isConnected) this.opener.focus();
    else this.stage.element.focus({ preventScroll: true });
  }
}

/**
 * A link to a section of the page about the method, in a tab of its own: the stage stays where it is. That page is about
 * the run on show, and leads back to the moment on show when the link is followed.
 * @param {Stage} stage
 * @param {string} section
 * @param {string} words
 */
export function whyLink(stage, section, words) {
  const link = el("a", { href: `${methodPage()}#${section}`, target: "_blank", class: "why" }, words);
  const aim = () => {
    const url = stage.addressed(new URL(location.href));
    link.setAttribute("href", `${methodPage()}${url.search}#${section}`);
  };
  for (const event of ["pointerdown", "click"]) link.addEventListener(event, aim); // also for a tab opened by a menu
  return link;
}

/**
 * A link to an experiment of the Lab, in a tab of its own.
 * @param {string} experiment
 */
export function labLink(experiment) {
  const words = "measure it in the Lab";
  return el("a", { href: `${pageAt("lab")}?experiment=${experiment}`, target: "_blank", class: "why" }, words);
}

const pageAt = (/** @type {string} */ path) => `${location.pathname.replace(/\/?$/, "/")}${path}`;
const methodPage = () => pageAt("theory");

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
    for (const words of [name, `${name}s`, ...(FORMS[name] ?? [])]) {
      add(words, place);
      add(words[0].toUpperCase() + words.slice(1), place);
    }
    const letter = symbol.split(/[\s,(=]/)[0].replace(/[ᵢᵣ]+$/u, "");
    if (LETTERS.includes(letter)) add(letter, place);
    const parts = symbol.split(/ = | ≥ /u)[0].split(", ");
    for (const part of parts) if (withUnderscore(part) !== part) add(withUnderscore(part), place);
  });
  return places;
}

/** zᵣᵢ as code writes it: z_ri. @param {string} symbol */
const withUnderscore = (symbol) =>
  symbol.replace(/[ᵣᵢ]+$/u, (ends) => `_${ends.replace(/ᵣ/gu, "r").replace(/ᵢ/gu, "i")}`);

/** z_ri becomes z with the subscript ri; longer names, as of columns, stay. @param {string} text */
export function withSubscripts(text) {
  const subscript = /(?<=(?<![\p{L}\p{N}_])\p{L})_([a-z]{1,2})(?![\p{L}\p{N}_])/u;
  return text.split(subscript).map((piece, index) => (index % 2 ? el("sub", {}, piece) : piece));
}

/** @param {string[]} words */
export function patternOf(words) {
  const escaped = words
    .filter(Boolean)
    .sort((one, other) => other.length - one.length)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`(?<![\\p{L}\\p{N}_])(${escaped.join("|")})(?![\\p{L}\\p{N}_'’])`, "gu");
}

/**
 * A text in pieces: each term the first time it comes, and what is between.
 * @param {string} text
 * @param {RegExp} pattern
 * @param {Map<string, number>} places
 * @param {Set<number>} seen terms named before
 * @returns {{ words: string, place: number | null }[]}
 */
export function pieces(text, pattern, places, seen = new Set()) {
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
