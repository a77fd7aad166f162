// The way of an answer from the component that Streamlit gives it to, to the stage: a component of its own, so that the
// stage's scripts, which never change, are sent once and not with every answer.

const ARRIVAL = "treeviz-answer";

/** @typedef {typeof globalThis & { treevizAnswer?: BlobPart }} Place where the latest answer is kept */

const place = /** @type {Place} */ (globalThis);

/**
 * Keep an answer for a stage that comes later, and give it to the one that is there.
 * @param {BlobPart} bytes
 * @returns {() => void} what takes it away again, unless a newer one has come
 */
export function deliver(bytes) {
  place.treevizAnswer = bytes;
  place.dispatchEvent(new CustomEvent(ARRIVAL, { detail: bytes }));
  return () => {
    if (place.treevizAnswer === bytes) delete place.treevizAnswer;
  };
}

/**
 * Take the latest answer, if there is one, and all that come.
 * @param {(bytes: BlobPart) => void} take
 * @returns {() => void} what ends it
 */
export function takeAnswers(take) {
  const hear = (/** @type {Event} */ event) => take(/** @type {CustomEvent<BlobPart>} */ (event).detail);
  place.addEventListener(ARRIVAL, hear);
  if (place.treevizAnswer) take(place.treevizAnswer);
  return () => place.removeEventListener(ARRIVAL, hear);
}
