"""Every setting is checked once, at construction, and the message says which, what and why."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, Trainer

NO_NUMBERS = (
    "1", None, [1], object(), 1j, True, False, np.True_, np.array([1.0, 2.0]), math.nan, math.inf, -math.inf, 10**400,
)  # fmt: skip
NO_OPTIONAL = tuple(value for value in NO_NUMBERS if value is not None)
NO_INTEGERS = (*NO_NUMBERS, 1.0, 1.5, np.float64(2.0), Fraction(2), -1)
NO_NAMES = ("", "Forest", "forests", " dense", None, 1, True, b"forest", ("forest",), ["exact"], np.array(["a", "b"]))
BAD = {
    "width": (*NO_INTEGERS, 0, -5, 2**27 + 1, 10**400, np.int64(0)),
    "sketch_factor": (*NO_INTEGERS, 0, 1, 1001),
    "seed": (*NO_INTEGERS, -1, 2**63, 10**400),
    "method": (*NO_NAMES, "forest"),
    "search": (*NO_NAMES, "exact"),
    "solver": (*NO_NAMES, "dense", "qr"),
    "threshold": (*NO_OPTIONAL, -1, -1e-300, np.float32(-1)),
    "step_size": (*NO_OPTIONAL, 0, 0.0, -0.0, -1, -1e-300),
    "skin": (*NO_OPTIONAL, -1, -1e-300),
    "batch_size": (*NO_INTEGERS, 0, -1, 2**31),
    "ridge": (*NO_NUMBERS, -1, -1e-300),
    "tolerance": (*NO_NUMBERS, 0, 1, 1.0, 2, -0.5),
}
RULE = {
    "width": "1 to 134,217,728",
    "sketch_factor": "2 to 1,000",
    "seed": "from 0",
    "method": "one of 'gauss-newton'",
    "search": "one of 'forest'",
    "solver": "one of 'sketch'",
    "threshold": "0 or more",
    "step_size": "greater than 0",
    "skin": "0 or more",
    "batch_size": "from 1",
    "ridge": "0 or more",
    "tolerance": "between 0 and 1",
}
GOOD = {
    "width": (1, 3, 2**27, np.int64(5), np.int32(5), np.uint8(5)),
    "sketch_factor": (2, 1000, np.int64(8)),
    "seed": (0, 2**63 - 1, np.int64(5), np.uint32(7)),
    "method": ("gauss-newton", "gradient-descent", np.str_("gauss-newton")),
    "search": ("forest", "dense", np.str_("forest")),
    "solver": ("sketch", "exact", np.str_("exact")),
    "threshold": (None, 0, 0.0, 1, 1e308, np.float64(1.5), np.float32(1.5), np.int64(1)),
    "skin": (None, 0, 0.5, np.float64(0.5), 1e308),
    "step_size": (None, 1, 5e-324, 1e308, np.float64(0.5), np.float32(0.5), np.int64(2)),
    "batch_size": (1, 2**31 - 1, np.int64(5)),
    "ridge": (0, 0.0, 1e308, np.float64(0.5), np.float32(0.5), np.int64(2)),
    "tolerance": (5e-324, 0.999, np.float64(0.5), np.float32(0.5)),
}


def cases(table):
    return [(field, value) for field, values in table.items() for value in values]


def config(field, value):
    return TrainConfig(**{"width": 8, field: value})


def small_data():
    angles = 2 * np.pi * np.arange(3) / 3
    return Dataset(np.column_stack([np.cos(angles), np.sin(angles)]), np.array([1.0, -1.0, 1.0]))


def refusal(field, value):
    try:
        return f"accepted: {config(field, value)}"
    except ValueError as error:
        return str(error)


def test_a_bad_value_is_named_with_its_rule():
    for field, value in cases(BAD):
        message = refusal(field, value)
        assert message.startswith(f"{field} must be") and message.endswith(f"; got {value!r}")
        assert RULE[field] in message


def test_a_good_value_is_kept_and_comes_back_from_json():
    for field, value in cases(GOOD):
        settings = config(field, value)
        assert getattr(settings, field) == value
        assert TrainConfig(**json.loads(json.dumps(dataclasses.asdict(settings)))) == settings


@pytest.mark.parametrize("solver", ["sketch", "exact"])
def test_a_number_of_another_kind_trains_like_the_float_it_stands_for(solver):
    def losses(field, number):
        return (
            Trainer(small_data(), TrainConfig(width=64, solver=solver, **{field: number})).run(3, 0.0).losses.tolist()
        )

    for field in ("step_size", "ridge", "threshold", "tolerance"):
        assert all(losses(field, number) == losses(field, 0.5) for number in (Fraction(1, 2), np.float32(0.5)))


def test_numpy_integers_train_alike():
    numpy = TrainConfig(width=np.int64(64), seed=np.int32(3), sketch_factor=np.uint8(8))
    plain = TrainConfig(width=64, seed=3, sketch_factor=8)
    assert numpy == plain and hash(numpy) == hash(plain)
    assert np.array_equal(Trainer(small_data(), numpy).run(3).losses, Trainer(small_data(), plain).run(3).losses)


def test_a_config_is_frozen_and_has_no_room_for_more():
    settings = TrainConfig(width=8)
    for field in dataclasses.fields(settings):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(settings, field.name, getattr(settings, field.name))
    # Which of the two depends on the Python version: slots and frozen together.
    with pytest.raises((AttributeError, TypeError)):
        settings.colour = "red"
    with pytest.raises(TypeError):
        TrainConfig(width=8, colour="red")


def test_the_defaults_are_those_of_the_contract():
    expected = {
        "width": 65_536,
        "threshold": None,
        "method": "gauss-newton",
        "search": "forest",
        "solver": "sketch",
        "step_size": 1.0,
        "batch_size": 8,
        "skin": None,
        "activation": "shifted",
        "draw": "all",
        "ridge": 0.0,
        "sketch_factor": 8,
        "tolerance": 1e-12,
        "seed": 0,
        "fault": None,
    }
    assert dataclasses.asdict(TrainConfig(width=65_536)) == expected


def test_the_threshold_is_the_papers_or_the_one_given():
    for width in (1, 2, 1024, 65_536, 1 << 20):
        resolved = TrainConfig(width=width).resolved_threshold
        assert resolved == pytest.approx(math.sqrt(0.48 * math.log(width)), abs=1e-15)
    for given in (0, 2, 1.25, np.float64(1.25), np.float32(1.25)):
        resolved = TrainConfig(width=8, threshold=given).resolved_threshold
        assert resolved == given and type(resolved) is float
