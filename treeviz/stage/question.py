"""What the stage asks: a browser sends it, so it can be anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from treeviz.stage.frames import MAX_FRAMES_AN_ANSWER
from treeviz.stage.view import View, whole_number
from treeviz.training.background import MAX_ITERATIONS


@dataclass(frozen=True, slots=True)
class Question:
    """Frames and output fields of some iterations in one view, with the place where the cursor rests, if it does."""

    view: View
    wanted: tuple[int, ...]
    fields: tuple[int, ...]
    cursor: int | None
    nonce: int

    @classmethod
    def read(cls, asked: object, run_key: str, num_points: int, width: int) -> Self | None:
        """Read what a browser sent; None if it is no question about this run.

        Whatever does not fit becomes the nearest thing that does.
        """
        if not isinstance(asked, Mapping) or asked.get("run") != run_key:
            return None
        view = asked.get("view")
        return cls(
            view=View.from_request(view if isinstance(view, Mapping) else {}, num_points, width),
            wanted=_iterations(asked.get("wanted")),
            fields=_iterations(asked.get("fields")),
            cursor=whole_number(asked.get("cursor"), 0, MAX_ITERATIONS - 1),
            nonce=whole_number(asked.get("nonce"), 0, 2**53) or 0,
        )


def _iterations(given: Any) -> tuple[int, ...]:
    """Return the first few numbers of a list; an answer holds no more."""
    numbers = given[:MAX_FRAMES_AN_ANSWER] if isinstance(given, list) else []
    found = (whole_number(number, 0, MAX_ITERATIONS - 1) for number in numbers)
    return tuple(dict.fromkeys(number for number in found if number is not None))
