// A run with a planted fault: that it has one, whether it has shown yet, and where, once a viewer asks.

import { el, setText } from "../../style/web/dom.js";
import { things } from "../../style/web/numbers.js";

/** @import { Part } from "../../style/web/dom.js" */
/** @import { Stage } from "./stage.js" */
/** @import { Badge, Header, Status } from "./types.js" */

export class PlantedFault {
  /**
   * @param {Stage} stage
   * @param {Part} part
   */
  constructor(stage, part) {
    this.stage = stage;
    this.line = part("planted", HTMLElement);
    this.words = el("span", {});
    this.go = el("button", { onclick: () => this.stage.player.go({ iteration: this.first, phase: 0, step: 0 }) });
    this.reason = el("span", { role: "status" });
    this.show = el(
      "button",
      { onclick: () => this.reveal(), title: "say which node is wrong, and go there" },
      "show me",
    );
    part("badge", HTMLElement).append(" ", this.reason, " ", this.show);
    this.first = -1; // iteration in which the check fails first
    /** @type {Badge | null} that of the iteration on show */
    this.badge = null;
    /** @type {Badge | null} the one that the viewer has asked about */
    this.revealed = null;
  }

  /** @param {Header} header */
  setHeader({ fault }) {
    this.line.hidden = !fault;
    this.revealed = null;
    if (fault) {
      this.line.replaceChildren(
        el("strong", {}, `Planted fault: ${fault.title}.`),
        el("span", { class: "more" }, ` ${fault.sentence}`),
        " ",
        this.words,
        " ",
        this.go,
      );
    }
  }

  /** @param {Status} status */
  setStatus({ badges }) {
    this.first = badges.findIndex(({ state }) => state === "wrong");
    this.go.hidden = this.first < 0;
    const isOff = badges.some(({ state }) => state === "off");
    const checked = badges.filter(({ state }) => state === "exact").length;
    setText(
      this.words,
      this.first < 0 ? (isOff ? "Nothing is checked here." : notShown(checked)) : "The check fails first in",
    );
    setText(this.go, `iteration ${this.first}`);
  }

  /**
   * @param {Badge} badge of the iteration on show
   */
  showBadge(badge) {
    this.badge = badge;
    const isRevealed = badge.found !== undefined && badge.found === this.revealed?.found;
    setText(this.reason, isRevealed ? (badge.found ?? "") : "");
    this.show.hidden = badge.found === undefined || isRevealed;
  }

  reveal() {
    const { badge, stage } = this;
    if (!badge?.place) return;
    this.revealed = badge;
    const [tree, node] = badge.place;
    stage.jump(stage.player.at.iteration, tree, node);
    stage.element.focus({ preventScroll: true });
  }
}

/** @param {number} checked iterations */
export const notShown = (checked) =>
  checked ? `It has not shown so far: ${things(checked, "iteration")} passed the check.` : "It has not shown so far.";
