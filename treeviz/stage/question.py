"""What the stage asks: a browser sends it, so it can be anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from treeviz.stage.frames import MAX_FRAMES_AN_ANSWER
from treeviz.stage.view import View, whole_number
from treeviz.training.background import MAX_ITERATIONS


@dataclass(frozen=True, slots=True)
class Question:
    """Frames and output fields of some iterations in one view, with the place where the cursor rests, if it does.

    Of a neuron that is inspected, also its weights after some numbers of moves; and of an iteration in which a
    datapoint is moved, the weights of all neurons.
    """

    view: View
    wanted: tuple[int, ...]
    fields: tuple[int, ...]
    cursor: int | None
    nonce: int
    neuron: int | None = None
    moments: tuple[int, ...] = ()
    weights: int | None = None

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
            wanted=_numbers(asked.get("wanted"), MAX_ITERATIONS - 1),
            fields=_numbers(asked.get("fields"), MAX_ITERATIONS - 1),
            cursor=whole_number(asked.get("cursor"), 0, MAX_ITERATIONS - 1),
            nonce=whole_number(asked.get("nonce"), 0, 2**53) or 0,
            neuron=whole_number(asked.get("neuron"), 0, width - 1),
            moments=_numbers(asked.get("moments"), MAX_ITERATIONS),
            weights=whole_number(asked.get("weights"), 0, MAX_ITERATIONS - 1),
        )


def _numbers(given: Any, largest: int) -> tuple[int, ...]:
    """Return the first few numbers of a list, at most `largest`; an answer holds no more of them."""
    numbers = given[:MAX_FRAMES_AN_ANSWER] if isinstance(given, list) else []
    found = (whole_number(number, 0, largest) for number in numbers)
    return tuple(dict.fromkeys(number for number in found if number is not None))
