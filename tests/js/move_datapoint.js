// Moves datapoints as the stage does: a header, packed weights, frames and what is tried in each in, what is shown out,
// as JSON.

import { readFileSync } from "node:fs";

import { Part } from "./page.js";
import { Playback, Player } from "../../treeviz/stage/web/player.js";
import { momentOf, stateOf } from "../../treeviz/stage/web/cursor.js";
import { unitOf } from "../../treeviz/stage/web/moved.js";
import { WhatIf } from "../../treeviz/stage/web/whatif.js";

const { header, weights, moves } = JSON.parse(readFileSync(0, "utf8"));
const nothing = () => {};
const host = { now: () => 0, send: nothing, isLeaving: () => false, changed: nothing, playing: nothing, rest: nothing };
/** A part of the page with what the histogram draws in it. */
function part() {
  const made = new Part("svg");
  made.append(...[1, 2, 3, 4].map(() => new Part("path")));
  return made;
}
const shown = moves.map((/** @type {any} */ { frame, tries }) => {
  const at = { iteration: frame.iteration, phase: 0, step: 0 };
  const player = new Player(header, host, new Playback(), frame.view, at);
  player.weights.take(weights);
  const stage = /** @type {any} */ ({
    player,
    render: nothing,
    element: { focus: nothing },
    terms: { write: nothing },
  });
  const whatIf = new WhatIf(stage, /** @type {any} */ (part));
  return tries.map((/** @type {any} */ tried) => {
    whatIf.end();
    whatIf.try(tried);
    const seen = whatIf.show(frame, momentOf(frame, header.phases, at));
    const { id, before, firing, visited } = seen.frame.nodes;
    const states = id.map((_, row) => stateOf(seen.frame.nodes, row, seen.moment));
    const x = tried.place ? unitOf(header.data, tried.place) : null;
    return { x, text: seen.moment.text, before, firing, visited, states, spread: whatIf.histogram.spread };
  });
});
console.log(JSON.stringify(shown));
