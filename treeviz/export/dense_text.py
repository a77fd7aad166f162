"""Values as text for a page, packed as densely as a browser can unpack without help; `web/unpack.js` reads it.

Three steps. Rows of a table that hold much are turned into columns, since numbers of one kind compress best side by
side. What occurs more than once is written once, and referred to. Then zlib, and five letters for four bytes.
"""

import base64
import json
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

_LONG_ROW = 4_000  # characters of a row, on average, from which on its columns are kept apart: zlib looks back 32,768
_SHARED = 40  # characters of a value from which on it is written once
_REFERENCE = "~"  # begins a reference, and a text that would look like one
_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
# Letters of base 85 that mean something in HTML, and those that stand for them.
_LETTERS = bytes.maketrans(b"<>&", b",.:")


def pack(value: object) -> str:
    """Return a text without spaces, quotes or anything that HTML knows, of what JSON can hold."""
    return pack_text(_dumps(_share(json.loads(_dumps(value)))))


def pack_text(text: str) -> str:
    """Return the text in such letters."""
    return base64.b85encode(zlib.compress(text.encode(), 9)).translate(_LETTERS).decode()


def as_columns(rows: Sequence[Any]) -> dict[str, Any]:
    """Return {"rows": list}, or {"columns": {key: the same of its values}} of long rows with equal keys."""
    is_table = all(isinstance(row, dict) and list(row) == list(rows[0]) for row in rows)
    if len(rows) < 2 or not is_table or len(_dumps(rows)) < _LONG_ROW * len(rows):
        return {"rows": list(rows)}
    return {"columns": {key: as_columns([row[key] for row in rows]) for key in rows[0]}}


def _share(value: Any) -> dict[str, Any]:
    """Return {"shared": values that occur more than once, each after those it refers to, "value": the rest}.

    Equal values are one node of a graph, so that the cost is in proportion to the value.
    """
    numbers: dict[object, int] = {}  # of the nodes, by what they hold
    nodes: list[tuple[Any, tuple[int, ...]]] = []  # a text, or a list or dict with the numbers of its parts' nodes
    lengths: list[int] = []
    times: Counter[int] = Counter()  # how many other nodes hold each

    def find(one: Any) -> int:
        if isinstance(one, dict):
            parts = tuple(map(find, one.values()))
            key: object = (tuple(one), parts)
        elif isinstance(one, list) and any(isinstance(part, str | list | dict) for part in one):
            parts = tuple(map(find, one))
            key = parts
        else:
            key, parts = f'"{one}' if isinstance(one, str) else _dumps(one), ()
        if key not in numbers:
            numbers[key] = len(nodes)
            nodes.append((one, parts))
            lengths.append(sum(lengths[part] for part in parts) if parts else len(str(key)))
            times.update(parts)
        return numbers[key]

    places: dict[int, str] = {}
    shared: list[Any] = []

    def write(number: int) -> Any:
        if number in places:
            return places[number]
        one, parts = nodes[number]
        if isinstance(one, str):
            written: Any = f"{_REFERENCE}{one}" if one.startswith(_REFERENCE) else one
        elif isinstance(one, dict):
            written = dict(zip(one, map(write, parts), strict=True))
        else:
            written = list(map(write, parts)) if parts else one
        if times[number] < 2 or lengths[number] < _SHARED:
            return written
        places[number] = f"{_REFERENCE}{len(shared)}"
        shared.append(written)
        return places[number]

    written = write(find(value))
    return {"shared": shared, "value": written}
