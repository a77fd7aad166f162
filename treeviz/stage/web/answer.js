// The component that is given the answers of the server.

import { deliver } from "./answers.js";

/** @param {import("../../style/web/mount.js").Call<BlobPart, never>} call */
export default ({ data }) => (data ? deliver(data) : undefined);
