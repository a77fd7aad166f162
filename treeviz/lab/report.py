"""A sweep as text, as JSON and as files: its points, its answer, its pictures, and the configuration they are of."""

import math
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import plotly.graph_objects as go

from treeviz.export.browser import require_browser
from treeviz.export.columns import Column
from treeviz.export.tables import pack_tables
from treeviz.lab.experiment import Answer, Fit
from treeviz.lab.figure import curve_names, panel_figure
from treeviz.lab.pictures import page_of_figures, save_figures
from treeviz.lab.sweep import Sweep
from treeviz.model.numerals import count, numeral

TABLES = ("csv", "parquet", "json")
PICTURES = ("html", "svg", "png")
_NO_INTERVAL = "too few values for an interval"
_FAILED = Column(str, "why the experiment has no answer there; missing where it has")


def describe(sweep: Sweep) -> dict[str, Any]:
    """Return what makes the sweep again, as plain values."""
    request = sweep.request
    experiment = request.experiment
    return {
        "treeviz": version("treeviz"),
        "experiment": experiment.key,
        "question": experiment.question,
        "varied": experiment.varied,
        "fixed": experiment.fixed,
        "size": request.size,
        "seeds": request.num_seeds,
        "command": f"treeviz sweep {experiment.key}{_option(request.size)} --seeds {request.num_seeds}",
    }


def as_json(sweep: Sweep) -> dict[str, Any]:
    """Return points, fitted numbers with their intervals, the answer in words, and the configuration."""
    answer = sweep.answer()
    return {
        "configuration": describe(sweep),
        "state": sweep.state,
        "answer": answer.words if answer else None,
        "remarks": list(answer.remarks) if answer else [],
        "fits": {fit.name: _fit(fit) for fit in answer.fits} if answer else {},
        "num_missing": sweep.progress().num_all - sweep.num_done,
        "lost": dict(sweep.lost),
        "points": _rows(sweep),
    }


def as_text(sweep: Sweep) -> str:
    """Return the question, the answer and the numbers it rests on as text."""
    experiment, answer, progress = sweep.request.experiment, sweep.answer(), sweep.progress()
    lines = [experiment.question, "", f"Varied: {experiment.varied}", f"Fixed: {experiment.fixed}", ""]
    if progress.num_done < progress.num_all:
        lines += [f"Only {progress.num_done} of {count(progress.num_all, 'point')} are measured.", ""]
    if answer is None:
        return "\n".join([*lines, "No point is measured yet."])
    lines += [f"Answer: {answer.words}", *(f"- {remark}" for remark in answer.remarks)]
    if answer.fits:
        lines += ["", *map(fit_in_words, answer.fits)]
    failed = sweep.failures()
    if failed:
        lines += ["", f"{count(len(failed), 'point')} could not be measured. The first: {failed[0]}"]
    return "\n".join(lines)


def fit_in_words(fit: Fit) -> str:
    """Return a fitted number and its interval as a line of text."""
    if not math.isfinite(fit.value):
        return f"{fit.name}: too few points"
    interval = f"95 %: {numeral(fit.low, 3)} to {numeral(fit.high, 3)}" if math.isfinite(fit.low) else _NO_INTERVAL
    return f"{fit.name}: {numeral(fit.value, 3)} ({interval})"


def pack_points(sweep: Sweep, format: str) -> bytes:
    """Return the content of a file with a row a task and the configuration; `export.tables.read_tables` reads it."""
    experiment = sweep.request.experiment
    columns = {**experiment.columns, "failed": _FAILED}
    tables = {"points": _rows(sweep)}
    return pack_tables(describe(sweep), tables, format, of="an experiment of the Lab", columns={"points": columns})


def pack_page(sweep: Sweep) -> bytes:
    """Return an HTML file of all pictures, with the question and the answer; ValueError if there are none yet."""
    experiment, answer = sweep.request.experiment, _require_answer(sweep)
    return page_of_figures(figures(answer), experiment.question, answer.words).encode()


def pack_picture(sweep: Sweep, form: Literal["svg", "png"]) -> bytes:
    """Return all pictures below each other; ValueError if there are none yet, or no browser to draw them."""
    return save_figures(figures(_require_answer(sweep)), form)


def _require_answer(sweep: Sweep) -> Answer:
    answer = sweep.answer()
    if answer is None:
        raise ValueError("no point is measured yet, so there is nothing to draw")
    return answer


@lru_cache(maxsize=64)
def figures(answer: Answer) -> dict[str, go.Figure]:
    """Return the pictures of an answer by their titles."""
    names = curve_names(answer.panels)
    return {panel.title: panel_figure(panel, names) for panel in answer.panels}


def _rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Return the points as plain values, None for what is missing."""
    columns = sweep.request.experiment.columns
    rows = sweep.points().to_dict("records")
    return [
        {name: _plain(value, columns[name].kind if name in columns else str) for name, value in row.items()}
        for row in rows
    ]


def _plain(value: Any, kind: type) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return kind(value)


def _fit(fit: Fit) -> dict[str, float | None]:
    found = {"value": fit.value, "low": fit.low, "high": fit.high}
    return {name: value if math.isfinite(value) else None for name, value in found.items()}


def _option(size: str) -> str:
    return "" if size == "default" else f" --{size}"


def require_kind(path: Path) -> str:
    """Return the kind of file that a path's ending asks for; ValueError if there is none."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in (*TABLES, *PICTURES):
        raise ValueError(f"{path} must end with one of {', '.join(f'.{one}' for one in (*TABLES, *PICTURES))}")
    if kind in ("svg", "png"):
        require_browser()
    return kind


def save(sweep: Sweep, path: Path) -> None:
    """Write a file of the kind that its name ends with; pictures have all panels, in SVG and PNG below each other.

    Raises ValueError if there is no such kind, or nothing to draw yet.
    """
    kind = require_kind(path)
    if kind in TABLES:
        content = pack_points(sweep, kind)
    else:
        content = pack_page(sweep) if kind == "html" else pack_picture(sweep, "svg" if kind == "svg" else "png")
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
