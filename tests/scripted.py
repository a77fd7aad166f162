"""Contestants that do what a test tells them, lanes made by hand, and a clock that only steps move."""

import math
import threading
from dataclasses import dataclass, field

import numpy as np

from treeviz import TrainConfig, load_dataset
from treeviz.model.infinite_width import Activity
from treeviz.race.contestant import Contestant, Lap, Prediction
from treeviz.race.contestants import CONTESTANTS
from treeviz.race.lane import Lane
from treeviz.race.race import Race

CONFIG = TrainConfig(width=600, seed=1)
LOSSES = (1.0, 0.1, 1e-4)
PATIENCE = 10.0  # seconds after which a test that waits fails


def sphere(num_points=8, dimension=4, seed=0):
    return load_dataset("sphere", num_points, seed, dimension=dimension)


class Clock:
    """Stands in for `perf_counter` in a race."""

    now = 0.0

    def __call__(self):
        return self.now


@dataclass(eq=False)
class Script:
    """A runner that does what it is told: a loss a lap, and `act` in each step."""

    losses: tuple = (1.0,)
    act: object = None
    stop_reasons: dict = field(default_factory=dict)
    outputs: float = 0.0
    build_costs: dict = field(default_factory=lambda: {"build": 10})
    build_seconds: dict = field(default_factory=lambda: {"build": 0.5})
    costs: dict = field(default_factory=lambda: {"search": 2, "forward": 3, "move": 5})
    seconds: dict = field(default_factory=lambda: {"search": 0.25, "move": 0.5})
    build_nodes: dict = field(default_factory=dict)
    num_bytes: int = 8
    num_done: int = 0

    def step(self):
        if self.act:
            self.act()
        lap = self.num_done
        self.num_done += 1
        loss = self.losses[min(lap, len(self.losses) - 1)]
        reason = self.stop_reasons.get(lap, "")
        return Lap(lap, loss, self.costs, self.seconds, 4, 6, "ok", reason, Activity(4, 5, 7), 1)

    def predict(self, X):
        return np.full(len(X), self.outputs)


@dataclass
class Starter:
    """Starts a runner of a class, by default a `Script`."""

    settings: dict = field(default_factory=dict)
    make: object = Script
    memory: object = lambda width, num_points, dimension: 8

    def __call__(self, data, config):
        return self.make(**self.settings)

    def required_bytes(self, *sizes):
        return self.memory(*sizes)


def contestant_of(key, start, *, family="gauss-newton", kind="other", predict=None):
    return Contestant(
        key=key,
        title=f"The {key}",
        family=family,
        kind=kind,
        about="",
        start=start,
        predict=predict or (lambda load: Prediction({}, {"move": 1.0})),
        preprocessing="none",
        iteration="m",
        exactness="yes",
        source="",
    )


def scripted(key="script", *, make=Script, family="gauss-newton", kind="other", **settings):
    return contestant_of(key, Starter(settings, make), family=family, kind=kind)


def run(*contestants, data=None, config=CONFIG, **settings):
    race = Race(data or sphere(), contestants, config, **{"max_seconds": math.inf, **settings})
    race.run()
    return race


def lane_of(key, costs, seconds, losses, kind="other", build=(0, 0.0), state="reached"):
    """A lane made by hand: each lap is (operations, seconds) of search, so the loss is known at its end."""
    lane = Lane(CONTESTANTS[key] if key in CONTESTANTS else scripted(key, kind=kind))
    lane.begin(Script(build_costs={"build": build[0]}, build_seconds={"build": build[1]}))
    for number, loss in enumerate(losses):
        active = Activity(40, 60, 150)
        lane.add(Lap(number, loss, {"search": costs}, {"search": seconds}, 30, 3, activity=active))
    lane.state = state
    return lane


def race_of(*lanes):
    race = Race(sphere(), [lane.contestant for lane in lanes], CONFIG)
    race.lanes = list(lanes)
    return race


def in_time(act):
    """Call a function in a thread of its own and return what it returns; fail if that takes too long."""
    returned = []
    thread = threading.Thread(target=lambda: returned.append(act()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert returned, "it waits for ever"
    return returned[0]


def ended(race):
    """Wait for the thread of a race; whether it has ended in time."""
    race._thread.join(PATIENCE)
    return not race._thread.is_alive()
