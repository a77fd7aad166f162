"""treeviz: watch a wide two-layer network train by changing a small part of a set of max-trees."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treeviz.data.catalogue import DATASETS, load_dataset, load_split, load_test_split
    from treeviz.data.dataset import Dataset, Split
    from treeviz.export.plots import plot_loss, plot_operations, plot_tree
    from treeviz.model.config import TrainConfig
    from treeviz.search.forest.trees import Forest
    from treeviz.training.record import StepRecord
    from treeviz.training.trace import Trace
    from treeviz.training.trainer import Trainer

    __version__: str

# Where each name comes from.
_MODULES = {
    "DATASETS": "data.catalogue",
    "Dataset": "data.dataset",
    "Forest": "search.forest.trees",
    "Split": "data.dataset",
    "StepRecord": "training.record",
    "Trace": "training.trace",
    "TrainConfig": "model.config",
    "Trainer": "training.trainer",
    "load_dataset": "data.catalogue",
    "load_split": "data.catalogue",
    "load_test_split": "data.catalogue",
    "plot_loss": "export.plots",
    "plot_operations": "export.plots",
    "plot_tree": "export.plots",
    "show_trace": "export.inline",  # for `Trace`, which is below what draws it
}

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


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for.

    So the command is there to answer Ctrl-C before the libraries are read, and training needs no Plotly.
    """
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("treeviz")
    elif name in _MODULES:
        from importlib import import_module

        value = getattr(import_module(f"treeviz.{_MODULES[name]}"), name)
    else:
        raise AttributeError(f"module 'treeviz' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
