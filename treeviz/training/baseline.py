"""The dense baseline of a run, measured: the dense method that is faster on the run's problem and on this machine."""

import threading
from dataclasses import replace

from cachetools import LRUCache

from treeviz.data.dataset import Dataset
from treeviz.model.config import TrainConfig
from treeviz.search import find_engine
from treeviz.training.trace import Trace
from treeviz.training.trainer import Trainer

# Which is faster depends on how many pairs fire: on 32 problems the second took 0.45 to 1.34 times as long as the first
# with the paper's threshold, and 1.5 to 9.2 times with thresholds of 0 to 1 (algorithm.md §3).
CANDIDATES = {"dense": "dense, matrix products alone", "dense-sparse": "dense products, sparse rest"}
# Iterations of each on trial. The last counts: the first ones start threads and touch memory for the first time.
_TRIAL = 2
# Trials of this process, by the sizes that decide them: a class whose runs differ in the seed needs one. The lock is
# held for a look or a note only: two threads that ask at once may both try.
_TRIALS: LRUCache[tuple[int, int, int, float], dict[str, float]] = LRUCache(256)
_LOCK = threading.Lock()


def baseline_bytes(data: Dataset, config: TrainConfig) -> int:
    """Return the memory that the baseline needs: one candidate is there at a time."""
    sizes = (config.width, data.num_points, data.dimension, config.resolved_threshold)
    return max(find_engine(search).required_bytes(*sizes) for search in CANDIDATES)


class FasterDense:
    """Lets each candidate do two iterations, and trains on with the one whose last took less time. Solves exactly.

    Where candidates were on trial before with as many datapoints, dimensions and neurons and the same threshold, what
    was found then counts.

    Attributes
    ----------
    trace : of the faster one; None while they are on trial.
    seconds : of the last iteration on trial, by candidate.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        self._data, self._config = data, config
        self.trace: Trace | None = None
        self._key = (config.width, data.num_points, data.dimension, config.resolved_threshold)
        with _LOCK:
            self.seconds: dict[str, float] = dict(_TRIALS.get(self._key, {}))
        self._trainer: Trainer | None = None

    def step(self) -> None:
        """Do one iteration. MemoryError or ValueError if a candidate cannot be built."""
        if self._trainer is None:
            waiting = [search for search in CANDIDATES if search not in self.seconds]
            self._trainer = self._start(waiting[0] if waiting else min(self.seconds, key=self.seconds.__getitem__))
            if not waiting:
                self.trace = self._trainer.trace
        record = self._trainer.step()
        if self.trace is None and record.iteration + 1 == _TRIAL:
            self.seconds[self._trainer.config.search] = record.num_seconds
            self._trainer = None
            if len(self.seconds) == len(CANDIDATES):
                with _LOCK:
                    _TRIALS[self._key] = dict(self.seconds)

    def _start(self, search: str) -> Trainer:
        return Trainer(self._data, replace(self._config, search=search, solver="exact", fault=None))
