// The component that is given the answers of the server.

import { ANSWERS } from "./channels.js";

/** @param {import("../../style/web/mount.js").Call<BlobPart, never>} call */
export default ({ data }) => (data ? ANSWERS.deliver(data) : undefined);
