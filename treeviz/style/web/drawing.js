// Pictures of what is drawn on a page, as files of their own: SVG with all styles and fonts inside, or PNG.

import { el, svg } from "./dom.js";

/** Styles that a drawing may have; all others are as they are by themselves. */
const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linejoin",
  "stroke-linecap",
  "opacity",
  "paint-order",
  "font-family",
  "font-size",
  "font-weight",
  "font-style",
  "text-anchor",
  "shape-rendering",
  "image-rendering",
];
const COLORS = ["fill", "stroke"];

/**
 * A drawing as a file of its own: as it is seen, with its background, and what it says of itself as its title.
 * @param {SVGSVGElement} drawing
 */
export function pictureOf(drawing) {
  const copy = copyOf(drawing);
  const { x, y, width, height } = copy.viewBox.baseVal;
  const fill = getComputedStyle(drawing).getPropertyValue("--page").trim() || "#fff";
  const title = svg("title", {}, drawing.getAttribute("aria-label") ?? "treeviz");
  copy.prepend(title, svg("rect", { x, y, width, height, fill }));
  return new XMLSerializer().serializeToString(copy);
}

/**
 * A drawing with the styles that it is seen with.
 * @param {SVGSVGElement} drawing
 */
export function copyOf(drawing) {
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
  const view = box?.width ? [box.x, box.y, box.width, box.height] : [0, 0, width, height];
  for (const [name, value] of Object.entries({ width, height, viewBox: view.join(" ") })) {
    copy.setAttribute(name, String(value));
  }
  return copy;
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
  "stroke-linecap": "butt",
  opacity: "1",
  "paint-order": "normal",
  "font-weight": "400",
  "font-style": "normal",
  "text-anchor": "start",
  "shape-rendering": "auto",
  "image-rendering": "auto",
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
 * Save a picture in a form: "svg", or how many times as large as seen it is painted.
 * @param {string} picture
 * @param {string} form
 * @param {string} name of the file, without its ending
 */
export async function savePicture(picture, form, name) {
  const text = await withFonts(picture);
  if (form === "svg") download(new Blob([text], { type: "image/svg+xml" }), `${name}.svg`);
  else download(await painted(text, Number(form)), `${name}.png`);
}

/**
 * Put the fonts of a picture into it, those that the page has brought: no other program has them.
 * @param {string} picture
 */
async function withFonts(picture) {
  const own = [...document.styleSheets].filter(({ href }) => !href || new URL(href).origin === location.origin);
  const rules = own.flatMap(({ cssRules }) => [...cssRules]); // those of other sites cannot be read
  const faces = rules
    .filter((rule) => rule instanceof CSSFontFaceRule)
    .map(async ({ style, parentStyleSheet }) => {
      const [family, slant] = ["font-family", "font-style"].map((name) =>
        style.getPropertyValue(name).replaceAll('"', ""),
      );
      const isUsed = picture.includes(`&quot;${family}&quot;`) && (slant !== "italic" || picture.includes('"italic"'));
      const address = /url\("?([^")]+)"?\)/.exec(style.getPropertyValue("src"))?.[1];
      if (!isUsed || !address) return "";
      const file = await fetch(new URL(address, parentStyleSheet?.href ?? document.baseURI));
      const [weight, content] = [style.getPropertyValue("font-weight") || "400", await dataUrl(await file.blob())];
      return `@font-face{font-family:"${family}";font-style:${slant || "normal"};font-weight:${weight};src:url(${content})}`;
    });
  const sheet = (await Promise.all(faces)).join("");
  return sheet ? picture.replace(">", `><style>${sheet}</style>`) : picture;
}

/** @param {Blob} content @returns {Promise<string>} */
function dataUrl(content) {
  return new Promise((done) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(String(reader.result)));
    reader.readAsDataURL(content);
  });
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
