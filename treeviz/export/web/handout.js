// A lesson on paper: every scene of it with its text, and its question with room for the answer.

import { withMarks } from "../../stage/web/marks.js";
import { el } from "../../style/web/dom.js";

/** @import { LessonShown, QuestionAsked } from "../../stage/web/types.js" */

/**
 * The scenes of a lesson, in order; nothing of a run that no lesson tells.
 * @param {(LessonShown | null)[]} lessons
 */
export function handout(lessons) {
  return lessons.flatMap((lesson) => {
    if (!lesson) return [];
    const { title, text, question } = lesson.scene;
    const paragraphs = text.split(/\n\s*\n/).map((paragraph) => el("p", {}, ...withMarks(paragraph)));
    const heading = el("h2", {}, `${lesson.index + 1}. ${title}`);
    return [el("article", {}, heading, ...paragraphs, ...(question ? asked(question) : []))];
  });
}

/** A question, and what is to be ticked or filled in. @param {QuestionAsked} question */
function asked(question) {
  const words = el("p", { class: "asked" }, ...withMarks(question.ask));
  if (question.kind !== "choose") {
    return [words, el("p", {}, `Answer: ${"_".repeat(24)} ${question.kind === "estimate" ? question.unit : ""}`)];
  }
  const options = question.options.map((text) => el("li", {}, "☐ ", ...withMarks(text)));
  return [words, el("ul", {}, ...options)];
}
