"""The meter of the stage: what an iteration costs, phase by phase, and what the dense method computes for the same one.

The browser fills the meter as the steps play. Its numbers are those of the ledger and of `Trace.dense_costs`, of all
datapoints: at the last step of an iteration they are what the record and the charts say.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from treeviz.model.phases import PHASES
from treeviz.stage.script import phases, posted_phases
from treeviz.training.trace import Trace

# Operations of the dense method by iteration: the same for all trees of a run, and gone with it.
_dense_totals: WeakKeyDictionary[Trace, dict[int, int]] = WeakKeyDictionary()


def pack_meter(trace: Trace, iteration: int) -> dict[str, Any]:
    """Return the operations of an iteration by phase, and those before it: of this run, and of the dense method.

    `own` and `dense` are lists, an entry a phase of the stage. `before` holds the operations of the iterations before,
    of this run first; building, `build`, is not among them, and the dense method has none. Cost: once an iteration, the
    firing pairs.
    """
    record = trace.records[iteration]
    shown = phases(trace.config, posted_phases(trace))
    own = sum(earlier.num_operations for earlier in trace.records[:iteration])
    return {
        "own": _by_phase(record.costs, shown),
        "dense": _by_phase(trace.dense_costs(record), shown),
        "build": sum(trace.build_costs.values()),
        "before": [own, sum(_dense_total(trace, earlier) for earlier in range(iteration))],
    }


def _dense_total(trace: Trace, iteration: int) -> int:
    known = _dense_totals.setdefault(trace, {})
    if iteration not in known:
        known[iteration] = sum(trace.dense_costs(trace.records[iteration]).values())
    return known[iteration]


def _by_phase(costs: Mapping[str, int], shown: Sequence[str]) -> list[int]:
    """Return the operations of each phase shown; what a phase costs that is not shown, the one before it has too."""
    order = list(PHASES)
    places = [order.index(phase) for phase in shown]
    operations = [0] * len(shown)
    for phase, cost in costs.items():
        operations[max(0, bisect_right(places, order.index(phase)) - 1)] += int(cost)
    return operations
