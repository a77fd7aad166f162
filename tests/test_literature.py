"""The data of the map: against the list it was made from, and what graph and layout promise."""

import math
import re
from itertools import combinations, pairwise
from pathlib import Path

import networkx as nx
import pytest

from treeviz.pages.page import find_pages
from treeviz.race.contestants import CONTESTANTS
from treeviz.related.literature import (
    build_graph,
    fold,
    lay_out,
    load_papers,
    read_papers,
    theme_bands,
    year_bands,
)

# The list on the paper's page, copied as it stands: title | authors | year. Some letters in it are damaged.
PAGE_LIST = Path(__file__).parent / "paper_page_list.txt"
MISSPELT = {"licheng zhang": "lichen zhang"}
# The abstract names it: "the previous work of [Brand, Peng, Song, and Weinstein, ITCS'2021]".
NAMED_IN_ABSTRACT = {"near-linear"}
PAPERS = load_papers()
SMALL = """
[[theme]]
key = "training"
title = "Training"
about = "It is about training."

[[paper]]
key = "this"
title = "This"
authors = ["Ann Lee", "Bo Kim"]
year = 2022
role = "this"
theme = "training"
adds = "It adds."
"""


def bare(text):
    """Without accents, case and punctuation, which in the copy stands for accents."""
    return re.sub(r"[^a-z0-9 ]", "", fold(text))


def is_name(printed, full):
    """Whether a name in the copy is a name of ours; the copy shortens some given names to an initial."""
    printed, full = bare(printed).split(), bare(full).split()
    if len(printed[0]) == 1:
        return full[0].startswith(printed[0]) and full[1:] == printed[1:]
    return MISSPELT.get(" ".join(printed), " ".join(printed)) == " ".join(full)


def listed():
    return [line.split("|") for line in PAGE_LIST.read_text(encoding="utf-8").splitlines()]


# ---- the data ----


@pytest.mark.parametrize(("title", "authors", "year"), listed())
def test_every_paper_of_the_page_is_there(title, authors, year):
    (paper,) = [paper for paper in PAPERS if bare(paper.title) == bare(title)]
    assert paper.year == int(year)
    printed = authors.split(", ")
    assert len(printed) == len(paper.authors)
    assert all(map(is_name, printed, paper.authors))


def test_there_is_nothing_else_but_this_paper_and_what_its_abstract_names():
    on_page = {bare(title) for title, _, _ in listed()}
    assert len(on_page) == 27
    others = {paper.key for paper in PAPERS if bare(paper.title) not in on_page}
    assert others == {"this"} | NAMED_IN_ABSTRACT


def test_names_are_written_as_their_owners_write_them():
    names = {author for paper in PAPERS for author in paper.authors}
    assert {"Maciej Skoczeń", "Przemysław Rożnawski", "Marcin Łoś", "Maciej Paszyński", "Christopher Ré"} <= names
    assert not [name for name in names if re.search(r"[.']", name)]


def test_roles_follow_from_the_dates():
    (centre,) = [paper for paper in PAPERS if paper.role == "this"]
    for paper in PAPERS:
        if paper is not centre:
            assert paper.year != centre.year or paper.arxiv, f"{paper.key}: give its arXiv number, which decides"
            is_earlier = (paper.year, paper.arxiv) < (centre.year, centre.arxiv)
            assert paper.role == ("earlier" if is_earlier else "later"), paper.key


def test_every_paper_says_what_it_adds_and_the_closest_how_they_relate():
    for paper in PAPERS:
        assert paper.adds.endswith("."), paper.key
        assert bool(paper.relates) == bool(paper.links), f"{paper.key}: the app shows what is close in method"
    assert 8 <= sum(bool(paper.relates) for paper in PAPERS) <= 16


def test_links_lead_to_pages_of_the_app_and_to_settings_they_have():
    paths = {page.path for page in find_pages()}
    titles = {contestant.title for contestant in CONTESTANTS.values()}
    for paper in PAPERS:
        for link in paper.links:
            assert link.page in paths, (paper.key, link)
            query = dict(link.query)
            if link.page == "race":
                assert set(query.pop("contestants")) <= titles, (paper.key, link)
            assert set(query) <= {"": {"solver", "paper", "b"}, "where-it-pays": {"family"}}.get(link.page, set())


def test_search_and_labels():
    by_key = {paper.key: paper for paper in PAPERS}
    assert [paper.key for paper in PAPERS if paper.matches("  losh LOS ")] == []
    assert [paper.key for paper in PAPERS if paper.matches("paszynski pawel")] == ["pinn-2dt"]
    assert [paper.key for paper in PAPERS if paper.matches("Łoś 2dt")] == ["pinn-2dt"]
    assert {paper.key for paper in PAPERS if paper.matches("weinstein training")} == {"this", "near-linear"}
    assert all(paper.matches("") for paper in PAPERS)
    assert by_key["near-linear"].label == "van den Brand et al. 2021"
    assert by_key["bypass"].label == "Alman et al. 2022"


