// Moves the focus to a button as soon as it is drawn and can be pressed, and if asked its place to the middle of the
// window, or as near as the page can be scrolled. Once for each time it is asked, however often the page is drawn.

const PATIENCE = 10_000; // milliseconds until the button is there at most
const SETTLING = 2_000; // milliseconds then, in which pictures come above it and move it
const DEEDS = ["wheel", "touchstart", "pointerdown", "keydown"]; // whoever goes elsewhere meanwhile stays there

/** @typedef {{ key: string, asked: number, isScrolled: boolean }} Wish a button's key, and when it was asked for */

let asked = 0;
let isLeft = false;

for (const deed of DEEDS) addEventListener(deed, () => void (isLeft = true), { capture: true, passive: true });

/** @param {Wish} wish @param {number} end */
function grant(wish, end, isFocused = false) {
  if (isLeft || wish.asked !== asked || performance.now() > end) return;
  /** @type {HTMLElement | null} */
  const button = document.querySelector(`.st-key-${CSS.escape(wish.key)} button:enabled`);
  if (button && !isFocused) {
    button.focus({ preventScroll: true });
    end = performance.now() + (wish.isScrolled ? SETTLING : 0);
  }
  if (wish.isScrolled) button?.scrollIntoView({ block: "center" });
  requestAnimationFrame(() => grant(wish, end, isFocused || button !== null));
}

/** @param {import("./mount.js").Call<Wish, never>} call */
export default ({ data: wish }) => {
  if (!wish || wish.asked <= asked) return;
  asked = wish.asked;
  isLeft = false;
  grant(wish, performance.now() + PATIENCE);
};
