"""Figures of expected costs, from numbers made by hand."""

import numpy as np

from treeviz.race.charts import COLORS, choose_slots
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.cost_figures import Curve, cheapest_figure, expected_cost_figure

WIDTHS = np.array([32, 64, 128, 256])


def test_curves_and_measured_dots_are_drawn_as_they_are():
    curves = [
        Curve("Forest", 0, np.array([1.0, 2.0, 3.0, 4.0]), [(64, 2.5), (256, 4.5)]),
        Curve("Dense", 3, np.array([2.0, 4.0, 8.0, 16.0])),
    ]
    figure = expected_cost_figure(WIDTHS, curves, current_width=64)
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert [trace.name for trace in lines] == ["Forest", "Dense"]
    assert [list(trace.y) for trace in lines] == [[1, 2, 3, 4], [2, 4, 8, 16]]
    assert [trace.line.color for trace in lines] == [COLORS[0], COLORS[3]] and lines[0].line.dash != lines[1].line.dash
    (dots,) = (trace for trace in figure.data if trace.mode == "markers")
    assert list(dots.x) == [64, 256] and list(dots.y) == [2.5, 4.5]
    assert figure.layout.shapes[0].x0 == 64


def test_regions_name_the_method_that_needs_the_fewest():
    iterations = np.arange(1, 41)
    totals = np.stack([np.full((40, 4), 100.0), np.full((40, 4), 50.0)])
    totals[1, 20:] = 200.0  # from the 21st iteration on the first one wins
    figure = cheapest_figure(WIDTHS.repeat(6), iterations, ["A", "B"], [0, 1], totals.repeat(6, axis=2), 64, 1)
    heat = figure.data[0]
    assert (np.asarray(heat.z)[:20] == 1).all() and (np.asarray(heat.z)[20:] == 0).all()
    assert {note.text for note in figure.layout.annotations} == {"A", "B"}
    for note in figure.layout.annotations:
        assert (10**note.y > 20.5) == (note.text == "A"), "a name stands inside its own region"
    assert {cell[3] for row in heat.customdata for cell in row} == {"2"}


def test_a_lead_of_less_than_five_percent_is_hatched():
    totals = np.ones((2, 3, 4))
    totals[1] = [[1.01], [1.04], [1.2]]
    figure = cheapest_figure(WIDTHS, np.array([1, 10, 100]), ["A", "B"], [0, 1], totals, 32, 10)
    hatched = figure.data[1]
    assert sorted(set(hatched.y)) == [0.0, 1.0] and len(hatched.x) == 8


def test_one_method_alone_wins_everywhere():
    figure = cheapest_figure(WIDTHS, np.array([1, 10]), ["A"], [5], np.ones((1, 2, 4)), 32, 10)
    assert (np.asarray(figure.data[0].z) == 0).all()


def test_a_contestant_keeps_its_slot_unless_it_is_taken():
    keys = list(CONTESTANTS)
    alone = {key: choose_slots(keys, [key])[key] for key in keys}
    assert alone == {key: place % len(COLORS) for place, key in enumerate(keys)}
    clash = [keys[0], keys[len(COLORS)]]
    slots = choose_slots(keys, clash)
    assert slots[clash[0]] == 0 and slots[clash[1]] == 1
    assert len(set(choose_slots(keys, keys[: len(COLORS)]).values())) == len(COLORS)
