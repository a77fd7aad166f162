"""The badge of an iteration: whether it is exact, with what was compared."""

from treeviz.model.numerals import count, numeral
from treeviz.training.background import BackgroundRun
from treeviz.training.verify import IterationCheck, check_loss


def describe_exactness(run: BackgroundRun, iteration: int) -> dict[str, str]:
    """Say whether an iteration is exact: state "exact", "wrong", "waiting" or "off", with the numbers."""
    if not run.is_checked:
        return _badge("off", "Not checked: the exactness check is switched off in the sidebar.")
    if iteration >= len(run.checks):
        return _badge("waiting", "Being checked against brute force …")
    check = run.checks[iteration]
    if check.firing_fault:
        point, neuron = check.firing_fault
        name = f"neuron {neuron:,}, node {run.config.width + neuron:,}"
        return _badge("wrong", f"Tree {point}: search and scan disagree about {name}.")
    if check.heap_fault:
        tree, node = check.heap_fault
        return _badge("wrong", f"Tree {tree}: node {node:,} is not the larger of its children.")
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


def _badge(state: str, text: str) -> dict[str, str]:
    return {"state": state, "text": text}
