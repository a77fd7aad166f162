"""What a race showed: what each contestant needed to reach a loss, and one sentence that judges it."""

from collections.abc import Sequence
from dataclasses import dataclass

from treeviz.model.numerals import agree, count, numeral
from treeviz.race.forecast import SMALLEST_WIDTH, Calibration, Measured, break_even_width, expected_workload
from treeviz.race.lane import Lane
from treeviz.race.race import Race

# Losses this close, relatively, are one.
_TIE = 1e-6


@dataclass(frozen=True, slots=True)
class Finish:
    """What one contestant needed to reach a loss.

    Attributes
    ----------
    lane : of the contestant.
    iterations : moves made until the loss was reached.
    operations, seconds : spent when the loss was known, building included.
    """

    lane: Lane
    iterations: int
    operations: int
    seconds: float

    @property
    def title(self) -> str:
        """The contestant's name on screen."""
        return self.lane.contestant.title

    @property
    def build_share(self) -> float:
        """Part of the operations that was building."""
        return self.lane.build_operations / max(self.operations, 1)

    @property
    def build_time_share(self) -> float:
        """Part of the seconds that was building."""
        return self.lane.build_seconds / max(self.seconds, 1e-9)


def finish_of(lane: Lane, loss: float) -> Finish | None:
    """Return what a lane needed to reach `loss`; None if it has not reached it."""
    lap = lane.lap_reaching(loss)
    if lap is None:
        return None
    return Finish(lane, lap, int(lane.column("operations")[lap]), float(lane.column("seconds")[lap]))


def judge(race: Race, loss: float, node_price: int = 1) -> str:
    """Say which method won, by how much, at which widths it would be otherwise, and who is not in this comparison.

    A method through trees is compared with the strongest dense ones of its family: in operations with the one that
    needed the fewest, in time with the fastest; and with the compact table of its family, which does without trees.
    Without dense rivals the sentence names the method that was first. A tree node counts as `node_price` operations.
    """
    if not race.is_over:
        return "The race is on."
    there = _finishers(race, loss, node_price)
    if not there:
        return f"{_none_reached(race, loss)}{_name_the_solved(race, loss)}"
    rivals = _rivals(there)
    said = _compare(race, *rivals, loss, node_price) if rivals else _name_the_first(there, loss)
    return f"{said}{_name_the_others(race, loss)}"


def name_leaders(race: Race, loss: float, node_price: int = 1) -> str:
    """Say which method needed the fewest operations and which the least time; empty with fewer than two to compare."""
    there = _finishers(race, loss, node_price)
    if len(there) < 2:
        return ""
    fewest = min(there, key=lambda one: one.operations)
    fastest = min(there, key=lambda one: one.seconds)
    if fewest is fastest:
        return f"Of those that iterate, {fewest.title} needed the fewest operations and the least time."
    return f"Of those that iterate, {fewest.title} needed the fewest operations, {fastest.title} the least time."


def find_unfinished(race: Race) -> list[Lane]:
    """Return the lanes that a limit or the user ended short of the loss and that could go on, dense ones first."""
    short = [lane for lane in race.lanes if lane.state == "stopped" and not lane.stop_reason]
    return sorted(short, key=lambda lane: lane.contestant.kind != "dense")


def _finishers(race: Race, loss: float, node_price: int) -> list[Finish]:
    """The methods that iterate and reached the loss."""
    lanes = [lane.at_price(node_price) for lane in race.lanes if not lane.contestant.is_reference]
    return [finish for finish in (finish_of(lane, loss) for lane in lanes) if finish]


def _rivals(there: Sequence[Finish]) -> tuple[Finish, Finish, Finish, Finish | None] | None:
    """Choose a method through trees, the first in the race, its dense rivals in operations and in time, and a table."""
    for own in there:
        contestant = own.lane.contestant
        if contestant.kind == "trees":
            others = [(one, one.lane.contestant) for one in there]
            family = [(one, other.kind) for one, other in others if other.family == contestant.family]
            rivals = [one for one, kind in family if kind == "dense"]
            if rivals:
                fewest = min(rivals, key=lambda one: one.operations)
                table = next((one for one, kind in family if kind == "table"), None)
                return own, fewest, min(rivals, key=lambda one: one.seconds), table
    return None


def _compare(
    race: Race, own: Finish, fewest: Finish, fastest: Finish, table: Finish | None, loss: float, node_price: int
) -> str:
    operations = _operations(own, fewest)
    dense = _join(operations, fewest, _time(own, fastest), fastest)
    return (
        f"To a loss of {numeral(loss, 6)}, {own.title} needed {dense}{_beside_table(own, table, operations[1])}; "
        f"building was {own.build_share:.0%} of its operations and {own.build_time_share:.0%} of its time"
        f"{_break_even(race, own, fewest, node_price)}."
    )


