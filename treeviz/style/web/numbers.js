// How numbers are written, and a few that everything else uses. `compact` and `percent` are also in palette.py.

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

/** 1 neuron, 1,200 neurons. @param {number} count @param {string} noun */
export const things = (count, noun) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;

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
  let digits = 3;
  while (digits < 8 && other !== value && value.toFixed(digits) === other.toFixed(digits)) digits++;
  return value.toFixed(digits).replace("-", "−");
}

/** @param {number} power */
export const powerOfTen = (power) =>
  `10${String(power).replace(/./g, (sign) => (sign === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)]))}`;

/**
 * So many digits; very small and very large numbers with a power of ten: 0.0012, 1.2·10⁻⁷.
 * @param {number} value
 * @param {number} digits
 */
export function scientific(value, digits) {
  if (value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6))
    return String(Number(value.toPrecision(digits)));
  const [number, power] = value.toExponential(digits - 1).split("e");
  const ten = powerOfTen(Number(power));
  return Number(number) === 1 ? ten : `${Number(number)}·${ten}`;
}
