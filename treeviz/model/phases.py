"""The phases that work is charged to: the one table of them, in their order.

The ledger accepts these names and no others. The stage shows those of an iteration, the race has a colour for each, and
both send the table to the browser. To add a phase, add it here, and post to it where its work is done.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase.

    Attributes
    ----------
    title : its name on screen.
    meaning : what is done in it, in one sentence.
    in_iteration : whether it is part of an iteration; else of the build.
    before_loss : whether it must be done before the iteration's loss is known.
    enters_nodes : whether its steps enter the nodes of a tree one by one. In other phases all are already entered.
    has_dual_step : whether the dual step g is known in it.
    has_move : whether it is known in it how each neuron moves.
    is_after_move : whether the neurons have moved, and its steps write what changed.
    """

    title: str
    meaning: str
    in_iteration: bool = True
    before_loss: bool = False
    enters_nodes: bool = False
    has_dual_step: bool = False
    has_move: bool = False
    is_after_move: bool = False


PHASES: dict[str, Phase] = {
    "build": Phase("Build", "Make what the search needs, once, before the first iteration.", in_iteration=False),
    "search": Phase("Search", "Find the neurons that fire on each datapoint.", before_loss=True, enters_nodes=True),
    "forward": Phase("Forward", "Add up the outputs, and compare them with the targets.", before_loss=True),
    "jacobian": Phase("Jacobian", "Note which weights each output depends on."),
    "sketch": Phase("Sketch", "Mix the rows of the Jacobian into a few random sums."),
    "precondition": Phase("Precondition", "Factor the sketch, so that the solve needs few iterations."),
    "solve": Phase("Solve", "Find the dual step, how far to correct for each datapoint.", has_dual_step=True),
    "move": Phase("Move", "Move the neurons that fire.", has_dual_step=True, has_move=True),
    "repair": Phase(
        "Repair",
        "Bring what the search uses up to date with the moved neurons.",
        has_dual_step=True,
        has_move=True,
        is_after_move=True,
    ),
}
