// The shapes of the tree's nodes and what they mean. Every state has a shape as well as a colour.

const DISC = "M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5Z";
const STAR = "M0-8L2-2.6 7.6-2.5 3.2 1 4.7 6.5 0 3.3-4.7 6.5-3.2 1-7.6-2.5-2-2.6Z";

/** @type {Record<string, string>} */
export const GLYPHS = {
  open: DISC,
  pruned: "M-4-4L4 4M-4 4L4-4",
  firing: STAR,
  unseen: "M0-3A3 3 0 1 1 0 3 3 3 0 1 1 0-3Z",
  starts: `${STAR}M-4-11.5L0-15.5 4-11.5`,
  stops: `${STAR}M-4-15L0-11 4-15`,
  holds: DISC,
  watched: "M0-5A5 5 0 1 1 0 5 5 5 0 1 1 0-5ZM0-1.6A1.6 1.6 0 1 1 0 1.6 1.6 1.6 0 1 1 0-1.6Z",
};
export const RING = "M0-9.5A9.5 9.5 0 1 1 0 9.5 9.5 9.5 0 1 1 0-9.5Z"; // around a modified node
export const FRAME = "M-8.5-8.5H8.5V8.5H-8.5Z"; // around a promoted neuron
const PEAK = -5; // the top of a silhouette

/**
 * Half the breadth and the lower end of the silhouette of a subtree left out: the more neurons, the larger.
 * @param {number} neurons
 * @returns {[half: number, base: number]}
 */
export function extentOf(neurons) {
  const levels = Math.log2(neurons);
  return [3.5 + 0.3 * levels, PEAK + 6 + 1.5 * levels];
}

/**
 * The shape of a node in a state; a subtree left out is a triangle, crossed if it is pruned.
 * @param {string} state
 * @param {number} neurons below the node
 */
export function glyphOf(state, neurons) {
  if (!state.startsWith("stub")) return GLYPHS[state];
  const [half, base] = extentOf(neurons);
  const cross = state === "stub-pruned" ? `M-3 ${base - 6}L3 ${base}M3 ${base - 6}L-3 ${base}` : "";
  return `M0 ${PEAK}L${half.toFixed(1)} ${base.toFixed(1)}H${(-half).toFixed(1)}Z${cross}`;
}

/**
 * A diamond around the leaf of a neuron that moves.
 * @param {number} size of the node, 1 is full
 */
export function diamondOf(size) {
  const [half, high] = [(5 * size).toFixed(1), (11 * size).toFixed(1)];
  return `m0-${high}l${half} ${high}-${half} ${high}-${half}-${high}z`;
}

/**
 * How dark a silhouette is: small shares would not be told apart if darkness were in proportion.
 * @param {number} share of what is in it that is read, or watched
 */
export const darknessOf = (share) => (0.08 + 0.92 * Math.sqrt(share)).toFixed(2);
