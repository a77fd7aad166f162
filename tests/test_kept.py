"""The store of what can be made again: bounded, shared, and empty of owners that are gone."""

import gc

from hypothesis import given
from hypothesis import strategies as st

from treeviz.training.kept import Kept


class Owner:
    pass


actions = st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 12), st.booleans())


@given(st.integers(0, 30), st.lists(actions, max_size=60))
def test_the_last_ones_asked_for_are_kept_within_the_room(room, script):
    """Against a plain list of all that was put in, in order of last use."""
    kept, owners = Kept(room, len), [Owner() for _ in range(3)]
    model = []  # [owner, key, value], the one asked for last at the end
    for number, key, size, is_put in script:
        found = next((entry for entry in model if entry[:2] == [number, key]), None)
        if is_put and size <= room:
            value = "x" * size
            model = [entry for entry in model if entry is not found] + [[number, key, value]]
            while sum(len(entry[2]) for entry in model) > room:
                del model[0]
            kept.put(owners[number], key, value)
        else:
            if found:
                model.remove(found)
                model.append(found)
            assert kept.get(owners[number], key) == (found[2] if found else None)
    for number, key, value in model:
        assert kept.get(owners[number], key) is value


def test_an_owner_that_is_gone_leaves_room_for_others():
    kept, one, other = Kept(10, len), Owner(), Owner()
    kept.put(one, "a", "x" * 6)
    kept.put(other, "a", "y" * 4)
    del one
    gc.collect()
    for key in ("b", "c"):
        kept.put(other, key, "z" * 3)
    assert [kept.get(other, key) for key in "abc"] == ["yyyy", "zzz", "zzz"]


def test_what_is_larger_than_the_room_is_not_kept_and_drives_nothing_out():
    kept, owner = Kept(10, len), Owner()
    kept.put(owner, "small", "x" * 10)
    kept.put(owner, "large", "x" * 11)
    assert (kept.get(owner, "small"), kept.get(owner, "large")) == ("x" * 10, None)
