"""Every setting is checked once, at construction, and the message says which, what and why."""

import dataclasses
import json
import math
from fractions import Fraction

import numpy as np
import pytest

from treeviz import Dataset, TrainConfig, Trainer

NO_NUMBERS = ("1", None, [1], object(), 1j, True, False, np.True_, np.array([1.0, 2.0]), math.nan, math.inf, -math.inf)
NO_INTEGERS = (*NO_NUMBERS, 1.0, 1.5, np.float64(2.0), Fraction(2), -1)
NO_NAMES = ("", "Forest", "forests", " dense", None, 1, True, b"forest", ("forest",), ["exact"], np.array(["a", "b"]))
BAD = {
    "width": (*NO_INTEGERS, 0, -5, 2**27 + 1, 10**400, np.int64(0)),
    "sketch_factor": (*NO_INTEGERS, 0, 1, 1001),
    "seed": (*NO_INTEGERS, -1, 2**63, 10**400),
    "method": (*NO_NAMES, "forest"),
    "search": (*NO_NAMES, "exact"),
    "solver": (*NO_NAMES, "dense", "qr"),
    "threshold": (*(v for v in NO_NUMBERS if v is not None), -1, -1e-300, np.float32(-1)),
    "step_size": (*(value for value in NO_NUMBERS if value is not None), 0, 0.0, -0.0, -1, -1e-300),
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
    "step_size": (None, 1, 5e-324, 1e308, np.float64(0.5), np.float32(0.5), np.int64(2)),
    "batch_size": (1, 2**31 - 1, np.int64(5)),
    "ridge": (0, 0.0, 1e308, np.float64(0.5), np.float32(0.5), np.int64(2)),
    "tolerance": (5e-324, 0.999, np.float64(0.5), np.float32(0.5)),
}


def cases(table):
    return [pytest.param(f, v, id=f"{f}-{i}") for f, values in table.items() for i, v in enumerate(values)]


def config(field, value):
    return TrainConfig(**{"width": 8, field: value})


def small_data():
    angles = 2 * np.pi * np.arange(3) / 3
    return Dataset(np.column_stack([np.cos(angles), np.sin(angles)]), np.array([1.0, -1.0, 1.0]))


@pytest.mark.parametrize(("field", "value"), cases(BAD))
def test_a_bad_value_is_named_with_its_rule(field, value):
    with pytest.raises(ValueError) as caught:
        config(field, value)
    message = str(caught.value)
    assert message.startswith(field)
    assert repr(value) in message
    assert RULE[field] in message


@pytest.mark.parametrize("field", ["threshold", "step_size", "ridge", "tolerance"])
def test_an_integer_too_large_for_a_float_is_a_value_error(field):
    with pytest.raises(ValueError, match=field):
        config(field, 10**400)


@pytest.mark.parametrize(("field", "value"), cases(GOOD))
def test_a_good_value_is_kept(field, value):
    assert getattr(config(field, value), field) == value


@pytest.mark.parametrize(("field", "value"), cases(GOOD))
def test_a_config_is_json_and_back(field, value):
    written = json.dumps(dataclasses.asdict(config(field, value)))
    assert TrainConfig(**json.loads(written)) == config(field, value)


@pytest.mark.parametrize("field", ["step_size", "ridge", "threshold", "tolerance"])
@pytest.mark.parametrize("solver", ["sketch", "exact"])
def test_whatever_number_is_accepted_trains(field, solver):
    """A number that is accepted trains like the float it stands for; a Fraction may be refused, but only at once."""
    for number in (Fraction(1, 2), np.float32(0.5), np.float64(0.5)):
        try:
            settings = TrainConfig(width=64, solver=solver, **{field: number})
        except ValueError:
            assert isinstance(number, Fraction)
            continue
        losses = Trainer(small_data(), settings).run(3, until_loss=0.0).losses
        expected = Trainer(small_data(), TrainConfig(width=64, solver=solver, **{field: 0.5})).run(3, until_loss=0.0)
        assert np.array_equal(losses, expected.losses)


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
        "ridge": 0.0,
        "sketch_factor": 8,
        "tolerance": 1e-12,
        "seed": 0,
    }
    assert dataclasses.asdict(TrainConfig(width=65_536)) == expected


@pytest.mark.parametrize("width", [1, 2, 1024, 65_536, 1 << 20])
def test_the_threshold_is_the_papers_or_the_one_given(width):
    resolved = TrainConfig(width=width).resolved_threshold
    assert resolved == pytest.approx(math.sqrt(0.48 * math.log(width)), abs=1e-15)
    for given in (0, 2, 1.25, np.float64(1.25), np.float32(1.25)):
        resolved = TrainConfig(width=width, threshold=given).resolved_threshold
        assert resolved == given and type(resolved) is float
