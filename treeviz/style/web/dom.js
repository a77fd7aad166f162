// Small helpers: build HTML and SVG, change no more of a page than differs, write numbers.

const SVG = "http://www.w3.org/2000/svg";
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const range = (count) => [...Array(count).keys()];
const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const isSet = (bits, index) => bits[index] === "1";
const grouped = (count) => count.toLocaleString("en-US");
const things = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

function compact(count) {
  const [limit, unit] = count >= 999_500 ? [1e6, "M"] : count >= 999.5 ? [1e3, "k"] : [1, ""];
  const scaled = count / limit;
  const digits = limit > 1 && scaled < 9.95 ? 1 : 0;
  return scaled.toFixed(digits).replace(".0", "") + unit;
}

function percent(share) {
  const value = 100 * share;
  return `${value >= 10 || value === 0 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

// Three decimals, or as many, up to eight, as it takes to tell `value` from `other`.
function decimals(value, other = value) {
  let digits = 3;
  while (digits < 8 && other !== value && value.toFixed(digits) === other.toFixed(digits)) digits++;
  return value.toFixed(digits).replace("-", "−");
}
