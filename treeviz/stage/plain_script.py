"""The script for a search of which the stage knows nothing but its results: which neurons fire, and where they move.

The tree is still drawn, to show where the firing neurons are.
"""

from collections.abc import Iterator

import numpy as np

from treeviz.model.numerals import agree, count
from treeviz.stage.script_parts import FORWARD, MOVE, Heap, Line, Scene, SearchScript, Step

_SEARCH = (
    Line(
        "search",
        "for each datapoint i: find S_i",
        "S_i: the neurons that fire on datapoint i, those with z_ri = w_r·x_i ≥ b. b: the threshold.",
        value=lambda scene: f"{scene.firing_here}; Σ |S_i| = {scene.record.firing.num_pairs:,}",
    ),
    FORWARD,
)
_MOVE = (
    *MOVE,
    Line("repair", "bring up to date what the search keeps", "Some searches keep nothing: then nothing is done here."),
)


def _search(scene: Scene, line: int) -> Iterator[Step]:
    step = scene.drawn.step
    yield Step(
        line,
        f"Of {count(step.num_leaves, 'neuron')} the search finds {step.firing.size:,} that "
        f"{agree(step.firing.size, 'fires', 'fire')} on datapoint {step.point}. It "
        "does not search this tree, which is drawn to show where they are.",
    )


def _repair(scene: Scene, line: int) -> Iterator[Step]:
    step, drawn = scene.drawn.step, scene.drawn
    old, new = (values[step.num_leaves :] >= step.threshold for values in (step.before, step.after))
    yield Step(
        line,
        f"On datapoint {step.point}, {count(int((new & ~old).sum()), 'neuron')} will start and "
        f"{int((old & ~new).sum()):,} will stop firing. The tree shows the values after the move.",
        writes=Heap(drawn).write(np.flatnonzero(drawn.is_end)),
    )


PLAIN = SearchScript(
    search=_SEARCH,
    move=_MOVE,
    tellers=lambda scene: {
        "search": lambda line: _search(scene, line),
        "repair": lambda line: _repair(scene, line),
    },
)
