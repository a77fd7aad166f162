"""Presets: named situations worth a look, from `presets.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from treeviz.lesson.address import read_settings

_FILE = Path(__file__).with_name("presets.toml")
_TABLES = ("settings", "moment")


@dataclass(frozen=True, slots=True)
class Preset:
    """A situation: what there is to see in one sentence, with settings and a moment as an address names them."""

    name: str
    title: str
    sentence: str
    settings: Mapping[str, str]
    moment: Mapping[str, str] = field(default_factory=dict)


def read_presets(text: str) -> tuple[Preset, ...]:
    """Read presets, TOML with a table `[[preset]]` for each; ValueError names the entry that is wrong, and why."""
    presets: list[Preset] = []
    for place, entry in enumerate(tomllib.loads(text).get("preset", []), start=1):
        what = f"entry {place} ({entry.get('name', 'without a name')}) of the presets"
        try:
            preset = _read(entry)
        except ValueError as error:
            raise ValueError(f"{what}: {error}") from None
        if any(preset.name == other.name for other in presets):
            raise ValueError(f"{what} has the name of another one: choose a different name")
        presets.append(preset)
    return tuple(presets)


def _read(entry: Mapping[str, Any]) -> Preset:
    allowed = [one.name for one in fields(Preset)]
    if unknown := sorted(set(entry) - set(allowed)):
        raise ValueError(f"it has {', '.join(unknown)}; use only {', '.join(allowed)}")
    if missing := [name for name in allowed if name not in entry and name != "moment"]:
        raise ValueError(f"it needs {', '.join(missing)}")
    for name, value in entry.items():
        is_table = name in _TABLES
        texts = list(value.values()) if is_table and isinstance(value, dict) else [value]
        if is_table != isinstance(value, dict) or not all(isinstance(text, str) and text for text in texts):
            rule = 'a table of texts, such as { width = "64" }' if is_table else "a text"
            raise ValueError(f"{name} must be {rule}; got {value!r}")
    read_settings(entry["settings"])
    return Preset(**entry)


@cache
def load_presets() -> tuple[Preset, ...]:
    """Return all presets, in the order of the gallery."""
    return read_presets(_FILE.read_text(encoding="utf-8"))
