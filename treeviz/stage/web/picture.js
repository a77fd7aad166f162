// Pictures to take home: what is seen of the tree, the atlas, the neurons or the output at this very moment, as SVG with
// all styles inside, or as PNG.

import { el, svg } from "../../style/web/dom.js";

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
/** Styles that a drawing may have; all others are as they are by themselves. */
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linejoin",
  "opacity",
  "paint-order",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "shape-rendering",
];
const COLORS = ["fill", "stroke"];

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
    const { value: form } = this.form;
    const text = pictureOf(this.part(this.what.value, SVGSVGElement));
    const content = new Blob([text], { type: "image/svg+xml" });
    const name = `${this.fileName}.${form === "svg" ? "svg" : "png"}`;
    download(form === "svg" ? content : await painted(text, Number(form)), name);
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

/**
 * A drawing as a file of its own: as it is seen, with its background, and what it says of itself as its title.
 * @param {SVGSVGElement} drawing
 */
export function pictureOf(drawing) {
  const { width, height } = drawing.getBoundingClientRect();
  const copy = /** @type {SVGSVGElement} */ (drawing.cloneNode(true));
  const [seen, copied] = [drawing, copy].map((root) => [...root.querySelectorAll("*")]);
  seen.forEach((one, place) => {
    const style = getComputedStyle(one);
    if (style.display === "none" || style.visibility === "hidden") copied[place].setAttribute("data-unseen", "");
    else dress(copied[place], style);
  });
  for (const unseen of copy.querySelectorAll("[data-unseen]")) unseen.remove();
  for (const name of ["class", "style", "data-part", "role", "aria-label", "tabindex"]) copy.removeAttribute(name);
  const box = drawing.viewBox.baseVal;
  const [left, top, wide, high] = box?.width ? [box.x, box.y, box.width, box.height] : [0, 0, width, height];
  for (const [name, value] of Object.entries({ width, height, viewBox: [left, top, wide, high].join(" ") })) {
    copy.setAttribute(name, String(value));
  }
  const page = getComputedStyle(drawing).getPropertyValue("--page").trim() || "#fff";
  copy.prepend(
    svg("title", {}, drawing.getAttribute("aria-label") ?? "treeviz"),
    svg("rect", { x: left, y: top, width: wide, height: high, fill: page }),
  );
  return new XMLSerializer().serializeToString(copy);
}

/**
 * Give an element the styles that it is seen with, in place of what is written in sheets of the page.
 * @param {Element} element
 * @param {CSSStyleDeclaration} style
 */
function dress(element, style) {
  for (const name of ["class", "style", "tabindex", "role", "aria-label"]) element.removeAttribute(name);
  for (const name of STYLES) {
    const value = style.getPropertyValue(name);
    const color = COLORS.includes(name) ? plainColor(value) : null;
    if (color) {
      element.setAttribute(name, color.color);
      if (color.opacity < 1) element.setAttribute(`${name}-opacity`, String(color.opacity));
    } else if (!(name in DEFAULTS) || DEFAULTS[name] !== value) {
      if (!element.hasAttribute(name) || !name.endsWith("-opacity")) element.setAttribute(name, value);
    }
  }
}

/** Styles that need not be written. @type {Record<string, string>} */
const DEFAULTS = {
  "fill-opacity": "1",
  "stroke-width": "1px",
  "stroke-opacity": "1",
  "stroke-dasharray": "none",
  "stroke-linejoin": "miter",
  opacity: "1",
  "paint-order": "normal",
  "font-weight": "400",
  "text-anchor": "start",
  "shape-rendering": "auto",
};

/**
 * A colour as every program reads it, #rrggbb and its opacity: a browser also writes color(srgb 0.1 0.2 0.3 / 0.5).
 * @param {string} value
 * @returns {{ color: string, opacity: number } | null} null for what is no colour, such as none
 */
export function plainColor(value) {
  const found = /^(rgba?|color)\((srgb )?([^)]*)\)$/.exec(value);
  if (!found) return null;
  const numbers = found[3].split(/[\s,/]+/).map(Number);
  const [scale, opacity] = [found[2] ? 255 : 1, numbers[3] ?? 1];
  const parts = numbers.slice(0, 3).map((part) => Math.min(255, Math.max(0, Math.round(scale * part))));
  return { color: `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`, opacity };
}

/**
 * Paint a picture so many times as large as it is seen.
 * @param {string} text
 * @param {number} scale
 * @returns {Promise<Blob>}
 */
async function painted(text, scale) {
  const image = await loadedImage(text);
  const canvas = el("canvas", { width: Math.round(image.width * scale), height: Math.round(image.height * scale) });
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((done, fail) =>
    canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("the picture is too large to be painted")))),
  );
}

/** A picture that can be painted. @param {string} text */
export async function loadedImage(text) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  return image;
}

/**
 * @param {Blob} content
 * @param {string} name
 */
export function download(content, name) {
  const link = el("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
