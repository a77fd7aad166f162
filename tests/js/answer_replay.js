// Answers questions as a replay does: its packed texts, its loader and the questions in, the answers out, all as JSON.

import { readFileSync } from "node:fs";

import { Answers } from "../../treeviz/export/web/answers.js";
import { unshare } from "../../treeviz/export/web/unpack.js";

const { loader, texts, name, questions } = JSON.parse(readFileSync(0, "utf8"));
const page = {
  getElementById: (/** @type {string} */ id) => ({ textContent: texts[id] ?? "" }),
  createElement: () => ({}),
  head: { append: () => undefined },
};
Object.assign(globalThis, { document: page });
new Function(loader)();
const content = await /** @type {any} */ (globalThis).treevizUnpack(name);
const value = unshare(JSON.parse(content));
const start = /** @type {any} */ ({});
const answers = questions && new Answers(value);
console.log(
  JSON.stringify(
    questions ? questions.map((/** @type {any} */ one) => answers.answer(one, { start, lesson: null })) : value,
  ),
);
