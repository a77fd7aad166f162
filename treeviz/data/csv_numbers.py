"""Numbers as people write them: decimal mark, marks between thousands, currency and percent signs.

One decimal mark holds for a file. It is decided by the cells that can be read with one mark only: 1,5 has a decimal
comma and 1,234.5 a decimal point, while 1,234 may be either. Without such a cell the file leaves a doubt.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from treeviz.data.csv_options import CsvOptions
from treeviz.data.csv_text import quote
from treeviz.data.refusal import RefusalError, Remedy

_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-", "\u2019": "'"})
_SIGNS = "$€£¥%"
_HAS_SIGN = re.compile(r"[$%\u0080-\U0010ffff]").search


def _pattern(decimal: str, thousands: str) -> str:
    """Return a regular expression for a number with this decimal mark and any one of the marks between thousands."""
    grouped = rf"[1-9]\d{{0,2}}(?P<mark>[{thousands}])\d{{3}}(?:(?P=mark)\d{{3}})*|" if thousands else ""
    mark = re.escape(decimal)
    return rf"[+-]?(?={mark}?\d)(?:{grouped}\d+)?(?:{mark}\d*)?(?:[eE][+-]?\d+)?"


_ANY = {decimal: re.compile(_pattern(decimal, f"{other} '")) for decimal, other in ((".", ","), (",", "."))}
# The usual number with a decimal point, which a decimal comma does not allow: looked for first, to save time.
_PLAIN = re.compile(r"-?\d+\.(?:\d{1,2}|\d{4,})")


def split_sign(cell: str) -> tuple[str, str]:
    """Return a cell without its currency or percent sign and with plain spaces and minus, and that sign."""
    if not _HAS_SIGN(cell):
        return cell, ""
    cell = cell.translate(_SPACES)
    for sign in _SIGNS:
        if sign in cell:
            number = cell.replace(sign, "", 1).strip()
            if number.startswith(("- ", "+ ")):
                number = number[0] + number[2:].strip()
            return number, sign
    return cell, ""


def is_number_like(cell: str) -> bool:
    """Whether a cell is a number with either decimal mark."""
    number = split_sign(cell)[0]
    return any(pattern.fullmatch(number) is not None for pattern in _ANY.values())


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """The decimal mark of a file, and the marks that are read between thousands."""

    decimal: str
    thousands: str

    def read(self, cells: Sequence[str]) -> list[float | None]:
        """Return the numbers of a column; None for a cell that is none, or has another sign than the others."""
        if self.decimal == ".":
            try:
                if not any("_" in cell for cell in cells):  # Python alone reads 1_000 as a number
                    return [float(cell) for cell in cells]
            except ValueError:
                pass
        pattern = re.compile(_pattern(self.decimal, self.thousands))
        numbers: list[float | None] = []
        signs: list[str] = []
        for cell in cells:
            number, sign = split_sign(cell)
            signs.append(sign)
            numbers.append(self._number(number, pattern) if number else None)
        filled = [sign for sign, number in zip(signs, numbers, strict=True) if number is not None]
        if any(filled):
            usual = max(set(filled), key=filled.count)
            scale = 100.0 if usual == "%" else 1.0
            return [
                number / scale if number is not None and sign == usual else None
                for number, sign in zip(numbers, signs, strict=True)
            ]
        return numbers

    def _number(self, cell: str, pattern: re.Pattern[str]) -> float | None:
        if pattern.fullmatch(cell):
            for mark in self.thousands:
                cell = cell.replace(mark, "")
            return float(cell.replace(self.decimal, "."))
        lower = cell.lower()
        if lower in ("true", "false"):
            return float(lower == "true")
        return float(lower) if lower.lstrip("+-") in ("inf", "infinity", "nan") else None


def find_format(source: str, columns: Iterable[Sequence[str]], options: CsvOptions) -> NumberFormat:
    """Decide the decimal mark from all cells of columns of numbers; RefusalError where it stays in doubt."""
    decimal = options.decimal
    if decimal is None and options.thousands in (".", ","):
        decimal = "," if options.thousands == "." else "."
    if decimal is None:
        counts = {".": 0, ",": 0}
        doubtful = ""
        for cells in columns:
            found = {".": 0, ",": 0}
            both, example = 0, ""
            filled = len(cells) - cells.count("")
            for cell in cells:
                if cell.isdecimal():
                    both += 1
                    continue
                if _PLAIN.fullmatch(cell):
                    found["."] += 1
                    continue
                number = split_sign(cell)[0]
                point = _ANY["."].fullmatch(number) is not None
                comma = (point and "." not in number and "," not in number) or _ANY[","].fullmatch(number) is not None
                if point and comma:
                    both += 1
                    if not example and ("," in number or "." in number):
                        example = cell
                elif point or comma:
                    found["." if point else ","] += 1
            if 2 * (both + sum(found.values())) >= filled:
                counts = {mark: counts[mark] + found[mark] for mark in counts}
                doubtful = doubtful or example
        if counts["."] == counts[","] and (doubtful or counts["."]):
            shown = f"{quote(doubtful)} may have a decimal mark or one between thousands" if doubtful else "both occur"
            raise RefusalError(
                f"{source}: decimal point or decimal comma? {shown}, and no other number decides it; ",
                Remedy("decimal", "."),
                " or ",
                Remedy("decimal", ","),
            )
        decimal = "," if counts[","] > counts["."] else "."
    other = "," if decimal == "." else "."
    return NumberFormat(decimal, options.thousands or f"{other} '")
