"""The tables that the numbers of a run or a race make, and the unit of every column.

Of a run, `records` has a row an iteration; `ledger` a row a phase of an iteration, and one a phase of building;
`points` a row a datapoint and iteration. Of a race, `laps` has a row an iteration of a contestant; `contestants` a row
each; `phases` a row a phase of a contestant. `forecast` has a row a method and width, `charts` a row a point drawn,
`papers` a row a paper of the map. A value that there is not, or that is no finite number, is missing; the status of the
iteration then says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FORMATS = ("csv", "parquet", "json", "npz")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the type of its values, which may be missing, and their unit or meaning."""

    kind: type[int] | type[float] | type[str]
    unit: str


_RUN: dict[str, dict[str, Column]] = {
    "records": {
        "iteration": Column(int, "number of the iteration, from 0; loss and firing sets are those before its move"),
        "loss": Column(float, "1/2 ||f - y||^2, squared units of the target"),
        "dense_loss": Column(float, "loss of the dense method trained beside the run, same unit; missing if none was"),
        "num_firing": Column(int, "pairs of a neuron and a datapoint on which it fires"),
        "num_touched": Column(int, "neurons the iteration moves"),
        "num_visited": Column(int, "tree nodes the search entered"),
        "num_modified": Column(int, "tree nodes whose value the move changed"),
        "operations": Column(int, "operations: multiply-adds, and tree nodes read or written"),
        "dense_operations": Column(int, "operations of the dense method for the same iteration"),
        "seconds": Column(float, "seconds of wall-clock time"),
        "amortized_operations": Column(float, "operations per iteration so far, building included"),
        "amortized_dense_operations": Column(float, "operations per iteration so far of the dense method"),
        "amortized_seconds": Column(float, "seconds per iteration so far, building included"),
        "solve_iterations": Column(int, "conjugate-gradient iterations; 0 for a direct solve"),
        "solve_residual_norm": Column(float, "relative residual at the end of the solve"),
        "conditioning": Column(float, "condition number of the Gram matrix, estimated"),
        "preconditioned_conditioning": Column(float, "condition number that conjugate gradient met"),
        "rank": Column(int, "numerical rank of the Gram matrix"),
        "num_watched": Column(int, "pairs watched at the start of the iteration; of watch lists only"),
        "num_due": Column(int, "neurons the move looked at; of watch lists only"),
        "num_changed": Column(int, "neurons that fire on other datapoints than before; of watch lists only"),
        "num_promoted": Column(int, "neurons watched with all datapoints from now on; of watch lists only"),
        "num_unlearnable": Column(int, "datapoints that cannot be moved or cannot be fitted"),
        "status": Column(str, "ok, or what went short"),
        "solve_status": Column(str, "ok, or what went short in the solve"),
    },
    "ledger": {
        "iteration": Column(int, "number of the iteration; missing for building"),
        "phase": Column(str, "phase that the work is charged to"),
        "operations": Column(int, "operations: multiply-adds, and tree nodes read or written"),
        "dense_operations": Column(int, "operations of the dense method; missing where it has no such phase"),
        "seconds": Column(float, "seconds of wall-clock time"),
    },
    "points": {
        "iteration": Column(int, "number of the iteration, from 0"),
        "point": Column(int, "number of the datapoint, from 0"),
        "target": Column(float, "y, what is to be learned"),
        "output": Column(float, "f before the move, units of the target"),
        "residual": Column(float, "f - y, units of the target"),
        "dual_step": Column(float, "g: w_r changes by -(a_r / sqrt(m)) * sum of g_i x_i over the i on which r fires"),
        "num_firing": Column(int, "neurons that fire on the datapoint"),
        "num_visited": Column(int, "nodes of its tree the search entered; missing without a tree for each datapoint"),
        "num_modified": Column(int, "nodes of its tree the move changed; missing without a tree for each datapoint"),
        "unlearnable": Column(str, "why the datapoint cannot be moved or cannot be fitted; missing where it can"),
    },
}
_RACE: dict[str, dict[str, Column]] = {
    "laps": {
        "contestant": Column(str, "key of the contestant"),
        "iteration": Column(int, "number of the iteration, from 0"),
        "loss": Column(float, "1/2 ||f - y||^2 before the move of the iteration, squared units of the target"),
        "operations": Column(int, "operations spent when that loss is known, building included"),
        "seconds": Column(float, "seconds of wall-clock time spent when that loss is known, building included"),
        "lap_operations": Column(int, "operations of the whole iteration"),
        "lap_seconds": Column(float, "seconds of wall-clock time of the whole iteration"),
        "num_touched": Column(int, "neurons the iteration moves"),
        "num_modified": Column(int, "tree nodes whose value the move changed"),
    },
    "contestants": {
        "contestant": Column(str, "key of the contestant"),
        "title": Column(str, "its name"),
        "state": Column(str, "waiting, running, reached (the loss asked for), stopped or failed"),
        "reason": Column(str, "why it stopped or failed; missing where it did not"),
        "to_loss_iterations": Column(int, "iterations to the loss asked for; missing where it was not reached"),
        "to_loss_operations": Column(int, "operations to the loss asked for; missing where it was not reached"),
        "to_loss_seconds": Column(float, "seconds to the loss asked for; missing where it was not reached"),
        "lowest_loss": Column(float, "lowest loss so far, squared units of the target"),
        "test_error": Column(float, "error on the test points; `about` says which, and what kind of error"),
        "num_bytes": Column(int, "bytes it keeps from one iteration to the next"),
        "build_operations": Column(int, "operations of building"),
        "build_seconds": Column(float, "seconds of wall-clock time of building"),
    },
    "phases": {
        "contestant": Column(str, "key of the contestant"),
        "phase": Column(str, "phase that the work is charged to"),
        "operations": Column(int, "operations of all iterations and of building"),
        "seconds": Column(float, "seconds of wall-clock time of all iterations and of building"),
    },
}
_FORECAST: dict[str, dict[str, Column]] = {
    "forecast": {
        "method": Column(str, "its name"),
        "width": Column(int, "neurons m"),
        "kind": Column(str, "expected, by the formulas and the data; or measured, in a race of this session"),
        "operations": Column(float, "operations of all iterations, building included"),
    }
}
_PAGES: dict[str, dict[str, Column]] = {
    "charts": {
        "chart": Column(str, "its name on the page"),
        "curve": Column(str, "its name in the chart; missing where there is one curve"),
        "x": Column(float, "what x_title says"),
        "y": Column(float, "what y_title says, as drawn: a zero stands a little above it on a logarithmic axis"),
        "x_title": Column(str, "title of the axis across"),
        "y_title": Column(str, "title of the axis up"),
    },
    "papers": {
        "title": Column(str, "its title"),
        "authors": Column(str, "their names, separated by semicolons"),
        "year": Column(int, "when it appeared"),
        "arxiv": Column(str, "its number there; missing where it has none"),
        "relation": Column(str, "when it appeared, compared with this paper"),
        "theme": Column(str, "what it is about"),
        "adds": Column(str, "what it adds"),
    },
}
RUN_TABLES: Mapping[str, Mapping[str, Column]] = MappingProxyType(_RUN)
RACE_TABLES: Mapping[str, Mapping[str, Column]] = MappingProxyType(_RACE)
ALL_TABLES: Mapping[str, Mapping[str, Column]] = MappingProxyType({**_RUN, **_RACE, **_FORECAST, **_PAGES})
