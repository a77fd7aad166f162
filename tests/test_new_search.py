"""A search added from outside, by a class and a line of registration: it trains, is checked, shown and described."""

import json

import numpy as np
import pytest
from server import ROOT
from streamlit.testing.v1 import AppTest

from treeviz import TrainConfig, Trainer, load_dataset
from treeviz.lesson import address
from treeviz.model.config import SEARCHES
from treeviz.model.firing import FiringSets, moved_rows
from treeviz.pages import runs
from treeviz.pages.lessons import known_lessons
from treeviz.search.engine import Engine, Evaluation
from treeviz.solve.jacobian import SparseJacobian
from treeviz.stage.frames import FrameMaker
from treeviz.stage.script import phases
from treeviz.stage.view import View
from treeviz.style.searches import describe_search
from treeviz.style.sentences import describe_cost
from treeviz.training.background import BackgroundRun

PATIENCE = 60
DATA = load_dataset("sphere", num_points=12)


class PlainEngine(Engine):
    """Looks at every inner product, and keeps nothing but the weights."""

    def __init__(self, data, network, config, ledger):
        self.draw_seconds = 0.0
        self._X, self._signs, self._config = data.X, np.asarray(network.signs), config
        self._W = network.weights()

    @staticmethod
    def required_bytes(width, num_points, dimension, threshold=None):
        return 8 * width * (num_points + dimension)

    @property
    def num_bytes(self):
        return self._W.nbytes

    def evaluate(self, ledger, batch=None):
        products, b = self._W @ self._X.T, self._config.resolved_threshold
        ledger.post("search", self._W.size * len(self._X))
        neurons, points = np.nonzero(products >= b)
        firing = FiringSets.from_pairs(neurons, points, len(self._X))
        outputs = self._signs @ np.maximum(products - b, 0.0) / np.sqrt(self._config.width)
        jacobian = SparseJacobian(firing, self._X, self._config.width)
        return Evaluation(lambda: firing, outputs, jacobian, np.zeros((len(self._X), 0), dtype=np.int64))

    def move(self, evaluation, dual_step, ledger):
        firing = evaluation.firing
        self._W[firing.neurons] += moved_rows(firing, dual_step, self._signs, self._X)
        ledger.post("move", firing.num_pairs)
        return np.zeros((dual_step.size, 0), dtype=np.int64)

    def weights(self, neurons):
        return self._W.copy() if neurons is None else self._W[neurons]

    def weight_blocks(self):
        yield 0, self._W


@pytest.fixture(autouse=True)
def _dummy(monkeypatch):
    monkeypatch.setitem(SEARCHES, "dummy", f"{__name__}.PlainEngine")


@pytest.fixture
def maker():
    run = BackgroundRun(DATA, TrainConfig(width=400, search="dummy", solver="exact"))
    assert run.wait_for(4, timeout=PATIENCE)
    if (thread := run._thread) is not None:
        thread.join(PATIENCE)
    return FrameMaker(run, "key")


@pytest.mark.parametrize("solver", ["exact", "sketch"])
def test_it_trains_as_the_dense_method_does(solver):
    own, dense = (Trainer(DATA, TrainConfig(width=400, search=search, solver=solver)) for search in ("dummy", "dense"))
    for _ in range(4):
        left, right = own.step(), dense.step()
        assert left.firing.equals(right.firing) and left.status == right.status
        assert left.loss == pytest.approx(right.loss, rel=1e-9)
    assert left.loss < 1e-3 * own.trace.losses[0]


def test_it_is_checked_and_shown(maker):
    width = maker.run.config.width
    badge = maker.badge(1)
    assert badge["state"] == "exact" and f"all {12 * width:,} inner products, computed again" in badge["text"]
    assert [phase["id"] for phase in maker.header()["phases"]] == list(phases(maker.run.config))
    assert maker.header()["skin"] is None
    code = " ".join(line["text"] for line in maker.header()["code"])
    assert "find S_i" in code and "keeps" in code and "tree" not in code and "list" not in code
    for view in (View(3), View(3, pinned=0)):
        frame = json.loads(maker.frame(view, 1))
        drawn, script = frame["nodes"], frame["script"]
        assert frame["watch"] is None and "watched" not in drawn
    frame = json.loads(maker.frame(View(3), 1))
    firing = maker.run.trace.records[1].firing[3].size
    assert frame["summary"] == f"Tree 3: {firing:,} neurons fire. The tree shows where they are; no step uses it."
    script, drawn = frame["script"], frame["nodes"]
    assert list(script) == list(phases(maker.run.config)) and all(script.values())
    assert f"finds {firing:,} that fire on datapoint 3" in script["search"][0][1]
    values = dict(enumerate(drawn["before"]))
    for *_, writes in script["repair"]:
        values.update(writes)
    assert list(values.values()) == drawn["after"]
    leaves = maker.run.trace.replay(3, 1)
    crossing = [(leaves.before[width:] >= leaves.threshold), (leaves.after[width:] >= leaves.threshold)]
    starts, stops = (crossing[1] & ~crossing[0]).sum(), (crossing[0] & ~crossing[1]).sum()
    assert f"{starts:,} neuron" in script["repair"][0][1] and f"and {stops:,} will stop" in script["repair"][0][1]


def test_what_is_said_of_it_is_true_of_it(maker):
    trace = maker.run.trace
    sentence = describe_cost(trace, trace.records[1])
    assert f"took {trace.records[1].num_operations:,} operations" in sentence
    assert "building" not in sentence, "it builds nothing"
    description = describe_search("dummy")
    assert "dummy" in description.title and not description.searches_trees
    assert "trees are only drawn" in description.explanation


@pytest.mark.filterwarnings("default")
def test_the_page_shows_it(monkeypatch):
    known_lessons()  # read once, and with the searches that there are: one of them plants faults into the forest
    monkeypatch.setitem(address.SEARCHES, "forest", "dummy")
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    app.query_params["data"], app.query_params["width"] = "sphere", "64"
    app.run()
    assert not app.exception
    (maker,) = runs._runs._values.values()
    assert maker.run.config.search == "dummy"
    text = " ".join(element.value for element in (*app.markdown, *app.caption))
    assert describe_search("dummy").explanation in text
    labels = [metric.label for metric in app.metric]
    assert "Touched neurons" in labels and "Nodes searched" not in labels and "Pairs watched" not in labels


@pytest.mark.filterwarnings("default")
def test_the_table_is_chosen_in_the_sidebar_and_described():
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
    app.query_params["data"], app.query_params["width"], app.query_params["search"] = "sphere", "64", "table"
    app.run()
    assert not app.exception
    (maker,) = runs._runs._values.values()
    assert maker.run.config.search == "table"
    text = " ".join(element.value for element in (*app.markdown, *app.caption))
    assert describe_search("table").explanation in text and "not counting building the table" in text
