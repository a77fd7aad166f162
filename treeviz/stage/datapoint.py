"""A datapoint in numbers that a browser can draw: an image, a place in a plane, or a profile with a bar a column.

What is drawn is always the vector of unit length that the network sees, not the raw row it was made from.
"""

from typing import Any

import numpy as np

from treeviz.data.dataset import Dataset
from treeviz.model.types import Floats, Ints
from treeviz.stage.pictures.field import is_planar, plane_coordinates
from treeviz.stage.rounding import seven_digits
from treeviz.training.record import StepRecord

# Bars of a profile; of more columns, those that matter most are drawn.
MAX_BARS = 64
_LONGEST_NAME = 40


def describe_data(data: Dataset) -> dict[str, Any]:
    """Return what all datapoints have in common: how they are drawn, and where they are, if that is in a plane."""
    kind = _kind_of(data)
    return {
        "kind": kind,
        "image": data.image if kind == "image" else None,
        "signed": bool((data.X < 0.0).any()),
        "largest": float(np.abs(data.X).max()),
        "dimension": data.dimension,
        "lifted": data.lifted,
        "axes": [name[:_LONGEST_NAME] for name in data.columns[:2]] if kind == "plane" else [],
        "places": seven_digits(plane_coordinates(data)) if kind == "plane" else [],
    }


def pack_datapoint(data: Dataset, record: StepRecord, point: int) -> dict[str, Any]:
    """Return one datapoint with its target y and the network's output f before the move of an iteration."""
    x = data.X[point]
    chosen = choose_coordinates(data, x)
    y, f = seven_digits(np.array([data.y[point], record.outputs[point]]))
    return {"y": y, "f": f, "names": names_of(data, chosen), "values": seven_digits(x[chosen])}


def choose_coordinates(data: Dataset, importance: Floats) -> Ints:
    """Return, ascending, which coordinates are drawn: all, but of a profile with many columns the largest in size."""
    if _kind_of(data) != "profile" or importance.size <= MAX_BARS:
        return np.arange(importance.size)
    return np.sort(np.argsort(-np.abs(importance), kind="stable")[:MAX_BARS])


def names_of(data: Dataset, coordinates: Ints) -> list[str]:
    """Return the names of some coordinates; pixels have none."""
    if _kind_of(data) == "image":
        return []
    names = [name[:_LONGEST_NAME] for name in data.columns]
    if not names:
        names = [f"coordinate {place}" for place in range(data.dimension - data.lifted)]
    if data.lifted:
        names.append("constant")
    return [names[place] for place in coordinates]


def _kind_of(data: Dataset) -> str:
    if is_planar(data):
        return "plane"
    return "image" if data.image and not data.lifted else "profile"
