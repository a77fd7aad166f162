"""Settings shared by all tests."""

import os

from hypothesis import settings

# One profile for everybody: no deadline (compilation and first-touched memory make single runs slow), seeded in CI.
settings.register_profile("treeviz", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=60)
settings.load_profile("treeviz")
