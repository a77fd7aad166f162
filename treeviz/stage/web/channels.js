// The way of what the server sends from the component that Streamlit gives it to, to the stage: components of their own,
// so that the stage's scripts, which never change, are sent once and not with every answer.

/** @template Data */
export class Channel {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    /** @type {Record<string, unknown> & EventTarget} where the latest data are kept */
    this.place = /** @type {any} */ (globalThis);
  }

  /**
   * Keep data for a stage that comes later, and give them to the one that is there.
   * @param {Data} data
   * @returns {() => void} what takes them away again, unless newer ones have come
   */
  deliver(data) {
    this.place[this.name] = data;
    this.place.dispatchEvent(new CustomEvent(this.name, { detail: data }));
    return () => {
      if (this.place[this.name] === data) delete this.place[this.name];
    };
  }

  /**
   * Take the latest data, if there are some, and all that come.
   * @param {(data: Data) => void} take
   * @returns {() => void} what ends it
   */
  take(take) {
    const hear = (/** @type {Event} */ event) => take(/** @type {CustomEvent<Data>} */ (event).detail);
    this.place.addEventListener(this.name, hear);
    if (this.place[this.name]) take(/** @type {Data} */ (this.place[this.name]));
    return () => this.place.removeEventListener(this.name, hear);
  }
}

/** What the server answers to the stage's questions. @type {Channel<BlobPart>} */
export const ANSWERS = new Channel("treeviz-answer");

/** The poll of this session. @type {Channel<import("./types.js").PollNews>} */
export const POLLS = new Channel("treeviz-poll");
