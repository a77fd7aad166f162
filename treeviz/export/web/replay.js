// Plays the server's part for the stage of a replay: mounts it, answers its questions, turns to the scenes of a lesson.

import { ANSWERS, POLLS } from "../../stage/web/channels.js";
import { mountStage } from "../../stage/web/stage.js";
import { el, find } from "../../style/web/dom.js";
import { clamp } from "../../style/web/numbers.js";
import { Answers } from "./answers.js";
import { handout } from "./handout.js";
import { unshare } from "./unpack.js";

/** @import { Answer, PollPress, Question, Turn } from "../../stage/web/types.js" */
/** @import { PageHeld } from "./types.js" */

const SCENE = "scene"; // in an address, as in that of the app
const NO_POLL = "A class poll needs the app: start it with treeviz app, or treeviz serve for a class.";

class Replay {
  /**
   * @param {PageHeld} page
   * @param {{ html: string, css: string }} stage
   */
  constructor(page, stage) {
    this.page = page;
    /** @type {Map<number, Answers>} by run */
    this.answers = new Map();
    this.scene = 0;
    this.start = page.scenes[0].start; // of the scene on show
    this.isLesson = true;
    this.named = 0; // scenes opened
    this.deliveries = Promise.resolve(); // one after another, in the order of the questions
    this.about = find(document, "#about", HTMLElement);
    find(document, "#handout", HTMLElement).append(...handout(page.scenes.map(({ lesson }) => lesson)));
    const host = find(document, "#stage-host", HTMLElement);
    const root = host.attachShadow({ mode: "open" });
    root.append(el("style", {}, stage.css));
    const template = document.createElement("template");
    template.innerHTML = stage.html;
    root.append(template.content);
    // A frame that may not send forms does not even tell of them; the stage's own forms are never sent.
    root.addEventListener("click", (event) => submit(event));
    mountStage({
      parentElement: /** @type {any} */ (root), // Streamlit, too, gives a shadow root
      setStateValue: (_, message) => void this.take(message),
      setTriggerValue: (_, message) => void this.take(message),
    });
  }

  /** @param {Question | Turn | PollPress} message */
  async take(message) {
    if ("poll" in message) POLLS.deliver({ poll: null, error: NO_POLL });
    else if ("to" in message) await this.turn(message.to);
    else {
      this.follow(message.view, message.cursor);
      await this.deliver(message);
    }
  }

  /** @param {number | null} scene null leaves the lesson, and the run stays */
  async turn(scene) {
    if (scene !== null) return this.open(scene);
    this.isLesson = false;
    await this.ask();
  }

  /**
   * Open a scene, at its own moment or at the one that an address names.
   * @param {number} index
   * @param {URLSearchParams} [address]
   */
  async open(index, address) {
    const { run, start } = this.page.scenes[index];
    const answers = await this.runOf(run);
    // All at once: what the stage asks meanwhile is still about the scene before.
    [this.scene, this.named] = [index, this.named + 1];
    this.start = address ? answers.startAt(start, address) : start;
    this.keepScene();
    await this.ask();
    this.about.innerHTML = answers.run.page;
    this.about.append(wayOn(answers.run.app));
    this.follow(this.start, this.start.iteration);
  }

  /** Keep the scene of a lesson in the address, where the stage keeps the moment; a frame may refuse it. */
  keepScene() {
    if (!this.held.lesson) return;
    const url = new URL(location.href);
    url.searchParams.set(SCENE, String(this.scene + 1));
    try {
      history.replaceState(history.state, "", url);
    } catch {
      // Then a reload begins at the first scene.
    }
  }

  get held() {
    return this.page.scenes[this.scene];
  }

  /** Answer as the server does before it has been asked: with the frame at which the scene begins. */
  ask() {
    const { tree, detail, opened, pinned, iteration } = this.start;
    const view = { tree, detail, opened, pinned };
    const rest = { cursor: iteration, neuron: null, moments: [], weights: null };
    return this.deliver({ run: "", nonce: 0, view, wanted: [iteration], fields: [iteration], ...rest });
  }

  /**
   * The run's part of what is held, unpacked when it is first asked for.
   * @param {number} number
   */
  async runOf(number) {
    const known = this.answers.get(number) ?? new Answers(await unpack(this.page.runs[number]));
    this.answers.set(number, known);
    return known;
  }

  /** @param {Question} question */
  deliver(question) {
    const { run, lesson } = this.held;
    const told = {
      start: { ...this.start, named: this.named },
      lesson: this.isLesson ? lesson : null,
      introduction: {},
    };
    this.deliveries = this.deliveries.then(async () => {
      ANSWERS.deliver(await deflate((await this.runOf(run)).answer(question, told)));
    });
    return this.deliveries;
  }

  /**
   * Move the line in the charts to an iteration, and have the app's address lead to it.
   * @param {{ tree: number }} view
   * @param {number | null} iteration
   */
  follow({ tree }, iteration) {
    if (iteration === null) return;
    for (const line of this.about.querySelectorAll(".cursor")) {
      const { x0, step, first } = /** @type {SVGElement} */ (line.closest("svg")).dataset;
      const place = Number(x0) + Number(step) * (iteration + Number(first));
      line.setAttribute("transform", `translate(${place.toFixed(1)})`);
    }
    const link = this.about.querySelector(".app");
    if (!link?.textContent) return;
    const url = new URL(link.textContent);
    const names = this.start.address;
    url.searchParams.set(names.tree, String(tree));
    url.searchParams.set(names.iteration, String(iteration));
    link.textContent = url.href;
  }
}

/** What a reader can do with the run beyond this file. @param {string | null} app */
function wayOn(app) {
  const command = el("code", {}, "treeviz app");
  const where = app ? [" and open ", el("code", { class: "app" }, app)] : [];
  return el(
    "p",
    {},
    "For other trees, branches, settings and comparisons, start the app with ",
    command,
    ...where,
    ".",
  );
}

/** @param {Event} event */
function submit(event) {
  const path = event.composedPath();
  const button = path.find((one) => one instanceof HTMLButtonElement && one.type === "submit");
  if (!(button instanceof HTMLButtonElement) || !button.form) return;
  event.preventDefault();
  button.form.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true, submitter: button }));
}

/** @param {Answer} answer */
const deflate = (answer) =>
  new Response(new Blob([JSON.stringify(answer)]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();

/**
 * @param {string} name
 * @returns {Promise<any>}
 */
const unpack = async (name) => unshare(JSON.parse(await /** @type {any} */ (globalThis).treevizUnpack(name)));

const opening = find(document, "#opening", HTMLElement);
try {
  const [page, stage] = await Promise.all([unpack("page"), unpack("stage")]);
  const address = new URLSearchParams(location.search);
  const scene = clamp(Math.round(Number(address.get(SCENE)) || 1), 1, page.scenes.length) - 1;
  await new Replay(page, stage).open(scene, address);
  opening.remove();
} catch (fault) {
  opening.textContent = `This file cannot be played: ${fault}. Please get it again.`;
  throw fault;
}
