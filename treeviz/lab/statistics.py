"""Numbers that answers rest on: exponents with bootstrap intervals, medians with intervals that hold for any law."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from treeviz.lab.experiment import Fit
from treeviz.model.types import Floats

_RESAMPLES = 999
_LEVEL = 0.95


def fit_exponent(name: str, x: Any, y: Any) -> Fit:
    """Fit y = c x^e by least squares of the logarithms; points with a missing or non-positive value are left out.

    The interval is that of a percentile bootstrap of 999 resamples of the points (Efron 1979), from a fixed seed. NaN
    with fewer than three different x.
    """
    logs = _logs(x, y)
    if np.unique(logs[0]).size < 3:
        return Fit(name, np.nan, np.nan, np.nan)
    low, high = _interval(_slope, logs)
    return Fit(name, float(_slope(*logs)), low, high)


def median_of(name: str, values: Any) -> Fit:
    """Return the median of the values that there are, and its interval; NaN if there is none.

    The ends of the interval are two of the values, so it holds whatever they are drawn from (by the binomial test of
    the median). Fewer than six values have none: five lie on one side of the median by chance in one case of 16.
    """
    found = np.asarray(values, dtype=float)
    found = found[np.isfinite(found)]
    if not found.size:
        return Fit(name, np.nan, np.nan, np.nan)
    middle = float(np.median(found))
    interval = stats.quantile_test(found, q=middle, p=0.5).confidence_interval(_LEVEL)
    return Fit(name, middle, float(interval.low), float(interval.high))


def local_exponents(x: Any, y: Any) -> tuple[Floats, Floats]:
    """Return the exponent between each two neighbours of ascending x, and the geometric means of their x.

    NaN where y of either is missing or not positive. Shapes (k - 1,).
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    logs = np.log(np.where(y > 0, y, np.nan))
    return np.diff(logs) / np.diff(np.log(x)), np.sqrt(x[:-1] * x[1:])


def _logs(x: Any, y: Any) -> tuple[Floats, Floats]:
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    keep = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
    return np.log(x[keep]), np.log(y[keep])


def _slope(x: Floats, y: Floats, axis: int = -1) -> Any:
    spread = x - x.mean(axis=axis, keepdims=True)
    total = (spread**2).sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):  # a resample of one x has no slope
        return (spread * y).sum(axis=axis) / total


def _interval(statistic: Callable[..., Any], samples: tuple[Floats, ...]) -> tuple[float, float]:
    with warnings.catch_warnings(action="ignore", category=stats.DegenerateDataWarning):  # equal values: no width
        found = stats.bootstrap(
            samples,
            statistic,
            paired=len(samples) > 1,
            vectorized=True,
            n_resamples=_RESAMPLES,
            confidence_level=_LEVEL,
            method="percentile",
            rng=0,
        )
    drawn = found.bootstrap_distribution[np.isfinite(found.bootstrap_distribution)]
    if not drawn.size:
        return np.nan, np.nan
    tail = (1 - _LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
