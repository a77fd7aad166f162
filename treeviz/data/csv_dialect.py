"""Where the table of a CSV file begins and what separates its cells, decided from all lines.

A separator fits if it cuts every line into the same number of cells. One that fits is preferred if its cells are clean:
no cell but a number holds another separator that would fit, too. If two remain, or none, the file is refused and the
message asks for the option.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from treeviz.data.csv_numbers import is_number_like
from treeviz.data.csv_options import SEPARATORS
from treeviz.data.csv_text import quote
from treeviz.data.refusal import MARKS, RefusalError, Remedy
from treeviz.model.numerals import count

_SEP_LINE = re.compile(r'"?sep=(.)"?\1*', re.IGNORECASE)  # Excel's own first line
# A whole cell in quotes: its separators and line ends count for nothing.
_QUOTED = re.compile(r'(?m)(?:^|(?<=[,;\t| ]))"(?:[^"]|"")*"(?=[,;\t| ]|$)')
_MOST_TITLES = 20


@dataclass(frozen=True, slots=True)
class CsvText:
    """A decoded CSV file whose separator is known; finds a parsed row in the text again, for messages."""

    source: str  # what messages call the file
    content: str
    separator: str  # a space stands for any white space
    start: int  # lines above the table
    first_count: int  # cells of the table's first line
    usual_count: int  # cells of most lines
    largest_count: int
    notes: tuple[str, ...]  # what the reader did that the file does not say

    @property
    def table(self) -> str:
        """The text from the table's first line on."""
        return self.content.split("\n", self.start)[-1] if self.start else self.content

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells) for every line of the table with anything in it. Cost: one pass."""
        text = self.table
        if self.separator == " ":
            text = "\n".join(re.sub(r"[ \t]+", " ", line).strip() for line in text.split("\n"))
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=self.separator, skipinitialspace=True)
        line = 1  # a quoted cell may span lines: a record starts one line after its predecessor ended
        try:
            for cells in reader:
                stripped = [cell.strip() for cell in cells]
                if any(stripped):
                    yield self.start + line, stripped
                line = reader.line_num + 1
        except csv.Error:  # one cell beyond csv's limit on length: what follows cannot be located
            return

    def locate(self, place: int) -> tuple[int, list[str]]:
        """Return the line number and the raw cells of a record, the first one 0."""
        for index, record in enumerate(self.records()):
            if index == place:
                return record
        return self.start + place + 1, []  # reached only if pandas and csv were to divide a file differently


@dataclass(frozen=True, slots=True)
class _Candidate:
    separator: str
    lines: list[str]
    counts: list[int]  # cells of each line

    @property
    def usual(self) -> int:
        return Counter(self.counts).most_common(1)[0][0]

    @property
    def fits(self) -> bool:
        return min(self.counts) == max(self.counts) > 1

    @property
    def is_plausible(self) -> bool:
        return self.usual > 1 and self.counts[0] > 1 and 2 * self.counts.count(self.usual) >= len(self.counts)

    def is_clean(self, others: list[str]) -> bool:
        """Whether no cell below the first line holds one of `others`, but for numbers and cells in quotes."""
        if not others:
            return True
        within = re.compile("[" + re.escape("".join(others)).replace("\\ ", " ") + "]")
        return not any(
            within.search(cell.strip()) and not is_number_like(cell.strip())
            for line in self.lines[1:]
            if within.search(line)
            for cell in (line.split() if self.separator == " " else line.split(self.separator))
        )


def find_dialect(source: str, content: str, separator: str | None, encoding_note: str) -> CsvText:
    """Settle the separator and the first line of the table."""
    notes = [encoding_note] if encoding_note else []
    lines = content.split("\n")
    start = 0
    said = _SEP_LINE.fullmatch(lines[0].rstrip(" \n"))
    if said and said[1] in SEPARATORS:
        start, separator = 1, separator or said[1]
    comments = _num_comments(lines[start:], separator)
    start += comments
    if comments:
        notes.append(f"Skipped {count(comments, 'comment line')} above the table.")
    masked = _QUOTED.sub('"Q"', "\n".join(lines[start:])).split("\n")
    titles = 0
    if separator is None:
        titles, separator = _without_titles(source, masked)
    start += titles
    if titles:
        notes.append(f"Skipped {count(titles, 'line')} of text above the table.")
    counts = [_count(line, separator) for line in masked[titles:] if line.strip()] or [1]
    usual = Counter(counts).most_common(1)[0][0]
    return CsvText(source, content, separator, start, counts[0], usual, max(counts), tuple(notes))


def _count(line: str, separator: str) -> int:
    return len(line.split()) if separator == " " else line.count(separator) + 1


def _num_comments(lines: list[str], separator: str | None) -> int:
    """Return how many lines at the top begin with # and are not the table's first line."""
    number = 0
    while number < len(lines) and (lines[number].startswith("#") or (number and not lines[number].strip())):
        number += 1
    if not 0 < number < len(lines):
        return 0
    # A line of names that begins with # has as many cells as the line below, which holds numbers.
    last, below = lines[number - 1], lines[number]
    for mark in (separator,) if separator else SEPARATORS:
        cells = below.split() if mark == " " else below.split(mark)
        same = _count(last.removeprefix("#"), mark) == len(cells) > 1
        if same and any(is_number_like(cell.strip()) for cell in cells):
            return number - 1
    return number


