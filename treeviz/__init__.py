"""treeviz: watch a wide two-layer network train by changing a small part of a set of max-trees."""

from treeviz.config import TrainConfig
from treeviz.data import Dataset
from treeviz.datasets import DATASETS, load_dataset, load_test_split
from treeviz.forest import Forest
from treeviz.trace import StepRecord, Trace
from treeviz.trainer import Trainer

__all__ = [
    "DATASETS",
    "Dataset",
    "Forest",
    "StepRecord",
    "Trace",
    "TrainConfig",
    "Trainer",
    "load_dataset",
    "load_test_split",
]
