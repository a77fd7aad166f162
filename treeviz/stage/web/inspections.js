// What has arrived of the neurons inspected, and what is still to be asked for.

/** @import { Inspection } from "./types.js" */

const NEURONS_KEPT = 40; // pairs of a neuron and a tree
const MOMENTS_KEPT = 60; // of each of them

export class Inspections {
  constructor() {
    /** @type {Map<string, Inspection>} */
    this.known = new Map();
  }

  /**
   * @param {number} neuron
   * @param {number} tree
   */
  get(neuron, tree) {
    return this.known.get(`${neuron} ${tree}`);
  }

  /**
   * The line of its leaf is the newest one, what was known of its weights stays.
   * @param {Inspection} inspection
   */
  take(inspection) {
    const { neuron, tree, moments } = inspection;
    const old = this.get(neuron, tree)?.moments ?? {};
    const kept = Object.keys(old).length < MOMENTS_KEPT ? old : {};
    this.known.delete(`${neuron} ${tree}`);
    this.known.set(`${neuron} ${tree}`, { ...inspection, moments: { ...kept, ...moments } });
    for (const name of [...this.known.keys()].slice(0, -NEURONS_KEPT)) this.known.delete(name); // the oldest
  }

  /**
   * What to ask for while a neuron is inspected in an iteration: its weights before and after the move, and its leaf in
   * all iterations computed so far.
   * @param {number | null} neuron
   * @param {number} tree
   * @param {number} iteration
   * @param {number} computed
   * @returns {{ neuron: number | null, moments: number[] }}
   */
  missing(neuron, tree, iteration, computed) {
    if (neuron === null) return { neuron, moments: [] };
    const known = this.get(neuron, tree);
    const moments = [iteration, iteration + 1].filter((moment) => moment <= computed && !known?.moments[moment]);
    const isBehind = known !== undefined && known.leaf.length <= computed;
    return { neuron: moments.length || isBehind ? neuron : null, moments };
  }
}
