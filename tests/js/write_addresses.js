// Writes moments to addresses as the stage does: a list of moments in, a list of addresses out, both as JSON.

import { readFileSync } from "node:fs";

import { Playback, Player } from "../../treeviz/stage/web/player.js";

const { header, moments } = JSON.parse(readFileSync(0, "utf8"));
const unused = () => {
  throw new Error("an address is written without the page");
};
const host = { now: () => 0, send: unused, isLeaving: () => false, changed: unused, playing: unused, rest: unused };
const addresses = moments.map((/** @type {import("../../treeviz/stage/web/types.js").Start} */ moment) => {
  const { tree, detail, opened, pinned, iteration, phase, step, node, address } = moment;
  const player = new Player(header, host, new Playback(), { tree, detail, opened, pinned }, { iteration, phase, step });
  return Object.fromEntries(player.address(address, node).filter(([, value]) => value !== null));
});
console.log(JSON.stringify(addresses));
