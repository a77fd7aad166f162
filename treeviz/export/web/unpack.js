// Reads what export/dense_text.py packs: what is shared is put back in its places, columns become rows again.

/** @typedef {{ rows: unknown[] } | { columns: Record<string, Packed> }} Packed a table, as rows or column by column */

/**
 * @param {{ shared: unknown[], value: unknown }} packed where shared is refers to what comes before it
 * @returns {any}
 */
export function unshare({ shared, value }) {
  /** @type {unknown[]} */
  const known = [];
  /** @type {(one: unknown) => unknown} */
  const read = (one) => {
    if (typeof one === "string") {
      if (!one.startsWith("~")) return one;
      return one.startsWith("~~") ? one.slice(1) : known[Number(one.slice(1))]; // a text that begins so, or a reference
    }
    if (Array.isArray(one)) return one.map(read);
    if (one === null || typeof one !== "object") return one;
    return Object.fromEntries(Object.entries(one).map(([key, part]) => [key, read(part)]));
  };
  for (const one of shared) known.push(read(one));
  return read(value);
}

/**
 * @param {Packed} packed
 * @returns {any[]}
 */
export function rowsOf(packed) {
  if ("rows" in packed) return packed.rows;
  const columns = Object.entries(packed.columns).map(([key, column]) => ({ key, values: rowsOf(column) }));
  return columns[0].values.map((_, row) => Object.fromEntries(columns.map(({ key, values }) => [key, values[row]])));
}
