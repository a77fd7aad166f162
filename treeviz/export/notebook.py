"""A moment of a run as a notebook or a script, which makes the run again through the public interface and draws it.

Both are made of the same cells. The first ones make the data, the settings and the run; the check after them compares
the loss at the start, so that another file or another version is noticed at once.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from importlib.metadata import version
from typing import Any

from treeviz.model.config import TrainConfig
from treeviz.stage.moment import Moment
from treeviz.stage.script import phases, posted_phases
from treeviz.stage.view import DEFAULT_DETAIL, View
from treeviz.training.trace import Trace

_Cell = tuple[str, str]  # "markdown" or "code", and its text


def moment_of(
    trace: Trace, tree: int, iteration: int, phase: str | None, max_nodes: int, opened: Iterable[int] = ()
) -> Moment:
    """Return a moment by the name of its phase, None for the last; ValueError if a run's iterations have none such."""
    known = phases(trace.config, posted_phases(trace))
    if phase is not None and phase not in known:
        raise ValueError(f"an iteration of this run has no phase {phase!r}: choose among {', '.join(known)}")
    place = len(known) - 1 if phase is None else known.index(phase)
    return Moment(View(tree, max_nodes, tuple(opened)), iteration, place)


def pack_notebook(trace: Trace, moment: Moment) -> bytes:
    """Return the content of a Jupyter notebook (.ipynb, format 4.5) that makes a moment of a run again and draws it.

    Parameters
    ----------
    trace : the run, of data whose source is known; a CSV file is read by its name from the notebook's folder.
    moment : the tree, the iteration, the phase by its number in an iteration, the nodes drawn at most and the stubs
        opened. The step within the phase and a pinned iteration cannot be drawn there; the notebook says so.

    Raises
    ------
    ValueError
        If there is no such moment, or it is not known how the data were made.
    """
    plots = [("code", call) for call in _plot_calls(trace, moment).values()]
    cells: list[dict[str, Any]] = [
        {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for number, (kind, text) in enumerate([*_cells(trace, moment), *plots])
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    content = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def pack_script(trace: Trace, moment: Moment) -> bytes:
    """Return the content of a Python script that does what `pack_notebook` does.

    The script writes its pictures as web pages into the current folder. Parameters and errors are those of
    `pack_notebook`.
    """
    plots = _plot_calls(trace, moment)
    drawn = [f"{name} = {call}" for name, call in plots.items()]
    figures = ", ".join(f'"{name}": {name}' for name in plots)
    write = (
        f"for name, figure in {{{figures}}}.items():\n"
        '    figure.write_html(f"{name}.html", include_plotlyjs="directory")\n'
        '    print(f"{name}.html shows the {name}")'
    )
    cells = [*_cells(trace, moment), ("code", "\n".join([*drawn, write]))]
    parts = ["# %%\n" + text if kind == "code" else _commented("%% [markdown]\n" + text) for kind, text in cells]
    return ("\n\n".join(parts) + "\n").encode()


def _commented(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def _cells(trace: Trace, moment: Moment) -> Iterator[_Cell]:
    """Yield the cells that notebook and script share, all but the pictures."""
    trace.require_moment(moment.view.tree, moment.iteration)
    if wrong := [node for node in moment.view.opened if not 1 <= node < 2 * trace.num_drawn]:
        raise ValueError(f"there is no node {wrong[0]} to open: a tree has the nodes 1 to {2 * trace.num_drawn - 1}")
    data, config, source = trace.dataset, trace.config, trace.dataset.source
    if source is None:
        raise ValueError(
            f"it is not known how the data {data.name!r} were made, so no notebook can make them again: save the trace "
            "(.npz), and read it with Trace.load"
        )
    tree, iteration, phase = moment.view.tree, moment.iteration, _phase(trace, moment)
    yield "markdown", "\n\n".join(_introduction(trace, moment))
    maker = "Dataset" if source.file else "load_dataset"
    yield (
        "code",
        f"import math\n\nfrom treeviz import {maker}, TrainConfig, Trainer, plot_loss, plot_operations, plot_tree\n\n"
        f"data = {source.as_python()}\nconfig = {_settings(config)}\n"
        f"trace = Trainer(data, config).run(max_iterations={len(trace.records)}, until_loss=0.0)",
    )
    loss = float(trace.losses[0])
    file = f"is {source.file} another file?" if source.file else f"is treeviz not {version('treeviz')}?"
    yield (
        "code",
        f"if not math.isclose(trace.losses[0], {loss!r}, rel_tol=1e-9):\n"
        f"    raise ValueError({json.dumps(f'the loss at the start is not what it was: {file}', ensure_ascii=False)})",
    )
    yield (
        "code",
        f"record = trace.records[{iteration}]\nprint(record)\n"
        f'print(f"on datapoint {tree} fire {{len(record.firing[{tree}]):,}} neurons; the output is '
        f'{{record.outputs[{tree}]:.6g}}, the target {{data.y[{tree}]:.6g}}")',
    )
    yield "markdown", f"Tree {tree} in iteration {iteration}, in the phase “{phase}”; then the loss and the operations."


def _introduction(trace: Trace, moment: Moment) -> Iterator[str]:
    data, config, source = trace.dataset, trace.config, trace.dataset.source
    yield f"# {data.name}: tree {moment.view.tree}, iteration {moment.iteration}, phase “{_phase(trace, moment)}”"
    yield data.description
    yield f"Written by treeviz {version('treeviz')}; another version may give other numbers."
    if config.fault:
        yield f"**This run has the planted fault “{config.fault}”**: it is not a run of the method."
    if source is not None and source.file:
        yield f"It needs the file `{source.file}`, which is not part of it: put the file into the folder it runs in."
    if moment.step or moment.view.pinned is not None:
        what = "a comparison with a pinned iteration" if moment.view.pinned is not None else "a step within a phase"
        yield f"The stage showed {what}, which cannot be drawn here: the picture is that of the phase."


def _phase(trace: Trace, moment: Moment) -> str:
    known = phases(trace.config, posted_phases(trace))
    if not 0 <= moment.phase < len(known):
        raise ValueError(f"phase must be between 0 and {len(known) - 1}, one of {', '.join(known)}; got {moment.phase}")
    return known[moment.phase]


def _settings(config: TrainConfig) -> str:
    """Return the expression that makes the settings: the width, the seed, and what is not as usual."""
    shown = {
        field.name: getattr(config, field.name)
        for field in fields(config)
        if field.name in ("width", "seed") or getattr(config, field.name) != field.default
    }
    return f"TrainConfig({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def _plot_calls(trace: Trace, moment: Moment) -> dict[str, str]:
    view = moment.view
    arguments = [f"trace, tree={view.tree}, iteration={moment.iteration}, phase={_phase(trace, moment)!r}"]
    if view.detail != DEFAULT_DETAIL:
        arguments.append(f"max_nodes={view.detail}")
    if view.opened:
        arguments.append(f"opened={view.opened!r}")
    return {
        "tree": f"plot_tree({', '.join(arguments)})",
        "loss": f"plot_loss(trace, iteration={moment.iteration})",
        "operations": f"plot_operations(trace, iteration={moment.iteration})",
    }
