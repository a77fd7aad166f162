// The player: where moves lead while frames come and go, what is asked, and what the address is to hold.

import assert from "node:assert/strict";
import { test } from "node:test";

import { range } from "../../treeviz/style/web/numbers.js";
import { actionOf } from "../../treeviz/stage/web/keys.js";
import { PATIENCE, Playback, Player } from "../../treeviz/stage/web/player.js";
import { HEADER, INSPECTION, VIEW, frame } from "./samples.js";

/** @import { Cursor, Frame, Question, View } from "../../treeviz/stage/web/types.js" */

const ADDRESS = {
  tree: "tree",
  iteration: "it",
  phase: "phase",
  step: "step",
  node: "node",
  detail: "nodes",
  opened: "open",
  pinned: "pin",
};

/** A player with the frames of some iterations, and what it did to its host. */
function playing({ iterations = [0, 1, 2], computed = 3, finished = false, header = HEADER } = {}) {
  const host = {
    time: 1000,
    leaving: false,
    rests: 0,
    /** @type {Question[]} */
    questions: [],
    /** @type {boolean[]} */
    clock: [],
    draws: 0,
    now: () => host.time,
    send: (/** @type {Question} */ question) => void host.questions.push(structuredClone(question)),
    isLeaving: () => host.leaving,
    changed: () => void host.draws++,
    playing: (/** @type {boolean} */ isOn) => void host.clock.push(isOn),
    rest: () => void host.rests++,
  };
  const playback = new Playback();
  const player = new Player(header, host, playback, { ...VIEW }, { iteration: 0, phase: 0, step: 0 });
  const arrive = (/** @type {Frame[]} */ ...frames) =>
    player.take({
      status: { computed, finished, behind: false, badges: [] },
      frames,
      fields: null,
      nonce: player.asked,
    });
  arrive(...iterations.map((iteration) => frame(iteration)));
  return { player, host, playback, arrive };
}

/** @param {Player} player @returns {[number, number, number]} */
const where = ({ at }) => [at.iteration, at.phase, at.step];
/** @param {number} iteration @param {number} phase @param {number} step @returns {Cursor} */
const at = (iteration, phase, step) => ({ iteration, phase, step });

test("moves lead from step to step and phase to phase", () => {
  const { player, host } = playing();
  player.move("step", 1);
  player.move("phase", 1);
  assert.deepEqual(where(player), [0, 1, 0]);
  player.move("step", -1);
  assert.deepEqual(where(player), [0, 0, 3]);
  player.toPhase(2);
  player.move("iteration", 1);
  assert.deepEqual(where(player), [1, 2, 0]);
  player.move("step", -1);
  player.move("step", -1);
  assert.deepEqual(where(player), [1, 0, 3]);
  player.go(at(1, 0, 0));
  player.move("step", -1);
  assert.deepEqual(where(player), [0, 2, 5]);
  assert.ok(host.draws >= 8);
});

test("moves made while a frame is missing are made when it comes, unless a jump comes first", () => {
  const { player, arrive } = playing({ iterations: [0, 3], computed: 9 });
  player.move("iteration", 1);
  player.move("step", 1);
  player.move("step", 1);
  assert.deepEqual(where(player), [1, 0, 0]);
  arrive(frame(1));
  assert.deepEqual(where(player), [1, 0, 2]);
  player.move("iteration", 1);
  player.toPhase(1);
  player.move("iteration", 1);
  arrive(frame(2));
  assert.deepEqual(where(player), [3, 1, 0]);
  player.go(at(5, 0, 0));
  player.move("step", 1);
  player.go(at(0, 2, 1));
  arrive(frame(5));
  assert.deepEqual(where(player), [0, 2, 1]);
});

test("beyond either end the end is reached, and playing stops", () => {
  const { player, host } = playing({ finished: true });
  player.play(true);
  player.go(at(7, 0, 0));
  assert.deepEqual([where(player), player.playing, host.clock], [[2, 2, 5], false, [true, false]]);
  player.go(at(-1, Infinity, Infinity));
  assert.deepEqual(where(player), [0, 0, 0]);
  player.move("step", -1);
  assert.deepEqual(where(player), [0, 0, 0]);
});

test("a cursor beyond the last iteration comes back when the end is known", () => {
  const { player } = playing({ iterations: [0], computed: 1 });
  player.go(at(8, 1, 0));
  player.take({
    status: { computed: 3, finished: true, behind: false, badges: [] },
    frames: [frame(2)],
    fields: null,
    nonce: 0,
  });
  assert.deepEqual(where(player), [2, 2, 5]);
});

