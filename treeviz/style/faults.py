"""What pages say of the faults that can be planted into a search: one table."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FaultDescription:
    """How a fault is spoken of: its title, and in one sentence what the program does wrong."""

    title: str
    sentence: str


_DESCRIPTIONS: Mapping[str, FaultDescription] = {
    "skipped-repair": FaultDescription(
        "A skipped repair",
        "Once, after a move, a leaf gets its new value and the maxima above it are left as they were.",
    ),
    "stale-maximum": FaultDescription(
        "A stale maximum",
        "Once, a node keeps its old value, although no leaf below it is that large any more.",
    ),
    "strict-comparison": FaultDescription(
        "> in place of ≥",
        "The search compares with > b where a neuron fires from b on, so it leaves out a leaf that is exactly b.",
    ),
    "no-promotion": FaultDescription(
        "A forgotten promotion",
        "A neuron that has moved farther than the skin stays on its short list, and is not promoted.",
    ),
    "small-skin": FaultDescription(
        "A skin too small",
        "The lists are made for moves up to the skin, and a neuron is promoted only when it has moved four times as "
        "far.",
    ),
}


def describe_fault(fault: str) -> FaultDescription:
    """Return the description of a fault by its name in `model.config.FAULTS`."""
    return _DESCRIPTIONS[fault]
