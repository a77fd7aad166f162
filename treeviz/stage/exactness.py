"""The badge of an iteration: whether it is exact, with what was compared.

Of a run with a planted fault the badge says so, and that the check fails, but not where: a viewer looks for it first.
"""

from typing import NotRequired, TypedDict

from treeviz.model.numerals import count, numeral
from treeviz.style.faults import describe_fault
from treeviz.training.finished import ShownRun
from treeviz.training.verify import IterationCheck, check_loss


class Badge(TypedDict):
    """What is said of an iteration.

    Attributes
    ----------
    state : "exact", "wrong", "waiting" or "off".
    text : with the numbers.
    found : of a run with a planted fault, what the check found and the text keeps to itself.
    place : where: the tree, and the heap number of the node.
    """

    state: str
    text: str
    found: NotRequired[str]
    place: NotRequired[tuple[int, int]]


def describe_exactness(run: ShownRun, iteration: int) -> Badge:
    """Say whether an iteration is exact."""
    badge = _describe(run, iteration)
    return badge if run.config.fault is None else _keep_back(badge, run, iteration)


def _describe(run: ShownRun, iteration: int) -> Badge:
    if run.why_unchecked:
        return _badge("off", run.why_unchecked)
    if iteration >= len(run.checks):
        return _badge("waiting", "Being checked against brute force …")
    check = run.checks[iteration]
    if check.firing_fault or check.heap_fault:
        return _badge("wrong", " ".join(_describe_faults(check, run.trace.num_drawn)))
    found = _describe_scan(check)
    if run.dense_refusal:
        return _badge("exact", f"{found}. {run.dense_refusal}")
    dense = run.dense_trace
    if dense is None or iteration >= len(dense.records):
        return _badge("waiting", f"{found}. The dense method has yet to reach this iteration.")
    loss = check_loss(run.trace, dense, iteration)
    if not loss.agrees:
        how = f"by {numeral(loss.difference, 2)} of it, which round-off cannot explain"
        return _badge("wrong", f"The loss differs from the dense method's {how}. {found}.")
    if loss.is_comparable:
        how = f"to {numeral(loss.difference, 1)}" if loss.difference else "to the last bit"
        return _badge("exact", f"{found}; the loss equals the dense method's {how}.")
    return _badge("exact", f"{found}. The loss {loss.excuse}, so only round-off is left to compare.")


def _describe_faults(check: IterationCheck, num_leaves: int) -> list[str]:
    words = []
    if check.firing_fault:
        point, neuron = check.firing_fault
        name = f"neuron {neuron:,}, node {num_leaves + neuron:,}"
        words.append(f"Tree {point}: search and scan disagree about {name}.")
    if check.heap_fault:
        tree, node = check.heap_fault
        words.append(f"Tree {tree}: node {node:,} is not the larger of its children.")
    return words


def _keep_back(badge: Badge, run: ShownRun, iteration: int) -> Badge:
    """Return the badge of a run with a planted fault: its name, and whose loss is shown."""
    title = describe_fault(run.config.fault or "").title
    loss = _compare_losses(run, iteration)
    if badge["state"] != "wrong":
        shows = " It does not show in this iteration." if badge["state"] == "exact" else ""
        return _badge(badge["state"], f"Planted fault: {title}.{shows} {badge['text']} {loss}".rstrip())
    check = run.checks[iteration]
    if not (check.firing_fault or check.heap_fault):
        went = "No node is wrong now, but the run has left its course."
        return _badge("wrong", f"Planted fault: {title}. {went} {badge['text']} {loss}".rstrip())
    point, neuron = check.firing_fault or (0, 0)
    place = check.heap_fault or (point, run.trace.num_drawn + neuron)
    return Badge(
        state="wrong",
        text=f"Planted fault: {title}. The check fails in this iteration: which node is wrong? {loss}".rstrip(),
        found=badge["text"],
        place=place,
    )


def _compare_losses(run: ShownRun, iteration: int) -> str:
    """Say whose loss is shown, and what the dense method's is, once it is known."""
    own, dense = run.trace.records[iteration].loss, run.dense_trace
    if dense is None or iteration >= len(dense.records):
        return ""
    other = dense.records[iteration].loss
    return (
        f"The loss shown, {numeral(own, 4)}, is that of the run with the fault; the dense method's is "
        f"{numeral(other, 4)}."
    )


def _describe_scan(check: IterationCheck) -> str:
    if not check.num_inner_nodes:  # a search without trees of the datapoints
        return (
            f"Firing sets equal a scan of all {count(check.num_leaves, 'inner product')}, computed again from the "
            "weights"
        )
    return (
        f"Firing sets equal a scan of all {count(check.num_leaves, 'leaf')}; all "
        f"{count(check.num_inner_nodes, 'inner node')} hold the larger of their children"
    )


def _badge(state: str, text: str) -> Badge:
    return Badge(state=state, text=text)
