"""All experiments of the Lab. A new one is a module here that declares an `EXPERIMENT`."""

import importlib
import pkgutil
from functools import cache

from treeviz.lab.experiment import Experiment


@cache
def find_experiments() -> dict[str, Experiment]:
    """Return the experiments of all modules of this package by key, in their order; ValueError if two share a key."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found = sorted((module.EXPERIMENT for module in modules), key=lambda one: one.order)
    named = {experiment.key: experiment for experiment in found}
    if len(named) < len(found):
        raise ValueError(f"two experiments share a key: {', '.join(one.key for one in found)}")
    return named
