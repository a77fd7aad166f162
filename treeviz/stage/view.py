"""How a viewer looks at a run: a browser or an address says it, so it can be anything."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from treeviz.training.background import MAX_ITERATIONS

DETAILS = (63, 127, 255, 599)
DEFAULT_DETAIL = 127
MAX_OPENED = 12


@dataclass(frozen=True, slots=True)
class View:
    """How a viewer looks at a run: which tree, how many nodes at most, stubs opened, and a pinned iteration or None."""

    tree: int = 0
    detail: int = DEFAULT_DETAIL
    opened: tuple[int, ...] = ()
    pinned: int | None = None

    @classmethod
    def from_request(cls, request: Mapping[str, Any], num_points: int, width: int) -> "View":
        """Read what a browser sent; whatever does not fit becomes the nearest thing that does."""
        given, pinned = request.get("opened"), request.get("pinned")
        opened = [node for node in given if type(node) is int] if isinstance(given, list) else []
        return cls(
            tree=whole_number(request.get("tree"), 0, num_points - 1) or 0,
            detail=whole_number(request.get("detail"), DETAILS[0], DETAILS[-1]) or DEFAULT_DETAIL,
            opened=tuple(dict.fromkeys(node for node in opened if 1 <= node < 2 * width))[-MAX_OPENED:],
            pinned=whole_number(pinned, 0, MAX_ITERATIONS - 1),
        )


def whole_number(value: object, low: int, high: int) -> int | None:
    """Return the nearest whole number in range; None if `value` is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return int(min(max(value, low), high))