test("playing from the last place begins at the start", () => {
  const { player } = playing({ finished: true });
  for (const [cursor, to] of /** @type {[Cursor, number[]][]} */ ([
    [at(2, 2, 5), [0, 0, 0]],
    [at(2, 2, 4), [2, 2, 4]],
    [at(2, 1, 0), [2, 1, 0]],
    [at(1, 2, 5), [1, 2, 5]],
  ])) {
    player.play(false);
    player.go(cursor);
    player.play(true);
    assert.deepEqual(where(player), to);
  }
});

/** @param {Player} player @param {number} milliseconds in ticks of 20 */
const playFor = (player, milliseconds) => {
  for (let passed = 0; passed < milliseconds; passed += 20) player.playFor(20);
};

test("each sentence stays as long as reading it takes, divided by the speed, and none is played for a missing frame", () => {
  const { player, playback, arrive } = playing({ iterations: [], computed: 9 });
  const [first] = Object.keys(frame(0).script);
  const sentence = "x".repeat(60); // three seconds
  const long = (/** @type {number} */ iteration) => {
    const { script } = frame(iteration);
    return frame(iteration, { script: { ...script, [first]: [[0, sentence, 0, []], ...script[first].slice(1)] } });
  };
  arrive(long(0), long(1), long(2));
  player.play(true);
  for (const [milliseconds, step] of [
    [2980, 0],
    [20, 1],
    [1180, 1],
    [20, 2], // short ones take 1.2 seconds
  ]) {
    playFor(player, milliseconds);
    assert.deepEqual(where(player), [0, 0, step]);
  }
  for (const [speed, milliseconds] of [
    [0.25, 11_980],
    [16, 180],
  ]) {
    player.go(at(0, 0, 0));
    playback.speed = speed;
    playFor(player, milliseconds);
    assert.deepEqual(where(player), [0, 0, 0]);
    playFor(player, 20);
    assert.deepEqual(where(player), [0, 0, 1]);
  }
  playback.speed = 2;
  playback.unit = "phase"; // then too it is the sentence that is read
  player.go(at(0, 0, 0));
  playFor(player, 1500 + 600 - 20);
  assert.deepEqual(where(player), [0, 1, 0]);
  playFor(player, 20);
  assert.deepEqual(where(player), [0, 2, 0]);
  playback.unit = "iteration";
  player.go(at(0, 0, 0));
  playFor(player, 3000);
  assert.deepEqual(where(player), [2, 0, 0]);
  playFor(player, 60_000);
  assert.deepEqual(where(player), [3, 0, 0]); // whose frame is missing
  arrive(frame(3));
  playFor(player, 580);
  assert.deepEqual(where(player), [3, 0, 0]);
  playFor(player, 20);
  assert.deepEqual(where(player), [4, 0, 0]);
});

test("a comparison is read as long as what it says takes", () => {
  const { player, playback, arrive } = playing({ iterations: [], computed: 9 });
  player.view.pinned = 0;
  arrive(...[0, 1, 2].map((it) => frame(it, { view: { ...VIEW, pinned: 0 }, summary: "x".repeat(40 * it) })));
  player.play(true);
  playback.speed = 1;
  player.go(at(1, 0, 0));
  playFor(player, 1980);
  assert.deepEqual(where(player), [1, 0, 0]);
  playFor(player, 20);
  assert.deepEqual(where(player), [2, 0, 0]);
});

test("to read begins anew where the cursor moves, and when playing goes on", () => {
  const { player } = playing();
  player.play(true);
  playFor(player, 1180);
  player.move("step", 1);
  playFor(player, 1180);
  player.play(false);
  player.play(true);
  playFor(player, 1180);
  assert.deepEqual(where(player), [0, 0, 1]);
  playFor(player, 20);
  assert.deepEqual(where(player), [0, 0, 2]);
});

test("a tab that was hidden goes on where it was", () => {
  const { player } = playing({ iterations: [0, 1, 2, 3, 4, 5] });
  player.play(true);
  playFor(player, 600);
  for (const step of [0, 0, 0, 0, 0, 1]) {
    player.playFor(40_000); // counts as a tenth of a second
    assert.deepEqual(where(player), [0, 0, step]);
  }
  playFor(player, 1180);
  assert.deepEqual(where(player), [0, 0, 1]);
});

