// A page for scripts that draw, as far as their tests need one: elements with names, attributes, children and listeners.

export class Part {
  /** @param {string} tag */
  constructor(tag) {
    this.tag = tag;
    this.className = "";
    /** @type {Record<string, string>} */
    this.attributes = {};
    /** @type {(Part | string)[]} */
    this.children = [];
    /** @type {Record<string, () => void>} */
    this.listeners = {};
  }

  /** @param {string} name @param {string} value */
  setAttribute(name, value) {
    this.attributes[name] = value;
  }

  /** @param {string} name */
  getAttribute(name) {
    return this.attributes[name] ?? null;
  }

  /** @param {string} name @param {() => void} listener */
  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }

  /** @param {...(Part | string)} children */
  append(...children) {
    this.children.push(...children);
  }

  /** @param {...(Part | string)} children */
  replaceChildren(...children) {
    this.children = children;
  }

  /** @returns {string} */
  get textContent() {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }

  /** @param {string} text */
  set textContent(text) {
    this.children = [text];
  }

  /** All parts of a tag below, in order. @param {string} tag @returns {Part[]} */
  all(tag) {
    const parts = this.children.filter((child) => child instanceof Part);
    return parts.flatMap((part) => [...(part.tag === tag ? [part] : []), ...part.all(tag)]);
  }
}

/** What a script made, as the part that it is. @param {unknown} made @returns {Part} */
export function partOf(made) {
  if (!(made instanceof Part)) throw new Error("it is no part of a page");
  return made;
}

Object.assign(globalThis, {
  HTMLElement: Part,
  SVGSVGElement: Part,
  document: {
    createElement: (/** @type {string} */ tag) => new Part(tag),
    createElementNS: (/** @type {string} */ _, /** @type {string} */ tag) => new Part(tag),
  },
});
