"""What a page shows as tables: the numbers that the lesson's charts draw, and the papers on the map."""

import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import plotly.graph_objects as go

from treeviz.export.records import describe_run
from treeviz.export.tables import pack_tables
from treeviz.related.literature import ROLES, Paper
from treeviz.training.trace import Trace


def pack_charts(trace: Trace, figures: Mapping[str, go.Figure], format: str) -> bytes:
    """Return the content of a file with every point that charts of a run draw, by the charts' names.

    `format` is "csv", "parquet" or "json"; `export.tables.read_tables` reads the file.
    """
    rows = [
        {
            "chart": name,
            "curve": re.sub(r"<sup>(.*?)</sup>", r"^\1", curve.name) if curve.name else None,
            "x": float(x),
            "y": float(y),
            "x_title": figure.layout.xaxis.title.text,
            "y_title": figure.layout.yaxis.title.text,
        }
        for name, figure in figures.items()
        for curve in figure.data
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    return pack_tables(describe_run(trace), {"charts": rows}, format, of="the lesson with a run's numbers")


def pack_papers(papers: Sequence[Paper], format: str) -> bytes:
    """Return the content of a file with papers of the map; formats as of `pack_charts`."""
    rows = [
        {
            "title": paper.title,
            "authors": "; ".join(paper.authors),
            "year": paper.year,
            "arxiv": paper.arxiv or None,
            "relation": ROLES[paper.role],
            "theme": paper.theme.title,
            "adds": paper.adds,
        }
        for paper in papers
    ]
    return pack_tables({"treeviz": version("treeviz")}, {"papers": rows}, format, of="the map of related work")