test("a tick plays one unit at most, and a slow screen leaves nothing to make up for", () => {
  const { player, playback } = playing({ iterations: range(12), computed: 12 });
  player.play(true);
  playback.speed = 16; // 75 milliseconds a sentence
  playback.unit = "iteration";
  const steps = [];
  for (let tick = 0; tick < 8; tick++) {
    player.playFor(100);
    steps.push(where(player).join());
  }
  assert.equal(new Set(steps).size, 8);
  const last = player.at;
  player.playFor(1); // at most one more is due at once
  player.playFor(1);
  assert.notDeepEqual(player.at, last);
  const here = player.at;
  playFor(player, 40);
  assert.deepEqual(player.at, here);
});

test("what is played is steps as fast as they are read, without looping, until a viewer chooses", () => {
  assert.deepEqual({ ...new Playback() }, { speed: 1, loop: false, isLesson: false, unit: "step" });
});

test("looping stays in the phase, while steps are played", () => {
  const { player, playback } = playing();
  playback.loop = true;
  player.toPhase(2);
  for (let count = 0; count < 5; count++) player.playOne();
  assert.deepEqual(where(player), [0, 2, 5]);
  player.playOne();
  assert.deepEqual(where(player), [0, 2, 0]);
  playback.unit = "phase";
  player.toPhase(1);
  player.playOne();
  assert.deepEqual(where(player), [0, 2, 0]);
});

test("in a lesson playing rests at the end of a phase, and goes on from there when it is asked for", () => {
  const { player, playback, host } = playing({ finished: true });
  playback.isLesson = true;
  playback.speed = 16;
  player.play(true);
  playFor(player, 60_000);
  assert.deepEqual([where(player), player.playing, player.hasRested], [[0, 0, 3], false, true]);
  player.play(true); // a phase of one step
  assert.deepEqual([where(player), player.hasRested], [[0, 1, 0], false]);
  playFor(player, 60_000);
  assert.deepEqual([where(player), player.playing], [[0, 1, 0], false]);
  assert.deepEqual(host.clock, [true, false, true, false]);
  player.play(true);
  playFor(player, 60_000);
  assert.deepEqual(where(player), [0, 2, 5]);
  player.move("step", -1);
  assert.equal(player.hasRested, false);
  player.play(true);
  playFor(player, 60_000);
  player.play(true);
  playFor(player, 60_000);
  assert.deepEqual([where(player), player.hasRested], [[1, 0, 3], true]);
  player.go(at(2, 2, 5)); // the last of all
  player.play(true);
  assert.deepEqual(where(player), [0, 0, 0]);
});

test("playing does not rest at the end of a phase outside lessons, in a loop, by phases, nor in a comparison", () => {
  for (const [lesson, chosen, pinned] of /** @type {[boolean, Partial<Playback>, number | null][]} */ ([
    [false, {}, null],
    [true, { loop: true }, null],
    [true, { unit: "phase" }, null],
    [true, { unit: "iteration" }, null],
    [true, {}, 0],
  ])) {
    const { player, playback, arrive } = playing({ iterations: [0, 1, 2], finished: true });
    arrive(...[0, 1, 2].map((it) => frame(it, { view: { ...VIEW, pinned: 0 } })));
    Object.assign(playback, { isLesson: lesson, speed: 16, ...chosen });
    player.view.pinned = pinned;
    player.go(at(0, 0, 3));
    player.play(true);
    playFor(player, 100);
    assert.equal(player.playing, true);
    assert.notDeepEqual(where(player), [0, 0, 3]);
  }
});

test("the frame under the cursor is asked for first, then those ahead, then the one before", () => {
  const { player, host, arrive } = playing({ iterations: [], computed: 9 });
  player.ask();
  const none = { neuron: null, moments: [], weights: null };
  assert.deepEqual(host.questions[0], {
    run: "run-1",
    nonce: 1,
    view: VIEW,
    wanted: [0],
    cursor: 0,
    fields: [0],
    ...none,
  });
  const asked = [];
  player.at = at(2, 0, 0);
  for (let count = 0; count < 5; count++) {
    player.ask();
    const { wanted } = host.questions[host.questions.length - 1];
    asked.push(...wanted);
    arrive(...wanted.map((iteration) => frame(iteration)));
  }
  assert.deepEqual(asked, [2, 3, 4, 5, 1]);
  const { length } = host.questions;
  player.reported = 2;
  player.ask();
  assert.equal(host.questions.length, length); // nothing is missing
});

