"""The meter of the stage: at the last step of an iteration it says what the ledger and the charts say."""

import json

import numpy as np
import pytest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.model.config import SEARCHES
from treeviz.stage.meter import pack_meter
from treeviz.stage.packing import pack_frame
from treeviz.stage.script import phases, posted_phases
from treeviz.stage.view import View
from treeviz.training.trace import Trace

RUNS = {
    **{search: {"search": search, "solver": "exact"} for search in SEARCHES},
    "sketch": {"solver": "sketch"},
    "gradient descent": {"method": "gradient-descent"},
    "mini-batches": {"method": "sgd", "batch_size": 3},
    "no neuron fires": {"solver": "exact", "threshold": 9.0},
}


@pytest.fixture(scope="module", params=RUNS)
def trace(request):
    config = TrainConfig(width=64, **RUNS[request.param])
    return Trainer(load_dataset("circle"), config).run(12, until_loss=0.0)


def test_the_last_step_is_the_record_of_the_ledger(trace):
    shown = phases(trace.config, posted_phases(trace))
    assert len(trace.records) > 1 or trace.config.threshold == 9.0
    for record in trace.records:
        meter = pack_meter(trace, record.iteration)
        assert sum(meter["own"]) == record.num_operations
        assert sum(meter["dense"]) == sum(trace.dense_costs(record).values())
        assert {phase: cost for phase, cost in zip(shown, meter["own"], strict=True) if cost} == {
            phase: cost for phase, cost in record.costs.items() if cost
        }


def test_the_running_total_is_the_amortized_cost_times_the_iterations(trace):
    done = np.arange(1, len(trace.records) + 1)
    meters = [pack_meter(trace, iteration) for iteration in range(len(trace.records))]
    own = [meter["build"] + meter["before"][0] + sum(meter["own"]) for meter in meters]
    dense = [meter["before"][1] + sum(meter["dense"]) for meter in meters]
    np.testing.assert_allclose(trace.amortized() * done, own, rtol=1e-12)
    np.testing.assert_allclose(trace.amortized(include_build=False) * done, np.array(own) - meters[0]["build"])
    np.testing.assert_allclose(trace.amortized(of="dense") * done, dense, rtol=1e-12)


def test_what_is_not_shown_is_counted_with_the_phase_before(circle):
    """A phase gets lines on the stage when the first iteration has cost something in it."""
    record = circle.records[1]
    costs = {"search": 5, "sketch": 70, "repair": 11}
    later = Trace(circle.dataset, circle.config, {}, {}, 0.0, [circle.records[0], _with(record, costs)])
    shown = phases(later.config, posted_phases(later))
    assert "sketch" not in shown
    expected = {"search": 5, "jacobian": 70, "repair": 11}
    assert pack_meter(later, 1)["own"] == [expected.get(phase, 0) for phase in shown]


def _with(record, costs):
    fields = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return type(record)(**{**fields, "costs": costs})


def test_a_frame_has_the_meter_of_its_iteration_and_a_comparison_has_none(circle):
    for iteration in (0, 2):
        assert pack_frame(circle, View(3, 63), iteration)["meter"] == json.loads(
            json.dumps(pack_meter(circle, iteration))
        )
    assert pack_frame(circle, View(3, 63, pinned=0), 2)["meter"] is None