# ---- mistakes in the file ----


def with_change(old, new):
    assert old in SMALL
    return SMALL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (with_change("year = 2022", ""), "paper 'this': year is missing; write year = …"),
        (with_change("year = 2022", 'year = "2022"'), "paper 'this': year is '2022', and must be of type int"),
        (with_change("year = 2022", "year = true"), "paper 'this': year is True, and must be of type int"),
        (with_change("adds =", "add ="), "paper 'this': adds is missing"),
        (SMALL + 'colour = "red"', "paper 'this': there is no field 'colour'; use key, title"),
        (with_change('role = "this"', 'role = "friend"'), "no role 'friend'; use this, later, earlier"),
        (with_change('role = "this"', 'role = "later"'), r'just one paper has role "this", but \[\] have it'),
        (with_change('theme = "training"', 'theme = "trees"'), "paper 'this': there is no theme 'trees'; use training"),
        (with_change('["Ann Lee", "Bo Kim"]', '["Lee"]'), "paper 'this': authors is .*; write a list of full names"),
        (with_change('["Ann Lee", "Bo Kim"]', "[]"), "paper 'this': authors is"),
        (SMALL + SMALL.partition("[[paper]]")[1] + SMALL.partition("[[paper]]")[2], "its key 'this' is taken; choose"),
        (
            SMALL
            + (SMALL.partition("[[paper]]")[1] + SMALL.partition("[[paper]]")[2]).replace('key = "this"', 'key = "b"'),
            "paper 'b': its title 'This' is taken",
        ),
        (SMALL + SMALL.partition("[[paper]]")[0], "theme 'training': its key 'training' is taken"),
        (with_change('about = "It is about training."', ""), "theme 'training': about is missing"),
        (SMALL + '[[paper.links]]\ntext = "Race"', "paper 'this', link 1: page is missing"),
        (SMALL + '[[paper.links]]\ntext = "Race"\npage = "race"\nquery = "b"', "link 1: query is 'b'"),
        (SMALL + "[[book]]", "the file: there is no field 'book'; use theme, paper"),
        ("", "the file: theme is missing"),
    ],
)
def test_mistakes_are_named_with_a_remedy(text, words):
    with pytest.raises(ValueError, match=words):
        read_papers(text)


# ---- the graph and its layout ----


def test_the_graph_joins_this_paper_to_all_and_papers_with_two_authors_in_common():
    graph = build_graph(PAPERS)
    assert set(graph) == {paper.key for paper in PAPERS}
    assert nx.is_connected(graph)
    central = {frozenset(ends) for *ends, is_central in graph.edges(data="is_central") if is_central}
    assert central == {frozenset(("this", key)) for key in graph if key != "this"}
    for one, other in combinations(PAPERS, 2):
        common = set(one.authors) & set(other.authors)
        edge = graph.get_edge_data(one.key, other.key, {"authors": ()})
        assert set(edge["authors"]) == (common if len(common) >= 2 else set())
    assert set(graph["large-bias"]["trainable-biases"]["authors"]) == set(graph.nodes["large-bias"]["paper"].authors)


def test_the_layout_keeps_years_and_themes_apart_and_is_the_same_every_time():
    graph = build_graph(PAPERS)
    places = lay_out(graph)
    assert places == lay_out(build_graph(PAPERS))
    columns, lanes = year_bands(PAPERS), theme_bands(PAPERS)
    assert list(columns) == sorted(columns)
    for bands in (columns, lanes):
        edges = list(bands.values())
        assert edges[0][0] == 0 and edges[-1][1] == pytest.approx(1)
        assert all(before[1] == after[0] for before, after in pairwise(edges))
    for paper in PAPERS:
        (left, right), (top, bottom) = columns[paper.year], lanes[paper.theme]
        x, y = places[paper.key]
        assert left < x < right and top < y < bottom


@pytest.mark.parametrize(("width", "height"), [(330, 560), (700, 560), (1100, 560)])
def test_papers_do_not_overlap_on_any_screen(width, height):
    places = lay_out(build_graph(PAPERS))
    nearest = min(
        math.hypot((ax - bx) * width, (ay - by) * height) for (ax, ay), (bx, by) in combinations(places.values(), 2)
    )
    assert nearest > 28  # the larger of the shapes have 13 pixels to each side, the others 12


def test_a_map_of_one_paper_and_of_many_in_one_year():
    (only,) = read_papers(SMALL)
    assert lay_out(build_graph([only])) == {"this": (0.5, 0.5)}
    entries = [
        SMALL.partition("[[theme]]")[0]
        + SMALL[SMALL.index("[[paper]]") :]
        .replace('key = "this"', f'key = "p{place}"')
        .replace('"This"', f'"Title {place}"')
        .replace('role = "this"', 'role = "later"')
        for place in range(12)
    ]
    papers = read_papers(SMALL + "".join(entries))
    places = lay_out(build_graph(papers))
    assert len(set(places.values())) == 13
    assert all(0 < x < 1 and 0 < y < 1 for x, y in places.values())
