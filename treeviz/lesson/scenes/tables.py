"""The tables that a scene may show below its text, of the numbers of the run on the stage."""

from collections.abc import Callable
from typing import TypedDict

from treeviz.lesson.scenes.numbers import TreeMoment
from treeviz.model.phases import PHASES

MAX_ROWS = 12


class Table(TypedDict):
    """A table, written out.

    Attributes
    ----------
    caption : what its numbers are.
    head : the columns; the first names the rows.
    rows : as many entries each.
    strong : the row that matters most.
    """

    caption: str
    head: list[str]
    rows: list[list[str]]
    strong: int


def _own_name(at: TreeMoment) -> str:
    return "trees" if at.trace.config.search == "forest" else "this run"


def tell_phases(at: TreeMoment) -> Table:
    """Return the operations of an iteration by phase, of the run and of the dense method, with their sums."""
    own, dense = at.record.costs, at.trace.dense_costs(at.record)
    phases = [phase for phase in PHASES if phase in own or phase in dense]
    rows = [[PHASES[phase].title, *(f"{costs.get(phase, 0):,}" for costs in (own, dense))] for phase in phases]
    rows.append(["sum", *(f"{sum(costs.values()):,}" for costs in (own, dense))])
    caption = f"Operations in iteration {at.iteration}, all trees together"
    return Table(caption=caption, head=["phase", _own_name(at), "dense"], rows=rows, strong=len(rows) - 1)


def tell_totals(at: TreeMoment) -> Table:
    """Return the sums of operations after each iteration, up to the first after which the dense method has more.

    With them is the amortized cost of an iteration. The rows are `MAX_ROWS` at most, and of what is computed.
    """
    own, dense = sum(at.trace.build_costs.values()), 0
    rows: list[list[str]] = []
    for count, record in enumerate(at.trace.records[:MAX_ROWS], start=1):
        own += record.num_operations
        dense += sum(at.trace.dense_costs(record).values())
        rows.append([f"{count}", f"{own:,}", f"{dense:,}", f"{round(own / count):,}"])
        if own < dense:
            break
    name = _own_name(at)
    caption = "Operations after so many iterations, building included, and spread over them"
    head = ["iterations", name, "dense", f"{name}, amortized"]
    return Table(caption=caption, head=head, rows=rows, strong=len(rows) - 1)


TABLES: dict[str, Callable[[TreeMoment], Table]] = {"phases": tell_phases, "totals": tell_totals}
