"""One neuron as a viewer inspects it: its weights, how they make its leaf in a tree, and that leaf over the run.

Weights are never stored (algorithm.md §3.7): those of one neuron are drawn from the seed and moved, at the cost of the
datapoints on which it fired. So a question about a neuron takes the same time at any width.
"""

import math
from collections.abc import Collection
from typing import Any

import numpy as np

from treeviz.model.types import Floats
from treeviz.stage.datapoint import choose_coordinates, names_of
from treeviz.stage.rounding import bits, seven_digits
from treeviz.training.trace import Trace


def inspect_neuron(
    trace: Trace, neuron: int, point: int, moments: Collection[int], num_iterations: int
) -> dict[str, Any]:
    """Return what is known of a neuron in one datapoint's tree after some iterations, in what JSON can hold.

    Parameters
    ----------
    neuron, point : which neuron, and the datapoint of the tree.
    moments : after how many moves its weights are asked for, each at most `num_iterations`.
    num_iterations : of the records, those told of; more may come meanwhile.

    Returns
    -------
    dict with the neuron's sign a, its `leaf` in the tree at each moment (num_iterations + 1), in which iterations it
    `fires` on the datapoint, and by moment the `weights` with the datapoint's `values`: their products are summed in
    the leaf. Of many columns in a profile those with the largest products are named, and `rest` is the sum of the
    others.

    Notes
    -----
    Cost: at most 4,096 normal draws or d, and d for each pair on which the neuron fired.
    """
    X = trace.dataset.X
    x, one = X[point], np.array([neuron])
    scale = trace.output_signs[neuron] / math.sqrt(trace.config.width)
    weights = trace.network.weights(one)[0]
    leaves, fires, looks = [float(weights @ x)], [], {}
    if 0 in moments:
        looks[0] = _look(trace, weights, point)
    for moment, record in enumerate(trace.records[:num_iterations], start=1):
        fired_on = record.firing.of_neurons(one).points
        fires.append(bool((fired_on == point).any()))
        weights = weights - (scale * record.dual_step[fired_on]) @ X[fired_on]
        leaves.append(float(weights @ x))
        if moment in moments:
            looks[moment] = _look(trace, weights, point)
    return {
        "neuron": neuron,
        "tree": point,
        "sign": int(trace.output_signs[neuron]),
        "leaf": seven_digits(np.array(leaves)),
        "fires": bits(np.array(fires)),
        "moments": looks,
    }


def _look(trace: Trace, weights: Floats, point: int) -> dict[str, Any]:
    """Return weights and datapoint side by side."""
    data = trace.dataset
    products = weights * data.X[point]
    chosen = choose_coordinates(data, products)
    rest = np.delete(products, chosen).sum()
    return {
        "names": names_of(data, chosen),
        "weights": seven_digits(weights[chosen]),
        "values": seven_digits(data.X[point, chosen]),
        "rest": seven_digits(np.array([rest]))[0],
    }
