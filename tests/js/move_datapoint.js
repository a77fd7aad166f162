// Moves a datapoint as the stage does: a header, packed weights, a frame and what is tried in, what is shown out, as JSON.

import { readFileSync } from "node:fs";

import { Part } from "./page.js";
import { Playback, Player } from "../../treeviz/stage/web/player.js";
import { momentOf, stateOf } from "../../treeviz/stage/web/cursor.js";
import { unitOf } from "../../treeviz/stage/web/moved.js";
import { WhatIf } from "../../treeviz/stage/web/whatif.js";

const { header, weights, frame, tries } = JSON.parse(readFileSync(0, "utf8"));
const nothing = () => {};
const host = { now: () => 0, send: nothing, isLeaving: () => false, changed: nothing, playing: nothing, rest: nothing };
const at = { iteration: frame.iteration, phase: 0, step: 0 };
const player = new Player(header, host, new Playback(), frame.view, at);
player.weights.take(weights);
/** A part of the page with what the histogram draws in it. */
function part() {
  const made = new Part("svg");
  made.append(...[1, 2, 3, 4].map(() => new Part("path")));
  return made;
}
const stage = /** @type {any} */ ({ player, render: nothing, element: { focus: nothing }, terms: { write: nothing } });
const whatIf = new WhatIf(stage, /** @type {any} */ (part));
const shown = tries.map((/** @type {any} */ tried) => {
  whatIf.end();
  whatIf.try(tried);
  const seen = whatIf.show(frame, momentOf(frame, header.phases, at));
  const { id, before, firing, visited } = seen.frame.nodes;
  const states = id.map((_, row) => stateOf(seen.frame.nodes, row, seen.moment));
  const x = tried.place ? unitOf(header.data, tried.place) : null;
  return { x, text: seen.moment.text, before, firing, visited, states, spread: whatIf.histogram.spread };
});
console.log(JSON.stringify(shown));