def _without_titles(source: str, masked: list[str]) -> tuple[int, str]:
    """Find the separator; skip lines at the top that hold none, if that makes the others agree."""
    ragged: str | None = None
    for titles in range(min(_MOST_TITLES, len(masked))):
        if titles and re.search(r'[,;\t"]', masked[titles - 1]):
            break
        lines = [line for line in masked[titles:] if line.strip()]
        found = _decide(lines) if lines else None
        if found is None:
            continue
        if found.fits and not any(_count(line, found.separator) > 1 for line in masked[:titles]):
            return titles, found.separator
        if titles == 0:
            ragged = found.separator  # a title line is a better reason than a line too long or too short
    lines = [line for line in masked if line.strip()]
    if ragged is None and any(mark in line for line in lines for mark in ",;\t|"):
        raise _doubt(source, lines)
    return 0, ragged or ","  # without any mark it is a single column


def _decide(lines: list[str]) -> _Candidate | None:
    """Return the one separator for these lines, None in doubt."""
    candidates = [_Candidate(mark, lines, [_count(line, mark) for line in lines]) for mark in SEPARATORS]
    plausible = [candidate for candidate in candidates if candidate.is_plausible]
    if any(candidate.separator == "\t" and candidate.fits for candidate in plausible):
        tabs = next(candidate for candidate in plausible if candidate.separator == "\t")
        plausible = [one for one in plausible if one.separator != " " or one.counts != tabs.counts]
    # Words of text are separated by spaces, too: there a comma or the like within a cell rules the separator out.
    plausible = [one for one in plausible if one.separator != " " or one.is_clean([",", ";", "|"])]
    marks = [candidate.separator for candidate in plausible]
    clean = [one for one in plausible if one.is_clean([mark for mark in marks if mark != one.separator])]
    marked = [one for one in plausible if one.separator != " "]  # spaces are usual within text
    for choice in ([one for one in clean if one.fits], clean, [one for one in marked if one.fits], marked, plausible):
        if choice:
            return choice[0] if len(choice) == 1 else None
    return None


def _doubt(source: str, lines: list[str]) -> RefusalError:
    listed = ", ".join(f"{MARKS[mark]} {min(counts)} to {max(counts)}"
        for mark in SEPARATORS if max(counts := [_count(line, mark) for line in lines]) > 1)  # fmt: skip
    return RefusalError(
        f"{source}: the lines leave a doubt about what separates their cells (cells a line: {listed}; the first line "
        f"is {quote(lines[0].strip())}); give every line the same separator, or ",
        Remedy("separator"),
    )