test("all weights of an iteration are asked for once they are wanted, until they have come", () => {
  const { player, host } = playing({ computed: 3, finished: true });
  player.reported = 0;
  player.want(0);
  player.want(0);
  assert.deepEqual(
    host.questions.map(({ weights }) => weights),
    [0],
  );
  const { status } = player;
  player.take({ status, frames: [], fields: null, weights: { iteration: 0, values: btoa("12345678") }, nonce: 1 });
  assert.equal(player.weights.known.get(0)?.length, 1);
  player.ask();
  assert.equal(host.questions.length, 1); // nothing is missing
});

test("a neuron that is inspected is asked about at once, and again where the cursor goes", () => {
  const { player, host } = playing({ computed: 3, finished: true });
  player.reported = 0;
  player.ask();
  assert.equal(host.questions.length, 0);
  player.inspect(2);
  assert.deepEqual([host.questions[0].neuron, host.questions[0].moments], [2, [0, 1]]);
  const look = INSPECTION.moments[1];
  const status = { computed: 3, finished: true, behind: false, badges: [] };
  const neuron = { ...INSPECTION, leaf: [0, 1, 2, 3], moments: { 0: look, 1: look } };
  player.take({ status, frames: [], fields: null, neuron, nonce: 1 });
  player.inspect(2);
  player.ask();
  assert.equal(host.questions.length, 1);
  player.go(at(1, 0, 0));
  player.ask();
  assert.deepEqual([host.questions[1].neuron, host.questions[1].moments], [2, [2]]);
  player.inspect(null);
  host.time += PATIENCE;
  player.ask();
  assert.equal(host.questions[2].neuron, null);
});

test("no iteration is asked for beyond what is computed and the next, nor beyond the last", () => {
  const next = playing({ iterations: [0, 1], computed: 2 });
  next.player.go(at(1, 0, 0));
  next.player.ask();
  assert.deepEqual(next.host.questions[0].wanted, [2]);
  next.player.frames.set(next.player.name(2), frame(2));
  next.player.isWaiting = false;
  next.player.movedAt = next.host.time; // not resting
  next.player.ask();
  assert.equal(next.host.questions.length, 1);
  const last = playing({ iterations: [0], computed: 2, finished: true });
  last.player.ask();
  assert.deepEqual(last.host.questions[0].wanted, [1]);
  const done = playing({ iterations: [0, 1], computed: 2, finished: true });
  done.player.go(at(1, 0, 0));
  done.player.ask();
  assert.deepEqual(done.host.questions, []);
});

test("one question at a time, but what is under the cursor waits for none, and an answer only so long", () => {
  const { player, host } = playing({ iterations: [0, 7], computed: 20 });
  player.ask();
  player.ask();
  assert.deepEqual(
    host.questions.map(({ wanted }) => wanted),
    [[1]],
  );
  player.go(at(9, 0, 0));
  player.ask();
  assert.deepEqual(
    host.questions.map(({ wanted }) => wanted),
    [[1], [9]],
  );
  player.go(at(7, 0, 0));
  player.ask();
  assert.equal(host.questions.length, 2);
  host.time += PATIENCE - 1;
  player.ask();
  assert.equal(host.questions.length, 2);
  host.time += 1;
  player.ask();
  assert.deepEqual(
    host.questions.map(({ nonce }) => nonce),
    [1, 2, 3],
  );
  assert.deepEqual(host.questions[2].wanted, [8]);
});

test("only the answer to the last question ends the waiting", () => {
  const { player, arrive } = playing({ iterations: [0], computed: 9 });
  player.ask();
  const status = { computed: 9, finished: false, behind: false, badges: [] };
  player.take({ status, frames: [], fields: null, nonce: player.asked - 1 });
  assert.equal(player.isWaiting, true);
  arrive();
  assert.equal(player.isWaiting, false);
});

test("nothing is asked while the page is left", () => {
  const { player, host } = playing({ iterations: [] });
  host.leaving = true;
  player.ask();
  player.go(at(1, 0, 0));
  assert.deepEqual([host.questions, host.rests], [[], 0]);
});

