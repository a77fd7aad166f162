"""The measurements as one page that needs no network, and the three files of a run."""

import html
import json
from collections.abc import Sequence
from pathlib import Path

from plotly.io import to_html

from treeviz.bench.analysis import Fit, Quantity, Row, Spread, fits_of, notes_of, rows_of
from treeviz.bench.figures import GrowthCurve, RatioMark, growth_figure, ratio_figure
from treeviz.bench.measure import BenchResult
from treeviz.bench.plan import as_power
from treeviz.bench.report import as_csv, as_json, as_text, digits, exponent
from treeviz.training.files import require_writable, write_whole

FILE_NAMES = ("bench.json", "bench.csv", "bench.html")
_PANELS: dict[Quantity, str] = {
    "iteration_seconds": "time of an iteration",
    "seconds_to_loss_with_building": "time to the loss, building included",
    "seconds_from_nothing": "time from nothing, drawing too",
    "peak_bytes": "peak memory",
}
_AXES = {"m": "neurons m", "n": "datapoints n", "d": "input dimension d"}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 1360px; margin: 24px auto;
  padding: 0 20px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 4px; }
p { margin: 4px 0; } .notes { border-left: 4px solid #D55E00; padding: 4px 12px; margin: 12px 0; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 24px; }
.pair > div { min-width: 0; overflow: hidden; }
@media (max-width: 900px) { .pair { grid-template-columns: 1fr; } }
pre { font: 12.5px/1.4 ui-monospace, monospace; overflow-x: auto; background: #f6f7f8; padding: 12px; }
"""


def prepare_folder(folder: Path) -> None:
    """Make a folder for the files if there is none; raises OSError if they could not be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILE_NAMES:
        require_writable(folder / name)


def save(result: BenchResult, folder: Path) -> list[Path]:
    """Write the three files, in place of those of an earlier run, and return their paths; raises OSError."""
    contents = (json.dumps(as_json(result), allow_nan=False, indent=1) + "\n", as_csv(result), as_page(result))
    paths = [folder / name for name in FILE_NAMES]
    for path, content in zip(paths, contents, strict=True):
        write_whole(path, content.encode())
    return paths


def as_page(result: BenchResult) -> str:
    """Return an HTML page with the figures and the tables; all it needs is in it, some 5 MB."""
    parts = []
    marks = ratio_marks(result)
    if marks:
        parts.append("<h2>Ratios to the fastest dense method</h2>")
        parts.append(
            "<p>Medians of the repeats, with bars from the lowest to the highest. Right of the dashed line at 1× "
            "a candidate needs less than the dense method that was fastest on that problem. Point at a mark for its "
            "numbers.</p>"
        )
        parts.append(_figure_html(ratio_figure(marks, "the fastest dense method"), with_library=True))
    for growth in result.plan.growths:
        fits = fits_of(result, growth)
        if not fits:
            continue
        first = growth.problems[0]
        fixed = ", ".join(f"{axis} = {as_power(first.size(axis))}" for axis in ("n", "d", "m") if axis != growth.axis)
        title = html.escape(growth.name.capitalize())
        parts.append(
            f"<h2>{title}</h2><p>{html.escape(first.dataset)}, {fixed}; both scales are "
            "logarithmic, exponents are those of the dotted lines, with their standard errors.</p>"
        )
        figures = [
            ("time of an iteration", "ms", growth_curves(fits, "iteration_seconds", 1e3)),
            ("peak memory", "MB", growth_curves(fits, "peak_bytes", 1e-6)),
        ]
        parts.append('<div class="pair">')
        for title, unit, curves in figures:
            if curves:
                figure = growth_figure(curves, growth.axis, _AXES[growth.axis], f"{title}, {unit}", unit)
                is_first = not any("plotly-graph-div" in part for part in parts)
                parts.append(f"<div>{_figure_html(figure, with_library=is_first)}</div>")
        parts.append("</div>")
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in notes_of(result))
    machine = html.escape(result.machine.as_text()).replace("\n", "<br>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>treeviz bench</title>'
        f"<style>{_STYLE}</style></head><body>\n"
        f"<h1>treeviz bench</h1><p>To a loss of {result.until_loss:g} by Gauss–Newton with the exact solver, all "
        "from the same initial weights, turn by turn; drawing these weights is not counted.</p>"
        f"<p>{result.date:%Y-%m-%d %H:%M} UTC. {machine}</p>\n"
        + (f'<div class="notes">{notes}</div>\n' if notes else "")
        + "\n".join(parts)
        + f"\n<h2>Tables</h2><pre>{html.escape(as_text(result))}</pre>\n</body></html>\n"
    )


def ratio_marks(result: BenchResult) -> list[RatioMark]:
    """Return a mark for each ratio of the cases; the baseline's own are left to the line at 1."""
    rows = [
        row
        for case in result.plan.cases
        if (measured := result.of(case.problem)) is not None
        for row in rows_of(measured)
        if not row.is_baseline
    ]
    return [
        RatioMark(
            panel=title,
            case=row.problem.name,
            candidate=row.outcome.candidate,
            ratio=ratio.median,
            lowest=ratio.lowest,
            highest=ratio.highest,
            hover=_hover(row, quantity, ratio),
        )
        for quantity, title in _PANELS.items()
        for row in rows
        if (ratio := row.ratios[quantity]) is not None
    ]


def _hover(row: Row, quantity: Quantity, ratio: Spread) -> str:
    value = row.values[quantity]
    unit, factor = ("MB", 1e-6) if quantity == "peak_bytes" else ("ms", 1e3)
    own = "" if value is None else f"<br>{digits(factor * value.median)} {unit}"
    if value is not None and value.count > 1:
        own += f" ({digits(factor * value.lowest)} to {digits(factor * value.highest)})"
    bars = f" ({digits(ratio.lowest)} to {digits(ratio.highest)})" if ratio.count > 1 else ""
    title = f"{html.escape(row.problem.name)}<br>{row.outcome.candidate}, {_PANELS[quantity]}"
    return f"{title}<br>{digits(ratio.median)}×{bars}{own}"


def growth_curves(fits: Sequence[Fit], quantity: Quantity, factor: float) -> list[GrowthCurve]:
    """Return the curves of a quantity, its numbers multiplied by `factor`; candidates without any are left out."""
    return [
        GrowthCurve(
            candidate=fit.candidate,
            sizes=[size for size, _ in fit.points],
            medians=[factor * value.median for _, value in fit.points],
            lowest=[factor * value.lowest for _, value in fit.points],
            highest=[factor * value.highest for _, value in fit.points],
            factor=None if fit.law.factor is None else factor * fit.law.factor,
            exponent=fit.law.exponent,
            exponent_label=exponent(fit.law),
        )
        for fit in fits
        if fit.quantity == quantity and fit.points
    ]


def _figure_html(figure: object, *, with_library: bool) -> str:
    """Return a figure for the page; the first brings Plotly's library for all."""
    options = {"displaylogo": False, "responsive": True}
    return str(to_html(figure, config=options, include_plotlyjs=with_library, full_html=False))
