"""The glossary: every symbol and term of the app, from `glossary.toml`."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from urllib.parse import quote

# What begins the address of a link to a term; the stage opens its entry. As in stage/web/terms.js.
_LINK = "#term-"
_FILE = Path(__file__).with_name("glossary.toml")


@dataclass(frozen=True, slots=True)
class Term:
    """A term: its name, what it means, the section of the lesson that explains it, and its symbol, if it has one."""

    name: str
    means: str
    section: str
    symbol: str = ""


def read_terms(text: str) -> tuple[Term, ...]:
    """Read a glossary, TOML with a table `[[term]]` for each; ValueError names the entry that is wrong."""
    allowed = {field.name for field in fields(Term)}
    terms: list[Term] = []
    for place, entry in enumerate(tomllib.loads(text).get("term", []), start=1):
        name = f"entry {place} ({entry.get('name', 'without a name')}) of the glossary"
        if unknown := sorted(set(entry) - allowed):
            raise ValueError(f"{name} has {', '.join(unknown)}; use only {', '.join(sorted(allowed))}")
        if missing := [field for field in ("name", "means", "section") if not entry.get(field)]:
            raise ValueError(f"{name} needs {', '.join(missing)}")
        if any(entry["name"] == term.name for term in terms):
            raise ValueError(f"{name} is there twice: keep one of the two")
        terms.append(Term(**entry))
    return tuple(terms)


@cache
def load_terms() -> tuple[Term, ...]:
    """Return all terms, in the order of the lesson."""
    return read_terms(_FILE.read_text(encoding="utf-8"))


def link_terms(text: str) -> str:
    """Return Markdown in which [[term]], or [[words|term]], is a link to the entry of a term on the stage.

    Raises ValueError if there is no such term.
    """
    known = {term.name for term in load_terms()}

    def link(found: re.Match[str]) -> str:
        words, _, name = found[1].rpartition("|")
        if name not in known:
            raise ValueError(f"{name!r} is no term of the glossary; add it to glossary.toml, or name another")
        return f'[{words or name}]({_LINK}{quote(name)} "what is {name}?")'

    return re.sub(r"\[\[(.+?)\]\]", link, text)


def find_terms(terms: Sequence[Term], wanted: str) -> list[Term]:
    """Return the terms whose name, symbol or explanation holds all the words wanted, those named so first."""
    words = wanted.casefold().split()
    found = [
        term for term in terms if all(word in f"{term.name} {term.symbol} {term.means}".casefold() for word in words)
    ]
    return sorted(found, key=lambda term: not all(word in f"{term.name} {term.symbol}".casefold() for word in words))
