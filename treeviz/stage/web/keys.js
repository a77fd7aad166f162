// What the keys of the stage do.

/** @import { Player } from "./player.js" */

/**
 * The action of a key, if it has one. Arrows up and down are the stage's own only inside it; elsewhere they scroll.
 * @param {Player} player
 * @param {{ key: string, shiftKey: boolean }} event
 * @param {boolean} isInside
 * @param {{ help: () => void, lecture: () => void, turn?: (by: number) => unknown }} acts of the stage itself; a lesson turns
 * @returns {(() => void) | undefined}
 */
export function actionOf(player, { key, shiftKey }, isInside, { help, lecture, turn }) {
  const unit = shiftKey ? "iteration" : "step";
  const phase = Number(key) - 1;
  if (phase >= 0 && phase < player.header.phases.length) return () => player.toPhase(phase);
  switch (key) {
    case " ":
      return () => player.play(!player.playing);
    case "ArrowRight":
      return () => player.move(unit, 1);
    case "ArrowLeft":
      return () => player.move(unit, -1);
    case "ArrowDown":
      return isInside ? () => player.move("phase", 1) : undefined;
    case "ArrowUp":
      return isInside ? () => player.move("phase", -1) : undefined;
    case "Home":
      return () => player.go({ iteration: 0, phase: 0, step: 0 });
    case "End":
      return () => player.go({ iteration: player.status.computed - 1, phase: Infinity, step: Infinity });
    case "l":
    case "L":
      return lecture;
    case "PageDown":
      return turn && (() => void turn(1));
    case "PageUp":
      return turn && (() => void turn(-1));
    case "?":
      return help;
  }
}
