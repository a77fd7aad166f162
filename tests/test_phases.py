"""The table of phases, and that an entry in it and a post to it are all that a new phase takes."""

import json

import pytest

from treeviz import Trace, TrainConfig, Trainer, load_dataset
from treeviz.model.phases import PHASES, Phase
from treeviz.race.charts import phase_chart, race_payload
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.lane import Lane
from treeviz.search.forest.engine import ForestEngine
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import Moment, read_moment
from treeviz.stage.script import phases
from treeviz.stage.view import View
from treeviz.training.background import BackgroundRun

CONFIG = TrainConfig(width=64, solver="exact")


@pytest.fixture
def resting(monkeypatch):
    """A phase between solve and move, to which the forest's engine posts before it moves anything."""
    move = ForestEngine.move

    def rest_and_move(engine, sensed, dual_step, ledger):
        ledger.post("rest", 7)
        return move(engine, sensed, dual_step, ledger)

    monkeypatch.setattr(ForestEngine, "move", rest_and_move)
    later = {name: PHASES.pop(name) for name in ("move", "repair")}
    PHASES["rest"] = Phase("Rest", "Take a breath before the move.", has_dual_step=True)
    PHASES.update(later)
    yield
    monkeypatch.undo()
    del PHASES["rest"]


def test_a_new_phase_is_counted_and_saved(resting, tmp_path):
    trace = Trainer(load_dataset("circle"), CONFIG).run(3)
    assert [record.costs["rest"] for record in trace.records] == [7, 7, 7]
    trace.save(tmp_path / "trace.npz")
    loaded = Trace.load(tmp_path / "trace.npz")
    assert [record.costs for record in loaded.records] == [record.costs for record in trace.records]


def test_a_new_phase_has_a_colour_in_the_race(resting):
    costs = Trainer(load_dataset("circle"), CONFIG).step().costs
    lane = Lane(CONTESTANTS["forest"])
    lane.costs.update(costs)
    payload = race_payload([lane], {"forest": 0}, [phase_chart()])
    assert payload["contestants"][0]["phases"]["rest"] == 7
    colors = {phase["name"]: (phase["color"], phase["hatched"]) for phase in payload["phases"]}
    assert list(colors) == list(PHASES) and len(set(colors.values())) == len(PHASES)


def test_a_new_phase_is_told_on_the_stage(resting):
    run = BackgroundRun(load_dataset("circle"), CONFIG, is_checked=False)
    assert run.wait_for(1, timeout=60)
    maker = FrameMaker(run, "key")
    header = maker.header()
    named = {phase["id"]: phase for phase in header["phases"]}
    assert list(named) == [name for name in PHASES if name in run.trace.records[0].costs]
    assert named["rest"]["title"] == "Rest" and named["rest"]["hasDualStep"] and not named["rest"]["isAfterMove"]
    assert [line["note"] for line in header["code"] if line["phase"] == "rest"] == ["Take a breath before the move."]
    script = json.loads(maker.frame(View(), 1))["script"]
    ((line, text, row, writes),) = script["rest"]
    assert header["code"][line]["phase"] == "rest" and (row, writes) == (-1, [])
    assert text == "Take a breath before the move. This took 7 operations."
    assert script["repair"][0][0] == next(i for i, line in enumerate(header["code"]) if line["phase"] == "repair")
    assert read_moment({"phase": "rest"}, maker) == (Moment(phase=list(named).index("rest")), ())


def test_the_phases_of_an_iteration_are_those_of_the_table_in_its_order():
    told = {name for solver in ("exact", "sketch") for name in phases(TrainConfig(width=64, solver=solver))}
    assert [name for name in PHASES if name in told] == [name for name, phase in PHASES.items() if phase.in_iteration]
    for phase in PHASES.values():
        assert phase.meaning.endswith(".") and phase.title
        assert phase.has_move >= phase.is_after_move and phase.has_dual_step >= phase.has_move


def test_only_phases_that_cost_something_are_added():
    config = TrainConfig(width=64, solver="exact")
    assert "sketch" not in phases(config)
    assert phases(config, ["sketch"]) == ("search", "forward", "jacobian", "sketch", "solve", "move", "repair")


def test_the_table_says_what_is_known_in_each_phase():
    flags = {
        "before_loss": ["search", "forward"],
        "enters_nodes": ["search"],
        "has_dual_step": ["solve", "move", "repair"],
        "has_move": ["move", "repair"],
        "is_after_move": ["repair"],
    }
    for flag, names in flags.items():
        assert [name for name, phase in PHASES.items() if getattr(phase, flag)] == names, flag
