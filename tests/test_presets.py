"""The gallery: presets are read, each opens, and its run does what its sentence says."""

import re
from pathlib import Path

import numpy as np
import pytest
from server import ROOT
from streamlit.testing.v1 import AppTest

from treeviz import Trainer
from treeviz.lesson.address import load_run
from treeviz.lesson.presets import Preset, load_presets, read_presets
from treeviz.model.heap import tree_size

PRESETS = {preset.name: preset for preset in load_presets()}


def ran(name, moves=12, until_loss=1e-6, **settings):
    """Return the sentence of a preset, and its trace."""
    preset = PRESETS[name]
    split, config = load_run({**preset.settings, **settings})
    return preset.sentence, Trainer(split.train, config).run(moves, until_loss=until_loss)


def share_read(record, width):
    """Return the percentage of all nodes that the searches of an iteration read."""
    return 100 * record.num_visited.mean() / tree_size(width)


def operations_of_dense(trace, record):
    return sum(trace.dense_costs(record).values())


def test_the_whole_tree_is_drawn_and_the_run_trains():
    sentence, trace = ran("whole-tree")
    assert trace.config.width == 64 and trace.dataset.num_points == 8 and tree_size(64) == 127
    assert "all 127 nodes" in sentence and "seven moves" in sentence
    assert len(trace.records) == 8 and trace.losses[7] < 1e-6 < trace.losses[6]


def test_digits_are_searched_in_part_and_learned():
    sentence, trace = ran("digits")
    assert "7 % of the nodes" in sentence and "six moves" in sentence
    assert round(share_read(trace.records[0], 65_536)) == 7
    assert len(trace.records) == 7 and trace.losses[6] < 1e-6 < trace.losses[5]


@pytest.mark.slow
def test_a_million_neurons_are_searched_in_part():
    sentence, trace = ran("million", moves=1)
    record = trace.records[0]
    assert trace.config.width == 1_048_576 and f"{share_read(record, 1 << 20):.1f} %" in sentence
    ratio = operations_of_dense(trace, record) / record.num_operations
    assert round(ratio, -1) == 220 and "220 times fewer" in sentence
    assert f"{PRESETS['million'].settings['digits-n']}" == "8" and "Eight digits" in sentence


def test_a_run_stalls():
    sentence, trace = ran("stall", moves=82, until_loss=0)
    assert np.floor(np.log10(trace.losses[80])) == -5 and "still 10⁻⁵" in sentence
    assert trace.losses[81] == pytest.approx(trace.losses[80], rel=1e-6)
    assert trace.records[80].solve.rank == 27 and "rank 27" in sentence
    assert "it" in PRESETS["stall"].moment and PRESETS["stall"].moment["it"] == "80"


def test_a_datapoint_cannot_be_learned():
    sentence, trace = ran("unlearnable")
    last = trace.records[-1]
    assert last.iteration == int(PRESETS["unlearnable"].moment["it"]) == 6 and "datapoint 1" in sentence
    assert list(last.unlearnable) == [1] and last.firing.counts[1] == 0 and last.outputs[1] == 0
    assert last.loss == pytest.approx(0.5, abs=1e-6) and np.abs(np.delete(last.residual, 1)).max() < 1e-3


def test_near_duplicates_are_told_apart_behind_the_sketch():
    sentence, trace = ran("sketch", moves=1)
    gaps = np.linalg.norm(trace.dataset.X - np.roll(trace.dataset.X, 1, axis=0), axis=1)
    assert gaps.max() < 0.1 and "of 64 points" in sentence and trace.dataset.num_points == 64
    report = trace.records[0].solve
    assert report.preconditioned_conditioning < 5 and "below 5" in sentence
    assert report.status == "ok" and f"{report.iterations} iterations" in sentence
    eigenvalues = np.linalg.eigvalsh(trace.gram * trace.overlaps(0))
    assert f"condition number of {eigenvalues[-1] / eigenvalues[0]:.0f}" in sentence


def test_the_forest_loses():
    sentence, trace = ran("dense-wins")
    record = trace.records[0]
    assert record.firing.counts.mean() / 1024 == pytest.approx(0.5, abs=0.05)
    assert f"{share_read(record, 1024):.0f} %" in sentence
    ratios = [one.num_operations / operations_of_dense(trace, one) for one in trace.records]
    assert {f"{ratio:.1f}" for ratio in ratios} == {"1.6"} and "1.6 times" in sentence


def test_watch_lists_look_at_few():
    sentence, trace = ran("watch-lists", moves=1)
    _, forest = ran("watch-lists", moves=1, search="forest")
    record, through_forest = trace.records[0], forest.records[0]
    assert f"{record.watch.num_due:,} of 65,536" in sentence and not record.num_visited.any()
    assert 0.09 < record.num_operations / through_forest.num_operations < 0.11
    assert all(np.array_equal(one, other) for one, other in zip(record.firing, through_forest.firing, strict=True))


def test_every_sentence_is_one_and_has_its_test():
    tested = re.findall(r'sentence, trace = ran\("([a-z-]+)"', Path(__file__).read_text())
    assert set(tested) == set(PRESETS) and len(PRESETS) == 8
    for preset in PRESETS.values():
        assert preset.sentence.endswith(".") and ". " not in preset.sentence, preset.name
        assert len(preset.title) <= 28


SLOW = {name: pytest.mark.slow for name in PRESETS if name != "whole-tree"}  # one for each default run


@pytest.mark.parametrize("name", [pytest.param(one, marks=SLOW.get(one, ())) for one in PRESETS])
@pytest.mark.filterwarnings("default")
def test_every_preset_opens_at_its_moment(name):
    preset = PRESETS[name]
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params.update({**preset.settings, **preset.moment})
    assert not app.run().exception
    assert app.session_state["notices"] == ()
    start = app.session_state["start"]
    assert start.iteration == int(preset.moment.get("it", 0)) and start.view.tree == int(preset.moment.get("tree", 0))


ENTRY = """
[[preset]]
name = "one"
title = "One"
sentence = "There is one."
settings = { width = "64" }
"""


def test_a_preset_is_read():
    assert read_presets(ENTRY + 'moment = { it = "3" }') == (
        Preset("one", "One", "There is one.", {"width": "64"}, {"it": "3"}),
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ENTRY.replace('title = "One"', ""), ["entry 1 (one)", "needs title"]),
        (ENTRY + 'colour = "red"', ["entry 1 (one)", "colour", "sentence"]),
        (ENTRY + ENTRY, ["entry 2 (one)", "name of another"]),
        (ENTRY.replace('"64"', "64"), ["settings must be a table of texts", "64"]),
        (ENTRY.replace('"64"', '"63"'), ["entry 1 (one)", "width must be one of", "'63'"]),
        (ENTRY.replace('{ width = "64" }', '"64"'), ["settings must be a table of texts"]),
        (ENTRY.replace('"There is one."', '""'), ["sentence must be a text"]),
        ('[[preset]]\ntitle = "One"', ["entry 1 (without a name)", "needs name, sentence, settings"]),
    ],
)
def test_a_wrong_preset_is_named_with_what_is_wrong(text, words):
    with pytest.raises(ValueError) as caught:
        read_presets(text)
    assert all(word in str(caught.value) for word in words)
