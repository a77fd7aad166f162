"""All weights of a network on planar data, so that a browser can find the tree of a datapoint that is moved there."""

import base64
from typing import Any

from treeviz.model.types import Floats
from treeviz.training.trace import Trace

# Neurons up to which all weights are sent, and all leaves computed for each picture: in three dimensions 1.5 MB.
MAX_WIDTH = 65_536


def weights_before(trace: Trace, iteration: int) -> Floats:
    """Return W, (m, d), before the move of an iteration. Cost: drawing it, and the pairs that fired until then."""
    X, weights = trace.dataset.X, trace.network.weights()
    for record in trace.records[:iteration]:
        if record.dual_step.any():
            weights[record.firing.neurons] += trace.steps(record.iteration) @ X
    return weights


def pack_weights(trace: Trace, iteration: int) -> dict[str, Any]:
    """Return the weights before the move of an iteration to their last bit, in what JSON can hold.

    `values` holds W row after row, eight bytes a number, the lowest first, in base64.
    """
    content = weights_before(trace, iteration).astype("<f8").tobytes()
    return {"iteration": iteration, "values": base64.b64encode(content).decode()}
