"""All contestants of a race. A new one is a module here that declares its own in a tuple `CONTESTANTS`."""

import importlib
import pkgutil

from treeviz.race.contestant import FAMILIES, Contestant


def find_contestants() -> dict[str, Contestant]:
    """Return the contestants of all modules of this package by key, in the order of families, trees first."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found = [contestant for module in modules for contestant in module.CONTESTANTS]
    named = {contestant.key: contestant for contestant in sorted(found, key=_place)}
    if len(named) < len(found):
        raise ValueError(f"two contestants share a key: {', '.join(contestant.key for contestant in found)}")
    return named


def _place(contestant: Contestant) -> tuple[int, bool]:
    return FAMILIES.index(contestant.family), contestant.kind != "trees"


CONTESTANTS = find_contestants()
