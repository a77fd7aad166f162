"""The lesson of the theory page: short sections, each with a formula, the same with one run's numbers, and a picture.

Statements are marked by where they come from, as in algorithm.md: the paper, a derivation, or a measurement here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from treeviz.lesson import charts
from treeviz.lesson.facts import SKETCH_FACTORS, Facts
from treeviz.lesson.links import PageLink, link_to_stage
from treeviz.model.network import paper_threshold
from treeviz.model.numerals import agree, count, count_firing, numeral
from treeviz.model.theorem import ALPHA
from treeviz.style.palette import compact, percent


@dataclass(frozen=True, slots=True)
class Section:
    """One section: `key` names it in links; `formula`, and the same `with_numbers` of the run, are lines of LaTeX."""

    key: str
    title: str
    text: str
    formula: Sequence[str]
    with_numbers: Sequence[str]
    conclusion: str
    chart: Callable[[Facts], go.Figure]
    link: PageLink


def make_sections(facts: Facts) -> Sequence[Section]:
    """Return the sections in order, with a run's numbers."""
    n, d, m, b = facts.num_points, facts.dimension, facts.width, facts.threshold
    record, trace = facts.trace.records[0], facts.trace
    firing = int(facts.num_firing[0])
    visited, inner = int(record.num_visited[0]), (int(record.num_visited[0]) - 1) // 2
    most = math.floor(1 + 2 * firing * (math.log2(m / firing) + 2)) if firing else 1
    is_clipped = trace.config.activation == "clipped"
    touched, written = int(record.touched.size), int(facts.num_written[0])
    iterations = len(trace.records)
    build = sum(trace.build_costs.values())
    steps = sum(one.num_operations for one in trace.records)
    dense = float(trace.amortized(of="dense")[-1])
    amortized = float(trace.amortized()[-1])
    last, sketch = iterations - 1, facts.sketches[SKETCH_FACTORS[1]]
    norm, rows = math.sqrt(2 * record.loss), sketch.num_sketch_rows
    bound = math.exp(-b * b / 2)
    return (
        Section(
            "network",
            "A network with a threshold",
            "The network has **two layers**. In the first, m **neurons** each hold d weights, drawn at random. A "
            "neuron **fires** on an input if their inner product is at least the **threshold b**, and passes on the "
            "part above b. The second layer adds these parts up with fixed signs +1 or −1. Only the first layer is "
            "trained, so the network is wide, not deep. All inputs have length 1. The inner product of neuron r with "
            "datapoint i is called $z_{ri}$. The part above b is $\\max(z-b,0)$. Two readers of the paper took its "
            "activation for $\\max(z,b)$, which is b more. This adds the same number to all outputs, "
            "$b\\sum_r a_r/\\sqrt m$, and changes neither who fires nor how outputs change with the weights."
            + (" This run has this other activation." if is_clipped else ""),
            [
                r"f(x)=\frac{1}{\sqrt m}\sum_{r=1}^{m} a_r\,\max\bigl(\langle w_r,x\rangle-b,\;0\bigr)",
                *([r"+\;\frac{b}{\sqrt m}\sum_{r=1}^{m}a_r"] if is_clipped else []),
            ],
            [
                rf"f(x_0)=\frac{{1}}{{\sqrt{{{tex(m)}}}}}\sum_{{{tex(firing)}\text{{ that fire}}}} "
                rf"a_r\,(z_{{r0}}-{b:.3f})",
                *([rf"+\;{b:.3f}\cdot({trace.output_signs.sum():,.0f})/\sqrt{{{tex(m)}}}"] if is_clipped else []),
                rf"={record.outputs[0]:.4f}",
            ],
            f"Of {count(m, 'neuron')}, {count_firing(firing)} on datapoint 0. What the others add to the output is "
            f"{'±b/√m each' if is_clipped else 'nothing'}, whatever their weights are exactly.",
            charts.leaves_chart,
            link_to_stage("forward"),
        ),
        Section(
            "sparsity",
            "Why few neurons fire",
            "Weights are drawn from the normal distribution and inputs have length 1, so a fresh inner product is a "
            "normal number too. It reaches b with probability **p**, which falls very fast as b grows. The paper takes "
            "b = √(0.48 ln m), which makes the bound below a power of m: the wider the network, the higher the "
            "threshold, and the smaller the share expected to fire."
            + (
                ""
                if facts.has_paper_threshold
                else f" In this run b is another, {b:.3f} and not {paper_threshold(m):.3f}: the power of m does not "
                "hold for it."
            ),
            [
                r"p=\Pr[\mathcal N(0,1)\ge b]\;\le\;e^{-b^2/2}",
                r"b=\sqrt{0.48\,\ln m}\quad\Rightarrow\quad m\,p\;\le\;m^{0.76}",
            ],
            [
                rf"p={tex(facts.probability)},\quad m\,p={tex(m * facts.probability)}",
                rf"m\,e^{{-b^2/2}}={tex(m * bound)}",
            ],
            f"Of m = {m:,}, a datapoint fires {numeral(facts.num_firing.mean(), 2)} on average, and datapoint 0 "
            f"{percent(firing / m)}."
            + (
                f" The bound is {numeral(bound / facts.probability, 2)} times as large as p."
                if facts.probability
                else ""
            )
            + " [Bound: paper. The rest: computed.]",
            charts.sparsity_chart,
            link_to_stage("search", label="Show me the few that fire"),
        ),
        Section(
            "trees",
            "A tree for each datapoint",
            "How are the few found without looking at all m? Every datapoint has a tree. A **leaf** is the inner "
            "product of one neuron with this datapoint, so there are m leaves. Every node above holds the **larger of "
            "its two children**, so a node tells the largest leaf anywhere below it. A search starts at the root and "
            "enters a child only if it holds at least b. **Below a smaller node no leaf can reach b, so the search "
            "skips all of it**: most of the tree, where few neurons fire. If k leaves fire, at most k nodes of a level "
            "are b or more, and near the root at most all of them: together at most k (log₂(m/k) + 2) inner nodes. "
            "[Derived.]",
            [
                r"\text{nodes read}=1+2\cdot\#\{\text{inner nodes}\ge b\}",
                r"\le\;1+2k\Bigl(\log_2\frac{m}{k}+2\Bigr)",
            ],
            [
                rf"1+2\cdot{tex(inner)}={tex(visited)}\;\text{{ of }}\;2m-1={tex(2 * m - 1)}",
                rf"\text{{at most }}1+2\cdot{tex(firing)}\,(\log_2(m/{tex(firing)})+2)={tex(most)}"
                if firing
                else r"\text{k = 0: the root alone}",
            ],
            f"The search of tree 0 reads {percent(visited / (2 * m - 1))} of its nodes. {_describe_search(facts)}",
            charts.levels_chart,
            link_to_stage("search", label="Show me the search"),
        ),
        Section(
            "iteration",
            "One iteration",
            "**Search** every tree for the neurons that fire. **Forward**: add up the leaves that fire; they are inner "
            "products already. **Jacobian** and **solve**: one number g for each datapoint, the *dual step*, says how "
            "hard it pulls at the neurons that fire on it. It solves an n × n system, whose matrix G says how much two "
            "outputs have in common (next section), and would bring all outputs to their targets if no neuron started "
            "or stopped firing. **Move** the neurons that fire along the datapoints they fire on. **Repair** the "
            "trees: a moved neuron has a new leaf in each. This is a *Gauss–Newton* step: it costs more than one of "
            "gradient descent, which solves no system, and in the runs we measured fewer of them were needed.",
            [r"G\,g=f-y", r"w_r\leftarrow w_r-\frac{a_r}{\sqrt m}\sum_{i\,:\,r\text{ fires on }i} g_i\,x_i"],
            [
                rf"\lVert f-y\rVert={tex(norm)},\quad \lVert g\rVert={tex(math.hypot(*record.dual_step))}",
                rf"{tex(touched)}\text{{ neurons move}}",
            ],
            f"{_describe_losses(facts)} Once no neuron starts or stops firing, the network is linear in its weights, "
            "and one step ends at round-off, if G is not singular.",
            charts.losses_chart,
            link_to_stage("move", label="Show me a step"),
        ),
        Section(
            "sketch",
            "The sketch",
            "The matrix G = J Jᵀ comes from the **Jacobian** J, how the n outputs change with the m d weights. Treated "
            "as dense, J alone would cost m n d to read. The paper adds up the rows of Jᵀ in random groups with random "
            "signs, a matrix Π times Jᵀ, to get a **sketch** with a few times n rows, from the neurons that fire "
            "alone. Its QR factors, Q with orthonormal columns and R triangular, make a **preconditioner** R⁻¹: with "
            "it conjugate gradient, a method that solves by products with G alone, needs about as many of them "
            "*however large the conditioning κ of G is*, its largest eigenvalue over its smallest, as long as G is not "
            "singular to round-off. The signs are random, so this holds with high probability, not always. In this "
            "two-layer network G can also be formed, from counts of the neurons that fire on two datapoints. Here that "
            "takes "
            f"{compact(facts.exact_operations)} operations with the solve, and the sketch with 8 n rows "
            f"{compact(facts.sketch_operations[8])}.",
            [
                r"\Pi\,J^{\mathsf T}=Q\,R,\qquad q=\text{rows}/n",
                r"\kappa\bigl(R^{-\mathsf T}G\,R^{-1}\bigr)\approx\Bigl(\tfrac{\sqrt q+1}{\sqrt q-1}\Bigr)^{2}",
            ],
            [
                rf"J:\;{tex(n)}\times{tex(m * d)},\quad \Pi J^{{\mathsf T}}:\;{tex(rows)}\times{tex(n)}",
                rf"\kappa(G)={tex(facts.conditioning)}\;\to\;{tex(sketch.preconditioned_conditioning or math.inf)}",
            ],
            "Products with G that conjugate gradient needs here: "
            + ", ".join(f"{report.iterations} with {factor} n rows" for factor, report in facts.sketches.items())
            + ". The smaller κ, the fewer products; more rows cost more to make. [Measured on this run's first "
            "system.]",
            charts.sketches_chart,
            PageLink(
                "Show me the sketch",
                "",
                {"tree": "0", "it": "0", "phase": "sketch"},
                {"search": "forest", "solver": "sketch"},
            ),
        ),
        Section(
            "moving",
            "Weights kept implicitly, and which neurons never move",
            "A neuron moves only along datapoints it fires on. So its weights are where they started plus a "
            "combination of datapoints, and it is enough to keep the coefficients c, of which a move changes one for "
            "each datapoint the neuron fires on. A neuron that fires on **no** datapoint has no gradient, so it does "
            "not move, so its inner products stay below b, so it never fires. **The set U of touched neurons can only "
            "shrink**, and all others never move.",
            [r"w_r(t)=w_r(0)+\sum_{i=1}^{n}c_{ri}(t)\,x_i", r"U(t+1)\subseteq U(t)"],
            [
                rf"{tex(written)}\text{{ coefficients change, not}}",
                rf"m\,d={tex(m * d)}\text{{ weights}}",
            ],
            f"{percent(firing / m)} fire on one datapoint, {percent(touched / m)} on at least one of all {n}. The "
            f"other {count(m - touched, 'neuron')} never {agree(m - touched, 'moves', 'move')} in this run, and "
            f"{int(facts.num_touched[-1]):,} still {agree(int(facts.num_touched[-1]), 'moves', 'move')} in its last "
            "iteration so far. [Derived, and tested in every iteration.]",
            charts.touched_chart,
            link_to_stage("repair", label="Show me what changes"),
        ),
        Section(
            "amortized",
            "What amortized means",
            "Before the first iteration all m n inner products must be computed, and n trees built above them. "
            "*Amortized* cost **includes this building**, shared out evenly among the iterations done: after one "
            "iteration it counts in full, after a hundred by a hundredth. The app always shows it beside the cost of "
            "the iterations alone. What is counted is operations: a multiply-add, or a node read or written.",
            [r"\text{cost}(t)=\frac{\text{building}+\sum_{s=1}^{t}\text{iteration}_s}{t}"],
            [
                rf"\text{{cost}}({iterations})=\frac{{{tex(build)}+{tex(steps)}}}{{{iterations}}}={tex(amortized)}",
                rf"\text{{dense: }}{tex(dense)}",
            ],
            f"After {count(iterations, 'iteration')} the forest has cost {numeral(amortized / dense, 2)} times as many "
            f"operations an iteration as the dense method, building included. {_describe_break_even(facts)} "
            f"{describe_when_dense_is_better(facts)}",
            charts.amortized_chart,
            link_to_stage("repair", last, "Show me the chart", chart="Amortized operations"),
        ),
        Section(
            "theorem",
            "The theorem and its hypotheses",
            "The paper proves: if no two datapoints are parallel and the network is wide enough, the loss falls by a "
            "constant factor in every iteration, except with a probability δ as small as asked for, and an iteration "
            "costs what stands below on average, building included, constants left out. α is the exponent that is "
            "saved, 0.24 with the paper's threshold; its range differs between sources, see *What cannot be said with "
            "certainty*. *Wide enough* is meant for a proof: at least $n^4/\\lambda^4$ and "
            "$n^2d\\log(n/\\delta)/\\lambda^2$, where λ is the smallest eigenvalue of G. And λ shrinks as the network "
            "grows: with the paper's threshold it is at most $m^{-0.24}/2$, which turns the first of the two into the "
            "condition below."
            + ("" if facts.has_paper_threshold else " This run has another b, which none of these numbers is about."),
            [
                r"m^{1-\alpha}\,n\,d+n^3\quad\text{instead of}\quad m\,n\,d+n^3",
                r"m\ge(16\,n^4)^{1/(1-4\alpha)}",
            ],
            [
                rf"{tex(m ** (1 - ALPHA) * n * d)}+{tex(n**3)}\;\text{{ for }}\;{tex(m * n * d)}+{tex(n**3)}",
                rf"\alpha={ALPHA}:\quad m\ge10^{{{facts.required_width_exponent:.0f}}}",
            ],
            f"No network has $10^{{{facts.required_width_exponent:.0f}}}$ neurons; this one has {m:,} and "
            + _describe_progress(facts)
            + f" Measured, an iteration has cost {compact(amortized)} operations, building included. Building alone "
            f"takes m n d, so T iterations cost at least m n d / T each: less than $m^{{1-\\alpha}}\\,n\\,d$ only "
            "if T is "
            f"as large as $m^{{0.24}}$ = {m**ALPHA:.1f}, and T is {iterations} so far. {_describe_angle(facts)} λ is "
            f"{describe_eigenvalue(facts)} in this network. [Theorem: paper. Width and building: derived. The "
            "rest: measured.]",
            charts.rates_chart,
            link_to_stage("solve", last, "Show me the last iteration"),
        ),
        Section(
            "lower-bound",
            "The lower bound, and what it does not say",
            "Could a cleverer structure replace neurons *and* find the firing ones with much less work? Not for *all* "
            "inputs, under a conjecture on orthogonal vectors (OVC; it follows from SETH, the strong exponential time "
            "hypothesis): no structure does both, replace a neuron in much less than n and find the firing neurons in "
            "much less than n m, less by a power ε > 0 (Alman, Liang, Song, Zhang, Zhuo; this paper claims the bound "
            "as well). So a structure that "
            "finds the firing neurons in much less than n m must, in the worst case, pay about n for each neuron "
            "replaced. This does **not** say that $m^{0.76}$ is best, and "
            "does not rule out faster methods on inputs that are not the worst: *watch lists*, in the table below, are "
            "one.",
            [
                r"\text{replace}=O(n^{1-\varepsilon})\;\text{ and}",
                r"\text{find}=O\bigl((nm)^{1-\varepsilon}\bigr)\;\text{ is impossible}",
            ],
            [
                rf"n={tex(n)},\quad nm={tex(n * m)}",
                rf"\text{{forest: }}n(\log_2 m+1)={tex(n * (math.log2(m) + 1))}",
            ],
            "The shaded corner is what the bound forbids, drawn without ε and constants. The forest "
            "stays to its right: it pays about n log m to replace a neuron. The *compact table* stands on its edge: it "
            "reads all neurons that fire somewhere at the start, and those may be all m; for a lower threshold it "
            "would have to be built again. Trees have neither limit. [Bound: Alman et al. Points: this run's sizes.]",
            charts.bound_chart,
            PageLink(
                "Race the structures",
                "race",
                settings={"contestants": ["forest", "neuron-trees", "table", "dense-sparse"]},
            ),
        ),
    )


