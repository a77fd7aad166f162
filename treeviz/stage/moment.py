"""A moment of a run that an address can hold: which tree, iteration, phase, step and node."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from treeviz.model.heap import tree_size
from treeviz.stage.frames import FrameMaker
from treeviz.stage.view import DEFAULT_DETAIL, DETAILS, MAX_OPENED, View
from treeviz.training.background import MAX_ITERATIONS
from treeviz.training.finished import ShownRun

# What an address calls each part of a moment. The stage is sent this table, and writes the address by it.
ADDRESS = {
    "tree": "tree",
    "iteration": "it",
    "phase": "phase",
    "step": "step",
    "node": "node",
    "detail": "nodes",
    "opened": "open",
    "pinned": "pin",
}
NAMES = tuple(ADDRESS.values())
LAST = "last"  # what an address may say for the last step of a phase


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
            "address": ADDRESS,
        }


def wanted_iteration(query: Mapping[str, str]) -> int:
    """Return the latest iteration an address needs computed, at most the last a run may have."""
    numbers = [_whole(query.get(ADDRESS[part], "")) or 0 for part in ("iteration", "pinned")]
    return min(max(0, *numbers), MAX_ITERATIONS - 1)


def read_moment(query: Mapping[str, str], maker: FrameMaker[ShownRun]) -> tuple[Moment, tuple[str, ...]]:
    """Return the moment an address names, or the nearest there is, and a sentence for everything changed.

    `wanted_iteration(query)` must have been computed, as far as the run goes.
    """
    run, notices = maker.run, []

    def number(part: str, allowed: Sequence[int], default: int, what: str) -> int:
        name = ADDRESS[part]
        if name not in query:
            return default
        value = _whole(query[name])
        if value is None:
            notices.append(
                f"“{name}={_short(query[name])}” in the address is no whole number; {what} {default} is shown."
            )
            return default
        nearest = _nearest(value, allowed)
        if nearest != value:
            notices.append(f"There is no {what} {_short(query[name])} here; {nearest} is shown, the nearest there is.")
        return nearest

    computed = range(run.num_computed)
    nodes = range(1, tree_size(run.trace.num_drawn) + 1)
    tree = number("tree", range(run.data.num_points), 0, "tree")
    iteration = number("iteration", computed, 0, "iteration")
    detail = number("detail", DETAILS, DEFAULT_DETAIL, "level of detail")
    pinned = number("pinned", computed, 0, "pinned iteration") if ADDRESS["pinned"] in query else None
    opened: tuple[int, ...] = ()
    if ADDRESS["opened"] in query:
        numbers = [_whole(piece) for piece in query[ADDRESS["opened"]].split(",")]
        named = [node for node in numbers if node is not None and node in nodes]
        opened = tuple(dict.fromkeys(named))[-MAX_OPENED:]
        if len(named) < len(numbers):
            given = f"{ADDRESS['opened']}={_short(query[ADDRESS['opened']])}"
            notices.append(f"“{given}” in the address names nodes that cannot be opened here.")
    view = View(tree=tree, detail=detail, opened=opened, pinned=pinned)
    node = number("node", nodes, 1, "node") if ADDRESS["node"] in query else None
    if node is not None and node not in maker.drawn_nodes(view, iteration):
        # Even the least detail has room for one path to a leaf.
        view = replace(view, opened=(*opened, node)[-MAX_OPENED:])
    if pinned is not None:
        notices += [
            f"A comparison with a pinned iteration has no {name}; “{name}={_short(query[name])}” was left out."
            for name in (ADDRESS["phase"], ADDRESS["step"])
            if name in query
        ]
        return Moment(view, iteration, 0, 0, node), tuple(notices)
    names = maker.phases
    name = query.get(ADDRESS["phase"], names[0])
    if name not in names:
        notices.append(f"An iteration here has no phase “{_short(name)}”; {names[0]} is shown.")
        name = names[0]
    steps = range(maker.num_steps(view, iteration, name))
    is_last = query.get(ADDRESS["step"]) == LAST
    step = steps[-1] if is_last else number("step", steps, 0, f"step of the phase {name}")
    return Moment(view, iteration, names.index(name), step, node), tuple(notices)


def _nearest(value: int, allowed: Sequence[int]) -> int:
    if isinstance(allowed, range):
        return min(max(value, allowed[0]), allowed[-1])
    return min(allowed, key=lambda offered: abs(offered - value))


def _whole(text: str) -> int | None:
    text = text.strip()
    if not re.fullmatch(r"-?[0-9]+", text):
        return None
    size = int(text.lstrip("-0")[:18] or "0")  # more digits are out of every range all the same
    return -size if text.startswith("-") else size


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"
