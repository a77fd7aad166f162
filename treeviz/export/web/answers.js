// What the server would answer to the stage's questions about one run, from what a replay holds of it.

import { rowsOf } from "./unpack.js";

/** @import { Answer, Frame, Inspection, Question, Refusal, Start, View } from "../../stage/web/types.js" */
/** @import { RunHeld } from "./types.js" */

/** @typedef {Pick<Answer, "start" | "lesson" | "introduction">} Told what an answer holds besides what was asked for */

export class Answers {
  /** @param {RunHeld} run */
  constructor(run) {
    this.run = run;
    /** @type {Map<string, Frame>} */
    this.frames = new Map(rowsOf(run.frames).map((frame) => [nameOf(frame.iteration, frame.view), frame]));
    /** @type {Map<string, Inspection>} */
    this.neurons = new Map(rowsOf(run.neurons).map((one) => [`${one.neuron} ${one.tree}`, one]));
  }

  /**
   * @param {Question} question
   * @param {Told} told
   * @returns {Answer}
   */
  answer({ view, wanted, fields, neuron, moments, weights, nonce }, told) {
    const { header, status } = this.run;
    const frames = wanted.map((iteration) => this.frames.get(nameOf(iteration, view)));
    const found = frames.filter((frame) => frame !== undefined);
    const isRefused = found.length < frames.length;
    return {
      ...told,
      header,
      status,
      frames: found,
      fields: this.fieldsOf(fields),
      neuron: neuron === null ? null : this.inspect(neuron, view.tree, moments),
      weights: this.run.weights.find(({ iteration }) => iteration === weights) ?? null,
      notices: [],
      nonce,
      ...(isRefused ? { refusal: this.refuse(view) } : {}),
    };
  }

  /**
   * Where to begin: at the moment that an address names, as far as it is held, or at the scene's own.
   * @param {Start} start
   * @param {URLSearchParams} address
   * @returns {Start}
   */
  startAt(start, address) {
    const number = (/** @type {string} */ name) =>
      /^\d+$/.test(address.get(name) ?? "") ? Number(address.get(name)) : null;
    const { address: names, detail, opened } = start;
    const [iteration, tree, node] = [names.iteration, names.tree, names.node].map(number);
    if (iteration === null) return start;
    const view = { tree: tree ?? start.tree, detail, opened, pinned: null };
    const frame = this.frames.get(nameOf(iteration, view));
    if (!frame) return start;
    const phase = Math.max(
      0,
      this.run.header.phases.findIndex(({ id }) => id === address.get(names.phase)),
    );
    const step = number(names.step) ?? 0;
    return {
      ...start,
      ...view,
      iteration,
      phase,
      step,
      node: node !== null && frame.nodes.id.includes(node) ? node : null,
    };
  }

  /** @param {number[]} iterations */
  fieldsOf(iterations) {
    const { fields } = this.run;
    if (!fields || fields.error) return fields;
    const values = Object.fromEntries(iterations.map((iteration) => [iteration, fields.values[iteration]]));
    return { ...fields, values };
  }

  /**
   * @param {number} neuron
   * @param {number} tree
   * @param {number[]} moments
   * @returns {Inspection | null}
   */
  inspect(neuron, tree, moments) {
    const held = this.neurons.get(`${neuron} ${tree}`);
    if (!held) return null;
    return { ...held, moments: Object.fromEntries(moments.map((moment) => [moment, held.moments[moment]])) };
  }

  /**
   * Why there is no frame of a view, and where there is one.
   * @param {View} view
   * @returns {Refusal}
   */
  refuse({ tree, pinned, opened }) {
    const { trees, app } = this.run;
    const held =
      trees.length === 1 ? `tree ${trees[0]} only` : `trees ${trees.slice(0, -1).join(", ")} and ${trees.at(-1)}`;
    const words = !trees.includes(tree)
      ? `Tree ${tree} is not in this file, which holds ${held}.`
      : pinned !== null
        ? `Comparisons with iteration ${pinned} are not in this file.`
        : `What is below node ${opened.at(-1)} is not in this file.`;
    return { words, app };
  }
}

/**
 * @param {number} iteration
 * @param {View} view
 */
const nameOf = (iteration, { tree, detail, opened, pinned }) =>
  JSON.stringify([iteration, tree, detail, opened, pinned]);