def _describe_search(facts: Facts) -> str:
    """Say what the search of tree 0 found, and how much it could skip."""
    firing, size = int(facts.num_firing[0]), 2 * facts.width - 1
    if not firing:
        return "The root is below b, so no neuron fires, and the search ends there."
    found = f"It finds {agree(firing, 'the one that fires', f'all {firing:,} that fire')}. "
    skipped = 1 - int(facts.visited_by_level.sum()) / size
    if skipped < 0.5:
        return f"{found}So many neurons fire here that it can skip only {percent(skipped)}."
    last_full = max(level for level, visited in enumerate(facts.visited_by_level) if 2 * visited >= 1 << level)
    return f"{found}Of level {last_full} it reads at least half of the nodes, and of those below a smaller share."


def _describe_losses(facts: Facts) -> str:
    """Say where the loss came from and where it is."""
    losses = facts.trace.losses
    if losses.size == 1:
        return f"The loss is {numeral(losses[0], 3)} before the first move."
    verb = "falls" if losses[-1] < losses[0] else "goes"
    return f"The loss {verb} from {numeral(losses[0], 3)} to {numeral(losses[-1], 3)} by iteration {losses.size - 1}."


def _describe_break_even(facts: Facts) -> str:
    """Say from which iteration on the forest has cost less than the dense method, building included."""
    is_ahead = facts.trace.amortized() < facts.trace.amortized(of="dense")
    if not is_ahead[-1]:
        return "So far building has not been paid back."
    behind = [place for place, ahead in enumerate(is_ahead, start=1) if not ahead]
    return (
        f"It has cost less since iteration {behind[-1]}." if behind else "It has cost less from the first iteration on."
    )


