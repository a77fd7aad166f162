"""Counting with 0/1 matrices in single precision: BLAS products, four times faster than reductions of booleans.

Exact where a count stays below 2^24. A BLAS kernel may load values behind the end of a narrow matrix. They change no
result, but where they happen to be no numbers the processor reports an invalid operation, so that report is off here.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.float32]


def mask_product(left: Mask, right: Mask) -> Mask:
    """Return `left @ right` of 0/1 matrices (k, n) and (n, l). Cost: k * n * l."""
    with np.errstate(invalid="ignore"):
        return np.asarray(left @ right)


def row_counts(mask: Mask) -> Mask:
    """Return how many ones each row of `mask` (k, n) has, (k,). Cost: k * n."""
    return mask_product(mask, _ones(mask.shape[1]))


def column_counts(mask: Mask) -> Mask:
    """Return how many ones each column of `mask` (k, n) has, (n,). Cost: k * n."""
    return mask_product(_ones(len(mask)), mask)


@lru_cache(maxsize=32)
def _ones(size: int) -> Mask:
    return np.ones(size, dtype=np.float32)
