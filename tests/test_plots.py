"""Figures for a notebook: those of the app, from the public interface."""

import numpy as np
import pytest

import treeviz
from treeviz import TrainConfig, Trainer, load_dataset, plot_loss, plot_operations, plot_tree
from treeviz.stage.packing import pack_frame
from treeviz.stage.view import View


@pytest.fixture(scope="module", params=["forest", "watch", "dense"])
def trace(request):
    config = TrainConfig(width=700, search=request.param, skin=0.1 if request.param == "watch" else None)
    return Trainer(load_dataset("digits", 12), config).run(4, 0.0)


def places(figure):
    """Return where the figure has nodes, apart from edges, rings and labels."""
    shown = [part for part in figure.data if part.mode == "markers" and not part.name.startswith("modified")]
    return sorted((float(-y), float(x)) for part in shown for x, y in zip(part.x, part.y, strict=True))


def rings(figure):
    (part,) = (part for part in figure.data if part.name and part.name.startswith("modified"))
    return len(part.x)


@pytest.mark.parametrize("view", [View(3, 63), View(0, 127, opened=(2, 5)), View(11, 599)])
def test_a_tree_has_the_nodes_and_places_of_the_stage(trace, view):
    figure = plot_tree(trace, view.tree, 2, max_nodes=view.detail, opened=view.opened)
    nodes = pack_frame(trace, view, 2)["nodes"]
    expected = sorted(zip(nodes["depth"], nodes["x"], strict=True))
    assert np.allclose(places(figure), expected, rtol=0, atol=0.0051) and len(expected) > 50


def test_a_phase_before_the_move_shows_no_change(trace):
    whole, search = plot_tree(trace, 3, 1), plot_tree(trace, 3, 1, phase="search")
    assert places(whole) == places(search)
    assert rings(whole) > 5 and rings(search) == 0
    assert whole.layout.annotations and not search.layout.annotations
    if trace.config.search == "forest":
        assert plot_tree(trace, 3, 1, phase="repair").to_json() == whole.to_json()


def test_what_there_is_not_is_refused(trace):
    for arguments, words in [
        ({"tree": 12}, "between 0 and 11"),
        ({"iteration": 4}, "between 0 and 3"),
        ({"phase": "build"}, "phase must be one of 'search'"),
        ({"opened": (9999,)}, "nodes to open"),
        ({"max_nodes": 2}, "max_nodes"),
    ]:
        with pytest.raises(ValueError, match=words):
            plot_tree(trace, **arguments)


def test_loss_and_operations_are_the_runs_own(trace):
    (own,) = plot_loss(trace, 2).data
    assert own.y.tolist() == trace.losses.tolist()
    dense, same = plot_loss(trace, dense=trace).data
    assert dense.name == "dense method" and dense.y.tolist() == same.y.tolist() == own.y.tolist()
    curves = {curve.name: curve.y.tolist() for curve in plot_operations(trace, 1).data}
    assert curves["dense products, sparse rest"] == trace.amortized(of="dense").tolist()
    assert trace.amortized().tolist() in curves.values() and len(curves) == 4
    assert plot_operations(trace, 1).layout.shapes[0].x0 == 2


def test_a_name_that_there_is_not_is_an_attribute_error():
    with pytest.raises(AttributeError, match="plot_forest"):
        treeviz.plot_forest  # noqa: B018
