// Lecture mode: the stage fills the screen, with what the last row can read; and a window for the presenter's notes.

import { el } from "../../style/web/dom.js";

/** @import { Stage } from "./stage.js" */
/** @import { LessonShown } from "./types.js" */

const NAME = "lecture"; // in the address, and as a class of the page and of the stage
const [NOTES, NOTES_TITLE] = ["treeviz-notes", "Presenter's notes"]; // the window's name, also what is remembered of it

/** The part of the page that scrolls. */
export const findPage = () => document.querySelector('[data-testid="stMain"]');

export class Lecture {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.isOn = false;
    this.scroll = 0; // where the page was
    this.onFullscreen = () => {
      if (this.isFullscreen && !document.fullscreenElement) this.leave();
    };
    this.isFullscreen = false;
    document.addEventListener("fullscreenchange", this.onFullscreen);
  }

  close() {
    document.removeEventListener("fullscreenchange", this.onFullscreen);
    document.documentElement.classList.remove(`treeviz-${NAME}`);
  }

  toggle() {
    if (this.isOn) this.leave();
    else this.enter();
  }

  enter() {
    this.isOn = true;
    this.scroll = findPage()?.scrollTop ?? 0;
    this.mark();
    // A browser fills its screen only when the viewer has just pressed something; else the stage fills the window.
    if (!navigator.userActivation?.isActive) return;
    document.documentElement
      .requestFullscreen?.()
      .then(() => (this.isFullscreen = true))
      .catch(() => (this.isFullscreen = false));
  }

  /** Back to the page, at the very moment. */
  leave() {
    if (!this.isOn) return;
    this.isOn = false;
    this.mark();
    if (document.fullscreenElement) void document.exitFullscreen();
    this.isFullscreen = false;
    const page = findPage();
    if (page) page.scrollTop = this.scroll;
  }

  mark() {
    const { stage, isOn } = this;
    document.documentElement.classList.toggle(`treeviz-${NAME}`, isOn);
    stage.element.classList.toggle(NAME, isOn);
    stage.element.focus({ preventScroll: true });
    if (!stage.current) return;
    stage.tree.layOut();
    stage.keepAddress();
    stage.render();
  }

  /** Put into an address whether the stage is in this mode. @param {URL} url */
  write(url) {
    if (this.isOn) url.searchParams.set(NAME, "1");
    else url.searchParams.delete(NAME);
  }
}

/** A second window with the notes of the scene on show; it follows the lesson, also after a reload of the page. */
export class NotesWindow {
  constructor() {
    /** @type {Window | null} */
    this.window = wereNotesOpen() ? window.open("", NOTES) : null;
    // It was closed meanwhile, and the browser has opened an empty one.
    if (this.window && this.window.document.title !== NOTES_TITLE) this.window.close();
  }

  /** @param {LessonShown} lesson */
  open(lesson) {
    if (!this.window || this.window.closed) this.window = window.open("", NOTES, "popup,width=560,height=720");
    this.show(lesson);
    this.window?.focus();
  }

  /** @param {LessonShown | null} lesson */
  show(lesson) {
    const isOpen = this.window !== null && !this.window.closed;
    rememberNotes(isOpen);
    if (!this.window || !isOpen) return;
    const { document: page } = this.window;
    page.title = NOTES_TITLE;
    page.body.style.cssText = "font: 22px/1.5 system-ui, sans-serif; margin: 24px; color-scheme: light dark";
    if (!lesson) return page.body.replaceChildren("The lesson has been left.");
    const { index, count, next, scene } = lesson;
    page.body.replaceChildren(
      el("p", {}, `Scene ${index + 1} of ${count}`),
      el("h1", { style: "font-size: 28px" }, scene.title),
      el("p", {}, scene.notes || "There are no notes to this scene."),
      el("p", { style: "opacity: .75" }, next ? `Next: ${next}` : "This is the last scene."),
    );
  }
}

/** Whether the window with the notes was open when the stage was last told of a scene, in this tab. */
function wereNotesOpen() {
  try {
    return sessionStorage.getItem(NOTES) === "open";
  } catch {
    return false; // a browser that keeps nothing
  }
}

/** @param {boolean} isOpen */
function rememberNotes(isOpen) {
  try {
    if (isOpen) sessionStorage.setItem(NOTES, "open");
    else sessionStorage.removeItem(NOTES);
  } catch {
    // Then the notes do not follow after a reload.
  }
}
