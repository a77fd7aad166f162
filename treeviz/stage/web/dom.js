// Small helpers to build HTML and SVG, and to write numbers.

const SVG = "http://www.w3.org/2000/svg";

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// Set text or an attribute only where it differs, so that a step touches no more of the page than it changes.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

const grouped = (count) => count.toLocaleString("en-US");

function compact(count) {
  for (const [limit, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count >= 0.9995 * limit) {
      const scaled = count / limit;
      return scaled < 9.95 ? scaled.toFixed(1).replace(".0", "") + unit : Math.round(scaled) + unit;
    }
  }
  return String(count);
}

function percent(share) {
  const value = 100 * share;
  return `${value >= 10 || value === 0 ? Math.round(value) : Number(value.toPrecision(2))} %`;
}

// Three decimals, or as many as it takes to tell `value` from `other`.
function decimals(value, other = value) {
  let text = value.toFixed(3);
  for (let digits = 4; digits <= 8 && other !== value && text === other.toFixed(digits - 1); digits++) {
    text = value.toFixed(digits);
  }
  return text.replace("-", "−");
}

const isSet = (bits, index) => bits[index] === "1";
