// Judging answers, and keeping them and the score with the viewer: in this tab, and nowhere else.

const KEPT = "treeviz-answers";

/**
 * The latest answer to a question: what was asked, what was given, as the fields have it, whether the first one was
 * right, and whether the question is over.
 * @typedef {{ asked: string, given: string[], isRight: boolean, isOver: boolean }} GivenAnswer
 */

export class Score {
  constructor() {
    /** @type {Record<string, GivenAnswer>} by lesson and scene */
    this.answers = {};
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
      if (kept && typeof kept === "object") this.answers = kept;
    } catch {
      // A browser that keeps nothing: the score lasts as long as the page.
    }
  }

  /**
   * Keep the latest answer to a question; whether it is right is said of the first.
   * @param {string} lesson
   * @param {number} scene
   * @param {GivenAnswer} answer
   */
  keep(lesson, scene, answer) {
    const name = `${lesson}/${scene}`;
    const { isRight } = this.answers[name] ?? answer;
    this.answers[name] = { ...answer, isRight };
    try {
      sessionStorage.setItem(KEPT, JSON.stringify(this.answers));
    } catch {
      // As above.
    }
  }

  /**
   * The latest answer to a question, if it is still the one that was asked.
   * @param {string} lesson
   * @param {number} scene
   * @param {string} asked
   */
  given(lesson, scene, asked) {
    const answer = this.answers[`${lesson}/${scene}`];
    return answer?.asked === asked ? answer : null;
  }

  /** @param {string} lesson */
  of(lesson) {
    const own = Object.entries(this.answers).filter(([key]) => key.startsWith(`${lesson}/`));
    return { right: own.filter(([, answer]) => answer.isRight).length, answered: own.length };
  }
}

/**
 * Whether an estimate is within a factor of a number, with its sign.
 * @param {number} given
 * @param {number} right
 * @param {number} within
 */
export function isNear(given, right, within) {
  if (right === 0 || given === 0) return given === right;
  const ratio = given / right;
  return ratio > 0 && Math.max(ratio, 1 / ratio) <= within * (1 + 1e-12);
}

/**
 * How each node chosen, and each that should have been, is marked.
 * @param {Set<number>} chosen
 * @param {number[]} right
 * @returns {Map<number, string>}
 */
export function judgeNodes(chosen, right) {
  const marks = new Map();
  for (const node of right) marks.set(node, chosen.has(node) ? "right-node" : "missed-node");
  for (const node of chosen) if (!marks.has(node)) marks.set(node, "wrong-node");
  return marks;
}
