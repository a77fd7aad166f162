// Pictures to take home: what is seen of the tree, the atlas, the neurons or the output at this very moment.

import { el } from "../../style/web/dom.js";
import { pictureOf, savePicture } from "../../style/web/drawing.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */

/** What can be saved: the data-part of its drawing, and its name on the page and in the file. */
const PICTURES = [
  { part: "tree", words: "tree", file: "tree" },
  { part: "atlas", words: "forest atlas", file: "atlas" },
  { part: "lists", words: "watch lists", file: "lists" },
  { part: "plane", words: "neurons in weight space", file: "neurons" },
  { part: "output", words: "output over the input plane", file: "output" },
];
export class PictureMenu {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.part = part;
    this.box = part("picture-menu", HTMLDialogElement);
    this.what = part("picture-what", HTMLSelectElement);
    this.form = part("picture-form", HTMLSelectElement);
    part("take-picture", HTMLButtonElement).addEventListener("click", () => this.open());
    part("picture-close", HTMLButtonElement).addEventListener("click", () => this.box.close());
    this.code = part("frame-code", HTMLInputElement);
    part("frame-copy", HTMLButtonElement).addEventListener("click", () => void this.copyCode());
    part("picture-save", HTMLButtonElement).addEventListener("click", () => void this.save());
  }

  /** Offer the pictures that are there. */
  open() {
    const there = PICTURES.filter(({ part }) => this.part(part, SVGSVGElement).getClientRects().length > 0);
    const chosen = this.what.value;
    this.what.replaceChildren(...there.map(({ part, words }) => el("option", { value: part }, words)));
    if (there.some(({ part }) => part === chosen)) this.what.value = chosen;
    this.code.value = frameCode(this.stage.addressed(new URL(location.href)));
    this.box.showModal();
  }

  /** Copy the code of the frame; where the browser does not allow that, it is marked, to be copied by keys. */
  async copyCode() {
    this.code.select();
    await navigator.clipboard?.writeText(this.code.value).catch(() => {});
  }

  async save() {
    await savePicture(pictureOf(this.part(this.what.value, SVGSVGElement)), this.form.value, this.fileName);
    this.box.close();
  }

  /** What is seen, and where: tree-3-iteration-2-search-step-5. */
  get fileName() {
    const { at, view } = this.stage.player;
    return view.pinned === null
      ? `${this.fileOf("phase")}-step-${at.step + 1}`
      : `${this.fileOf("iteration")}-from-${view.pinned}`;
  }

  /** A name for what is seen through a whole phase, iteration or scene. @param {"phase" | "iteration" | "scene"} span */
  fileOf(span) {
    const { header, at, view } = this.stage.player;
    const file = PICTURES.find(({ part }) => part === this.what.value)?.file;
    const phase = span === "iteration" ? "" : `-${header.phases[at.phase].id}`;
    return `${file === "tree" ? "" : `${file}-`}tree-${view.tree}-iteration-${at.iteration}${phase}`;
  }
}

/**
 * The HTML with which another page shows the stage alone.
 * @param {URL} url of the moment
 */
export function frameCode(url) {
  url.searchParams.delete("lecture");
  url.searchParams.set("view", "stage");
  const address = url.href.replaceAll("&", "&amp;");
  return `<iframe src="${address}" title="treeviz" width="100%" height="640" allowfullscreen></iframe>`;
}
