"""Refusing what would not fit in memory before it is begun: the machine's, or what its container may have."""

import math
import os
from pathlib import Path

# Gigabytes that this process may take for all its runs and races, where its user says so.
VARIABLE = "TREEVIZ_MEMORY"
# Else what it may take of the memory there is.
_SHARE = 0.8
_CGROUPS = Path("/sys/fs/cgroup")


def usable_bytes() -> float:
    """Return how much memory runs may take; infinite if neither `VARIABLE` nor the system says, as on Windows."""
    given = os.environ.get(VARIABLE)
    if given is None:
        return _SHARE * available_bytes()
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not gigabytes > 0:
        raise ValueError(f"{VARIABLE} must be a number of gigabytes above 0, not {given!r}: set it so, or unset it")
    return gigabytes * 1e9


def available_bytes() -> float:
    """Return the memory of this machine, or the limit of the container this process is in if that is lower."""
    if not hasattr(os, "sysconf"):  # an allocation that fails raises MemoryError there
        return math.inf
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(float(installed), _container_limit(_CGROUPS, Path("/proc/self/cgroup")))


def require_memory(needed: int, what: str, remedy: str) -> None:
    """Raise a ValueError if `needed` bytes are more than a run may take here.

    Parameters
    ----------
    what : what needs them, the start of the message.
    remedy : what to change, its end.
    """
    if needed > usable_bytes():
        raise ValueError(f"{what}, and {usable_bytes() / 1e9:.1f} GB may be used here: {remedy}")


def _container_limit(cgroups: Path, membership: Path) -> float:
    """Return the lowest memory limit of the control groups this process is in, in bytes; infinite if there is none.

    Version 2 has one tree of groups, and a line `0::/path`; version 1 a tree of its own for memory, and a line
    `4:memory:/path`. A group's limit holds for all groups below it, so those above are read as well. Inside a container
    the path may be one of the host's, of which only the root can be seen.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return math.inf
    limits = [math.inf]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        elif not controllers:
            root, name = cgroups, "memory.max"
        else:
            continue
        group = root / path.lstrip("/")
        limits += [_read_limit(folder / name) for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return min(limits)


def _read_limit(path: Path) -> float:
    try:
        return float(path.read_text())
    except (OSError, ValueError):  # there is no such group, or its limit is "max"
        return math.inf
