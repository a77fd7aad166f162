"""Small problems, and what every engine must find on them, written out plainly."""

import math
import re

import numpy as np

from treeviz import Dataset


def sphere(num_points=6, dimension=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((num_points, dimension))
    return Dataset(X / np.linalg.norm(X, axis=1, keepdims=True), rng.choice([-1.0, 1.0], num_points))


def dense_scan(W, X, threshold):
    """Return the sets {r : w_r . x_i >= b} by brute force."""
    products = W @ X.T
    fires = products >= threshold
    return [np.flatnonzero(fires[:, i]) for i in range(len(X))]


NUMERAL = r"(−?[\d.,]+(?:·10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|−?10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)"  # what `numeral` writes, as a pattern


def read_numeral(text):
    """Return the number that is written as `numeral` writes it."""
    factor, ten, power = text.replace(",", "").replace("−", "-").partition("·10")
    if not ten and (found := re.fullmatch("(-?)10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", factor)):
        factor, power = f"{found[1]}1", found[2]
    return float(f"{factor}e{power.translate(str.maketrans('⁻⁰¹²³⁴⁵⁶⁷⁸⁹', '-0123456789')) or 0}")


def same_sets(left, right):
    return len(left) == len(right) and all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def outputs_of(W, a, b, X):
    return a @ np.maximum(W @ X.T - b, 0.0) / math.sqrt(len(a))
