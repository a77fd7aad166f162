"""What a worker that `training.cluster` starts does first: it leaves Ctrl-C to the process that started it.

A terminal sends the interrupt to all processes. The one that trains ends its step, and then ends the workers.
"""

import signal
from typing import Any


def dask_setup(_worker: Any) -> None:
    """Do so; dask calls it in the worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
