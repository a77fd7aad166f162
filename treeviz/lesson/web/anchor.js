// The component that keeps the section an address leads to at the top of the page while what stands above it is still
// being drawn: formulas and charts come late, and change its height. Whoever scrolls, presses or types ends that.

const LONGEST = 30_000; // milliseconds that a page takes to be drawn at most
const DEEDS = ["wheel", "touchstart", "pointerdown", "keydown"];

let held = ""; // the address that it was done for, so that a page drawn again stays where it is

export default () => {
  const address = location.pathname + location.hash;
  if (!location.hash || address === held) return;
  held = address;
  const end = performance.now() + LONGEST;
  let isOver = false;
  const stop = () => {
    isOver = true;
    for (const deed of DEEDS) removeEventListener(deed, stop, true);
  };
  for (const deed of DEEDS) addEventListener(deed, stop, true);
  const hold = () => {
    if (performance.now() > end || location.pathname + location.hash !== address) stop();
    if (isOver) return;
    document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView(); // does nothing if it is there
    requestAnimationFrame(hold);
  };
  hold();
};
