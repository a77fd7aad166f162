// The key to the tree: what its marks mean. In a lecture it is short, and of the marks that are in the picture.

import { el, svg } from "../../style/web/dom.js";
import { decimals } from "../../style/web/numbers.js";
import { FRAME, RING, darknessOf, diamondOf, glyphOf } from "./glyphs.js";

/** @import { Terms } from "./terms.js" */
/** @import { Header } from "./types.js" */

/** @typedef {[words: string, more?: string]} Meaning a lecture says the first words alone */

/** The shares of which silhouettes are drawn, as dark as they are in the tree. */
const SHARES = [0.01, 0.1, 0.5, 1];

/** What the states mean where trees are searched. @type {Record<string, Meaning>} */
const SEARCHED = {
  open: ["entered: maximum ≥ b"],
  pruned: ["entered and pruned: < b"],
  firing: ["firing neuron: leaf ≥ b"],
  unseen: ["not entered"],
  stub: ["stub: a part left out", " and not entered, with its number of neurons; click to open"],
  "stub-open": ["stub entered", ": the darker, the more of it the search reads (1, 10, 50, 100 %)"],
  "stub-pruned": ["stub pruned", " at its top"],
  starts: ["starts firing"],
  stops: ["stops firing"],
};

/**
 * What they mean in a run through watch lists, given b and b − skin.
 * @param {string} b
 * @param {string} lowered
 * @returns {Record<string, Meaning>}
 */
const listed = (b, lowered) => ({
  firing: ["fires: leaf ≥ b", ` = ${b}`],
  watched: ["watched, does not fire", `: leaf was ≥ b − skin = ${lowered} at the start, or promoted`],
  unseen: ["not watched", ", or not read yet"],
  open: ["a neuron below fires"],
  holds: ["none below fires, some are watched"],
  "stub-open": [
    "stub, some watched",
    ": a part left out; the darker, the more of its neurons are watched (1, 10, 50, 100 %); click to open",
  ],
  stub: ["stub, none watched", ", with the number of its neurons: the taller, the more"],
  starts: ["starts firing"],
  stops: ["stops firing"],
});

/** @type {Meaning} */
const PROMOTED = ["promoted", ": moved farther than the skin, so watched in every tree"];

/** In the move, where it is made. @type {Meaning} */
const TOUCHED = ["touched: moves"];

/** What a lesson's question marks: in the key where it is in the picture. @type {Record<string, string>} */
const ASKED = {
  "chosen-node": "chosen",
  "right-node": "right",
  "missed-node": "right, not chosen",
  "wrong-node": "chosen, wrong",
};

export class TreeKey {
  /**
   * @param {Terms} terms
   * @param {HTMLElement} list
   */
  constructor(terms, list) {
    this.terms = terms;
    this.list = list;
    /** @type {Map<string, HTMLElement>} lines by the class that the mark gives a node */
    this.lines = new Map();
    this.rings = el("li", {});
  }

  /** @param {Header} header */
  setHeader({ threshold, skin }) {
    const seen = new Set();
    const line = (
      /** @type {string} */ mark,
      /** @type {Meaning} */ [words, more = ""],
      /** @type {SVGElement} */ drawing,
    ) => {
      const item = el("li", {}, drawing, el("span", {}, ...this.terms.link(words, seen)));
      if (more) item.lastElementChild?.append(el("span", { class: "more" }, ...this.terms.link(more, seen)));
      item.classList.toggle("stub-key", mark.startsWith("stub"));
      this.lines.set(mark, item);
      return item;
    };
    this.lines.clear();
    const meanings = skin === null ? SEARCHED : listed(decimals(threshold), decimals(threshold - skin));
    for (const [state, meaning] of Object.entries(meanings)) {
      line(state, meaning, state === "stub-open" ? shades() : drawingOf(state, glyphOf(state, 64), "glyph"));
    }
    if (skin !== null) line("promoted", PROMOTED, drawingOf("promoted", FRAME, "frame"));
    line(
      "touched",
      TOUCHED,
      svg("svg", { viewBox: "-11 -16 22 27" }, svg("path", { class: "touched", d: `M0 0${diamondOf(1)}` })),
    );
    const ringed = skin === null ? "modified" : "differs from the pinned iteration";
    this.rings = line("written", [ringed], drawingOf("written", RING, "ring"));
    for (const [mark, words] of Object.entries(ASKED)) line(mark, [words], drawingOf(mark, RING, "ring"));
    this.list.replaceChildren(...this.lines.values());
  }

  /** Say nothing of parts left out where none are. @param {boolean} isWhole */
  setWhole(isWhole) {
    this.list.classList.toggle("whole", isWhole);
  }

  /**
   * @param {Set<string>} marks that are in the picture
   * @param {boolean} hasRings whether nodes can be modified in it
   */
  show(marks, hasRings) {
    for (const [mark, item] of this.lines) {
      item.classList.toggle("absent", !marks.has(mark));
      if (mark in ASKED) item.hidden = !marks.has(mark);
    }
    this.rings.hidden = !hasRings;
  }
}

/**
 * @param {string} mark
 * @param {string} path
 * @param {string} name of the part of a node
 */
function drawingOf(mark, path, name) {
  const node = svg("g", { class: `node ${mark}` }, svg("path", { class: name, d: path }));
  return svg("svg", { viewBox: "-11 -16 22 27" }, node);
}

/** Silhouettes in the shades of the tree. */
function shades() {
  const shapes = SHARES.map((share, place) => {
    const shape = svg("path", { class: "glyph", d: glyphOf("stub-open", 64), "fill-opacity": darknessOf(share) });
    return svg("g", { class: "node stub-open", transform: `translate(${14 * place} 0)` }, shape);
  });
  return svg("svg", { viewBox: "-11 -16 64 27", class: "shades" }, ...shapes);
}
