"""Watch lists as the stage shows them: which neurons a datapoint watches in an iteration, and why (algorithm.md §6)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from treeviz.model.types import Floats, Ints
from treeviz.search.engine import WatchReport
from treeviz.stage.pictures.detail import DrawnTree, draw_tree
from treeviz.training.record import TreeStep
from treeviz.training.trace import Trace

# Leaves of each kind that are suggested for drawing.
_MAX_SHOWN = 64


@dataclass(frozen=True, slots=True, eq=False)
class WatchList:
    """One datapoint's watch list at the start of an iteration, and the neurons that the iteration's move promotes.

    Attributes
    ----------
    report : what all lists did in the iteration.
    lowered : threshold - skin.
    neurons : those watched on this datapoint, ascending.
    promoted : those that all datapoints watch because an earlier move promoted them, ascending.
    num_listed : |U(0)|, the neurons that have lists: those that fired somewhere at the start.
    initial : (m,) leaves of the datapoint's tree at the start.
    """

    report: WatchReport
    lowered: float
    neurons: Ints
    promoted: Ints
    num_listed: int
    initial: Floats

    @property
    def num_promoted(self) -> int:
        """Neurons promoted so far, by this iteration's move too."""
        return self.promoted.size + self.report.promoted.size


def watch_list(trace: Trace, point: int, iteration: int) -> WatchList:
    """Return a datapoint's watch list; raises ValueError if the run has none, or no record of the iteration."""
    watched = trace.watched_pairs(iteration)
    report = trace.records[iteration].watch
    assert report is not None
    return WatchList(
        report=report,
        lowered=trace.config.resolved_threshold - report.skin,
        neurons=trace.moving_neurons[watched[:, point]],
        promoted=trace.promoted_before(iteration),
        num_listed=trace.moving_neurons.size,
        initial=trace.tree_values(point, 0)[trace.num_drawn :],
    )


def leaves_to_show(listed: WatchList, step: TreeStep) -> list[Ints]:
    """Return neurons that are worth drawing to explain watch lists, most important first, a list for each kind.

    Those promoted now, those watched that do not fire, the closest to the threshold first, and those promoted before.
    """
    leaves = step.before[step.num_leaves :]
    waiting = listed.neurons[leaves[listed.neurons] < step.threshold]
    waiting = waiting[np.argsort(-leaves[waiting], kind="stable")]
    return [kind[:_MAX_SHOWN].astype(np.int64) for kind in (listed.report.promoted, waiting, listed.promoted)]


def draw_in_run(
    trace: Trace, step: TreeStep, iteration: int, max_nodes: int, opened: Iterable[int] = ()
) -> tuple[DrawnTree, WatchList | None]:
    """Draw a tree as the stage does: with leaves that explain its watch list, which is None for any other search.

    `iteration` is the one whose list is shown. Errors and cost are those of `draw_tree`.
    """
    listed = None if trace.records[iteration].watch is None else watch_list(trace, step.point, iteration)
    also = [] if listed is None else leaves_to_show(listed, step)
    return draw_tree(step, max_nodes, opened, also), listed
