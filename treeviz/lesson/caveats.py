"""What the lesson must say honestly, with one run's numbers, and the questions a reader should be able to answer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from treeviz.lesson.facts import Facts
from treeviz.lesson.links import FOREST, PageLink, link_to_stage
from treeviz.lesson.sections import describe_eigenvalue, describe_when_dense_is_better
from treeviz.model.network import firing_probability, paper_threshold
from treeviz.model.numerals import agree, count, numeral
from treeviz.style.palette import compact, percent


@dataclass(frozen=True, slots=True)
class Caveat:
    """What an honest lesson must say, with a way to see it happen, and the experiment of the Lab that measures it."""

    title: str
    text: str
    link: PageLink
    experiment: str = ""


# Moves of Gauss-Newton and of gradient descent to a loss of 1e-6 on the bundled data: algorithm.md §4 has the runs.
GAUSS_NEWTON_MOVES = (
    "Gauss–Newton took 3 to 26 moves to a loss of 10⁻⁶ in the runs we measured on random points, digits and tables at "
    "m = 65,536, and on planar data 6 to 196 with the paper's threshold, or did not get there in 300"
)
DESCENT_MOVES = "gradient descent took 13 to 532 on sphere, digits and breast cancer at m = 65,536"
# algorithm.md §3, and on wine and centred digits.
ADAM_MOVES = "To a loss of 10⁻⁶ Adam took 131 to 148 on sphere, digits and wine at m = 4,096 and 65,536"


def make_questions(facts: Facts) -> Sequence[tuple[str, str]]:
    """Return what a reader should be able to answer, with the answers; the last with the run's numbers."""
    return (
        (
            "What is a leaf?",
            "The inner product of one neuron's weights with one datapoint. Tree i has m leaves, one for each neuron, "
            "and all of them are about datapoint i.",
        ),
        (
            "Why can a search skip parts of the tree?",
            "Every node holds the largest leaf below it. If that is less than b, no leaf below can be b or more, so "
            "nothing below is read. The fewer neurons fire, the larger the parts where nothing is b or more.",
        ),
        (
            "Why does a neuron that fires nowhere never move?",
            "A neuron that fires on no datapoint has no gradient, so it stays where it is. Then its inner products "
            "stay the same, so it fires nowhere in the next iteration either, nor in any later one.",
        ),
        (
            "What does amortized include?",
            "Building: all m n inner products and the trees above them, done once. It is shared out among the "
            "iterations done so far, so its share is smaller the more there are.",
        ),
        ("When is dense better?", describe_when_dense_is_better(facts)),
    )


