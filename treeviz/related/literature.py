"""The papers around this one: read from `literature.toml`, joined to a graph, and given places on a map.

The map is a grid: a column for each year, a lane for each theme, so that both can be read off a paper's place. Within a
field of the grid papers stand in a zigzag, in an order that lets those with authors in common come near each other.
"""

import tomllib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

_FILE = Path(__file__).with_suffix(".toml")
# What a role says of a paper, after its title or on its own.
ROLES = {"this": "this paper", "later": "later than this paper", "earlier": "earlier than this paper"}
MIN_SHARED_AUTHORS = 2  # with one, nearly all would be joined
_LANE_PADDING = 0.7  # in rows, above and below the papers of a lane; its title stands there
_ZIGZAG = 0.21  # of a column's width, to either side of its middle


@dataclass(frozen=True, slots=True)
class Theme:
    """A lane of the map; `about` says what its papers have to do with this one."""

    key: str
    title: str
    about: str


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the app: a page, by its path, and settings of it as they stand in its address."""

    text: str
    page: str
    query: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper on the map; the fields are explained in `literature.toml`."""

    key: str
    title: str
    authors: tuple[str, ...]
    year: int
    role: str
    theme: Theme
    adds: str
    relates: str = ""
    arxiv: str = ""
    links: tuple[Link, ...] = ()

    @property
    def label(self) -> str:
        """Its short name: first author and year."""
        words = self.authors[0].split()
        start = next((place for place, word in enumerate(words) if word[0].islower()), -1)  # as of "van den Brand"
        return f"{' '.join(words[start:])}{' et al.' if len(self.authors) > 1 else ''} {self.year}"

    def matches(self, search: str) -> bool:
        """Whether every word of a search is part of its title or its authors; accents and case do not count."""
        text = fold(f"{self.title} {' '.join(self.authors)}")
        return all(word in text for word in fold(search).split())


def fold(text: str) -> str:
    """Return a text in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).casefold()


@cache
def load_papers() -> tuple[Paper, ...]:
    """Return the papers of `literature.toml`, by theme in the order of the themes there."""
    return read_papers(_FILE.read_text(encoding="utf-8"))


def read_papers(text: str) -> tuple[Paper, ...]:
    """Read papers written as in `literature.toml`.

    Returns
    -------
    The papers, by theme in the order of the themes, and within a theme as they come.

    Raises
    ------
    ValueError
        If an entry lacks a field, has one that is unknown or of another type, repeats a key or title, or names a role
        or theme that there is not; or if not just one paper has the role "this". It names the entry.
    """
    tables = tomllib.loads(text)
    _check_fields("the file", tables, {"theme": list, "paper": list})
    themes: dict[str, Theme] = {}
    for table in tables["theme"]:
        name = f"theme {table.get('key', table)!r}"
        _check_fields(name, table, {"key": str, "title": str, "about": str})
        _check_new(name, "key", table["key"], themes)
        themes[table["key"]] = Theme(**table)
    papers: dict[str, Paper] = {}
    for table in tables["paper"]:
        paper = _read_paper(table, themes)
        _check_new(f"paper {paper.key!r}", "key", paper.key, papers)
        _check_new(f"paper {paper.key!r}", "title", paper.title, [other.title for other in papers.values()])
        papers[paper.key] = paper
    centres = [paper.key for paper in papers.values() if paper.role == "this"]
    if len(centres) != 1:
        raise ValueError(f'just one paper has role "this", but {centres} have it: give the others "later" or "earlier"')
    places = list(themes.values())
    return tuple(sorted(papers.values(), key=lambda paper: places.index(paper.theme)))


def _read_paper(table: Mapping[str, Any], themes: Mapping[str, Theme]) -> Paper:
    name = f"paper {table.get('key', table.get('title', table))!r}"
    needed = {"key": str, "title": str, "authors": list, "year": int, "role": str, "theme": str, "adds": str}
    _check_fields(name, table, needed, {"relates": str, "arxiv": str, "links": list})
    _check_known(name, "role", table["role"], ROLES)
    _check_known(name, "theme", table["theme"], themes)
    if not table["authors"] or not all(isinstance(one, str) and " " in one for one in table["authors"]):
        raise ValueError(f'{name}: authors is {table["authors"]}; write a list of full names, as in ["Zhao Song"]')
    links = tuple(_read_link(f"{name}, link {place}", link) for place, link in enumerate(table.get("links", []), 1))
    authors, theme = tuple(table["authors"]), themes[table["theme"]]
    return Paper(**{**table, "authors": authors, "theme": theme, "links": links})


def _read_link(name: str, table: Mapping[str, Any]) -> Link:
    _check_fields(name, table, {"text": str, "page": str}, {"query": dict})
    query = table.get("query", {}).items()
    values = tuple((setting, (value,) if isinstance(value, str) else tuple(value)) for setting, value in query)
    return Link(table["text"], table["page"], values)


def _check_fields(
    name: str, table: Mapping[str, Any], needed: Mapping[str, type], optional: Mapping[str, type] | None = None
) -> None:
    known = {**needed, **(optional or {})}
    for field in needed:
        if field not in table:
            raise ValueError(f"{name}: {field} is missing; write {field} = …")
    for field, value in table.items():
        if field not in known:
            raise ValueError(f"{name}: there is no field {field!r}; use {', '.join(known)}")
        if not isinstance(value, known[field]) or isinstance(value, bool):
            raise ValueError(f"{name}: {field} is {value!r}, and must be of type {known[field].__name__}")


def _check_known(name: str, field: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        raise ValueError(f"{name}: there is no {field} {value!r}; use {', '.join(known)}")


def _check_new(name: str, field: str, value: str, taken: Collection[str]) -> None:
    if value in taken:
        raise ValueError(f"{name}: its {field} {value!r} is taken; choose another, or remove one of the two entries")


def build_graph(papers: Sequence[Paper]) -> "nx.Graph[str]":
    """Join the paper with role "this" to all others, and papers with authors in common to each other.

    Returns
    -------
    A graph of keys. A node has its `paper`; an edge has `is_central`, whether one end is this paper, and `authors`,
    the tuple of those in common if there are `MIN_SHARED_AUTHORS` or more, else empty.
    """
    import networkx as nx

    graph = nx.Graph()
    for paper in papers:
        graph.add_node(paper.key, paper=paper)
    for one, other in combinations(papers, 2):
        is_central = "this" in (one.role, other.role)
        common = tuple(author for author in one.authors if author in other.authors)
        authors = common if len(common) >= MIN_SHARED_AUTHORS else ()
        if is_central or authors:
            graph.add_edge(one.key, other.key, is_central=is_central, authors=authors)
    return graph


def year_bands(papers: Sequence[Paper]) -> dict[int, tuple[float, float]]:
    """Return where each year's column begins and ends, from 0 on the left to 1; years without a paper have none."""
    years = sorted({paper.year for paper in papers})
    return {year: (place / len(years), (place + 1) / len(years)) for place, year in enumerate(years)}


