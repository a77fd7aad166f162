"""A figure of `style/run_charts.py` as a small drawing that needs no library: the same curves, axes and colours.

In a page, text and lines are in the colour of the text around, so that it fits a light page and a dark one; as a file
of its own, it has colours and a background like the app's.
"""

import html
import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import plotly.graph_objects as go

from treeviz.style.palette import VERMILION

_WIDTH, _HEIGHT = 640, 340
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 12, 52, 44
_DASHES = {"solid": "", "dot": "2 4", "dash": "8 5"}
_COLORS = {"light": ("#31333f", "#fff"), "dark": ("#fafafa", "#0e1117")}  # of text and page, as in web/replay.css
_FONT = "'Source Sans 3', 'Source Sans Pro', 'Segoe UI', system-ui, sans-serif"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def draw_chart(figure: go.Figure, label: str) -> str:
    """Return SVG of a figure with a logarithmic y axis, for a page; `label` says in words what is seen.

    The line where the cursor is has the class "cursor". So that a script can move it, the svg says in data-x0 and
    data-step where x = 0 is and how wide 1 is, and in data-first the cursor's x, which is that of the first iteration.
    """
    zero, step = _scale(figure)
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}" '
        f'data-x0="{zero:.1f}" data-step="{step:.6g}" data-first="{figure.layout.shapes[0].x0}">'
        f"{_draw_parts(figure)}</svg>"
    )


def picture_chart(figure: go.Figure, label: str, theme: Literal["light", "dark"]) -> str:
    """Return the same drawing as a file of its own, with the label as its title."""
    ink, paper = _COLORS[theme]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" color="{ink}" font-family="{_FONT}"><title>{html.escape(label)}</title>'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{paper}"/>{_draw_parts(figure)}</svg>'
    )


def _scale(figure: go.Figure) -> tuple[float, float]:
    """Return where x = 0 is, and how wide 1 is."""
    low, high = figure.layout.xaxis.range
    step = (_WIDTH - _LEFT - _RIGHT) / (high - low)
    return _LEFT - low * step, step


def _draw_parts(figure: go.Figure) -> str:
    layout = figure.layout
    (x_low, x_high), (y_low, y_high) = layout.xaxis.range, layout.yaxis.range
    zero, step = _scale(figure)

    def x_of(value: float) -> float:
        return round(zero + float(value) * step, 1)

    def y_of(value: float) -> float:
        share = (math.log10(value) - y_low) / (y_high - y_low)
        place: float = round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)
        return place

    bottom = _HEIGHT - _BOTTOM
    parts = []
    for exponent in range(math.ceil(y_low), math.floor(y_high) + 1):
        if (exponent - math.ceil(y_low)) % int(layout.yaxis.dtick) == 0:
            y = y_of(10.0**exponent)
            power = "10" + str(exponent).translate(_SUPERSCRIPTS)
            parts.append(f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="currentColor" opacity=".14"/>')
            parts.append(f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{power}</text>')
    parts += [
        f'<text x="{x_of(value)}" y="{bottom + 18}" text-anchor="middle">{value}</text>'
        for value in _whole_ticks(x_low, x_high)
    ]
    middle, half = (_LEFT + _WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    x_title, y_title = (html.escape(axis.title.text) for axis in (layout.xaxis, layout.yaxis))
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{x_title}</text>')
    parts.append(f'<text transform="translate(14 {half}) rotate(-90)" text-anchor="middle">{y_title}</text>')
    axes = f"M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}"
    parts.append(f'<path d="{axes}" stroke="currentColor" opacity=".5" fill="none"/>')
    dashed = f'stroke="{VERMILION}" stroke-width="1.5" stroke-dasharray="6 4"'
    cursor = x_of(layout.shapes[0].x0)
    parts.append(f'<path class="cursor" d="M0 {_TOP}V{bottom}" transform="translate({cursor})" {dashed}/>')
    left, top = _LEFT, 14
    for curve in figure.data:
        points = [(x_of(x), y_of(y)) for x, y in zip(curve.x, curve.y, strict=True) if y > 0 and math.isfinite(y)]
        if not points:
            continue
        parts.extend(_draw_curve(curve, points))
        length = 34 + round(6.4 * len(curve.name))
        if left + length > _WIDTH:
            left, top = _LEFT, top + 20
        sample = (left + 4, left + 24) if "lines" in curve.mode else (left + 14,)
        parts.extend(_draw_curve(curve, [(x, top) for x in sample]))
        parts.append(f'<text x="{left + 34}" y="{top + 4}">{html.escape(curve.name)}</text>')
        left += length + 14
    return f'<g fill="currentColor" font-size="12">{"".join(parts)}</g>'


def _draw_curve(curve: Any, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    color = curve.marker.color or curve.line.color
    if "lines" in curve.mode and points:
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        dash = _DASHES[curve.line.dash or "solid"]
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        yield f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{curve.line.width}"{dashes}/>'
    half, symbol = curve.marker.size / 2, curve.marker.symbol or "circle"
    shape = {
        "circle": f"a{half} {half} 0 1 0 {2 * half} 0a{half} {half} 0 1 0 {-2 * half} 0z",
        "square": f"v{-half}h{2 * half}v{2 * half}h{-2 * half}z",
        "triangle": f"m0 {half}h{2 * half}l{-half} {-2 * half}z",
    }[symbol.split("-")[0]]
    marks = "".join(f"M{x - half:g} {y:g}{shape}" for x, y in points)
    if not marks:
        return
    is_open = symbol.endswith("-open")
    paint = f'fill="none" stroke="{color}" stroke-width="2"' if is_open else f'fill="{color}"'
    yield f'<path d="{marks}" {paint}/>'


def _whole_ticks(low: float, high: float) -> range:
    """Return whole numbers in range, at most thirteen."""
    step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 10**3, 10**4, 10**6) if (high - low) / step <= 13)
    return range(step * math.ceil(low / step), math.floor(high) + 1, step)
