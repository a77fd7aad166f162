"""Drawing the proposals of a block: the law of their tail, near and far, and the same bits in both paths."""

import numpy as np
import pytest
import scipy.stats

from treeviz.model.streams import LongStretches
from treeviz.search import block_drawer
from treeviz.search.compiled import load_loops

LEAST_P = 1e-6  # of about ten tests; the seeds are fixed
SIZE = 1_000_000


def stream(seed):
    return np.random.Generator(np.random.PCG64DXSM(seed))


def tail_p_values(threshold):
    """The chances of what is seen if the numbers are normal ones beyond the threshold, and independent."""
    values = block_drawer.tail(stream(3), SIZE, threshold)
    assert values.min() >= threshold
    # How far out each number is, as a share of the tail: uniform. In logarithms, so that no share underflows.
    shares = np.exp(scipy.stats.norm.logsf(values) - scipy.stats.norm.logsf(threshold))
    yield "cells", scipy.stats.chisquare(np.histogram(shares, 2000, (0.0, 1.0))[0]).pvalue
    yield "farthest", scipy.stats.binomtest(int((shares < 1e-4).sum()), SIZE, 1e-4).pvalue
    yield "neighbours", scipy.stats.pearsonr(shares[1:], shares[:-1]).pvalue


@pytest.mark.parametrize("threshold", [0.0, 0.4, 1.5, 4.5, 30.0])
def test_the_tail_is_that_of_a_normal_number(threshold):
    assert {what: p for what, p in tail_p_values(threshold) if p < LEAST_P} == {}


def test_another_rate_changes_no_law(monkeypatch):
    monkeypatch.setattr(block_drawer, "tail_rate", lambda threshold: threshold + 0.05)
    assert {what: p for what, p in tail_p_values(1.5) if p < LEAST_P} == {}


class Counting:
    """A generator that counts the exponential numbers it is asked for."""

    def __init__(self):
        self.count, self._generator = 0, stream(4)

    def standard_exponential(self, shape):
        self.count += shape[0]
        return self._generator.standard_exponential(shape)


@pytest.mark.parametrize(("threshold", "accepted"), [(0.0, 0.76), (1.5, 0.9), (3.3, 0.95)])
def test_most_proposals_of_the_tail_are_accepted(threshold, accepted):
    generator = Counting()
    block_drawer.tail(generator, SIZE, threshold)
    assert accepted < SIZE / generator.count < accepted + 0.02


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (5000, 16), (20_000, 3)])
@pytest.mark.parametrize("num_points", [1, 7])
def test_both_paths_have_the_same_bits(shape, num_points):
    loops = load_loops("drawing_loops")
    points = stream(9).standard_normal((num_points, shape[1]))
    first, second = stream(1), stream(1)
    rows, same_rows = np.empty(shape), np.empty(shape)
    for b in (0.0, 2.7):
        arguments = points, (points**2).sum(axis=1), b
        owners, signs = loops.draw_proposals(first, *arguments, rows)
        same_owners, same_signs = block_drawer.draw_proposals(second, *arguments, same_rows)
        assert np.array_equal(rows, same_rows) and np.array_equal(signs, same_signs)
        assert np.array_equal(owners, same_owners) and owners.dtype == same_owners.dtype
        assert first.bit_generator.state == second.bit_generator.state


def test_stretches_are_drawn_in_any_order_and_begin_apart():
    stretches, again = LongStretches(1, 6), LongStretches(1, 6)
    numbers = [stretches.at(k).integers(0, 1 << 63) for k in range(2000)]
    assert [again.at(k).integers(0, 1 << 63) for k in reversed(range(2000))] == numbers[::-1]
    assert len(set(numbers)) == 2000
    begins = np.sort([k * LongStretches._DISTANCE % (1 << 128) for k in range(1 << 16)])
    assert min(np.diff(begins)) > 1 << 110
