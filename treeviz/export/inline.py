"""A trace as a notebook shows it: the replay of its first tree in a frame, without a server."""

import html

from treeviz.export.replay import write_run
from treeviz.training.finished import FinishedRun
from treeviz.training.trace import Trace

# A run up to so many leaves and iterations is packed within some seconds, and up to so many bytes kept in a notebook.
MOST_LEAVES, MOST_ITERATIONS, MOST_BYTES = 1 << 23, 60, 600_000
_HEIGHT = 900  # pixels
_UNCHECKED = "Not checked here: the app and treeviz export replay check every iteration by brute force."
_ALONE = "The dense method was not trained beside this run."


def show_trace(trace: Trace) -> str:
    """Return the HTML; of a run that is too large, what to do instead. Cost: a frame for each iteration."""
    leaves, iterations = trace.dataset.num_points * trace.num_drawn, len(trace.records)
    if not iterations:
        return f"<p>{html.escape(repr(trace))}</p><p>There is nothing to play yet: step first.</p>"
    if leaves > MOST_LEAVES:
        return _refuse(trace, f"it has {leaves:,} leaves, and at most {MOST_LEAVES:,} are replayed in a notebook")
    if iterations > MOST_ITERATIONS:
        return _refuse(trace, f"it has {iterations} iterations, and at most {MOST_ITERATIONS} are kept in a notebook")
    page = write_run(FinishedRun(trace, [], why_unchecked=_UNCHECKED, dense_refusal=_ALONE), [0])
    if len(page) > MOST_BYTES:
        return _refuse(trace, f"it takes {len(page):,} bytes, and at most {MOST_BYTES:,} are kept in a notebook")
    return (
        f'<iframe sandbox="allow-scripts" title="{html.escape(repr(trace))}" srcdoc="{html.escape(page)}" '
        f'style="width: 100%; height: {_HEIGHT}px; border: 0"></iframe>'
    )


def _refuse(trace: Trace, why: str) -> str:
    instead = (
        "Draw a moment with treeviz.plot_tree(trace, tree, iteration), or write a file with treeviz export replay."
    )
    return f"<p>{html.escape(repr(trace))}</p><p>This run is not played here: {why}. {instead}</p>"
