// All weights of some iterations, as they are sent for a datapoint that is moved.

/** @import { AllWeights } from "./types.js" */

const ITERATIONS_KEPT = 3; // iterations: at 65,536 neurons in three dimensions one takes 1.5 MB

export class Weights {
  constructor() {
    /** @type {Map<number, Float64Array>} by iteration, row after row */
    this.known = new Map();
    /** @type {number | null} the iteration whose weights are wanted */
    this.wanted = null;
  }

  /** The iteration whose weights are to be asked for, if they have not come. */
  get missing() {
    return this.wanted === null || this.known.has(this.wanted) ? null : this.wanted;
  }

  /** @param {AllWeights} weights */
  take({ iteration, values }) {
    const bytes = Uint8Array.from(atob(values), (letter) => letter.charCodeAt(0));
    this.known.set(iteration, new Float64Array(bytes.buffer));
    for (const old of [...this.known.keys()].slice(0, -ITERATIONS_KEPT)) this.known.delete(old);
  }
}
