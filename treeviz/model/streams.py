"""Random numbers: every use of a seed has a stream of its own, and all streams are listed here."""

from enum import IntEnum, unique

import numpy as np


@unique
class Stream(IntEnum):
    """The streams of a seed. A number always stands for the same network: never change one, never use one twice."""

    WEIGHTS = 0
    SIGNS = 1
    SKETCHES = 2
    MINI_BATCHES = 3
    ACTIVITY = 4
    LESSON_SKETCHES = 5
    FIRING = 6
    FIRING_REST = 7
    FIRING_NUMBERS = 8
    QUIET_SIGNS = 9
    QUIET_NEURONS = 10
    HASHES = 11
    # Of datasets, which mix these into their seed: points never repeat the random numbers of a network.
    TRAINING_POINTS = 0x64617461
    TEST_POINTS = 0x74657374


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """Return the counter-based generator of one named stream of a seed, independent of every other stream."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(seed, spawn_key=key)))


class Stretches:
    """A counter-based stream of a seed, cut into stretches, each of which can be drawn without those before it."""

    def __init__(self, seed: int, stream: int) -> None:
        key = np.random.SeedSequence(seed, spawn_key=(stream,)).generate_state(2, np.uint64)
        self._bits = np.random.Philox(key=key)
        self._start = self._bits.state  # nothing drawn, nothing kept back
        self._generator = np.random.Generator(self._bits)

    def at(self, stretch: int) -> np.random.Generator:
        """Return the generator, set to the beginning of a stretch: the counter's second word is its number."""
        self._start["state"]["counter"][1] = stretch
        self._bits.state = self._start
        return self._generator


class LongStretches:
    """A stream that is cut into stretches likewise, drawn twice as fast, where going to a stretch may take longer.

    Two stretches begin more than 2^64 numbers apart, whatever they are: their distance, around the 2^128 numbers of the
    generator, is a multiple of the golden section.
    """

    _DISTANCE = 0x9E3779B97F4A7C15F39CC0605CEDC835

    def __init__(self, seed: int, stream: int) -> None:
        self._bits = np.random.PCG64DXSM(np.random.SeedSequence(seed, spawn_key=(stream,)))
        self._start = self._bits.state  # nothing drawn, nothing kept back
        self._generator = np.random.Generator(self._bits)

    def at(self, stretch: int) -> np.random.Generator:
        """Return the generator, set to the beginning of a stretch."""
        self._bits.state = self._start
        self._bits.advance(stretch * self._DISTANCE % (1 << 128))
        return self._generator