def describe_when_dense_is_better(facts: Facts) -> str:
    """Give the condition under which the dense method costs less, with the numbers of the first iteration."""
    record, trace = facts.trace.records[0], facts.trace
    search, repair = record.costs.get("search", 0), record.costs.get("repair", 0)
    own, dense = record.num_operations, sum(trace.dense_costs(record).values())
    rest = own - search - repair
    terms = (
        "An iteration of the forest costs the nodes that searching reads, n Σk and the nodes written for the repair, "
        f"and the solve: {compact(search)} + {compact(repair)} + {compact(rest)} = {compact(own)} operations in the "
        "first one here. The dense method, in the form that needs the fewest operations wherever at most half of all "
        "pairs fire, computes and compares all m n inner products, and takes the rest from the pairs that fire: "
        f"{compact(dense)}. **Dense is better** where the first sum is larger than the second, which it "
        f"{'is' if own > dense else 'is not'} here, "
    )
    if own >= dense:
        return terms + "and then no number of iterations pays building back."
    paid = sum(trace.build_costs.values()) / (dense - own)
    return terms + (
        "or where a run ends before building is paid back: at this iteration's prices after "
        f"{count(math.floor(paid) + 1, 'iteration')}."
    )


def _describe_progress(facts: Facts) -> str:
    losses = facts.trace.losses
    if losses.size < 2:
        return "has done one iteration."
    if losses[-1] >= losses[0]:
        return f"has let the loss grow from {numeral(losses[0], 3)} to {numeral(losses[-1], 3)}."
    if losses[-1] >= 1e-6 * losses[0]:
        return f"has brought the loss to {percent(losses[-1] / losses[0])} of its start so far."
    falls = losses[1:] / losses[:-1]
    return "is trained nevertheless" + (
        ": the loss falls faster and faster, not by one factor." if (falls[1:] < falls[:-1]).all() else "."
    )


def describe_eigenvalue(facts: Facts) -> str:
    """Write the smallest eigenvalue of G; what is below round-off is 0."""
    return numeral(facts.eigenvalues[0], 2) if math.isfinite(facts.conditioning) else "0"


def _describe_angle(facts: Facts) -> str:
    if facts.num_points == 1:
        return "There is one datapoint only."
    return f"The smallest angle between two datapoints is {numeral(facts.smallest_angle, 2)}°."


def tex(number: float) -> str:
    """Write a number in LaTeX: whole up to seven digits, else three digits and a power of ten."""
    if not math.isfinite(number):
        return r"\infty"
    if number == int(number) and abs(number) < 1e7:
        return f"{int(number):,}".replace(",", "{,}")
    if 1e-3 <= abs(number) < 1e5:
        return f"{number:,.3g}".replace(",", "{,}") if abs(number) < 1000 else f"{number:,.0f}".replace(",", "{,}")
    if not number:
        return "0"
    exponent = math.floor(math.log10(abs(number)))
    return rf"{number / 10**exponent:.2f}\times10^{{{exponent}}}"
