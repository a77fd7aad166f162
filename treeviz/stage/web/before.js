// Where the reader was before a lesson, to be led back there when it is left. The page makes a new stage for a lesson, and
// another one after it, so this outlives them.

import { findPage } from "./lecture.js";

/** @import { Stage } from "./stage.js" */
/** @import { Cursor, View } from "./types.js" */

/** @typedef {{ view: View, at: Cursor, node: number | null }} Place in a run */

/** @type {{ settings: string, place: Place, scroll: number } | null} when anything was clicked last outside a lesson */
let before = null;
let isLesson = false; // whether the last answer was about one

/** Note where the reader is, unless in a lesson. @param {Stage} stage */
export function noteReader({ current, selected }) {
  if (!current || isLesson) return;
  const { header, view, at } = current;
  const place = { view: { ...view }, at: { ...at }, node: selected };
  before = { settings: header.settings, place, scroll: findPage()?.scrollTop ?? 0 };
}

/**
 * Take note of whether a lesson is on show. When it has just been left, the page goes back to where it was before it, and
 * what is returned is where the reader was in which run.
 * @param {boolean} isOn
 */
export function turnedTo(isOn) {
  const isLeft = isLesson && !isOn;
  isLesson = isOn;
  if (!isLeft || !before) return null;
  const { scroll } = before;
  const back = () => {
    const page = findPage();
    if (page) page.scrollTop = scroll;
  };
  requestAnimationFrame(() => requestAnimationFrame(back)); // once the heading above the stage is drawn
  return before;
}
