"""Ticks of axes in the Lab's pictures: neither so few that no number is seen, nor so many that none is."""

import numpy as np
import pytest

from treeviz.lab.curves import Curve, Panel
from treeviz.lab.figure import panel_figure
from treeviz.lab.tile import tile_picture


@pytest.mark.parametrize(
    ("low", "high", "across", "up"),
    [
        (1e-3, 30, ["0.001", "0.01", "0.1", "1", "10"], ["0.001", "0.01", "0.1", "1", "10"]),
        (1, 1e6, ["10⁰", "10¹", "10²", "10³", "10⁴", "10⁵", "10⁶"], ["10⁰", "10¹", "10²", "10³", "10⁴", "10⁵", "10⁶"]),
        (
            1e-9,
            1e9,
            ["10⁻⁹", "10⁻⁶", "10⁻³", "10⁰", "10³", "10⁶", "10⁹"],
            ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰", "10²", "10⁴", "10⁶", "10⁸"],
        ),
    ],
)
def test_a_long_logarithmic_axis_has_powers_of_ten(low, high, across, up):
    layout = panel_figure(_panel(low, high)).layout
    assert _texts(layout.xaxis, low, high) == across
    assert _texts(layout.yaxis, low, high) == up


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (50, 800, ["50", "100", "200", "500"]),
        (2, 32, ["2", "5", "10", "20"]),
        (1, 10, ["1", "2", "5", "10"]),
        (3e-4, 5e-3, ["0.0005", "0.001", "0.002", "0.005"]),
        (3e-6, 5e-5, ["5·10⁻⁶", "10⁻⁵", "2·10⁻⁵", "5·10⁻⁵"]),
        (2e4, 5e4, ["20,000", "30,000", "40,000", "50,000"]),
        (2e4, 5e5, ["2·10⁴", "5·10⁴", "10⁵", "2·10⁵", "5·10⁵"]),
        (23, 37, ["25", "30", "35"]),
        (2e5, 9e5, ["2·10⁵", "4·10⁵", "6·10⁵", "8·10⁵"]),
        (7, 7, []),
    ],
)
def test_a_short_logarithmic_axis_has_whole_numbers_in_figures_and_tiles(low, high, texts):
    panel = _panel(low, high)
    for axis in (panel_figure(panel).layout.xaxis, panel_figure(panel).layout.yaxis):
        assert _texts(axis, low, high) == texts
    picture = tile_picture(panel, ("one",))
    assert all(picture.count(f">{text}<") == 2 for text in texts)


def _texts(axis, low, high):
    return [text for tick, text in zip(axis.tickvals, axis.ticktext, strict=True) if low <= tick <= high]


def _panel(low, high):
    median = np.array([high, np.nan, low])
    curve = Curve("one", [low, low, high], median, median[None])
    return Panel(title="", x_title="", y_title="", curves=(curve,), log_x=True, log_y=True)


def test_an_axis_without_a_value_is_drawn():
    nothing = np.full(2, np.nan)
    panel = Panel(
        title="", x_title="", y_title="", curves=(Curve("one", ["a", "b"], nothing, nothing[None]),), log_y=True
    )
    assert len(panel_figure(panel).layout.yaxis.tickvals) >= 3


def test_every_name_across_an_axis_is_written():
    places = ["moons", "spirals", "xor", "circle", "sphere", "digits"]
    values = np.arange(1.0, 7.0)
    panel = Panel(title="", x_title="", y_title="", curves=(Curve("one", places, values, values[None]),))
    axis = panel_figure(panel).layout.xaxis
    assert axis.type == "category" and axis.dtick == 1  # with a step given, none of them is left out
    picture = tile_picture(panel, ("one",))
    assert all(f">{name}<" in picture for name in places)
