"""What happened in an iteration, in plain sentences with its own numbers."""

from treeviz.model.network import firing_probability
from treeviz.search.engine import WatchReport
from treeviz.style.palette import count, percent, seconds
from treeviz.style.searches import describe_search
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace


def describe_cost(trace: Trace, record: StepRecord) -> str:
    """Compare the iteration's operations with the dense method's."""
    own, dense = record.num_operations, sum(trace.dense_costs(record).values())
    factor = dense / max(own, 1)
    relation = f"{factor:.3g} times as many" if factor >= 1 else f"only {factor:.2g} times as many"
    built = f", not counting building {describe_search(trace.config.search).kept}" if trace.build_costs else ""
    return (
        f"This iteration took {own:,} operations and {seconds(record.num_seconds)}{built}. The dense method spends "
        f"{dense:,} operations on it, if all but its products comes from the firing sets: {relation}."
    )


def describe_watching(trace: Trace, record: StepRecord, report: WatchReport) -> str:
    """Say why it is enough to watch a few pairs, and how many an iteration watched and looked at."""
    lowered = f"{trace.config.resolved_threshold - report.skin:.3f}".replace("-", "−")
    num_pairs, num_listed = trace.config.width * trace.dataset.num_points, trace.moving_neurons.size
    num_promoted = trace.promoted_before(record.iteration + 1).size
    if num_promoted:
        farther = (
            f"{num_promoted:,} {'has' if num_promoted == 1 else 'have'} moved farther than the skin so far, "
            f"{f'{report.promoted.size:,}' if report.promoted.size else 'none'} in this iteration: promoted, that is, "
            "watched on all datapoints."
        )
    else:
        farther = "None has moved farther than the skin so far; one that does is promoted, watched on all datapoints."
    return (
        "In a wide network weights move little, and an inner product changes by no more than its neuron moves. So a "
        f"pair that was below b − skin = {lowered} at the start cannot fire while its neuron has moved less than the "
        f"skin, {report.skin:.3g}: only {report.num_watched:,} of {num_pairs:,} pairs are watched "
        f"({percent(report.num_watched / num_pairs)}), and this iteration looked at {report.num_due:,} of the "
        f"{count(num_listed, 'neuron')} on a list. {farther}"
    )


def describe_sparsity(width: int, threshold: float) -> str:
    """Say how many neurons theory expects to fire on a datapoint."""
    chance = firing_probability(threshold)
    return (
        f"A fresh neuron's inner product with a unit-length datapoint is a standard normal number, at least "
        f"b = {threshold:.3f} with probability {percent(chance)}: about {chance * width:,.0f} of {width:,} fire."
    )


def compare_losses(trace: Trace, dense: Trace) -> str:
    """Say how closely two runs agree, over the iterations both have done while the loss is above 1e-8."""
    pairs = [(a, b) for a, b in zip(trace.records, dense.records, strict=False) if a.loss > 1e-8]
    if not pairs:
        return "The dense baseline is being trained beside it."
    worst = max(abs(a.loss - b.loss) / a.loss for a, b in pairs)
    same_sets = all(a.firing.equals(b.firing) for a, b in pairs)
    extent = f"over {len(pairs)} iteration{'s' if len(pairs) > 1 else ''} with a loss above 10⁻⁸"
    if same_sets and worst <= 1e-9:
        return f"The two coincide: the same firing sets, and losses that differ by {worst:.1g} at most, {extent}."
    conditioning = max(a.solve.conditioning or 0.0 for a, _ in pairs)
    reason = (
        f"with condition numbers up to {conditioning:.1g}, round-off is amplified from step to step"
        if conditioning > 1e6
        else "their steps are not the same"
    )
    return f"The two differ by up to {percent(worst)} {extent}: {reason}."