def _beside_table(own: Finish, table: Finish | None, than_dense: int) -> str:
    """Go on with a comparison with the compact table, if there is one."""
    if table is None:
        return ""
    operations = _operations(own, table)
    joint = "and" if operations[1] == than_dense else "but"
    return f", {joint} {_join(operations, table, _time(own, table), table)}"


def _break_even(race: Race, own: Finish, rival: Finish, node_price: int) -> str:
    """Say at which widths it would need more operations than its rival, for as many iterations as it did.

    Nothing where it is expected to need fewer at all widths: then no width is worth a word.
    """
    width = break_even_width(
        own.lane.contestant,
        rival.lane.contestant,
        race.data.X,
        race.config,
        own.iterations + 1,
        Calibration.of(Measured.of(own.lane, race.config), expected_workload(race.data.X, race.config)),
        node_price,
    )
    if width is None:
        return f"; at every width looked at, from {SMALLEST_WIDTH} on, it is expected to need more operations here"
    if width == SMALLEST_WIDTH:
        return ""
    return f"; it is expected to need more operations here below m ≈ {numeral(width, 2)}"


def _name_the_first(there: Sequence[Finish], loss: float) -> str:
    first, *others = sorted(there, key=lambda one: one.seconds)
    text = (
        f"{first.title} was the first to reach a loss of {numeral(loss, 6)}, after "
        f"{count(first.iterations, 'iteration')}"
    )
    if not others:
        return f"{text}, and the only one of those that iterate."
    second = others[0]
    return f"{text}, with {_join(_time(first, second), second, _operations(first, second), second)}, the next."


def _name_the_others(race: Race, loss: float) -> str:
    """Name those that iterate and did not reach the loss, and those that are solved at once."""
    late = [one.contestant.title for one in race.lanes if not one.contestant.is_reference and not finish_of(one, loss)]
    return f"{f' {_list(late)} did not reach it.' if late else ''}{_name_the_solved(race, loss)}"


def _name_the_solved(race: Race, loss: float) -> str:
    solved = [finish.title for lane in race.lanes if lane.contestant.is_reference and (finish := finish_of(lane, loss))]
    if not solved:
        return ""
    return f" {_list(solved)}, solved at once, {agree(len(solved), 'is', 'are')} in the table alone."


def _list(titles: Sequence[str]) -> str:
    *others, last = titles
    return f"{', '.join(others)} and {last}" if others else last


def _none_reached(race: Race, loss: float) -> str:
    lanes = [lane for lane in race.lanes if not lane.contestant.is_reference]
    losses = {lane.contestant.title: lane.lowest_loss for lane in lanes}
    finite = {title: lowest for title, lowest in losses.items() if lowest is not None}
    if not finite:
        return f"No iterative method has taken a step towards a loss of {numeral(loss, 6)}."
    closest = min(finite, key=lambda title: finite[title])
    first = max(float(lane.column("loss")[0]) for lane in lanes if lane.num_laps)
    if not finite[closest] < (1 - _TIE) * first:
        return (
            f"No iterative method reached a loss of {numeral(loss, 6)}, or one below {numeral(first, 2)}, where all "
            "began."
        )
    if max(finite.values()) <= (1 + _TIE) * finite[closest] and len(finite) > 1:
        return f"No iterative method reached a loss of {numeral(loss, 6)}; all came to {numeral(finite[closest], 2)}."
    return (
        f"No iterative method reached a loss of {numeral(loss, 6)}; {closest} came closest, to "
        f"{numeral(finite[closest], 2)}."
    )


def _operations(own: Finish, rival: Finish) -> tuple[str, int]:
    return _times(max(rival.operations, 1) / max(own.operations, 1), "fewer", "operations")


def _time(own: Finish, rival: Finish) -> tuple[str, int]:
    """Seconds are measured on a machine that does other things too: within a quarter they count as the same."""
    ratio = max(rival.seconds, 1e-9) / max(own.seconds, 1e-9)
    return _times(1.0 if 0.8 < ratio < 1.25 else ratio, "less", "time")


def _times(ratio: float, less: str, noun: str) -> tuple[str, int]:
    """Put a ratio rival / own into words, and say whether it is better, 1, about the same, 0, or worse, -1."""
    if 0.95 < ratio < 1.05:
        return f"about as {'many' if less == 'fewer' else 'much'} {noun}", 0
    return (f"{ratio:,.1f} times {less} {noun}", 1) if ratio > 1 else (f"{1 / ratio:,.1f} times more {noun}", -1)


def _join(first: tuple[str, int], rival: Finish, second: tuple[str, int], other: Finish) -> str:
    """Make one comparison of two: "and" if they point the same way, else "but"; a rival in both is named once."""
    joint = "and" if first[1] == second[1] else "but"
    named = "" if rival is other else f" {'than' if first[1] else 'as'} {rival.title},"
    return f"{first[0]}{named} {joint} {second[0]} {'than' if second[1] else 'as'} {other.title}"
