"""What is measured: problems, the cases of the table, and the sizes along which growth is fitted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from treeviz.data.catalogue import DATASETS, load_dataset
from treeviz.data.dataset import Dataset

Axis = Literal["m", "n", "d"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A dataset and a width, which together with the seed determine everything that is computed.

    Parameters
    ----------
    dataset : its name in `DATASETS`.
    num_points, dimension, width : n, d and m.
    center : whether the mean of the points is subtracted; None where the dataset has no such option.
    seed : of the points and of the initial weights.
    """

    dataset: str
    num_points: int
    dimension: int
    width: int
    center: bool | None = None
    seed: int = 0

    @property
    def name(self) -> str:
        """What it is called in tables and on the command line."""
        dimension = f" d={self.dimension}" if "dimension" in DATASETS[self.dataset].options else ""
        centred = " centred" if self.center else ""
        return f"{self.dataset} n={self.num_points}{dimension}{centred} m={as_power(self.width)}"

    def size(self, axis: Axis) -> int:
        """Return m, n or d."""
        return {"m": self.width, "n": self.num_points, "d": self.dimension}[axis]

    def load(self) -> Dataset:
        """Load the datapoints; raises ValueError if the dataset cannot have this shape."""
        dimension = self.dimension if "dimension" in DATASETS[self.dataset].options else None
        data = load_dataset(self.dataset, self.num_points, self.seed, dimension=dimension, center=self.center)
        if data.dimension != self.dimension:
            raise ValueError(
                f"dimension of {self.dataset} is {data.dimension}, not {self.dimension}: correct the problem"
            )
        return data


@dataclass(frozen=True, slots=True)
class Case:
    """A problem that has its lines in the table, measured so many times."""

    problem: Problem
    repeats: int

    @property
    def name(self) -> str:
        """The problem's name."""
        return self.problem.name


@dataclass(frozen=True, slots=True)
class Growth:
    """Problems that differ in m, n or d alone, to whose measurements power laws are fitted; `label` ends its name."""

    axis: Axis
    problems: tuple[Problem, ...]
    repeats: int
    label: str = ""

    @property
    def name(self) -> str:
        """What it is called in tables and on the command line."""
        return f"growth with {self.axis}{self.label}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything one run of the benchmark measures; a problem that is needed twice is measured once."""

    cases: tuple[Case, ...]
    growths: tuple[Growth, ...]

    @property
    def names(self) -> list[str]:
        """The names by which parts of the plan are chosen."""
        return [case.name for case in self.cases] + [growth.name for growth in self.growths]

    @property
    def repeats(self) -> dict[Problem, int]:
        """Each problem once, in order, with the most repeats that are asked of it."""
        most: dict[Problem, int] = {}
        wanted = [(case.problem, case.repeats) for case in self.cases]
        wanted += [(problem, growth.repeats) for growth in self.growths for problem in growth.problems]
        for problem, repeats in wanted:
            most[problem] = max(repeats, most.get(problem, 0))
        return most

    def select(self, names: Sequence[str]) -> "Plan":
        """Return the part of the plan that has these names; raises ValueError, which lists all, if one is unknown."""
        unknown = [name for name in names if name not in self.names]
        if unknown or not names:
            asked = repr(unknown[0]) if unknown else "without a name"
            raise ValueError(f"there is no case {asked}: choose among {', '.join(map(repr, self.names))}")
        return Plan(
            tuple(case for case in self.cases if case.name in names),
            tuple(growth for growth in self.growths if growth.name in names),
        )


def as_power(number: int) -> str:
    """Write a power of two from 2^10 on as one, and any other number in full."""
    exponent = number.bit_length() - 1
    return f"2^{exponent}" if number == 1 << exponent and exponent >= 10 else f"{number}"


def _sphere(num_points: int, dimension: int, exponent: int) -> Problem:
    return Problem("sphere", num_points, dimension, 1 << exponent)


def _digits(exponent: int) -> Problem:
    return Problem("digits", 200, 64, 1 << exponent, center=True)


FULL = Plan(
    cases=(
        Case(_sphere(64, 64, 20), 3),
        Case(_sphere(16, 16, 20), 5),
        Case(_sphere(100, 784, 16), 3),
        Case(_sphere(16, 64, 20), 3),
        Case(_digits(18), 3),
    ),
    growths=(
        Growth("m", tuple(_sphere(16, 16, exponent) for exponent in range(14, 23, 2)), 3),
        Growth("m", tuple(_sphere(16, 16, exponent) for exponent in range(20, 33, 4)), 3, " beyond memory"),
        Growth("n", tuple(_sphere(num_points, 16, 16) for num_points in (8, 16, 32, 64, 128)), 3),
        Growth("d", tuple(_sphere(16, dimension, 16) for dimension in (16, 32, 64, 128, 256)), 3),
    ),
)
QUICK = Plan(
    cases=(
        Case(_sphere(64, 64, 16), 3),
        Case(_sphere(16, 16, 18), 3),
        Case(_sphere(100, 784, 13), 3),
        Case(_sphere(16, 64, 18), 3),
        Case(_digits(14), 3),
    ),
    growths=(
        Growth("m", tuple(_sphere(16, 16, exponent) for exponent in range(12, 17)), 5),
        Growth("m", tuple(_sphere(16, 16, exponent) for exponent in (25, 26, 27, 28)), 3, " beyond memory"),
        Growth("n", tuple(_sphere(num_points, 16, 14) for num_points in (8, 16, 32, 64)), 5),
        Growth("d", tuple(_sphere(16, dimension, 14) for dimension in (16, 32, 64, 128)), 5),
    ),
)
