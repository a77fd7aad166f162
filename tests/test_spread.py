"""What a search would read at other thresholds: equal to searching, at every threshold offered."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from treeviz import Forest
from treeviz.stage.pictures.spread import spread_of
from treeviz.training.record import TreeStep


def step_of(leaves, threshold=1.0):
    values = Forest(np.asarray(leaves, dtype=float)[:, None]).values[:, 0]
    nothing = np.empty(0, dtype=np.int64)
    return TreeStep(0, 0, threshold, values, values, nothing, nothing, nothing)


def check(leaves):
    step = step_of(leaves)
    spread = spread_of(step)
    assert np.all(np.diff(spread.thresholds) > 0)
    assert spread.thresholds[0] == min(leaves) and spread.thresholds[-1] > max(leaves)
    for threshold, reads, fires in zip(spread.thresholds, spread.reads, spread.fires, strict=True):
        found = Forest.over(step.before[:, None]).query(0, threshold)
        assert (found.visited.size, found.neurons.size) == (reads, fires), threshold


@given(arrays.arrays(float, st.integers(1, 40), elements=st.floats(-1e6, 1e6, allow_subnormal=False)))
def test_reads_and_finds_are_those_of_searches(leaves):
    check(leaves)


@pytest.mark.parametrize("leaves", [[0.0], [2.0, 2.0, 2.0], [1e-300, 0.0], [1e12, 1e12 + 1, -5.0]])
def test_leaves_that_are_equal_or_nearly(leaves):
    check(leaves)


def test_wide_trees():
    check(np.random.default_rng(0).standard_normal(3000))
