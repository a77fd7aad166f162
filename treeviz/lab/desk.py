"""The sweeps of a process: one is measured at a time, and all viewers of the same request see the same one."""

import threading

from treeviz.lab.experiment import SIZES, Experiment, Request, Size
from treeviz.lab.pools import PoolMaker, local_pool, usable_processors
from treeviz.lab.store import PointStore
from treeviz.lab.sweep import Sweep, require_sense

_Key = tuple[str, Size, int]


class Desk:
    """Gives out sweeps, and starts them in turn.

    Parameters
    ----------
    store : where their points are kept.
    make_pool : where they are measured.
    """

    def __init__(self, store: PointStore, make_pool: PoolMaker | None = None) -> None:
        self._store, self._make_pool = store, make_pool or local_pool()
        self._sweeps: dict[_Key, Sweep] = {}
        self._requests: dict[tuple[str, Size, int | None], Request] = {}
        self._lock, self._turn = threading.Lock(), threading.Lock()

    def request(self, experiment: Experiment, size: Size = "default", seeds: int | None = None) -> Request:
        """Return a request, planned once: planning takes longer than looking at what is known."""
        key = (experiment.key, size, seeds)
        if key not in self._requests:
            self._requests[key] = Request(experiment, size, seeds)
        return self._requests[key]

    def find(self, request: Request) -> Sweep:
        """Return the sweep of a request: the one under way, or one with the points that are kept."""
        key = (request.experiment.key, request.size, request.num_seeds)
        with self._lock:
            sweep = self._sweeps.get(key)
            if sweep is None:
                sweep = self._sweeps[key] = Sweep(request, self._store, self._make_pool)
                return sweep
        if not (sweep.is_on or sweep.is_complete):
            sweep.look()
        return sweep

    def start(self, request: Request) -> None:
        """Start the sweep of a request, or let it go on; ValueError if it would not fit or take too long."""
        sweep = self.find(request)
        if not sweep.is_on:
            require_sense(request, usable_processors())
        with self._lock:
            if sweep.is_on:
                sweep.resume()
            else:
                sweep.start(self._turn)

    def on(self) -> list[Sweep]:
        """Return the sweeps that are on, the one that is measured first."""
        with self._lock:
            found = [sweep for sweep in self._sweeps.values() if sweep.is_on]
        return sorted(found, key=lambda sweep: sweep.state == "waiting")

    def best(self, experiment: Experiment) -> Sweep | None:
        """Return the largest sweep of an experiment that is complete, else the one of which most is measured."""
        found = [self.find(self.request(experiment, size)) for size in reversed(SIZES)]
        begun = [sweep for sweep in found if sweep.num_done]
        return max(begun, key=lambda sweep: sweep.num_done / len(sweep.request.tasks), default=None)