test("the server is told where the cursor rests, once", () => {
  const { player, host } = playing({ finished: true });
  player.go(at(1, 0, 0));
  host.time += 300;
  player.ask();
  assert.deepEqual([host.questions.length, host.rests], [0, 0]);
  host.time += 1;
  player.ask();
  assert.deepEqual(
    host.questions.map(({ cursor, wanted }) => [cursor, wanted]),
    [[1, []]],
  );
  player.isWaiting = false;
  player.ask();
  assert.deepEqual([host.questions.length, host.rests], [1, 2]);
  host.time += PATIENCE;
  player.ask();
  assert.equal(host.questions.length, 1);
  host.time -= PATIENCE;
  player.status.behind = true; // then it is asked again from time to time
  host.time += PATIENCE / 4;
  player.ask();
  assert.equal(host.questions.length, 1);
  host.time += 1;
  player.ask();
  assert.equal(host.questions.length, 2);
  player.play(true);
  player.isWaiting = false;
  host.time += PATIENCE;
  player.ask();
  assert.deepEqual([host.questions.length, host.rests], [2, 5]);
});

test("output fields are asked for with the frames and kept", () => {
  const { player, host } = playing({ header: { ...HEADER, planar: true } });
  player.ask();
  assert.deepEqual([host.questions[0].wanted, host.questions[0].fields], [[], [0]]);
  const status = { computed: 3, finished: true, behind: false, badges: [] };
  /** @param {Record<number, number[]>} values @returns {import("../../treeviz/stage/web/types.js").Fields} */
  const fields = (values) => ({ extent: [0, 1, 0, 1], values });
  player.take({ status, frames: [], fields: fields({ 0: [1] }), nonce: 1 });
  player.take({ status, frames: [], fields: fields({ 1: [2] }), nonce: 1 });
  assert.deepEqual(player.fields?.values, { 0: [1], 1: [2] });
});

test("the oldest frames are dropped", () => {
  const { player, arrive } = playing({ iterations: [], computed: 500 });
  for (let iteration = 0; iteration < 250; iteration++) arrive(frame(iteration));
  assert.equal(player.frames.size, 240);
  assert.ok(
    player.frames.has(player.name(249)) && !player.frames.has(player.name(9)) && player.frames.has(player.name(10)),
  );
});

test("frames of another view are others", () => {
  const { player } = playing();
  assert.ok(player.frame);
  for (const change of [{ tree: 1 }, { detail: 63 }, { opened: [2] }, { pinned: 0 }]) {
    const other = playing().player;
    other.look(change, null);
    assert.equal(other.frame, undefined);
  }
});

test("a view keeps the stubs opened last, each once", () => {
  const { player } = playing();
  player.look({ opened: [2, 3, 2, 4] }, null);
  assert.deepEqual(player.view.opened, [3, 4]);
  assert.equal(player.reported, null);
});

test("the cursor keeps to its node in another view, at the nearest step about it", () => {
  const { player } = playing();
  player.go(at(0, 2, 4));
  player.look({ detail: 63 }, 1); // the root, in steps 2 and 5
  player.holdNode(frame(0));
  assert.deepEqual(where(player), [0, 2, 5]);
  player.at.step = 1;
  player.holdNode(frame(0)); // it is held once
  assert.deepEqual(where(player), [0, 2, 1]);
  for (const node of [7, 99]) {
    player.look({ detail: 127 }, node); // drawn, but in no step; and not drawn at all
    player.holdNode(frame(0));
    assert.deepEqual(where(player), [0, 2, 1]);
  }
  for (const change of [{ tree: 1 }, { pinned: 0 }]) {
    player.look(change, 1);
    player.holdNode(frame(0));
    assert.deepEqual(where(player), [0, 2, 1]);
  }
});

test("the end of a phase stays its end in another view of the same tree", () => {
  const { player, arrive } = playing();
  const { script } = frame(0);
  const longer = { ...script, search: [...script.search, script.search[0]] };
  const [last, end] = [script.search.length - 1, script.search.length];
  const look = (/** @type {Partial<View>} */ change) => {
    player.look(change, null);
    const more = frame(0, { view: { ...player.view }, script: longer });
    arrive(more);
    player.settle(more);
    player.holdNode(more);
    return player.at.step;
  };
  player.go(at(0, 0, last));
  assert.equal(look({ opened: [2] }), end);
  player.go(at(0, 0, last));
  assert.equal(look({ opened: [3] }), last); // which is not the end now
  player.go(at(0, 0, end));
  player.look({ tree: 1 }, 1);
  assert.equal(player.at.step, end); // another tree's end may be another step
});

