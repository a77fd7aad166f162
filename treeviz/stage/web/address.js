// The component that tells the server what the address holds: the stage writes the moment into it without asking.

/** @param {import("../../style/web/mount.js").Call<string, string>} call */
export default ({ data, setStateValue }) => {
  const search = location.search || "?"; // an answer also where there is nothing
  if (search !== data) setStateValue?.("search", search);
};
