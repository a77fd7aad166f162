"""Settings shared by all tests."""

import os

# Two test processes with two BLAS threads each would fight over two cores. Set before NumPy is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from hypothesis import settings

# One profile for everybody: no deadline (compilation and first-touched memory make single runs slow), seeded in CI.
settings.register_profile("treeviz", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=60)
settings.load_profile("treeviz")
