"""What a poll asks, and which answers fit: a browser sends them, so they can be anything."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.model.numerals import count, decimals
from treeviz.training.record import TreeStep

MAX_OPTIONS = 128  # to choose from; more are too many for a phone
LARGEST = 1e15  # the size of a number; up to it, every whole number is a number of its own
_MAX_TEXT, _MAX_OPTION, _MAX_DIGITS = 2000, 400, 40
_KINDS = ("choose", "click", "estimate")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")

# The place of an option, those of several in ascending order, or a number.
Answer = int | tuple[int, ...] | float


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as students see it, without its right answer.

    Attributes
    ----------
    kind : "choose" one option, "click" any of them, or "estimate" a number.
    ask : the question.
    options : to choose from; of nodes their names.
    unit : of the number.

    ValueError if it is too long for a poll.
    """

    kind: str
    ask: str
    options: tuple[str, ...] = ()
    unit: str = ""

    def __post_init__(self) -> None:
        """Refuse what a poll cannot ask."""
        if self.kind not in _KINDS:
            raise ValueError(f"a poll cannot ask a question of the kind {self.kind!r}; it can be {', '.join(_KINDS)}")
        if len(self.options) > MAX_OPTIONS:
            raise ValueError(
                f"{count(len(self.options), 'node')} are too many to choose from on a phone, a poll takes at most "
                f"{MAX_OPTIONS}: ask about one level of the tree"
            )
        if len(self.ask) > _MAX_TEXT or any(len(text) > _MAX_OPTION for text in (*self.options, self.unit)):
            raise ValueError(
                f"the question is too long for a poll: it may have {_MAX_TEXT:,} letters, an option {_MAX_OPTION}"
            )

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written."""
        fields = json.loads(text)
        return cls(**{**fields, "options": tuple(fields["options"])})


def as_asked(question: Mapping[str, Any], moment: TreeMoment) -> Asked:
    """Return what students are asked of a question that `describe` has made at a moment."""
    if question["kind"] == "click":
        step = moment.step
        return Asked("click", question["ask"], tuple(_name(step, node) for node in question["candidates"]))
    if question["kind"] == "choose":
        return Asked("choose", question["ask"], tuple(question["options"]))
    return Asked("estimate", question["ask"], unit=question["unit"])


def _name(step: TreeStep, node: int) -> str:
    """Name a node as the stage does, with its value before the move."""
    name = f"neuron {node - step.num_leaves:,}" if node >= step.num_leaves else f"node {node:,}"
    return f"{name}: {decimals(float(step.before[node]), step.threshold)}"


def read_answer(asked: Asked, given: object) -> Answer:
    """Read an answer; ValueError, for the student, if it is none to this question.

    `given` is the place of an option, a list of places, or a number or its text.
    """
    if asked.kind == "estimate":
        return read_number(given)
    if asked.kind == "choose":
        if not isinstance(given, int) or not _is_place(asked, given):
            raise ValueError("Choose one of the answers.")
        return given
    if not isinstance(given, list | tuple) or not given or len(given) > len(asked.options):
        raise ValueError("Choose at least one of the nodes.")
    if not all(_is_place(asked, place) for place in given):
        raise ValueError("Choose from the nodes that are listed.")
    return tuple(sorted(set(given)))


def _is_place(asked: Asked, given: object) -> bool:
    return type(given) is int and 0 <= given < len(asked.options)


def read_number(given: object) -> float:
    """Read a number, or its text as people write it: 1,200 or 1200, 0.5 or 0,5; ValueError, for the student, otherwise.

    What is nearer to 0 than 10⁻¹⁵ is 0.
    """
    if isinstance(given, str):
        text = given[: _MAX_DIGITS + 1].strip().removesuffix("%").strip().replace("\N{MINUS SIGN}", "-")
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        given = text.replace(",", ".", 1)
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", given, flags=re.ASCII | re.IGNORECASE):
            raise ValueError("Write a number, such as 1200 or 0.5.")
    elif isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError("Write a number, such as 1200 or 0.5.")
    try:
        number = float(given)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if math.isnan(number):
        raise ValueError("Write a number, such as 1200 or 0.5.")
    if abs(number) > LARGEST:
        raise ValueError("Write a number of at most 10¹⁵.")
    return number if abs(number) >= 1 / LARGEST else 0.0


def write_answer(asked: Asked, answer: Answer) -> str:
    """Return an answer in words."""
    if isinstance(answer, tuple):
        return ", ".join(asked.options[place] for place in answer)
    if asked.kind == "choose":
        return asked.options[int(answer)]
    return f"{write_number(answer)} {asked.unit}".strip()


def write_number(number: float) -> str:
    """Write a number with all of its digits, up to twelve, and whole ones with commas."""
    text = f"{number:,.0f}" if number == round(number) else f"{number:.12g}"
    return text.replace("-", "\N{MINUS SIGN}")
