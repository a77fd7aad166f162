// A table of the run's numbers in the lesson, as the server has written it out.

import { el } from "../../style/web/dom.js";

/** @import { TableShown } from "./types.js" */

/** @param {TableShown} table */
export function tableOf({ caption, head, rows, strong }) {
  const columns = head.map((name) => el("th", { scope: "col" }, name));
  const lines = rows.map(([name, ...numbers], row) =>
    el(
      "tr",
      row === strong ? { class: "strong" } : {},
      el("th", { scope: "row" }, name),
      ...numbers.map((number) => el("td", {}, number)),
    ),
  );
  return el(
    "table",
    { class: "sums" },
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...columns)),
    el("tbody", {}, ...lines),
  );
}
