"""What happened in an iteration, in plain sentences with its own numbers."""

from treeviz.model.network import firing_probability
from treeviz.model.numerals import agree, count, numeral
from treeviz.search.engine import WatchReport
from treeviz.style.palette import percent, seconds
from treeviz.style.searches import describe_search
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace


def describe_cost(trace: Trace, record: StepRecord) -> str:
    """Compare the iteration's operations with the dense method's."""
    own, dense = record.num_operations, sum(trace.dense_costs(record).values())
    factor = dense / max(own, 1)
    relation = f"{numeral(factor, 3)} times as many" if factor >= 1 else f"only {numeral(factor, 2)} times as many"
    built = f", not counting building {describe_search(trace.config.search).kept}" if trace.build_costs else ""
    return (
        f"Iteration {record.iteration} took {count(own, 'operation')} and {seconds(record.num_seconds)}{built}. The "
        f"dense method spends {count(dense, 'operation')} on it, if all but its products comes from the firing sets: "
        f"{relation}."
    )


def describe_watching(trace: Trace, record: StepRecord, report: WatchReport) -> str:
    """Say why it is enough to watch a few pairs, and how many an iteration watched and looked at."""
    lowered = f"{trace.config.resolved_threshold - report.skin:.3f}".replace("-", "−")
    num_pairs, num_listed = trace.config.width * trace.dataset.num_points, trace.moving_neurons.size
    num_promoted = trace.promoted_before(record.iteration + 1).size
    if trace.config.fault:
        promoted = f"{num_promoted:,} {agree(num_promoted, 'has', 'have')}" if num_promoted else "none has"
        farther = f"So far {promoted} been promoted."
    elif num_promoted:
        farther = (
            f"{num_promoted:,} {agree(num_promoted, 'has', 'have')} moved farther than the skin so far, "
            f"{f'{report.promoted.size:,}' if report.promoted.size else 'none'} in this iteration: promoted, that is, "
            "watched on all datapoints."
        )
    else:
        farther = "None has moved farther than the skin so far; one that does is promoted, watched on all datapoints."
    return (
        "An inner product changes by no more than its neuron moves. So a "
        f"pair that was below b − skin = {lowered} at the start cannot fire while its neuron has moved less than the "
        f"skin, {numeral(report.skin, 3)}: only {report.num_watched:,} of {count(num_pairs, 'pair')} "
        f"{agree(report.num_watched, 'is', 'are')} watched "
        f"({percent(report.num_watched / num_pairs)}), and this iteration looked at {report.num_due:,} of the "
        f"{count(num_listed, 'neuron')} on a list. {farther}"
    )


def describe_sparsity(width: int, threshold: float) -> str:
    """Say how many neurons theory expects to fire on a datapoint."""
    chance = firing_probability(threshold)
    expected = round(chance * width)
    return (
        f"A fresh neuron's inner product with a unit-length datapoint is a standard normal number, at least "
        f"b = {threshold:.3f} with probability {percent(chance)}: about {expected:,} of {width:,} "
        f"{agree(expected, 'fires', 'fire')}."
    )


def compare_losses(trace: Trace, dense: Trace) -> str:
    """Say how closely two runs agree, over the iterations both have done while the loss is above 10⁻⁸."""
    pairs = [(a, b) for a, b in zip(trace.records, dense.records, strict=False) if a.loss > 1e-8]
    if not pairs:
        return "The dense baseline is being trained beside it."
    worst = max(abs(a.loss - b.loss) / a.loss for a, b in pairs)
    same_sets = all(a.firing.equals(b.firing) for a, b in pairs)
    extent = f"over {count(len(pairs), 'iteration')} with a loss above 10⁻⁸"
    if same_sets and worst <= 1e-9:
        return (
            f"The two coincide: the same firing sets, and losses that differ by {numeral(worst, 1)} at most, {extent}."
        )
    conditioning = max(a.solve.conditioning or 0.0 for a, _ in pairs)
    reason = (
        f"with condition numbers up to {numeral(conditioning, 1)}, round-off is amplified from step to step"
        if conditioning > 1e6
        else "their steps are not the same"
    )
    return f"The two differ by up to {percent(worst)} {extent}: {reason}."
