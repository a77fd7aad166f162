"""A step of a first-order method that never makes the loss of the linearised network larger."""

import numpy as np

from treeviz.model.ledger import Ledger, step_rule_operations
from treeviz.solve.jacobian import Jacobian, gram_matrix


def safe_step_size(jacobian: Jacobian, batch_size: int | None, ledger: Ledger) -> float:
    """Return the step size 1 / L of gradient descent: with it no step makes the loss of the linearised network larger.

    For all datapoints at once L is the largest eigenvalue of G. A mini-batch B moves the outputs by G_BB, whose largest
    eigenvalue is at most that of G, and at most the largest sum of |B| entries of a row of |G| (Gershgorin); L is the
    smaller of the two. On that network steps of up to 2 / L would do, too: the factor of two is room for firing sets
    that change. Where training makes G grow by more than that, the loss goes up and down a little on its way, at the
    edge of stability (Cohen et al. 2021). 1.0 if nothing fires.

    Cost: forming C, n^2, and 2 n^3 / 3 for the eigenvalues; posted as solve.
    """
    active = np.flatnonzero(jacobian.counts)
    if not active.size:
        return 1.0
    with ledger.time("solve"):
        gram = gram_matrix(jacobian)[np.ix_(active, active)]
        largest = float(np.linalg.eigvalsh(gram)[-1])
        is_batched = batch_size is not None and batch_size < active.size
        if batch_size is not None and is_batched:
            rows = np.partition(np.abs(gram), active.size - batch_size, axis=1)[:, active.size - batch_size :]
            largest = min(largest, float(rows.sum(axis=1).max()))
    ledger.post("solve", step_rule_operations(jacobian.overlap_operations, active.size, is_batched=is_batched))
    return 1.0 / largest
