// The component that tells the server what the address holds: the stage writes the moment into it without asking.

/** @param {import("../../style/web/mount.js").Call<string, string>} call */
export default ({ data, setStateValue }) => {
  if (location.search !== data) setStateValue?.("search", location.search);
};
