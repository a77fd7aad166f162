"""treeviz: watch a wide two-layer network train by changing a small part of a set of max-trees."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from treeviz.data.catalogue import DATASETS, load_dataset, load_split, load_test_split
from treeviz.data.dataset import Dataset, Split
from treeviz.model.config import TrainConfig
from treeviz.search.forest.trees import Forest
from treeviz.training.record import StepRecord
from treeviz.training.trace import Trace
from treeviz.training.trainer import Trainer

if TYPE_CHECKING:
    from treeviz.export.plots import plot_loss, plot_operations, plot_tree

__version__ = version("treeviz")

__all__ = [
    "DATASETS",
    "Dataset",
    "Forest",
    "Split",
    "StepRecord",
    "Trace",
    "TrainConfig",
    "Trainer",
    "__version__",
    "load_dataset",
    "load_split",
    "load_test_split",
    "plot_loss",
    "plot_operations",
    "plot_tree",
]


def _show(trace: Trace) -> str:
    from treeviz.export.inline import show_trace

    return show_trace(trace)


Trace.show = staticmethod(_show)


def __getattr__(name: str) -> Any:
    """Import what draws when it is first asked for: training needs no Plotly."""
    if name in ("plot_loss", "plot_operations", "plot_tree"):
        from treeviz.export import plots

        return getattr(plots, name)
    raise AttributeError(f"module 'treeviz' has no attribute {name!r}")
