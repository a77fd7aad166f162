"""A panel as a small drawing for a tile, in SVG: the curves of `figure.py`, two axes with a few numbers, and no words.

It is part of the page that the server sends. A browser takes about a tenth of a second for each chart that a library
draws, and a page of tiles has nine, of which nothing can be pointed at.
"""

import html
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from treeviz.lab.curves import Curve, Panel
from treeviz.lab.figure import curve_style
from treeviz.model.numerals import numeral
from treeviz.model.types import Floats
from treeviz.style.log_axis import even_ticks, log_ticks
from treeviz.style.palette import GREY

_WIDTH, _HEIGHT = 280, 170  # about as many pixels as a tile has, so that letters have their size
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 8, 24
_FONT, _LETTER = 10.5, 5.3  # pixels: of letters, and about how wide one is
_MOST_TICKS = 4
_ROOM = 0.04  # of the span of an axis, left free on both sides
# The symbols of `curve_style`, from their middle.
_SHAPES = {
    "circle": "m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "square": "m-2.7-2.7h5.4v5.4h-5.4z",
    "diamond": "m0-3.7l3.7 3.7l-3.7 3.7l-3.7-3.7z",
    "triangle-up": "m0-3.6l3.4 5.9h-6.8z",
    "cross": "m-1.1-3.4h2.2v2.3h2.3v2.2h-2.3v2.3h-2.2v-2.3h-2.3v-2.2h2.3z",
    "x": "m0-1.5l1.9-1.9l1.5 1.5l-1.9 1.9l1.9 1.9l-1.5 1.5l-1.9-1.9l-1.9 1.9l-1.5-1.5l1.9-1.9l-1.9-1.9l1.5-1.5z",
    "star": "m0-4l1.2 2.6l2.8 .3l-2.1 1.9l.6 2.8l-2.5-1.4l-2.5 1.4l.6-2.8l-2.1-1.9l2.8-.3z",
    "pentagon": "m0-3.4l3.2 2.4l-1.2 3.8h-4l-1.2-3.8z",
}


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where a value is on an axis, from 0 to 1 or NaN, and its ticks: where each is, and its text."""

    place: Callable[[Any], float]
    ticks: tuple[tuple[float, str], ...]


@lru_cache(maxsize=64)
def tile_picture(panel: Panel, names: Sequence[str]) -> str:
    """Return SVG of a panel, whose title is its text for those who do not see it.

    It is as wide as its place, and text and axes have the colour of the text around. `names` are those of all curves
    of the answer, so that a curve looks as it does in the large pictures.
    """
    curves = [curve for curve in panel.curves if not np.isnan(curve.median).all()]
    if panel.has_categories:
        across = _named_axis([str(value) for curve in panel.curves for value in curve.x])
    else:
        across = _axis((value for curve in curves for value in curve.x), is_log=panel.log_x)
    up = _axis((value for curve in curves for value in (*curve.median, *curve.seeds.ravel())), is_log=panel.log_y)
    marks = "".join(
        f'<path d="M{_x(across.place(mark.x))} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="{GREY}" stroke-dasharray="2 3"/>'
        for mark in panel.marks
    )
    drawn = "".join(part for curve in curves for part in _curve(curve, names, across, up, panel))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="100%" role="img" '
        f'aria-label="{html.escape(panel.title)}" font-size="{_FONT}" fill="none">'
        f"{_axes(across, up)}{marks}{drawn}</svg>"
    )


def empty_frame(words: str) -> str:
    """Return HTML of a frame as large as a picture, with words in place of one that there is not."""
    style = (
        f"aspect-ratio: {_WIDTH} / {_HEIGHT}; display: grid; place-content: center; padding: 1rem; text-align: center; "
        f"box-sizing: border-box; border: 1px dashed {GREY}; border-radius: 0.5rem"
    )
    return f'<div style="{style}">{html.escape(words)}</div>'


def _x(place: float) -> float:
    return round(_LEFT + place * (_WIDTH - _LEFT - _RIGHT), 1)


def _y(place: float) -> float:
    return round(_HEIGHT - _BOTTOM - place * (_HEIGHT - _TOP - _BOTTOM), 1)


def _named_axis(names: Iterable[str]) -> _Axis:
    """Return an axis of names side by side."""
    known = {name: place for place, name in enumerate(dict.fromkeys(names))}
    at = {name: (place + 0.5) / len(known) for name, place in known.items()}
    most = int((_WIDTH - _LEFT - _RIGHT) / len(known) / _LETTER)  # letters that a name has room for
    words = {name: name if len(name) <= most else f"{name[: max(1, most - 1)]}…" for name in known}
    return _Axis(lambda name: at[name], tuple((at[name], word) for name, word in words.items()))


def _axis(values: Iterable[Any], *, is_log: bool) -> _Axis:
    """Return an axis from the least to the largest of some numbers, those left out that it cannot show."""
    shown = [float(value) for value in values if math.isfinite(value) and (value > 0 or not is_log)]
    low, high = (min(shown), max(shown)) if shown else (1.0, 1.0)
    if low == high:
        low, high = (low / 2, high * 2) if is_log else (low - 0.5, high + 0.5)
    first, last = (math.log10(low), math.log10(high)) if is_log else (low, high)
    margin = _ROOM * (last - first)

    def place(value: float) -> float:
        if not math.isfinite(value) or (is_log and value <= 0):
            return math.nan
        return ((math.log10(value) if is_log else value) - first + margin) / (last - first + 2 * margin)

    ticks = log_ticks(low, high, _MOST_TICKS) if is_log else _even_ticks(low, high)
    return _Axis(place, tuple((at, text) for value, text in ticks if 0 <= (at := place(value)) <= 1))


def _even_ticks(low: float, high: float) -> Iterable[tuple[float, str]]:
    return ((tick, numeral(tick, 3)) for tick in even_ticks(low, high, _MOST_TICKS))


def _axes(across: _Axis, up: _Axis) -> str:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    lines = [f"M{_x(place)} {_TOP}V{bottom}" for place, _ in across.ticks]
    lines += [f"M{_LEFT} {_y(place)}H{right}" for place, _ in up.ticks]
    words = [
        f'<text x="{_x(place)}" y="{_HEIGHT - 7}" text-anchor="middle">{html.escape(text)}</text>'
        for place, text in across.ticks
    ]
    words += [
        f'<text x="{_LEFT - 5}" y="{_y(place) + 3.5}" text-anchor="end">{text}</text>' for place, text in up.ticks
    ]
    return f'<path d="{"".join(lines)}" stroke="{GREY}" opacity=".3"/><g fill="currentColor">{"".join(words)}</g>'


def _curve(curve: Curve, names: Sequence[str], across: _Axis, up: _Axis, panel: Panel) -> Iterator[str]:
    color, symbol = curve_style(curve.name, names)
    median = _points(curve, curve.median, across, up)
    if curve.kind == "formula":
        yield f'<path d="{_line(median)}" stroke="{color}" stroke-width="1.3" stroke-dasharray="5 4"/>'
        return
    seeds = [_points(curve, values, across, up) for values in curve.seeds] if len(curve.seeds) > 1 else []
    if not panel.has_categories:
        yield f'<path d="{"".join(map(_line, seeds))}" stroke="{color}" opacity=".3"/>'
        yield f'<path d="{_line(median)}" stroke="{color}" stroke-width="2"/>'
    dots = "".join(f"M{x} {y}h0" for points in seeds for x, y in points if x == x and y == y)
    yield f'<path d="{dots}" stroke="{color}" stroke-width="3.5" stroke-linecap="round" opacity=".3"/>'
    shapes = "".join(f"M{x} {y}{_SHAPES[symbol]}" for x, y in median if x == x and y == y)
    yield f'<path d="{shapes}" fill="{color}"/>'


def _points(curve: Curve, values: Floats, across: _Axis, up: _Axis) -> list[tuple[float, float]]:
    return [(_x(across.place(x)), _y(up.place(float(y)))) for x, y in zip(curve.x, values, strict=True)]


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Return a path through points, broken where one is missing."""
    parts, is_joined = [], False
    for x, y in points:
        is_there = x == x and y == y
        if is_there:
            parts.append(f"{'L' if is_joined else 'M'}{x} {y}")
        is_joined = is_there
    return "".join(parts)
