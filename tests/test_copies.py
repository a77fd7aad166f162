"""What a notebook cell shows of a run is short, and a run can be copied to another process, where it goes on."""

import copy
import pickle

import numpy as np
import pytest
from oracles import sphere

from treeviz import Dataset, TrainConfig, Trainer, load_dataset
from treeviz.model.config import SEARCHES
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.race import Race
from treeviz.race.report import as_json
from treeviz.solve.report import Solution


def trainer_of(search, **settings):
    trainer = Trainer(sphere(6, 4, 0), TrainConfig(**{"width": 400, "search": search, "seed": 1, **settings}))
    trainer.run(3, until_loss=0.0)
    return trainer


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("duplicate", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_a_copied_run_goes_on_as_the_run_does(search, duplicate):
    trainer = trainer_of(search, skin=0.01 if search == "watch" else None)
    twin = duplicate(trainer)
    for one in (trainer, twin):
        one.run(3, until_loss=0.0)
    assert twin.trace.losses.tolist() == trainer.trace.losses.tolist()
    assert np.array_equal(twin.weights(), trainer.weights())
    assert np.array_equal(twin.trace.tree_values(2, 6), trainer.trace.tree_values(2, 6))
    assert twin.trace.engine() is twin._engine and twin._engine is not trainer._engine


def test_large_watch_lists_are_copied_without_their_loops():
    config = TrainConfig(width=20_000, search="watch", solver="exact")
    trainer = Trainer(load_dataset("digits", num_points=20, seed=0), config)
    trainer.run(2, until_loss=0.0)
    twin = pickle.loads(pickle.dumps(trainer))
    assert twin._engine.lists._is_compiled
    assert trainer.step().loss == twin.step().loss


def test_a_copied_trace_needs_no_trainer():
    trainer = trainer_of("forest")
    trace = trainer.trace
    expected = trace.tree_values(1, 2), trace.leaf_rows([0, 7], 3), trace.amortized()
    twin = pickle.loads(pickle.dumps(trace))
    del trainer, trace
    found = twin.tree_values(1, 2), twin.leaf_rows([0, 7], 3), twin.amortized()
    for mine, wanted in zip(found, expected, strict=True):
        assert np.array_equal(mine, wanted)


def test_what_a_cell_shows_is_short():
    trainer = Trainer(load_dataset("digits", num_points=50, seed=0), TrainConfig(width=4096, solver="exact"))
    trace = trainer.run(3, until_loss=0.0)
    assert repr(trace).startswith(
        "Trace(3 iterations of gauss-newton, search='forest', on 'digits', n=50, d=64, m=4,096"
    )
    record = trace.records[1]
    text = repr(record)
    assert f"loss={record.loss:.6g}" in text and f"{record.firing.num_pairs:,}" in text and "status='ok'" in text
    assert f"{int(record.num_visited.sum()):,}" in text and f"{record.num_operations:,}" in text
    assert repr(record.firing).endswith(f"{record.touched.size:,} neurons on 50 datapoints)")
    assert repr(trainer.data) == "Dataset('digits', n=50, d=64, 8 × 8 pixels, targets +1 of 34 and −1 of 16)"
    assert [int((trainer.data.y == sign).sum()) for sign in (1, -1)] == [34, 16]
    solution = Solution(record.dual_step, record.solve)
    assert repr(solution).startswith(f"Solution(n=50, ||g|| = {np.linalg.norm(record.dual_step):.4g}, SolveReport(")
    assert f"rank 50 of 50, conditioning {record.solve.conditioning:.3g}, status='ok'" in repr(solution)
    assert all(len(repr(one)) < 400 for one in (trace, record, record.firing, solution))
    assert "0 iterations" in repr(Trainer(trainer.data, trainer.config).trace)


def test_a_dataset_says_what_its_targets_are():
    data = Dataset.from_arrays([[0.0], [1.0], [3.0]], [0.5, -1, 1], name="three")
    assert repr(data) == "Dataset('three', n=3, d=2, the last constant, targets from -1 to 1)"


@pytest.mark.parametrize("act", [pickle.dumps, copy.deepcopy, copy.copy])
def test_a_race_says_why_it_cannot_be_copied_and_what_to_keep(act):
    race = Race(sphere(6, 4, 0), [CONTESTANTS["forest"], CONTESTANTS["dense"]], TrainConfig(width=64), max_laps=3)
    with pytest.raises(TypeError, match=r"holds its networks.*keep what it measured, by .*report\.as_json"):
        act(race)
    race.run()
    assert pickle.loads(pickle.dumps(as_json(race, race.until_loss)))["contestants"]
