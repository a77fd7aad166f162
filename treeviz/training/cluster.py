"""A cluster of `dask.distributed` for whatever can use one: workers elsewhere, or started here.

`connect("tcp://HOST:8786")` is for the scheduler of a running cluster, `connect(num_workers=2)` for workers of one
thread each that this process starts and ends. Both give a `distributed.Client` for the length of a `with` block, whose
workers have the versions of this process, or raise a ValueError that says what is wrong and what to do. Workers started
here are processes of their own, by the spawn method: a script that asks for them needs `if __name__ == "__main__":`.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

# Seconds that a scheduler, and then its first worker, may take to answer.
PATIENCE = 10
# Of workers started here: one thread each; and memory that is let go of is kept for what comes next. Dask's own setting
# gives it back to the system at once, which makes drawing a third slower.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 27),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
}
# What has a say in the numbers and is not compared by dask.
_COMPARED = ("treeviz", "numpy", "scipy", "numba")


@contextmanager
def connect(
    address: str | None = None, *, num_workers: int | None = None, say: Callable[[str], object] = lambda words: None
) -> Iterator["Client"]:
    """Give a client of a cluster; the client, and workers started here, end with the block.

    Parameters
    ----------
    address : of a scheduler, such as tcp://192.0.2.7:8786; or the path of its file, as `dask scheduler
        --scheduler-file` writes it. None if workers are started here.
    num_workers : how many are started here.
    say : is told where the dashboard is, if there is one.

    Raises
    ------
    ValueError
        If dask.distributed is not installed, no scheduler or no worker answers, or versions differ.
    """
    if (address is None) == (num_workers is None):
        raise ValueError("a cluster is one at an address or one of workers started here: pass one of the two")
    distributed = _import_distributed()
    with _quiet():
        if address is None:
            assert num_workers is not None
            with _start_workers(distributed, num_workers) as cluster, distributed.Client(cluster) as client:
                if find_spec("bokeh"):  # else the page says no more than that it is missing
                    _tell_dashboard(client, say)
                yield client
            return
        with _find_scheduler(distributed, address) as client:
            _require_workers(client, address)
            _require_versions(client.get_versions(packages=_COMPARED))
            _tell_dashboard(client, say)
            yield client


def _import_distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise ValueError(
            "a cluster needs dask.distributed, which is not installed: pip install 'treeviz[cluster]'"
        ) from error
    return distributed


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what dask logs: all that matters is said in a ValueError."""
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _start_workers(distributed: Any, num_workers: int) -> "LocalCluster":
    """Start workers of one thread each, which leave Ctrl-C to this process."""
    if num_workers < 1:
        raise ValueError(f"at least 1 worker must be started; got {num_workers}")
    from dask import config

    # A C library reads it when the process starts, so that setting it there would be too late.
    with config.set({f"distributed.nanny.pre-spawn-environ.{name}": value for name, value in _ENVIRONMENT.items()}):
        cluster: LocalCluster = distributed.LocalCluster(
            n_workers=num_workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
            preload=["treeviz.training.worker_start"],
        )
    return cluster


def _tell_dashboard(client: "Client", say: Callable[[str], object]) -> None:
    if "dashboard" in client.scheduler_info()["services"]:
        say(f"Dashboard of the cluster: {client.dashboard_link}")


def _find_scheduler(distributed: Any, address: str) -> "Client":
    where = {"scheduler_file": address} if os.path.exists(address) else {"address": address}
    try:
        with warnings.catch_warnings(action="ignore"):  # that versions differ: it becomes an error
            client: Client = distributed.Client(**where, timeout=PATIENCE)
    except (OSError, TimeoutError, ValueError) as error:  # not there, not in time, or no address
        raise ValueError(
            f"no scheduler answers at {address}: start one with `dask scheduler`, and pass the address that it prints"
        ) from error
    return client


def _require_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError as error:
        raise ValueError(
            f"the scheduler at {address} has no workers: start some with `dask worker {address}`"
        ) from error


def _require_versions(versions: Any) -> None:
    """Raise ValueError if a worker or the scheduler has another version of anything that matters than this process."""
    own = versions["client"]["packages"]
    others = {f"worker {name}": one for name, one in versions["workers"].items()} | {
        "the scheduler": versions["scheduler"]
    }
    shared = ("dask", "distributed", "python")
    for name, other in others.items():
        found = other["packages"]
        names = shared if name == "the scheduler" else (*shared, "msgpack", "cloudpickle", *_COMPARED)
        for package in names:
            if _version(package, own.get(package)) != _version(package, found.get(package)):
                raise ValueError(
                    f"versions differ: {name} has {package} {found.get(package) or '(not installed)'}, and this "
                    f"process {own.get(package) or '(not installed)'}: install the same on all machines"
                )


def _version(package: str, version: str | None) -> str | None:
    """Return what of a version must be the same: of Python the first two numbers."""
    return ".".join(version.split(".")[:2]) if package == "python" and version else version
