"""Normal numbers from random bits: their law, in the middle and far out, and the same bits in both paths."""

import numpy as np
import pytest
import scipy.stats

from treeviz.model.streams import LongStretches
from treeviz.search import normal_numbers as module
from treeviz.search.compiled import load_loops
from treeviz.search.normal_numbers import NormalNumbers, quick

LEAST_P = 1e-6  # of about ten tests; the seeds are fixed
SIZE = 2_000_000


def stream(seed):
    return np.random.Generator(np.random.PCG64DXSM(seed))


def normal_numbers(generator, size, loops=None):
    values = np.empty(size)
    NormalNumbers(loops).fill(generator, values)
    return values


def law_p_values(values):
    """The chances of what is seen if the numbers are normal and independent."""
    cells = np.histogram(scipy.stats.norm.cdf(values), 2000, (0.0, 1.0))[0]
    yield "cells", scipy.stats.chisquare(cells).pvalue
    sizes = np.abs(values)
    for far in (module._TAIL, 4.2):
        yield (
            f"beyond {far}",
            scipy.stats.binomtest(int((sizes > far).sum()), SIZE, 2 * scipy.stats.norm.sf(far)).pvalue,
        )
    tail = scipy.stats.norm.sf(sizes[sizes > module._TAIL]) / scipy.stats.norm.sf(module._TAIL)
    yield "tail", scipy.stats.kstest(tail, "uniform").pvalue
    edges = module._EDGES[:0:-1]
    counts, chances = np.histogram(sizes, edges)[0], np.diff(scipy.stats.norm.cdf(edges))
    yield "layers", scipy.stats.chisquare(counts, chances / chances.sum() * counts.sum()).pvalue
    yield "sign", scipy.stats.binomtest(int((values > 0).sum()), SIZE).pvalue
    yield "neighbours", scipy.stats.pearsonr(values[1:], values[:-1]).pvalue
    yield "sizes of neighbours", scipy.stats.pearsonr(sizes[1:], sizes[:-1]).pvalue


def test_their_law_is_normal():
    assert {what: p for what, p in law_p_values(normal_numbers(stream(3), SIZE)) if p < LEAST_P} == {}


def no_tail(bits, values, left):
    places = left[: quick(bits, values, left)].copy()
    places = places[np.abs(values[places]) < module._TAIL]
    left[: places.size] = places
    return places.size


def no_edges(bits, values, left):
    places = left[: quick(bits, values, left)].copy()
    places = places[np.abs(values[places]) >= module._TAIL]
    left[: places.size] = places
    return places.size


@pytest.mark.parametrize("wrong", [no_tail, no_edges])
def test_a_wrong_law_is_found(wrong, monkeypatch):
    monkeypatch.setattr(module, "quick", wrong)
    assert min(p for _, p in law_p_values(normal_numbers(stream(3), SIZE))) < LEAST_P


def test_the_layers_end_at_the_top():
    assert module._EDGES[1] == module._TAIL and (np.diff(module._EDGES) < 0).all() and module._EDGES[-1] == 0.0
    sizes = module._EDGES[1:-1] * np.diff(module.HEIGHTS[1:])
    assert sizes == pytest.approx(module._EDGES[0] * module.HEIGHTS[1], rel=1e-9)


@pytest.mark.parametrize("size", [0, 1, 5000, 1_000_000])
def test_both_paths_have_the_same_bits(size):
    loops = load_loops("drawing_loops")
    first, second = stream(1), stream(1)
    assert np.array_equal(normal_numbers(first, size, loops), normal_numbers(second, size))
    assert first.random() == second.random()


def test_the_same_room_is_used_for_arrays_of_any_size():
    normal, again = NormalNumbers(), stream(2)
    generator = stream(2)
    for size in (3, 5000, 0, 70):
        values = np.empty(size)
        normal.fill(generator, values)
        assert np.array_equal(values, normal_numbers(again, size))


def test_stretches_are_drawn_in_any_order_and_begin_apart():
    stretches, again = LongStretches(1, 6), LongStretches(1, 6)
    numbers = [stretches.at(k).integers(0, 1 << 63) for k in range(2000)]
    assert [again.at(k).integers(0, 1 << 63) for k in reversed(range(2000))] == numbers[::-1]
    assert len(set(numbers)) == 2000
    begins = np.sort([k * LongStretches._DISTANCE % (1 << 128) for k in range(1 << 16)])
    assert min(np.diff(begins)) > 1 << 110
