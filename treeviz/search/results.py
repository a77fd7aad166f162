"""What a structure over all inner products returns: what a search found and read, what an update changed."""

from dataclasses import dataclass

import numpy as np

from treeviz.model.firing import FiringSets
from treeviz.model.types import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class SearchResult:
    """What one threshold query of all datapoints found and where it went.

    Attributes
    ----------
    firing : the neurons found for each datapoint.
    products : (sum_i k_i,) the inner products z_ri of the pairs in `firing`, in its order.
    visited_levels : (n, levels) nodes entered on each level of each tree, the root's level first; (n, 0) without trees.
    num_compared : numbers outside of trees that were compared with the threshold.
    """

    firing: FiringSets
    products: Floats
    visited_levels: Ints
    num_compared: int = 0

    @property
    def num_visited(self) -> Ints:
        """(n,) nodes entered in each tree."""
        return np.asarray(self.visited_levels.sum(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class UpdateResult:
    """What an update changed.

    Attributes
    ----------
    modified_levels : (n, levels) nodes whose value changed on each level of each tree, leaves included.
    num_operations : leaves written plus ancestors recomputed, in all trees together.
    modified : per tree, the ascending nodes whose value changed; None when only counts were asked for.
    num_written : numbers written outside of trees.
    """

    modified_levels: Ints
    num_operations: int
    modified: tuple[Ints, ...] | None
    num_written: int = 0

    @property
    def num_modified(self) -> Ints:
        """(n,) nodes whose value changed in each tree."""
        return np.asarray(self.modified_levels.sum(axis=1))
