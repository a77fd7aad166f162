// How much of a tree there is room for, and what had to be closed for something opened. No drawing, no page.

import { agree, grouped, range, things, total } from "../../style/web/numbers.js";

/** @import { Frame, Header } from "./types.js" */

/**
 * The least level of detail that draws a whole tree; null if none does.
 * @param {Pick<Header, "details" | "levels">} header
 */
export const detailOfAll = ({ details, levels }) => details.find((most) => most >= total(levels)) ?? null;

/**
 * What the button for the whole tree says: whether it can be drawn, and if not, up to which width one can.
 * @param {Pick<Header, "details" | "levels">} header
 */
export function wholeTree(header) {
  const size = things(total(header.levels), "node");
  if (detailOfAll(header) !== null) {
    return { isPossible: true, words: "whole tree", why: `show all ${size}, made to fit the panel` };
  }
  const most = Math.max(...header.details);
  const widest = Math.floor((most + 1) / 2); // a tree with m leaves has 2m − 1 nodes
  const why = `This tree has ${size}, and at most ${grouped(most)} are drawn: all of a tree with at most ${things(widest, "neuron")}.`;
  return { isPossible: false, words: `whole tree: m ≤ ${grouped(widest)}`, why };
}

/**
 * Say which branches had to be closed between two frames, for one that was opened in the later; "" if that is not what
 * differs.
 * @param {Frame} old
 * @param {Frame} now
 */
export function closedWords(old, now) {
  const [before, after] = [old.view.opened, now.view.opened];
  const isOpening = after.some((node) => !before.includes(node));
  const rest = (/** @type {Frame} */ { iteration, view: { tree, detail, pinned } }) =>
    [iteration, tree, detail, pinned].join();
  if (!isOpening || rest(old) !== rest(now)) return "";
  const wasOpen = new Set(old.nodes.id.filter((_, row) => old.nodes.kind[row] === 0));
  const closed = range(now.nodes.id.length).filter(
    (row) => now.nodes.kind[row] === 2 && wasOpen.has(now.nodes.id[row]),
  );
  if (!closed.length) return "";
  const names = closed.map((row) => grouped(now.nodes.id[row]));
  const some = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  const listed = [some.slice(0, -1).join(", "), some.at(-1)].filter(Boolean).join(" and ");
  const held = things(total(closed.map((row) => now.nodes.neurons[row])), "neuron");
  const isCut = before.some((node) => !after.includes(node));
  const why = isCut
    ? `at most ${things(after.length, "branch")} can be opened`
    : `at most ${things(now.view.detail, "node")} are drawn`;
  const branches = `the ${agree(names.length, "branch", "branches")} at ${agree(names.length, "node", "nodes")} ${listed}`;
  return `To make room, ${branches} (${held}) ${agree(names.length, "was", "were")} closed: ${why}.`;
}
