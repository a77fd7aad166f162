"""A moment of a run that an address can hold: which tree, iteration, phase, step and node."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from treeviz.background import MAX_ITERATIONS
from treeviz.stage.frames import DEFAULT_DETAIL, DETAILS, FrameMaker, View
from treeviz.stage.script import phases

NAMES = ("tree", "it", "phase", "step", "node", "nodes", "pin")


@dataclass(frozen=True, slots=True)
class Moment:
    """Where the cursor stands, and how the run is looked at. `phase` counts from 0; `node` is a heap number or None."""

    view: View = field(default_factory=View)
    iteration: int = 0
    phase: int = 0
    step: int = 0
    node: int | None = None

    def describe(self) -> dict[str, Any]:
        """Return what the stage needs to begin here."""
        view = self.view
        return {
            "tree": view.tree,
            "detail": view.detail,
            "opened": view.opened,
            "pinned": view.pinned,
            "iteration": self.iteration,
            "phase": self.phase,
            "step": self.step,
            "node": self.node,
        }


def wanted_iteration(query: Mapping[str, str]) -> int:
    """Return the latest iteration an address needs computed, at most the last a run may have."""
    numbers = [_whole(query.get(name, "")) or 0 for name in ("it", "pin")]
    return min(max(0, *numbers), MAX_ITERATIONS - 1)


def read_moment(query: Mapping[str, str], maker: FrameMaker) -> tuple[Moment, tuple[str, ...]]:
    """Return the moment an address names, or the nearest there is, and a sentence for everything changed.

    `wanted_iteration(query)` must have been computed, as far as the run goes.
    """
    run, notices = maker.run, []

    def number(name: str, low: int, high: int, default: int, what: str) -> int:
        if name not in query:
            return default
        value = _whole(query[name])
        if value is None:
            notices.append(
                f"“{name}={_short(query[name])}” in the address is no whole number; {what} {default} is shown."
            )
            return default
        nearest = min(max(value, low), high)
        if nearest != value:
            notices.append(f"There is no {what} {_short(query[name])} here; {nearest} is shown, the nearest there is.")
        return nearest

    last = run.num_computed - 1
    tree = number("tree", 0, run.data.num_points - 1, 0, "tree")
    iteration = number("it", 0, last, 0, "iteration")
    detail = number("nodes", DETAILS[0], DETAILS[-1], DEFAULT_DETAIL, "number of nodes drawn")
    detail = min(DETAILS, key=lambda offered: abs(offered - detail))
    pinned = number("pin", 0, last, 0, "pinned iteration") if "pin" in query else None
    view = View(tree=tree, detail=detail, pinned=pinned)
    node: int | None = number("node", 1, 2 * run.config.width - 1, 1, "node") if "node" in query else None
    if node is not None and node not in maker.drawn_nodes(view, iteration):
        view = replace(view, opened=(node,))
        if node not in maker.drawn_nodes(view, iteration):
            node = None
    if pinned is not None:
        return Moment(view, iteration, 0, 0, node), tuple(notices)
    names = phases(run.config)
    name = query.get("phase", names[0])
    if name not in names:
        notices.append(f"An iteration here has no phase “{_short(name)}”; {names[0]} is shown.")
        name = names[0]
    step = number("step", 0, maker.num_steps(view, iteration, name) - 1, 0, f"step of the phase {name}")
    return Moment(view, iteration, names.index(name), step, node), tuple(notices)


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text.strip()) else None


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"
