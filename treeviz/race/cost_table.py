"""The table of what all methods cost: preprocessing, an iteration, exactness and source, with numbers filled in."""

from collections.abc import Mapping

from treeviz.race.contestant import Contestant, Workload
from treeviz.style.palette import compact

SOURCES = (
    "Deng, Hu, Song, Weinstein, Zhuo: *Training Overparametrized Neural Networks in Sublinear Time*, 2022",
    "Brand, Peng, Song, Weinstein: *Training (Overparametrized) Neural Networks in Near-Linear Time*, 2021",
    "Alman, Liang, Song, Zhang, Zhuo: *Bypass Exponential Time Preprocessing: Fast Neural Network Training via "
    "Weight-Data Correlation Preprocessing*, 2022, at NeurIPS 2023",
    "Song, Yang, Zhang: *Does Preprocessing Help Training Over-parameterized Neural Networks?*, 2021",
    "Jacot, Gabriel, Hongler: *Neural Tangent Kernel: Convergence and Generalization in Neural Networks*, 2018",
)
_HERE = "here"  # shown by this app, and tested

# By contestant: preprocessing, an iteration, whether its steps are exact, source. Constants and lower terms are left
# out of formulas, not out of numbers. A product with G costs d for each pair that is handled.
_METHODS: Mapping[str, tuple[str, str, str, str]] = {
    "forest": ("m n d + m n", "Σk log m + U n log m + n³", "yes", "1"),
    "forest-sketch": ("m n d + m n", "Σk log m + products · Σk d + U n log m + n³", "to 1e-12", "1"),
    "neuron-trees": ("m n d + m n", "m + Σk log n + U n + n³", "yes", "3"),
    "compact": ("m n d", "U n d + U n² + n³", "yes", _HERE),
    "dense": ("none", "m n d + m n² + n³", "yes", _HERE),
    "dense-sketch": ("none", "m n d · products + n³", "to 1e-12", "2"),
    "watch": ("m n d", "who is due, + n³", "yes", _HERE),
    "descent-forest": ("m n d + m n", "Σk log m + U n log m", "yes", "4"),
    "descent-neuron-trees": ("m n d + m n", "m + Σk log n + U n", "yes", "3"),
    "descent-compact": ("m n d", "U n d", "yes", _HERE),
    "descent-dense": ("none", "m n d", "yes", "—"),
    "descent-watch": ("m n d", "who is due", "yes", _HERE),
    "sgd-forest": ("m n d + m n", "(Σk log m)/batches + U n log m", "yes", _HERE),
    "sgd-dense": ("none", "m d · batch", "yes", "—"),
    "kernel-ridge": ("n² d + n³", "n", "no network", "5"),
    "random-features": ("m n d + m n² + n³", "n", "W stays", "—"),
}


def cost_table(contestants: Mapping[str, Contestant], load: Workload) -> str:
    """Return a Markdown table of all contestants, with the operations expected for a workload."""
    lines = ["| method | preprocessing | an iteration | exact | source |", "|---|---|---|---|---|"]
    for key, one in contestants.items():
        preprocessing, iteration, exactness, source = _METHODS[key]
        numbers = ("", ": race it")
        if one.predict is not None:
            forecast = one.forecast(load)
            once = sum(forecast.build.values())
            if one.family == "reference":  # solved once; of others the first iteration's extra finds a step size
                once += sum(forecast.first.values())
            numbers = (f" = **{compact(once)}**" if once else "", f" = **{compact(sum(forecast.iteration.values()))}**")
        source = f"[{source}]" if source.isdigit() else source
        lines.append(
            f"| {one.title} | {preprocessing}{numbers[0]} | {iteration}{numbers[1]} | {exactness} | {source} |"
        )
    return "\n".join(lines)
