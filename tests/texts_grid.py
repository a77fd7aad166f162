"""What the tests of all texts share: settings drawn from a grid, and what no sentence may hold."""

import re

import numpy as np
import pytest
from oracles import read_numeral

from treeviz.data.catalogue import DATASETS
from treeviz.model.network import initial_weights

NOUNS = "neurons|nodes|iterations|datapoints|operations|leaves|pairs|additions|trees|levels|children|products|moves"
BAD = (
    re.compile(rf"(?<![\d,.])1 ({NOUNS})\b"),
    re.compile(r"\b(nan|None|inf)\b"),
    re.compile(r"(?<![\w.,])-\d"),
    re.compile(r"  |\.\.(?!\.)| \."),
)
NAMES = tuple(sorted(DATASETS))
THRESHOLDS = (None, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def settings_of_grid(num, seed, widths, sizes, names=NAMES):
    """Draw settings from the grid, each value as often as any other: every dataset, b = 0 to 6, both solvers."""
    rng, found = np.random.default_rng(seed), []
    for place in range(num):
        info = DATASETS[names[place % len(names)]]
        n = int(np.clip(sizes[place % len(sizes)], info.min_points, info.max_points))
        width = int(rng.choice(widths))
        threshold = THRESHOLDS[rng.integers(len(THRESHOLDS))]
        solver = ("exact", "sketch")[rng.integers(2)]
        found.append(pytest.param(info.name, n, width, threshold, solver, int(rng.integers(100)), id=f"{place}"))
    return found


def assert_sound(texts):
    for text in texts:
        text = re.sub(r"\$[^$]*\$", "x", text)  # formulas have rules of their own
        for pattern in BAD:
            assert not (found := pattern.search(text)), f"{found[0]!r} in {text!r}"
        for share in re.findall(r"([\d.e+-]+)\u00a0?%", text):
            assert 0.0 <= float(share) <= 100.0, text


def brute_force(data, config):
    """Return the inner products at the start, (m, n), which of them reach b, and C."""
    W = initial_weights(config.seed, config.width, data.dimension)
    Z, b = W @ data.X.T, config.resolved_threshold
    fires = b <= Z
    return Z, fires, fires.T.astype(float) @ fires


def nodes_read(leaves, threshold):
    """Return how many nodes of a max-tree over these leaves a search reads."""
    values = np.concatenate([np.full(leaves.size, -np.inf), leaves])
    end = leaves.size
    while end > 1:  # all nodes whose two children are known by now
        begin = (end + 1) // 2
        values[begin:end] = values[2 * begin : 2 * end].reshape(-1, 2).max(axis=1)
        end = begin
    return 1 + 2 * int((values[1 : leaves.size] >= threshold).sum())


def number_after(words, text):
    """Read the number that follows some words."""
    return read_numeral(re.search(re.escape(words) + r"(\S+)", text)[1].rstrip(".,;°"))
