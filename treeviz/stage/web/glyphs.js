// The shapes of the tree's nodes and what they mean. Every state has a shape as well as a colour.

const DISC = "M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5Z";
const STAR = "M0-8L2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6Z";

/** @type {Record<string, string>} */
export const GLYPHS = {
  open: DISC,
  pruned: "M-4-4L4 4M-4 4L4-4",
  firing: STAR,
  unseen: "M0-3A3 3 0 1 1 0 3 3 3 0 1 1 0-3Z",
  stub: "M0-5L6 5H-6Z",
  "stub-open": "M0-5L6 5H-6Z",
  "stub-pruned": "M0-5L6 5H-6ZM-3-1L3 5M3-1L-3 5",
  starts: `${STAR}M-4-11.5L0-15.5 4-11.5`,
  stops: `${STAR}M-4-15L0-11 4-15`,
  holds: DISC,
  watched: "M0-5A5 5 0 1 1 0 5 5 5 0 1 1 0-5ZM0-1.6A1.6 1.6 0 1 1 0 1.6 1.6 1.6 0 1 1 0-1.6Z",
};
export const RING = "M0-9.5A9.5 9.5 0 1 1 0 9.5 9.5 9.5 0 1 1 0-9.5Z"; // around a modified node
export const FRAME = "M-8.5-8.5H8.5V8.5H-8.5Z"; // around a promoted neuron

/** What the states mean where trees are searched. @type {Record<string, string>} */
export const SEARCHED = {
  open: "entered: maximum ≥ b",
  pruned: "entered and pruned: < b",
  firing: "firing neuron: leaf ≥ b",
  unseen: "not entered",
  stub: "stub: a part left out, not entered, and how many neurons it holds; click to open",
  "stub-open": "stub entered, the darker the more of it",
  "stub-pruned": "stub pruned",
  starts: "starts firing",
  stops: "stops firing",
};

/**
 * What they mean in a run through watch lists, given b and b − skin.
 * @param {string} b
 * @param {string} lowered
 * @returns {Record<string, string>}
 */
export const listed = (b, lowered) => ({
  firing: `fires: leaf ≥ b = ${b}`,
  watched: `watched, does not fire: leaf was ≥ b − skin = ${lowered} at the start, or promoted`,
  unseen: "not watched, or not read yet",
  open: "a neuron below fires",
  holds: "none below fires, some are watched",
  "stub-open": "stub, the darker the more of its neurons are watched; click to open",
  stub: "stub without watched neurons, and how many neurons it holds",
  starts: "starts firing",
  stops: "stops firing",
});
export const PROMOTED = "promoted: moved farther than the skin, so watched in every tree";
