"""Curves of shares: how many of the seeds had a yes."""

import numpy as np

from treeviz.lab.curves import Curve


def share_of_seeds(curve: Curve) -> Curve:
    """Return the share of ones among the seeds in place of the median; single seeds, 0 or 1 each, are not drawn."""
    total = np.isfinite(curve.seeds).sum(axis=0)
    share = np.where(total > 0, np.nansum(curve.seeds, axis=0) / np.maximum(total, 1), np.nan)
    return Curve(curve.name, curve.x, share, np.empty((0, len(curve.x))))
