"""The Gram matrix G of an iteration, as a picture needs it."""

from typing import Any

import numpy as np

from treeviz.solve.jacobian import SparseJacobian, gram_matrix
from treeviz.stage.rounding import seven_digits
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace

MAX_POINTS = 60
SHADES = 4  # of either sign


def pack_gram(trace: Trace, record: StepRecord) -> dict[str, Any] | None:
    """Return G = K ∘ C / m for at most `MAX_POINTS` datapoints, else None; None where no neuron fires.

    An entry is a digit, its shade: 4 is 0, and from there to 8 or 0 go those above and below 0, up to the `largest` in
    size. They are written row after row up to the diagonal: G is symmetric. Cost: the firing pairs of each neuron, and
    n² d.
    """
    X = trace.dataset.X
    if len(X) > MAX_POINTS:
        return None
    gram = gram_matrix(SparseJacobian(record.firing, X, trace.config.width))
    largest = np.abs(gram).max()
    if largest == 0:
        return None
    shares = np.round(gram[np.tril_indices(len(X))] / largest, 9)  # round-off of an inner product of 0 has no shade
    shades = SHADES + np.sign(shares) * np.ceil(SHADES * np.abs(shares))
    return {"largest": seven_digits(largest[None])[0], "shades": "".join(map(str, shades.astype(int)))}
