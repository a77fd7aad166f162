"""Ways to find the firing neurons and to move the weights, each a package or a file with an `Engine` of its own."""

import importlib
from typing import cast

from treeviz.model.config import SEARCHES
from treeviz.search.engine import EngineMaker


def find_engine(search: str) -> EngineMaker:
    """Return the engine of a search by its name in `SEARCHES`; imported when it is first asked for."""
    module, _, name = SEARCHES[search].rpartition(".")
    return cast(EngineMaker, getattr(importlib.import_module(module), name))
