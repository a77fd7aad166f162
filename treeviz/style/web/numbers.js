// How numbers and counted things are written, and a few functions that everything else uses. `compact` and `percent` are
// also in palette.py; `numeral`, `decimals`, `things` (there `count`) and `agree` in model/numerals.py.

/** @param {number} value @param {number} low @param {number} high */
export const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** 0, 1, ..., count - 1. @param {number} count */
export const range = (count) => [...Array(count).keys()];

/** @param {number[]} values */
export const total = (values) => values.reduce((sum, value) => sum + value, 0);

/** Whether a string of 0 and 1 has a 1 at a place. @param {string} bits @param {number} index */
export const isSet = (bits, index) => bits[index] === "1";

/** With commas; small numbers that are not whole with two decimals. @param {number} value */
export const grouped = (value) => value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });

/** @type {Record<string, string>} */
const PLURALS = { branch: "branches", leaf: "leaves" };

/** 1 neuron, 1,200 neurons, 2 leaves. @param {number} count @param {string} noun */
export const things = (count, noun) => `${grouped(count)} ${agree(count, noun, PLURALS[noun] ?? `${noun}s`)}`;

/** The form of a word that goes with a count: of 1, `one`; of all others, `many`. @param {number} count @param {string} one @param {string} many */
export const agree = (count, one, many) => (count === 1 ? one : many);

/** @type {[number, string][]} */
const UNITS = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];

/**
 * Shorten a count to at most four characters: 87, 1.2k, 34k, 5.6M. Halves go up.
 * @param {number} number
 */
export function compact(number) {
  const [limit, unit] = UNITS.find(([size]) => number >= 0.9995 * size) ?? [1, ""];
  const scaled = number / limit;
  const hasTenths = unit && scaled < 9.95;
  return `${hasTenths ? Math.floor(10 * scaled + 0.5) / 10 : Math.floor(scaled + 0.5)}${unit}`;
}

/**
 * Write a share in per cent: from 10 % on in whole numbers, below with two digits. Halves go up.
 * @param {number} share
 */
export function percent(share) {
  const value = 100 * share;
  return `${value >= 10 ? Math.floor(value + 0.5) : Number(value.toPrecision(2))}\u00a0%`;
}

/**
 * Three decimals, or as many, up to eight, as it takes to tell `value` from `other`.
 * @param {number} value
 * @param {number} other
 */
export function decimals(value, other = value) {
  const write = (/** @type {number} */ number) => number.toFixed(digits).replace(/^-(?=[0.]*$)/, ""); // never −0.000
  let digits = 3;
  while (digits < 8 && other !== value && write(value) === write(other)) digits++;
  return write(value).replace("-", "−");
}

/** @param {number} power */
export const powerOfTen = (power) =>
  `10${String(power).replace(/./g, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)]))}`;

/**
 * Write a number with at most so many digits: 6.249, 0.0012, 3,100.
 * Down from 0.001 and up from a million with a power of ten: 1.2·10⁻⁷, 10⁶. Halves go away from zero.
 * @param {number} value
 * @param {number} digits
 */
export function numeral(value, digits) {
  const size = Math.abs(Number(value.toPrecision(digits)));
  const sign = value < 0 && size ? "−" : "";
  if (Number.isNaN(value)) return "no number";
  if (size === Infinity) return `${sign}∞`;
  if (size === 0 || (size > 1e-3 && size < 1e6)) {
    return sign + size.toLocaleString("en-US", { maximumSignificantDigits: digits });
  }
  const [factor, power] = size.toExponential(digits - 1).split("e");
  const ten = powerOfTen(Number(power));
  return sign + (Number(factor) === 1 ? ten : `${Number(factor)}·${ten}`);
}
