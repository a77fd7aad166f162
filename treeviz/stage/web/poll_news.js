// The component that is given, once a second, how the session's poll stands.

import { POLLS } from "./channels.js";

/** @param {import("../../style/web/mount.js").Call<import("./types.js").PollNews, never>} call */
export default ({ data }) => (data ? POLLS.deliver(data) : undefined);