def theme_bands(papers: Sequence[Paper]) -> dict[Theme, tuple[float, float]]:
    """Return where each theme's lane begins and ends, from 0 at the top to 1; it is as high as its fullest field."""
    rows, height = _rows(papers)
    bands, top = {}, 0.0
    for theme, count in rows.items():
        bottom = top + (count + 2 * _LANE_PADDING) * height
        bands[theme] = (top, bottom)
        top = bottom
    return bands


def lay_out(graph: "nx.Graph[str]") -> dict[str, tuple[float, float]]:
    """Return a place (x, y) in the unit square for every paper, y downwards; the same for the same papers.

    Each stands in its year's column and its theme's lane, a row of its own field apart from the next. The order within
    a field is that of a force-directed layout which starts from the fields' middles; the paper with role "this" stands
    in the midst of its field.
    """
    import networkx as nx

    papers: list[Paper] = [paper for _, paper in graph.nodes(data="paper")]
    columns, lanes = year_bands(papers), theme_bands(papers)
    middles = {paper.key: (_middle(columns[paper.year]), _middle(lanes[paper.theme])) for paper in papers}
    # Those of one field start from one place: a small, regular spread lets forces tell them apart.
    start = {key: (x + 1e-3 * place, y) for place, (key, (x, y)) in enumerate(middles.items())}
    pulled = nx.spring_layout(graph, pos=start, iterations=15, seed=0)
    _, height = _rows(papers)
    places = {}
    for inside in _fields(papers).values():
        order = sorted(inside, key=lambda key: float(pulled[key][1]))
        for key in [key for key in order if graph.nodes[key]["paper"].role == "this"]:
            order.remove(key)
            order.insert(len(inside) // 2, key)
        for place, key in enumerate(order):
            x, y = middles[key]
            left, right = columns[graph.nodes[key]["paper"].year]
            aside = 0.0 if len(inside) == 1 else (right - left) * _ZIGZAG * (1 if place % 2 else -1)
            places[key] = (x + aside, y + height * (place - (len(inside) - 1) / 2))
    return places


def _fields(papers: Sequence[Paper]) -> dict[tuple[Theme, int], list[str]]:
    """Return the keys in each field of the grid, themes in the order they come."""
    fields: dict[tuple[Theme, int], list[str]] = {}
    for paper in papers:
        fields.setdefault((paper.theme, paper.year), []).append(paper.key)
    return fields


def _rows(papers: Sequence[Paper]) -> tuple[dict[Theme, int], float]:
    """Return how many rows each theme's lane has, and how high one is for the lanes to fill the unit square."""
    rows: dict[Theme, int] = {}
    for (theme, _), inside in _fields(papers).items():
        rows[theme] = max(rows.get(theme, 0), len(inside))
    return rows, 1 / sum(count + 2 * _LANE_PADDING for count in rows.values())


def _middle(band: tuple[float, float]) -> float:
    return sum(band) / 2
