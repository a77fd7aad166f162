// Marks in the texts of lessons.

import { el } from "../../style/web/dom.js";

/** **bold** and `code` of a text. @param {string} text */
export function withMarks(text) {
  return text
    .split(/(\*\*[^*]+\*\*|`[^`]+`)/)
    .filter(Boolean)
    .map((piece) => {
      if (piece.startsWith("**")) return el("strong", {}, piece.slice(2, -2));
      return piece.startsWith("`") ? el("code", {}, piece.slice(1, -1)) : piece;
    });
}
