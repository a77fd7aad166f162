"""The table of what all methods cost: preprocessing, an iteration, exactness and source, with numbers filled in."""

from collections.abc import Iterable

from treeviz.race.contestant import THIS_APP, Contestant, Workload
from treeviz.style.palette import compact


def cost_table(contestants: Iterable[Contestant], load: Workload) -> tuple[str, list[str]]:
    """Return a Markdown table of contestants, with the operations expected for a workload, and the sources it cites.

    Source [1] in the table is the first of the list.
    """
    lines = ["| method | preprocessing | an iteration | exact | source |", "|---|---|---|---|---|"]
    sources: list[str] = []
    for one in contestants:
        numbers = ("", ": race it")
        if one.predict is not None:
            forecast = one.forecast(load)
            once = sum(forecast.build.values())
            if one.is_reference:  # solved once; of others the first iteration's extra finds a step size
                once += sum(forecast.first.values())
            numbers = (f" = **{compact(once)}**" if once else "", f" = **{compact(sum(forecast.iteration.values()))}**")
        cells = (
            one.title,
            f"{one.preprocessing}{numbers[0]}",
            f"{one.iteration}{numbers[1]}",
            one.exactness,
            _cite(one.source, sources),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines), sources


def _cite(source: str, sources: list[str]) -> str:
    """Return a source's number in brackets, after adding it to `sources` if it is new."""
    if source in ("", THIS_APP):
        return source or "—"
    if source not in sources:
        sources.append(source)
    return f"[{sources.index(source) + 1}]"
