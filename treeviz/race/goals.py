"""What a race goes on to: a loss to reach, within so many iterations and so much time."""

from dataclasses import dataclass

from treeviz.model.numerals import count
from treeviz.race.lane import Lane, State
from treeviz.training.judge import require_loss


@dataclass(frozen=True, slots=True)
class Goals:
    """Ends every lane of a race: at a loss, or after so many iterations of its own or seconds of all.

    Raises
    ------
    ValueError
        If one of them makes no sense.
    """

    until_loss: float
    max_laps: int
    max_seconds: float

    def __post_init__(self) -> None:
        """Refuse what no lane could go on to."""
        require_loss(self.until_loss)
        if not self.max_laps >= 1:
            raise ValueError(f"max_laps must be 1 or more; got {self.max_laps!r}")
        if not self.max_seconds > 0.0:
            raise ValueError(f"max_seconds must be greater than 0; got {self.max_seconds!r}")

    def moved(self, until_loss: float | None, max_laps: int | None, max_seconds: float | None) -> "Goals":
        """Return goals that are further away, None for what stays; ValueError if one is nearer."""
        goals = Goals(
            self.until_loss if until_loss is None else until_loss,
            self.max_laps if max_laps is None else max_laps,
            self.max_seconds if max_seconds is None else max_seconds,
        )
        is_lower = goals.max_laps < self.max_laps or goals.max_seconds < self.max_seconds
        if is_lower or goals.until_loss > self.until_loss:
            raise ValueError(
                f"a race is extended to a loss of at most {self.until_loss:g}, at least "
                f"{count(self.max_laps, 'iteration')} and at least {self.max_seconds:g} seconds, which it has now; got "
                f"{goals.until_loss:g}, {goals.max_laps:,} and {goals.max_seconds:g}"
            )
        return goals

    def ending(self, lane: Lane, seconds_spent: float) -> tuple[State, str] | None:
        """Return how a lane ends after its last lap, state and reason; None if it goes on.

        Parameters
        ----------
        seconds_spent : of all lanes together.
        """
        if lane.last_loss is not None and lane.last_loss <= self.until_loss:
            return "reached", ""
        if lane.stop_reason:
            return "stopped", lane.stop_reason
        if lane.num_laps >= self.max_laps:
            return "stopped", f"loss not reached in {count(lane.num_laps, 'iteration')}, the limit"
        if seconds_spent >= self.max_seconds:
            return "stopped", "loss not reached when the time was over"
        return None
