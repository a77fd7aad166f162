"""A threshold that is a tie: exactly the value of one leaf. Only there do > and ≥ differ."""

from collections.abc import Mapping
from dataclasses import replace

from treeviz.lesson.address import load_run
from treeviz.training.trainer import Trainer

_MOST_LEAVES = 1 << 20


def with_tie(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return the settings of a run, as an address names them, with b where a strict comparison shows.

    If they plant that fault and leave b as the paper has it, b becomes the smallest leaf, of all trees at the start,
    that is not below it; else they are returned as they are. Cost: building the trees. ValueError for settings that
    there are not, and for a run with more than 2^20 leaves.
    """
    if settings.get("fault") != "strict-comparison" or settings.get("paper") == "false":
        return settings
    split, config = load_run(settings)
    if config.width * split.train.num_points > _MOST_LEAVES:
        raise ValueError("fault strict-comparison needs a threshold b that is a leaf, or a smaller width to find one")
    leaves = Trainer(split.train, replace(config, fault=None)).forest.leaves
    least = leaves[leaves >= config.resolved_threshold].min()
    return {**settings, "paper": "false", "b": repr(float(least))}
