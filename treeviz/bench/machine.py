"""The machine a measurement was made on."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from threadpoolctl import threadpool_info

from treeviz.search.compiled import refusal


@dataclass(frozen=True, slots=True)
class Machine:
    """What matters to a timing.

    Attributes
    ----------
    processor, system : in their own words.
    num_cores : that this process may use.
    memory_bytes : of the machine; None where the system does not say.
    load : programs at work in the minute before it began, on average; None where the system does not say.
    blas : the linear algebra in use, its version and number of threads.
    compiled_loops : "ok", or why they cannot be used.
    treeviz, python, numpy, scipy, numba : versions.
    """

    processor: str
    system: str
    num_cores: int
    memory_bytes: int | None
    load: float | None
    blas: str
    compiled_loops: str
    treeviz: str
    python: str
    numpy: str
    scipy: str
    numba: str

    def as_text(self) -> str:
        """Return a line on the machine, one on its programs and one on its linear algebra."""
        memory = "" if self.memory_bytes is None else f", {self.memory_bytes / 1e9:.1f} GB"
        load = "" if self.load is None else f", load {self.load:.2f} at the start"
        return (
            f"{self.processor}, {self.num_cores} cores{memory}, {self.system}{load}\n"
            f"treeviz {self.treeviz}, Python {self.python}, NumPy {self.numpy}, SciPy {self.scipy}, "
            f"numba {self.numba}\nBLAS: {self.blas}"
        )


def describe_machine() -> Machine:
    """Describe this machine as it is now."""
    can_tell = hasattr(os, "sysconf")
    return Machine(
        processor=_processor(),
        system=f"{platform.system()} {platform.machine()}",
        num_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if can_tell else None,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        blas=_blas(),
        compiled_loops=refusal() or "ok",
        treeviz=version("treeviz"),
        python=platform.python_version(),
        numpy=np.__version__,
        scipy=version("scipy"),
        numba=version("numba"),
    )


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
            if model := next(models, ""):
                return model
    except OSError:
        pass  # not Linux: the platform's own name has to do
    return platform.processor() or platform.machine()


def _blas() -> str:
    """Name the linear algebra that NumPy and SciPy use; each may bring its own."""
    found = set()
    for library in threadpool_info():
        if library["user_api"] == "blas":
            name = f"{library['internal_api']} {library['version'] or ''}".rstrip()
            found.add(f"{name} ({library['num_threads']} thread{'s' * (library['num_threads'] != 1)})")
    return ", ".join(sorted(found)) or "unknown"