def make_caveats(facts: Facts) -> Sequence[Caveat]:
    """Return what must be said honestly (algorithm.md §5), with the run's numbers, and ways to see it."""
    m, touched = facts.width, int(facts.num_touched[0])
    record, last = facts.trace.records[0], len(facts.trace.records) - 1
    repair, search = record.costs.get("repair", 0), record.costs.get("search", 0)
    build, dense = sum(facts.trace.build_costs.values()), sum(facts.trace.dense_costs(record).values())
    iterations = len(facts.trace.records)
    return (
        Caveat(
            "The set of touched neurons never grows",
            f"So one dense pass can drop all but {percent(touched / m)} of the neurons here for good, and train what "
            "is left densely. This *compaction* is exact; the table below says what it costs here.",
            PageLink("Race compaction", "race", settings={"contestants": ["forest", "table", "compact", "dense"]}),
            "search",
        ),
        Caveat(
            f"{'Repairing' if repair > search else 'Searching'} costs more than "
            f"{'searching' if repair > search else 'repairing'}",
            f"In the first iteration here the operations of searching all trees were {compact(search)}, those of "
            f"repairing them {compact(repair)}. A repair takes n multiply-adds for each pair that fires, and the nodes "
            "above the leaves of touched neurons, but nothing that grows with d. A flat table of the inner products of "
            "the touched neurons, read whole in every iteration, needed fewer operations than the trees on all eight "
            "of the data sets we tried.",
            link_to_stage("repair", label="Show me the repair"),
            "search",
        ),
        Caveat(
            "Building is shared out among few iterations",
            f"It took {compact(build)} operations here, {numeral(build / dense, 2)} times what an iteration of the "
            f"dense method takes, {compact(dense)}; {count(iterations, 'iteration')} "
            f"{agree(iterations, 'has', 'have')} been done so far. {GAUSS_NEWTON_MOVES}; {DESCENT_MOVES}, "
            "at a lower price each, and building counts for less among them.",
            PageLink("Compare by iterations", "where-it-pays", settings={"family": "all"}),
            "sublinear",
        ),
        Caveat(
            "With a fixed b, a list would do",
            "A list of the firing neurons, kept up to date, answers in k steps; the compact table does without trees "
            "as well. " + _describe_what_trees_buy(facts),
            PageLink(
                "Show me watch lists",
                "",
                {"tree": "0", "it": "0", "phase": "repair"},
                {"search": "watch lists", "solver": "exact", "rule": True},
            ),
            "search",
        ),
        Caveat(
            "The threshold makes G smaller, and changes its conditioning",
            _describe_conditioning(facts),
            link_to_stage("solve", label="The same data with b = 0", paper=False, b=0.0),
            "threshold",
        ),
        Caveat(
            "Theory's width is not practice's",
            f"Theory asks for $10^{{{facts.required_width_exponent:.0f}}}$ neurons here. In the runs we measured "
            "4,096 to 65,536 were enough on random points in 16 and 64 dimensions, digits and tables. In two to four "
            "dimensions the threshold decides: "
            "with the paper's, 32 points of xor at m = 2,048 stall at a loss of 10⁻⁵; with b = 0 they need 6 moves to "
            "10⁻⁶.",
            PageLink(
                "Show me a run that stalls",
                "",
                {"tree": "0", "it": "80", "phase": "solve"},
                {**FOREST, "data": "xor", "xor-n": 32, "width": 2048, "paper": True, "seed": 0},
            ),
            "width",
        ),
        Caveat(
            "How much preconditioning helps depends on the data",
            "With the paper's threshold at m = 65,536, κ(G) tends to 1.4 for 16 random points in 16 dimensions, and to "
            "351 for 200 in 4; for 200 digits to 288, and to 17 once they are centred [computed]. "
            + (
                f"Here it is {numeral(facts.conditioning, 2)}. The larger it is, the more products with G the "
                "sketch saves conjugate gradient."
                if math.isfinite(facts.conditioning)
                else "Here G is singular, at least to round-off."
            ),
            PageLink(
                "Random points, sketched",
                "",
                {"tree": "0", "it": "0", "phase": "solve"},
                {"search": "forest", "solver": "sketch", "data": "sphere", "paper": True},
            ),
            "sketch",
        ),
        Caveat(
            "The network is not deep",
            "It has two layers, and one of them is trained. What is shown here says nothing about networks with many.",
            link_to_stage("forward", last, "Show me all of it"),
        ),
    )


def _describe_what_trees_buy(facts: Facts) -> str:
    """Say what a forest can do that the compact table cannot, and how much each reads in a search."""
    record, n, m = facts.trace.records[0], facts.num_points, facts.width
    touched, read = int(record.touched.size), int(record.num_visited.sum())
    return (
        "What trees buy is threefold. *Any threshold, at any time*: the forest can be asked for all leaves of at least "
        "any τ, also below b; the table knows nothing of neurons that were below b everywhere. *A bound on every "
        "search*: at most 1 + 2k (log₂(m/k) + 2) nodes of a tree, however many neurons fire on other datapoints, where "
        "the table compares the numbers of all that fired anywhere at the start. With all datapoints in each iteration "
        "the repair, which writes n leaves for each neuron that moves, outweighed this in what we tried. *What never "
        f"fires at the start*: {count(m - touched, 'neuron')} here {agree(m - touched, 'has', 'have')} a leaf in every "
        "tree and no row in the table, so the table is exact only while datapoints stay the same and weights change "
        f"by training alone. The first search here reads {count(read, 'node')}; the table would compare "
        f"{count(touched * n, 'number')}."
    )


