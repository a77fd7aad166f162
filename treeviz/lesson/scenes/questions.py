"""Questions about a moment of a run, with their right answers computed from its trace."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from treeviz.lesson.scenes.faulty import explain_node, faulty_nodes, part_below
from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.model.numerals import count
from treeviz.model.types import Ints
from treeviz.training.record import TreeStep


@dataclass(frozen=True, slots=True)
class Click:
    """Click the nodes: the right ones are those of a set, among the nodes of a level, of a part, or of the whole tree.

    A part is a node, `root`, with all that is below it on `PART_LEVELS - 1` levels.

    Of the nodes that are wrong in a run with a planted fault, one is enough, and there may be many tries: `answer` says
    of every candidate why it is right or wrong.
    """

    ask: str
    why: str
    find: str
    level: int | None = None
    root: int | None = None
    hint: str = ""

    def answer(self, moment: TreeMoment) -> dict[str, Any]:
        """Return the candidates and the right ones among them, as heap numbers. Cost: one replay of the tree."""
        candidates, right = self.sets(moment)
        answer: dict[str, Any] = {"candidates": candidates.tolist(), "right": right.tolist()}
        if self.find != FAULTY:
            return answer
        if not right.size:
            raise ValueError("no node of this tree is wrong in this iteration")
        reasons = {node: explain_node(moment, node) for node in answer["candidates"]}
        return answer | {"reasons": reasons, "tree": moment.tree, "iteration": moment.iteration}

    def sets(self, moment: TreeMoment) -> tuple[Ints, Ints]:
        """Return the heap numbers to choose from, and the right ones, ascending; ValueError if they are too many."""
        step = moment.step
        right = np.unique(faulty_nodes(moment) if self.find == FAULTY else _SETS[self.find](step))
        nodes = np.arange(1, step.before.size)
        leaves_only = self.find in ("firing", "firing after")
        candidates = nodes[step.num_leaves - 1 :] if leaves_only else nodes
        if self.level is not None:
            depth = np.floor(np.log2(candidates)).astype(int)
            candidates = candidates[depth == self.level]
        if self.root is not None:
            candidates = np.intersect1d(candidates, part_below(self.root))
        if candidates.size > MAX_CANDIDATES:
            raise ValueError(
                f"{count(candidates.size, 'node')} are too many to click among; name a level, or a width of at most "
                f"{(MAX_CANDIDATES + 1) // 2}"
            )
        return candidates, np.intersect1d(right, candidates)


@dataclass(frozen=True, slots=True)
class Option:
    """One of the answers offered; right if `when`, a condition on the run's numbers, holds."""

    text: str
    when: str | bool


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose one: just one of the options must be right in the run."""

    ask: str
    why: str
    options: tuple[Option, ...]
    hint: str = ""

    def answer(self, moment: TreeMoment) -> dict[str, Any]:
        """Return the texts and the place of the right one; ValueError if not just one is right in this run."""
        right = [
            place
            for place, option in enumerate(self.options)
            if (option.when if isinstance(option.when, bool) else moment.holds(option.when))
        ]
        if len(right) != 1:
            raise ValueError(f"{len(right)} of the {len(self.options)} options are right in this run; just one must be")
        return {"options": [moment.fill(option.text) for option in self.options], "right": right[0]}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimate a number: right is what lies within a factor of it."""

    ask: str
    why: str
    number: str
    unit: str = ""
    within: float = 2.0
    hint: str = ""

    def answer(self, moment: TreeMoment) -> dict[str, Any]:
        """Return the number and how near is near enough. Shares are asked for in per cent."""
        value = moment.find(self.number)
        is_share = self.number.endswith("_share")
        return {
            "right": 100 * value if is_share else value,
            "within": self.within,
            "unit": "%" if is_share else self.unit,
        }


Question = Click | Choose | Estimate
MAX_CANDIDATES = 511  # all nodes over 256 neurons; a hunt for a fault asks about far fewer
FAULTY = "faulty"  # what a question is told to find where a fault is planted


def describe(question: Question, moment: TreeMoment) -> dict[str, Any]:
    """Return a question with its right answer, in what JSON can hold."""
    kind = type(question).__name__.lower()
    return {
        "kind": kind,
        "ask": moment.fill(question.ask),
        "why": moment.fill(question.why),
        "hint": moment.fill(question.hint),
        **question.answer(moment),
    }


def _firing_after(step: TreeStep) -> Ints:
    return step.num_leaves + np.flatnonzero(step.after[step.num_leaves :] >= step.threshold)


def _climb_stops(step: TreeStep) -> Ints:
    """Return the nodes that a repair reads and leaves as they are: the parents, unchanged, of nodes that change."""
    parents = np.unique(step.modified // 2)
    return np.setdiff1d(parents[parents > 0], step.modified)


_SETS: dict[str, Callable[[TreeStep], Ints]] = {
    "entered": lambda step: step.visited,
    "skipped": lambda step: np.setdiff1d(np.arange(1, step.before.size), step.visited),
    "firing": lambda step: step.num_leaves + step.firing,
    "firing after": _firing_after,
    "modified": lambda step: step.modified,
    "climb stops": _climb_stops,
}
