"""Ticks of axes in the Lab's pictures: neither so few that no number is seen, nor so many that none is."""

import numpy as np
import pytest

from treeviz.lab.curves import Curve, Panel
from treeviz.lab.figure import panel_figure
from treeviz.lab.tile import tile_picture


@pytest.mark.parametrize(
    ("low", "high", "step"),
    [(50, 800, "D2"), (2, 32, "D2"), (1, 10, 1), (50, 2000, 1), (1e-4, 1, 1), (1e-33, 1e3, 3), (1e-9, 1e9, 2)],
)
def test_a_logarithmic_axis_has_ticks_that_can_be_read(low, high, step):
    median = np.array([high, np.nan, low])
    curve = Curve("one", [low, low, high], median, median[None])
    figure = panel_figure(Panel(title="", x_title="", y_title="", curves=(curve,), log_x=True, log_y=True))
    assert figure.layout.xaxis.dtick == figure.layout.yaxis.dtick == step


def test_an_axis_without_a_value_is_drawn():
    nothing = np.full(2, np.nan)
    panel = Panel(
        title="", x_title="", y_title="", curves=(Curve("one", ["a", "b"], nothing, nothing[None]),), log_y=True
    )
    assert panel_figure(panel).layout.yaxis.dtick == 1


def test_every_name_across_an_axis_is_written():
    places = ["moons", "spirals", "xor", "circle", "sphere", "digits"]
    values = np.arange(1.0, 7.0)
    panel = Panel(title="", x_title="", y_title="", curves=(Curve("one", places, values, values[None]),))
    axis = panel_figure(panel).layout.xaxis
    assert axis.type == "category" and axis.dtick == 1  # with a step given, none of them is left out
    picture = tile_picture(panel, ("one",))
    assert all(f">{name}<" in picture for name in places)
