// Reads phases, each a list of sentences, as JSON from stdin; writes for how many milliseconds each of them stays.

import { readFileSync } from "node:fs";

import { dwellTimes } from "../../treeviz/stage/web/pace.js";

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(dwellTimes)));