def describe_alpha_range() -> str:
    """Say in which range the paper has the saved exponent, and where that stands."""
    return (
        "The abstract of arXiv 2208.04508 (version 2) has α in (0.01, 1). A public review of the paper's submission to "
        "ICLR 2026 quotes (0.01, 1) from its Theorem 1.1, [0.1, 0.24] from Theorem 6.1 and [0.1, 0.24) from Theorem "
        "F.1. From α = 1/4 on the first width condition holds for no network at all"
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """What cannot be said with certainty, and why."""

    title: str
    text: str


def make_limits(facts: Facts) -> Sequence[Limit]:
    """Return what cannot be said with certainty (algorithm.md §10), with the run's numbers."""
    m, status = facts.width, facts.trace.records[-1].status
    exponents = [
        math.log2(2 * firing_probability(paper_threshold(2 * one)) / firing_probability(paper_threshold(one)))
        for one in (1 << 14, 1 << 22)
    ]
    nearest = float(np.abs(facts.leaves - facts.threshold).min())
    return (
        Limit(
            "Whether a slow run will converge",
            "A run that is called *slow so far* may do either: of 819 measured runs that came to a loss of 10⁻⁶, 30 "
            "were called so on the way, and of 42 that did not and were not called stalled either, 35 ended as slow. A "
            "run is called *stalled* if its losses repeat themselves; this was wrong in none of 1,605 runs, which is "
            "no proof that it never is [measured, algorithm.md §4]. This run is "
            f"{'slow so far.' if 'slow so far' in status else 'stalled.' if 'stalled' in status else 'neither now.'}",
        ),
        Limit(
            "Whether the theorem's rate holds at a width that can be trained",
            f"Its hypothesis asks for $10^{{{facts.required_width_exponent:.0f}}}$ neurons with these n and the "
            f"paper's threshold, and this network has {m:,}. What runs show neither supports the theorem nor "
            "contradicts it: it says nothing about them.",
        ),
        Limit("Which α the theorem covers", f"{describe_alpha_range()} [derived]."),
        Limit(
            "How costs grow without end",
            "Exponents here are fitted over finite widths. With the paper's threshold the expected number that fire "
            f"grows like $m^{{{exponents[0]:.2f}}}$ around m = 2¹⁴, and like $m^{{{exponents[1]:.2f}}}$ around 2²² "
            "[computed]; measured times follow the caches of a machine as well.",
        ),
        Limit(
            "That a random sketch is good",
            "A sketch is drawn from random signs. A bad draw makes conjugate gradient slower, or misses a direction, "
            "which is looked for and answered with a larger sketch. The relative residual of every solve is in its "
            "record; no bound on how often a draw is bad is proved here.",
        ),
        Limit(
            "Which side of b a tie is on",
            "Inner products are rounded to double precision. A pair as close to b as its round-off may be found on "
            "either side, by any of the methods; watch lists are proved to agree beyond a bound (algorithm.md §6), and "
            "the check of every iteration counts ties apart. In this run the leaf of tree 0 that is closest to b is "
            f"{numeral(nearest, 2)} away at the start.",
        ),
        Limit(
            "How long anything takes",
            "Operations are counted, and the same whenever a run takes the same steps. Seconds depend on the machine, "
            "its memory and what else it does; so does the price of a node, and which method is fastest.",
        ),
    )


def _describe_conditioning(facts: Facts) -> str:
    """Say how small G is, beside p, how well conditioned, and what both would be with b = 0 and the paper's b."""
    smallest, chance = float(facts.eigenvalues[0]), facts.probability
    text = f"The smallest eigenvalue λ of G is {describe_eigenvalue(facts)} here"
    if chance and math.isfinite(facts.conditioning):
        text += f", {numeral(smallest / chance, 2)} times p, for all eigenvalues shrink with p"
    text += f". κ, the largest over the smallest, is {_conditioning(facts.conditioning)}."
    at_zero = facts.expected_conditioning(0.0)
    at_paper = facts.expected_conditioning(paper_threshold(facts.width))
    if at_zero is not None and at_paper is not None:
        text += (
            f" For these datapoints κ tends to {_conditioning(at_zero)} with b = 0, and to {_conditioning(at_paper)} "
            "with the paper's b, as m grows [computed]. With b = 0 half of all neurons fire on a datapoint."
        )
    return text


def _conditioning(kappa: float) -> str:
    return numeral(kappa, 2) if math.isfinite(kappa) else "infinity"
