"""One file that plays a run, or a lesson about several, without a server: the stage's own code, and what it asks for.

The page holds the stage as the app mounts it, and packed texts (`dense_text.py`): one for each run, with its header,
its frames in the views that are included, badges, output fields and neurons. `web/replay.js` plays the server's part
and answers from them what `FrameMaker.answer` would; what is not there it says, with the address at which the app has
it. The page forbids itself all requests.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from treeviz.export.dense_text import as_columns, pack, pack_text
from treeviz.export.run_page import describe_run_page
from treeviz.lesson.address import name_settings
from treeviz.stage.component import PARTS
from treeviz.stage.frames import FrameMaker
from treeviz.stage.moment import Moment
from treeviz.stage.neuron import inspect_neuron
from treeviz.stage.view import View
from treeviz.stage.weights import pack_weights
from treeviz.style.modules import join_modules
from treeviz.training.background import MAX_ITERATIONS
from treeviz.training.finished import FinishedRun, ShownRun, as_far_as_it_is
from treeviz.training.trace import Trace

APP = "http://localhost:8501/"  # where `treeviz app` listens
_WEB = Path(__file__).parent / "web"
# Bytes of all weights in all iterations up to which they are in the file, so that a datapoint can be moved.
_MOST_WEIGHTS = 1 << 16
_LEAF = 1  # the kind of a drawn node


@dataclass(frozen=True, slots=True)
class Scene:
    """A moment that a replay opens at: of which of its runs, where, and what a lesson tells there, if it is one."""

    run: int
    start: Moment
    lesson: Mapping[str, Any] | None = None


def open_run(run: FinishedRun) -> FrameMaker[ShownRun]:
    """Return what makes the frames of a run."""
    return FrameMaker(run, f"{run.data.name}-{run.config}")


def write_run(run: FinishedRun, trees: Sequence[int], on_step: Callable[[], object] = lambda: None) -> str:
    """Return a replay of one run that opens at the first of these trees; `on_step` is called after every frame."""
    return write_replay([open_run(run)], [Scene(0, Moment(View(tree=trees[0])))], trees, on_step=on_step)


def write_moment(run: ShownRun, moment: Moment) -> str:
    """Return a replay of a run, as far as it has come, that holds the tree of a moment and opens there.

    An iteration that is still being checked is not held; then it opens in the last that is.
    """
    held = as_far_as_it_is(run)
    last = len(held.trace.records) - 1
    return write_replay([open_run(held)], [Scene(0, replace(moment, iteration=min(moment.iteration, last)))], [])


def write_still(trace: Trace, moment: Moment, step: int | None = None) -> str:
    """Return a replay that holds the tree of a moment in its iteration alone, to draw pictures from.

    It opens at a step of the moment's phase, None for the last; ValueError if there is no such step.
    """
    maker = open_run(FinishedRun(trace, [], "A picture is not checked."))
    num_steps = maker.num_steps(moment.view, moment.iteration, maker.phases[moment.phase])
    step = num_steps - 1 if step is None else step
    if step >= num_steps:
        raise ValueError(f"there is no step {step}: this phase has the steps 0 to {num_steps - 1}")
    return write_replay([maker], [Scene(0, replace(moment, step=step))], [], iterations=[moment.iteration])


def write_replay(
    runs: Sequence[FrameMaker[ShownRun]],
    scenes: Sequence[Scene],
    trees: Sequence[int],
    title: str = "",
    on_step: Callable[[], object] = lambda: None,
    iterations: Sequence[int] | None = None,
) -> str:
    """Return the page.

    Parameters
    ----------
    runs : from `open_run`, each packed once, with every tree that a scene of it is about.
    scenes : in order; the page opens at the first.
    trees : of every run, those that can be looked at besides.
    title : of the page; by default it names the data and the sizes of the first run.
    on_step : called after every frame made.
    iterations : those whose frames are held; by default all.
    """
    packed = [
        _pack_run(maker, views, iterations, on_step)
        for maker, views in zip(runs, _views(runs, scenes, trees), strict=True)
    ]
    names = [f"run-{number}" for number in range(len(runs))]
    page = {
        "runs": names,
        "scenes": [
            {"run": scene.run, "start": {**scene.start.describe(), "stays": False}, "lesson": scene.lesson}
            for scene in scenes
        ],
    }
    script = _without_comments(join_modules(_WEB / "replay.js"))
    blocks = {
        "page": pack(page),
        "stage": pack({"html": PARTS["html"], "css": PARTS["css"] + _read("stage.css")}),
        "script": pack_text(script),
        **{name: text for name, text in zip(names, packed, strict=True)},
    }
    first = runs[0].run.trace
    title = title or f"{first.dataset.name}: n = {first.dataset.num_points}, m = {first.config.width:,}"
    held = "\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in blocks.items())
    loader = _read("loader.js")
    body = f"{_read('replay.html')}\n{held}\n<script>{loader}</script>"
    return page_of(title, body, (loader, script))


def page_of(title: str, body: str, scripts: Sequence[str] = ()) -> str:
    """Return a page in the style of replays that may run these scripts, and request nothing."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {allowed}; \
style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{html.escape(title)}</title>
<style>
{_read("replay.css")}</style>
</head>
<body>
<main>
<h1>{html.escape(title)}</h1>
{body}
</main>
</body>
</html>
"""


def _views(runs: Sequence[FrameMaker[ShownRun]], scenes: Sequence[Scene], trees: Sequence[int]) -> list[list[View]]:
    """Return, for each run, the views that its frames are made in."""
    found = []
    for number, maker in enumerate(runs):
        views = [scene.start.view for scene in scenes if scene.run == number]
        faults = [check.heap_fault or check.firing_fault for check in maker.run.checks]
        wanted = [view.tree for view in views] + [*trees, *(place[0] for place in faults if place)]
        found.append(list(dict.fromkeys([*views, *(View(tree=tree) for tree in wanted)])))
    return found


def _pack_run(
    maker: FrameMaker[ShownRun],
    views: Sequence[View],
    held: Sequence[int] | None,
    on_step: Callable[[], object],
) -> str:
    """Return all that a replay holds of one run."""
    run = maker.run
    trace, iterations = run.trace, range(run.num_computed) if held is None else held
    settings = name_settings(run.data, run.config)
    frames = []
    for view in views:
        for iteration in iterations:
            frames.append(json.loads(maker.frame(view, iteration)))
            on_step()
    neurons = {
        (frame["view"]["tree"], node - run.trace.num_drawn)
        for frame in frames
        for node, kind in zip(frame["nodes"]["id"], frame["nodes"]["kind"], strict=True)
        if kind == _LEAF
    }
    moments = range(run.num_computed + 1)
    maker.wait_for_field()
    header = maker.header()
    is_movable = header["planar"] and 8 * run.trace.num_drawn * run.data.dimension * run.num_computed <= _MOST_WEIGHTS
    changes = {
        "details": sorted({view.detail for view in views}),
        "iterations": max(MAX_ITERATIONS, run.num_computed),
        "movable": header["movable"] if is_movable else 0,
    }
    content = {
        "header": header | changes,
        "status": maker.status(),
        "frames": as_columns(frames),
        "fields": maker.fields(list(iterations)),
        "neurons": as_columns(
            [inspect_neuron(trace, neuron, tree, moments, run.num_computed) for tree, neuron in sorted(neurons)]
        ),
        "weights": [pack_weights(trace, iteration) for iteration in iterations] if is_movable else [],
        "trees": sorted({view.tree for view in views}),
        "app": None if settings is None else f"{APP}?{urlencode(settings)}",
        "page": describe_run_page(run),
    }
    return pack(content)


@cache
def _read(name: str) -> str:
    return (_WEB / name).read_text(encoding="utf-8")


def _without_comments(script: str) -> str:
    """Leave out comments that begin a line, and the space before others: a fifth of the file otherwise."""
    script = re.sub(r"^\s*(/\*\*.*?\*/|//[^\n]*$)", "", script, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line.strip() for line in script.splitlines() if line.strip())