test("the address names what differs from the beginning", () => {
  const { player } = playing();
  const address = (/** @type {number | null} */ node = null) =>
    Object.fromEntries(player.address(ADDRESS, node).filter(([, value]) => value !== null));
  assert.deepEqual(address(), { tree: "0", it: "0", phase: "search" });
  player.view = { tree: 2, detail: 63, opened: [5, 6], pinned: null };
  player.at = at(1, 2, 4);
  assert.deepEqual(address(7), { tree: "2", it: "1", phase: "repair", step: "4", node: "7", nodes: "63", open: "5,6" });
  player.view.pinned = 0;
  assert.deepEqual(address(), { tree: "2", it: "1", nodes: "63", open: "5,6", pin: "0" });
  player.view.pinned = null;
  player.at = at(1, Infinity, Infinity); // not settled yet
  assert.deepEqual(Object.keys(address()), ["tree", "it", "nodes", "open"]);
  assert.deepEqual(
    player.address(ADDRESS, null).map(([name]) => name),
    Object.values(ADDRESS),
  );
});

test("the skin lowers the threshold of a run through watch lists", () => {
  assert.equal(playing().player.lowered, null);
  assert.equal(playing({ header: { ...HEADER, skin: 0.25 } }).player.lowered, 0.75);
});

test("every key", () => {
  const { player } = playing({ computed: 3 });
  const asked = { help: 0, lecture: 0 };
  const acts = { help: () => void asked.help++, lecture: () => void asked.lecture++ };
  const press = (/** @type {string} */ key, shiftKey = false, isInside = true) => {
    const act = actionOf(player, { key, shiftKey }, isInside, acts);
    act?.();
    return act ? where(player) : null;
  };
  assert.deepEqual(press("ArrowRight"), [0, 0, 1]);
  assert.deepEqual(press("ArrowRight", true), [1, 0, 0]);
  assert.deepEqual(press("3"), [1, 2, 0]);
  assert.deepEqual(press("ArrowRight"), [1, 2, 1]);
  assert.deepEqual(press("ArrowUp"), [1, 2, 0]);
  assert.deepEqual(press("ArrowUp"), [1, 1, 0]);
  assert.deepEqual(press("ArrowDown"), [1, 2, 0]);
  assert.deepEqual(press("ArrowLeft"), [1, 1, 0]);
  assert.deepEqual(press("ArrowLeft", true), [0, 1, 0]);
  assert.deepEqual(press("End"), [2, 2, 5]);
  assert.deepEqual(press("Home"), [0, 0, 0]);
  assert.deepEqual(press("1"), [0, 0, 0]);
  for (const key of ["4", "9", "0", "x"]) assert.equal(press(key), null);
  for (const key of ["ArrowUp", "ArrowDown"]) assert.equal(press(key, false, false), null);
  press(" ");
  assert.equal(player.playing, true);
  press(" ");
  assert.equal(player.playing, false);
  press("?");
  press("l");
  press("L");
  assert.deepEqual(asked, { help: 1, lecture: 2 });
});

test("while it plays the iteration is reported at once, and then no more often than once a second", () => {
  const { player, host, playback } = playing({ iterations: [0, 1, 2, 3, 4, 5], computed: 6, finished: true });
  player.reported = 0;
  playback.unit = "iteration";
  player.play(true);
  player.ask();
  assert.deepEqual(host.questions, [], "nothing is news in the iteration that was reported");
  const told = () => host.questions.map(({ cursor }) => cursor);
  player.playOne();
  player.ask();
  assert.deepEqual(told(), [1]);
  player.take({ status: player.status, frames: [], fields: null, nonce: player.asked });
  player.playOne();
  host.time += 999;
  player.ask();
  assert.deepEqual(told(), [1]);
  player.playOne();
  host.time += 1;
  player.ask();
  assert.deepEqual(told(), [1, 3]);
  player.ask(); // one question at a time
  assert.deepEqual(told(), [1, 3]);
});

test("a presenter's clicker turns scenes where a lesson is open, and scrolls elsewhere", () => {
  const { player } = playing({ computed: 3 });
  /** @type {number[]} */
  const turned = [];
  const acts = { help: () => {}, lecture: () => {}, turn: (/** @type {number} */ by) => void turned.push(by) };
  for (const key of ["PageDown", "PageUp"]) {
    actionOf(player, { key, shiftKey: false }, true, acts)?.();
    assert.equal(
      actionOf(player, { key, shiftKey: false }, true, { help: acts.help, lecture: acts.lecture }),
      undefined,
    );
  }
  assert.deepEqual(turned, [1, -1]);
});
