// Numbers of the nodes of a binary heap: the root is 1, the leaf of neuron r of m is node m + r. As in model/heap.py.

/** @param {number} neuron @param {number} width */
export const leafOf = (neuron, width) => width + neuron;

/** @param {number} leaf @param {number} width */
export const neuronOf = (leaf, width) => leaf - width;

/** Steps from the root. @param {number} node */
export const levelOf = (node) => Math.floor(Math.log2(node));

/** Nodes of a subtree with so many leaves. @param {number} leaves */
export const treeSize = (leaves) => 2 * leaves - 1;
