"""The Gram matrix that the stage draws, against inner products and firing sets."""

import numpy as np
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.stage.gram import MAX_POINTS, pack_gram
from treeviz.stage.packing import pack_frame
from treeviz.stage.view import View


@pytest.mark.parametrize(("num_points", "width"), [(8, 64), (MAX_POINTS, 1024)])
def test_entries_are_inner_products_times_the_share_that_fires_on_both(num_points, width):
    data = load_dataset("digits" if num_points > 8 else "circle", num_points)
    trace = Trainer(data, TrainConfig(width=width)).run(3)
    packed = pack_gram(trace, trace.records[2])
    sets = [set(firing.tolist()) for firing in trace.records[2].firing]
    X = data.X
    exact = [[X[i] @ X[j] * len(sets[i] & sets[j]) / width for j in range(i + 1)] for i in range(num_points)]
    entries = np.concatenate(exact).round(12)
    assert packed["largest"] == pytest.approx(np.abs(entries).max(), rel=1e-6)
    shades = np.array([int(digit) for digit in packed["shades"]]) - 4
    assert (np.sign(shades) == np.sign(entries)).all()
    share = 4 * np.abs(entries) / packed["largest"]
    assert (np.abs(shades) >= share - 1e-5).all() and (np.abs(shades) < share + 1).all()


def test_there_is_none_of_many_datapoints_of_a_comparison_and_where_no_neuron_fires():
    many = Trainer(load_dataset("digits", MAX_POINTS + 1), TrainConfig(width=64)).run(1)
    assert pack_gram(many, many.records[0]) is None
    few = Trainer(load_dataset("circle", 8), TrainConfig(width=64)).run(2)
    assert pack_frame(few, View(), 1)["gram"]["largest"] > 0
    assert pack_frame(few, View(pinned=0), 1)["gram"] is None
    idle = Trainer(load_dataset("circle", 8), TrainConfig(width=64, threshold=9.0)).run(1)
    assert pack_gram(idle, idle.records[0]) is None
