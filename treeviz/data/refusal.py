"""Refusals of data: one message, in the words of the interface that shows it.

A remedy names an option. In Python it is an argument, on the command line a flag, in the app a control of the sidebar:
`OPTIONS` has the names, and a `RefusalError` keeps its remedies as `Remedy` until an interface writes them.
"""

import shlex
from dataclasses import dataclass
from typing import Any, Literal

Interface = Literal["python", "command line", "app"]

# Characters by the words that the app shows for them; any interface takes either.
MARKS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space", ".": "point", "'": "apostrophe"}

# Every option that a message may name: its flag on the command line and the label of its control in the app.
OPTIONS = {
    "target": ("--target", "Target column"),
    "positive": ("--positive", "Class to learn (positive)"),
    "num_points": ("--points", "Datapoints n"),
    "separator": ("--separator", "Separator"),
    "decimal": ("--decimal", "Decimal mark"),
    "thousands": ("--thousands", "Thousands mark"),
    "header": ("--header", "Header line"),
    "encoding": ("--encoding", "Encoding"),
    "columns": ("--columns", "Columns to use"),
    "leave_out": ("--leave-out", "Columns to leave out"),
    "one_hot": ("--one-hot", "Text columns as categories (one-hot)"),
    "skip_bad_rows": ("--skip-bad-rows", "Leave out rows that cannot be read"),
    "standardize": ("--standardize", "Standardize the columns"),
    "center": ("--center", "Centre the data"),
    "lift": ("--lift", "Add a constant coordinate (lift)"),
}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do with an option: set it to `value`, or only use it where `value` is None."""

    option: str
    value: Any = None

    def written(self, interface: Interface) -> str:
        """Return an order such as "pass decimal=','", in the words of the interface."""
        flag, label = OPTIONS[self.option]
        value = self.value
        if interface == "python":
            return f"pass {self.option}={'' if value is None else repr(value)}"
        if interface == "command line":
            if isinstance(value, bool):
                return f"pass {flag if value else flag.replace('--', '--no-', 1)}"
            values = value if isinstance(value, list) else [] if value is None else [value]
            return " ".join(["pass", *(f"{flag} {_for_shell(one)}" for one in values)]) if values else f"pass {flag}"
        if self.option == "header" and value is not None:
            return f"set “{label}” to {'yes' if value else 'no'}"
        if isinstance(value, bool):
            return f"switch {'on' if value else 'off'} “{label}”"
        if value is None:
            return f"use “{label}”"
        if isinstance(value, list):
            return f"add {', '.join(value)} to “{label}”"
        return f"set “{label}” to {MARKS.get(value, value)}"


def _for_shell(value: object) -> str:
    """Quote a value; a tab is written as a word."""
    return "tab" if value == "\t" else shlex.quote(str(value))


class RefusalError(ValueError):
    """A ValueError whose message is made of text and remedies; as a string it has the names of Python."""

    def __init__(self, *parts: str | Remedy) -> None:
        super().__init__(*parts)
        self.parts = parts

    def said_in(self, interface: Interface) -> str:
        """Return the message in the words of an interface."""
        return "".join(part if isinstance(part, str) else part.written(interface) for part in self.parts)

    def __str__(self) -> str:
        """Write the message for Python."""
        return self.said_in("python")
