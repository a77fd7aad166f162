// The component that has a student's browser remember, for two hours, by which token its answers to polls are known: so a
// page that is loaded again changes its answer, and does not give a second one.

/** @param {{ data: { name: string, token: string, seconds: number } }} call */
export default ({ data }) => {
  const path = `path=${location.pathname}; max-age=${data.seconds}; samesite=lax`;
  document.cookie = `${data.name}=${data.token}; ${path}`;
};
