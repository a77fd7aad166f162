"""A run's numbers as tables."""

import pandas as pd

from treeviz.training.trace import Trace


def records_table(trace: Trace) -> pd.DataFrame:
    """Return a row an iteration. Cost: the records."""
    return pd.DataFrame(
        {
            "iteration": [record.iteration for record in trace.records],
            "loss": trace.losses,
            "operations": [record.num_operations for record in trace.records],
            "seconds": [record.num_seconds for record in trace.records],
        }
    )
