"""What is right in a poll, and why: kept from students until their teacher shows it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from treeviz.lesson.poll.asked import Answer


@dataclass(frozen=True, slots=True)
class Solution:
    """The right answer.

    Attributes
    ----------
    right : as an answer: the place of an option, those of several in ascending order, or a number.
    why : a sentence or two.
    within : a number is right within this factor of `right`.
    is_one_enough : whether some of several options are as good as all of them.
    """

    right: Answer
    why: str
    within: float = 1.0
    is_one_enough: bool = False

    def accepts(self, answer: Answer) -> bool:
        """Return whether an answer is right."""
        if isinstance(self.right, tuple):
            chosen = set(answer) if isinstance(answer, tuple) else {answer}
            return chosen <= set(self.right) if self.is_one_enough else chosen == set(self.right)
        if isinstance(answer, tuple):
            return False
        return is_near(answer, self.right, self.within)

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written."""
        fields = json.loads(text)
        right = fields["right"]
        return cls(**{**fields, "right": tuple(right) if isinstance(right, list) else right})


def as_solution(question: Mapping[str, Any]) -> Solution:
    """Return what is right of a question that `describe` has made, in the terms of `as_asked`."""
    if question["kind"] == "click":
        right = set(question["right"])
        places = tuple(place for place, node in enumerate(question["candidates"]) if node in right)
        return Solution(places, question["why"], is_one_enough="reasons" in question)
    return Solution(question["right"], question["why"], question.get("within", 1.0))


def is_near(given: float, right: float, within: float) -> bool:
    """Return whether an estimate is within a factor of a number, with its sign; as score.js judges."""
    if right == 0 or given == 0:
        return given == right
    ratio = given / right
    return ratio > 0 and max(ratio, 1 / ratio) <= within * (1 + 1e-12)
