"""What a move does to leaves of all trees, against the trees themselves and against weights multiplied out."""

import numpy as np
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.stage.packing import pack_frame
from treeviz.stage.touched import MAX_NEURONS, MAX_STRIPS
from treeviz.stage.view import DETAILS, View

SEARCHES = ("forest", "watch", "dense", "table")


def random_run(seed):
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["circle", "xor", "moons", "sphere", "digits"]))
    data = load_dataset(name, int(rng.integers(4, 60)))
    config = TrainConfig(
        width=int(rng.choice([8, 64, 100, 1024])),
        search=str(rng.choice(SEARCHES)),
        solver=str(rng.choice(["exact", "sketch"])),
        seed=int(rng.integers(1000)),
    )
    iteration, tree = int(rng.integers(3)), int(rng.integers(data.num_points))
    return data, config, iteration, View(tree, int(rng.choice(DETAILS)))


@pytest.mark.parametrize("seed", range(40))
def test_strips_and_counts_equal_brute_force(seed):
    data, config, iteration, view = random_run(seed)
    trainer = Trainer(data, config)
    trainer.run(iteration)
    old = trainer.weights() @ data.X.T
    record = trainer.step()
    new = trainer.weights() @ data.X.T
    frame = pack_frame(trainer.trace, view, iteration)
    shown, b = frame["touched"], config.resolved_threshold
    moves = (old >= b).any(axis=1) & bool(record.dual_step.any())
    nodes = zip(frame["nodes"]["id"], frame["nodes"]["kind"], strict=True)
    leaves = [node - config.width if kind == 1 else -1 for node, kind in nodes]
    assert frame["nodes"]["touched"] == "".join(str(int(neuron >= 0 and moves[neuron])) for neuron in leaves)
    if not record.touched.size:
        assert shown is None
        return
    neurons = shown["neurons"]
    assert neurons == sorted(set(neurons)) and set(neurons) <= set(record.touched.tolist())
    assert len(neurons) == min(MAX_NEURONS, record.touched.size) and shown["moved"] == record.touched.size
    is_drawn = set(leaves) & set(record.touched.tolist())
    assert is_drawn <= set(neurons) or set(neurons) <= is_drawn

    cells = np.zeros((data.num_points, len(neurons)), dtype=int)
    for point in range(data.num_points):
        step = trainer.trace.replay(point, iteration)
        before, after = (values[config.width + np.array(neurons)] for values in (step.before, step.after))
        cells[point] = (before >= b) + 2 * (after >= b) + 4 * (before != after)
    np.testing.assert_array_equal((old >= b).T[:, neurons], cells & 1 > 0)
    np.testing.assert_array_equal((new >= b).T[:, neurons], cells & 2 > 0)
    moved = np.abs(new - old).T[:, neurons] > 1e-6
    assert (cells[moved] & 4 > 0).all()

    last = shown["first"] + len(shown["strips"])
    assert len(shown["strips"]) == min(MAX_STRIPS, data.num_points)
    assert 0 <= shown["first"] <= view.tree < last <= data.num_points
    assert shown["strips"] == ["".join(map(str, row)) for row in cells[shown["first"] : last]]
    assert shown["changed"] == (cells & 4 > 0).sum(axis=0).tolist()
    assert shown["starts"] == (cells & 3 == 2).sum(axis=0).tolist()
    assert shown["stops"] == (cells & 3 == 1).sum(axis=0).tolist()


def test_there_is_nothing_to_show_of_a_comparison(circle):
    assert pack_frame(circle, View(0, pinned=0), 1)["touched"] is None
    assert pack_frame(circle, View(0), 1)["touched"] is not None
