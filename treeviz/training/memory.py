"""Refusing what would not fit in this machine's memory, before it is begun."""

import math
import os

# Of the memory there is, what a run may take.
_SHARE = 0.8


def usable_bytes() -> float:
    """Return how much of this machine's memory a run may take; infinite if the system does not say, as on Windows."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return _SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raise a ValueError if `needed` bytes are more than a run may take here.

    Parameters
    ----------
    what : what needs them, the start of the message.
    remedy : what to change, its end.
    """
    usable = usable_bytes()
    if needed > usable:
        raise ValueError(f"{what}, and this machine has {usable / _SHARE / 1e9:.1f} GB: {remedy}")
