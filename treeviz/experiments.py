"""Runs that compare methods, measured alternately in one process."""

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from treeviz.config import TrainConfig
from treeviz.datasets import load_dataset
from treeviz.network import Floats
from treeviz.trainer import Trainer


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Seconds of single iterations of the forest and of the strongest dense method, from the same weights and data.

    Attributes
    ----------
    forest, dense : seconds of the iterations measured, (k,) each, in pairs.
    forest_build : seconds of building the forest, one a run; drawing the weights is not counted for either.
    max_loss_difference : largest relative difference of the losses of a pair while they are above 1e-8.
    """

    forest: Floats
    dense: Floats
    forest_build: Floats
    max_loss_difference: float

    @property
    def speedup(self) -> float:
        """Median seconds of a dense iteration over median seconds of a forest iteration."""
        return float(np.median(self.dense) / np.median(self.forest))


def compare_iterations(
    num_points: int,
    dimension: int,
    width: int,
    num_runs: int = 5,
    on_pair: Callable[[float, float], object] | None = None,
) -> Comparison:
    """Time iterations of the forest against the strongest dense baseline, turn by turn in one process.

    Random unit rows with random signs as targets, exact solver, as many runs as asked for from seeds 0, 1, .... Of each
    run the first iteration, in which both touch their memory for the first time, is left out, and those after the loss
    is below 1e-10, where a move may be too small to change a tree. `on_pair` is told the seconds of every pair.
    """
    forest_seconds, dense_seconds, builds, differences = [], [], [], [0.0]
    for seed in range(num_runs):
        data = load_dataset("sphere", num_points=num_points, dimension=dimension, seed=seed)
        config = TrainConfig(width=width, solver="exact", seed=seed)
        forest, dense = Trainer(data, config), Trainer(data, replace(config, search="dense"))
        builds.append(sum(forest.trace.build_seconds.values()))
        for iteration in range(20):
            pair = forest.step(), dense.step()
            if pair[0].loss > 1e-8:
                differences.append(abs(pair[0].loss - pair[1].loss) / pair[0].loss)
            if iteration:
                forest_seconds.append(pair[0].num_seconds)
                dense_seconds.append(pair[1].num_seconds)
                if on_pair:
                    on_pair(forest_seconds[-1], dense_seconds[-1])
            if pair[0].loss < 1e-10 or not pair[0].dual_step.any():
                break
        del forest, dense  # before the next pair is built: both at once need twice the memory
    return Comparison(np.array(forest_seconds), np.array(dense_seconds), np.array(builds), max(differences))


def describe_machine() -> str:
    """Name the processor, its cores, and the versions that matter to a timing."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    except OSError:
        pass  # not Linux: the platform's own name has to do
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
