// Shows a drawing that the server made: Streamlit's own HTML holds no SVG.

/** @param {import("./mount.js").Call<string, never>} call */
export default ({ data, parentElement }) => {
  const place = /** @type {HTMLElement} */ (parentElement.querySelector("div"));
  if (data) place.innerHTML = data;
};
