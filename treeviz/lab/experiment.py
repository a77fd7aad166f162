"""What an experiment of the Lab is: a question, the points that are measured to answer it, and the answer they give.

A *task* is what one point is measured at: plain values by name, such as {"width": 4096, "seed": 0}. The same task gives
the same values on every machine, but for those in seconds. A *point* is a task with what was measured. An experiment
plans tasks, measures one at a time in a process of its own, and answers from a table of all points, in which those that
are not measured yet are missing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from treeviz.export.columns import Column
from treeviz.lab.curves import Panel

if TYPE_CHECKING:
    import pandas as pd

Value = str | int | float | bool | None
Task = Mapping[str, Value]
Size = Literal["quick", "default", "full"]
SIZES: tuple[Size, ...] = ("quick", "default", "full")
MAX_SEEDS = 100
# Beyond this a sweep is refused beforehand.
MAX_HOURS = 48.0


@dataclass(frozen=True, slots=True)
class Fit:
    """A number computed from all points, with the ends of its interval of 95 %.

    Attributes
    ----------
    name : what it is, as "exponent of the forest's operations".
    value, low, high : the number and its interval; NaN where too few points are measured.
    """

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the points say, as far as they are measured.

    Attributes
    ----------
    words : the answer in a sentence or two, computed from the points.
    panels : the pictures, the most telling one first; those without a curve are left out.
    remarks : further sentences, each computed from the points or with its condition.
    fits : numbers that the words rest on; those of too few points are left out.
    """

    words: str
    panels: tuple[Panel, ...]
    remarks: tuple[str, ...] = ()
    fits: tuple[Fit, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "panels", tuple(panel for panel in self.panels if panel.curves))
        object.__setattr__(self, "fits", tuple(fit for fit in self.fits if math.isfinite(fit.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A question that points can answer.

    Attributes
    ----------
    key : its name on the command line and in addresses.
    order : its place among the others; the lowest is the first.
    title : short.
    question : one sentence that ends with a question mark.
    varied, fixed : what differs between points, and what does not, as sentences.
    columns : of a point: the names of its task first, then those of what is measured, each with its type and unit.
        A name that begins with "seconds" is a time, which differs from run to run.
    seeds : how many seeds each size has, unless another number is asked for.
    plan : the tasks of a size with so many seeds, those that are quick to measure first.
    measure : the values of a task; called in another process, in one thread. ValueError where the task has no answer:
        the point then says why.
    answer : what a table of points says. It has a row a task, with the columns of `columns`; what is not measured is
        missing (`pd.isna`). There is at least one measured row.
    required_bytes : memory that a task needs, about.
    required_seconds : time that a task takes on one core, about.
    version : goes up when the same task gives other values, so that points that were kept are measured again.
    """

    key: str
    order: int
    title: str
    question: str
    varied: str
    fixed: str
    columns: Mapping[str, Column]
    seeds: Mapping[Size, int]
    plan: Callable[[Size, int], Sequence[Task]]
    measure: Callable[[Task], Mapping[str, Value]]
    answer: Callable[["pd.DataFrame"], Answer]
    required_bytes: Callable[[Task], int]
    required_seconds: Callable[[Task], float]
    version: int = 1

    def __post_init__(self) -> None:
        if not self.question.endswith("?"):
            raise ValueError(f"a question must end with a question mark; got {self.question!r}")

    def num_seeds(self, size: Size, seeds: int | None = None) -> int:
        """Return how many seeds a sweep has; ValueError if the number asked for makes no sense."""
        if seeds is None:
            return self.seeds[size]
        if not 1 <= seeds <= MAX_SEEDS:
            raise ValueError(f"seeds must be a whole number from 1 to {MAX_SEEDS}; got {seeds}")
        return seeds


@dataclass(frozen=True, slots=True)
class Request:
    """A sweep asked for: an experiment, its size, and how many seeds; None for the experiment's own number."""

    experiment: Experiment
    size: Size = "default"
    seeds: int | None = None
    tasks: tuple[Task, ...] = field(init=False)

    def __post_init__(self) -> None:
        tasks = self.experiment.plan(self.size, self.experiment.num_seeds(self.size, self.seeds))
        object.__setattr__(self, "tasks", tuple(tasks))

    @property
    def num_seeds(self) -> int:
        """How many seeds there are."""
        return self.experiment.num_seeds(self.size, self.seeds)

    @property
    def num_seconds(self) -> float:
        """Time that all tasks take on one core, about."""
        return sum(map(self.experiment.required_seconds, self.tasks))

    @property
    def num_bytes(self) -> int:
        """Memory that the largest task needs, about."""
        return max(map(self.experiment.required_bytes, self.tasks))
