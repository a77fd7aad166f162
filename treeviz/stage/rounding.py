"""Numbers as they are sent to a browser: rounded to what is shown of them, masks as strings of 0 and 1."""

from typing import Any

import numpy as np

from treeviz.model.types import Ints


def seven_digits(values: np.ndarray) -> list[Any]:
    """Round to seven digits, enough for every label; decisions are sent as masks, never left to rounded numbers."""
    return _rounded(values, ".7g")


def five_digits(values: np.ndarray) -> list[Any]:
    """Round to five digits, enough for a place on the screen."""
    return _rounded(values, ".5g")


def _rounded(values: np.ndarray, form: str) -> list[Any]:
    rounded = [float(format(value, form)) for value in values.ravel().tolist()]  # Python's own are quicker to write
    return rounded if values.ndim == 1 else np.reshape(rounded, values.shape).tolist()


def thousandths(values: np.ndarray) -> list[int]:
    """Round to whole thousandths, row after row, in a list without levels: enough for a colour."""
    clipped: Ints = np.clip(np.rint(1000 * values), -1e12, 1e12).astype(np.int64)
    return clipped.ravel().tolist()


def bits(mask: np.ndarray) -> str:
    """Write a mask as a string of 0 and 1."""
    return (np.asarray(mask, dtype=np.uint8) + ord("0")).tobytes().decode()
