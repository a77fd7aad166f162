"""What the lesson must say honestly, with one run's numbers, and the questions a reader should be able to answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from treeviz.lesson.facts import Facts
from treeviz.lesson.links import FOREST, PageLink, link_to_stage
from treeviz.style.palette import compact, percent, rounded


@dataclass(frozen=True, slots=True)
class Caveat:
    """What an honest lesson must say, with a way to see it happen."""

    title: str
    text: str
    link: PageLink


# What a reader should be able to answer, with the answers.
QUESTIONS = (
    (
        "What is a leaf?",
        "The inner product of one neuron's weights with one datapoint. Tree i has m leaves, one for each neuron, and "
        "all of them are about datapoint i.",
    ),
    (
        "Why does a search skip most of the tree?",
        "Every node holds the largest leaf below it. If that is less than b, no leaf below can be b or more, so "
        "nothing below is read. Few neurons fire, so far down nearly all nodes are below b.",
    ),
    (
        "Why do most neurons never move?",
        "A neuron that fires on no datapoint has no gradient, so it stays where it is. Then its inner products stay "
        "the same, so it fires nowhere in the next iteration either, nor in any later one.",
    ),
    (
        "What does amortized include?",
        "Building: all m n inner products and the trees above them, done once. It is shared out among the iterations "
        "done so far, so its share is smaller the more there are.",
    ),
    (
        "When is dense better?",
        "When many neurons are touched, since every one of them has to be repaired in all n trees: the forest wins "
        "only where |U| (d + log m) is less than m d. Also when there are few iterations, since building costs about "
        "one of the dense method's.",
    ),
)


def make_caveats(facts: Facts) -> Sequence[Caveat]:
    """Return what must be said honestly (algorithm.md §5), with the run's numbers, and ways to see it."""
    m, touched = facts.width, int(facts.num_touched[0])
    record, last = facts.trace.records[0], len(facts.trace.records) - 1
    repair, search = record.costs.get("repair", 0), record.costs.get("search", 0)
    return (
        Caveat(
            "The set of touched neurons never grows",
            f"So one dense pass can drop all but {percent(touched / m)} of the neurons here for good, and train what "
            "is left densely. This *compaction* is exact, and often beats the trees.",
            PageLink("Race compaction", "race", settings={"contestants": ["forest", "table", "compact", "dense"]}),
        ),
        Caveat(
            "Touching costs more than searching",
            f"Searching all trees took {compact(search)} operations in the first iteration here, repairing them "
            f"{compact(repair)}. A flat table of their inner products, read whole in every iteration, needs fewer "
            "operations than the trees on all the data we tried. The forest beats dense only where |U| (d + log m) is "
            "less than m d.",
            link_to_stage("repair", label="Show me the repair"),
        ),
        Caveat(
            "Building costs about one dense iteration",
            f"It took {compact(sum(facts.trace.build_costs.values()))} operations here; an iteration of the dense "
            f"method takes {compact(float(facts.trace.amortized(of='dense')[0]))}. Gauss–Newton needs 4 to 8, so the "
            "whole saving is bounded by that. First-order methods need hundreds to thousands of cheap "
            "iterations, which pay for it.",
            PageLink("Compare by iterations", "where-it-pays", settings={"family": "all"}),
        ),
        Caveat(
            "With a fixed b, a list would do",
            "A list of the firing neurons, kept up to date, answers in k steps. The tree pays for its logarithm where "
            "the threshold varies: as b moves, or for the lowered threshold of watch lists.",
            PageLink(
                "Show me watch lists",
                "",
                {"tree": "0", "it": "0", "phase": "repair"},
                {"search": "watch lists", "solver": "exact", "rule": True},
            ),
        ),
        Caveat(
            "The threshold costs conditioning",
            f"The smallest eigenvalue of G is {float(facts.eigenvalues[0]):.2g} here. "
            + (
                "With b = 0 it is several times larger, but then half of all neurons fire on a datapoint."
                if facts.threshold > 0
                else "That is large, because b = 0; but half of all neurons fire on a datapoint."
            ),
            link_to_stage("solve", label="The same data with b = 0", paper=False, b=0.0),
        ),
        Caveat(
            "Theory's width is not practice's",
            f"Theory asks for $10^{{{facts.required_width_exponent:.0f}}}$ neurons here. In practice a width of a few "
            "thousand often does, and sometimes does not: 200 raw digits at m = 4,096 stall.",
            PageLink(
                "Show me a run that stalls",
                "",
                {"tree": "0", "it": "8", "phase": "solve"},
                {**FOREST, "data": "digits", "digits-n": 200, "digits-center": False, "width": 4096, "paper": True},
            ),
        ),
        Caveat(
            "On random data preconditioning is hardly needed",
            f"κ(G) is 1.5 to 4 on random points; here it is {rounded(facts.conditioning)}. On real, uncentred data it "
            "is 100 to 1,000, and there the sketch is worth its cost."
            if math.isfinite(facts.conditioning)
            else "κ(G) is 1.5 to 4 on random points. Here G is singular, at least to round-off.",
            PageLink(
                "Random points, sketched",
                "",
                {"tree": "0", "it": "0", "phase": "solve"},
                {"search": "forest", "solver": "sketch", "data": "sphere", "paper": True},
            ),
        ),
        Caveat(
            "The network is not deep",
            "It has two layers, and one of them is trained. What is shown here says nothing about networks with many.",
            link_to_stage("forward", last, "Show me all of it"),
        ),
    )
