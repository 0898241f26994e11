"""Decisions replayed: what holds makes the devices, whatever came in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.grouping import Action, Decision, Grouping, changed_identities, renamed


def join(number: int, left: str, right: str, *, automatic: bool = False) -> Decision:
    return Decision(number, Action.JOIN, (left,), (right,), automatic)


def part(number: int, left: str, right: str) -> Decision:
    return Decision(number, Action.PART, tuple(left), tuple(right))


def test_a_device_keeps_the_id_of_the_left() -> None:
    grouping = Grouping([join(1, "a", "b"), join(2, "c", "b")])
    assert grouping.composed() == {"c": "c", "a": "c", "b": "c"}
    assert grouping.members("c") == ("c", "a", "b")


def test_undoing_the_first_leaves_the_second() -> None:
    assert Grouping([join(2, "a", "c")]).composed() == {"a": "a", "c": "a"}


def test_what_was_split_off_does_not_come_back_by_itself() -> None:
    held = [join(1, "a", "b"), part(2, "b", "a")]
    assert Grouping([*held, join(3, "a", "b", automatic=True)]).composed() == {}
    assert Grouping([*held, join(3, "a", "b", automatic=True)]).parted("a", "b")
    by_hand = Grouping([*held, join(3, "a", "b")])
    assert by_hand.composed() == {"a": "a", "b": "a"} and not by_hand.parted("a", "b")


def test_nor_by_way_of_a_third() -> None:
    held = [join(1, "a", "b"), part(2, "b", "a"), join(3, "a", "c", automatic=True)]
    assert Grouping([*held, join(4, "c", "b", automatic=True)]).composed() == {"a": "a", "c": "a"}


def test_the_head_can_be_taken_out() -> None:
    grouping = Grouping([join(1, "a", "b"), join(2, "a", "c"), part(3, "a", "bc")])
    assert grouping.composed() == {"b": "b", "c": "b"} and grouping.device("a") == "a"


def test_what_the_resolver_found_renames_decisions() -> None:
    assert renamed(join(1, "x", "y"), "x", "m") == join(1, "m", "y")
    assert renamed(join(1, "x", "m"), "x", "m") is None
    assert renamed(part(1, "x", "m"), "x", "m") is None


def test_changed_identities_names_all_of_touched_devices() -> None:
    before, after = {"a": "a", "b": "a"}, {"a": "a", "b": "a", "c": "a"}
    assert changed_identities(before, after) == {"a", "b", "c"}
    assert changed_identities(before, before) == set()


_IDS = st.sampled_from("abcdef")


@given(st.lists(st.tuples(st.booleans(), _IDS, _IDS), max_size=12))
def test_every_identity_is_in_one_device_whose_id_is_one_of_its_own(
    steps: list[tuple[bool, str, str]],
) -> None:
    decisions: list[Decision] = []
    for number, (joins, one, other) in enumerate(steps):
        grouping = Grouping(decisions)
        if joins:
            decisions.append(join(number, grouping.device(one), other))
        else:
            rest = [i for i in grouping.members(grouping.device(one)) if i != one]
            if rest:
                decisions.append(part(number, one, "".join(rest)))
    grouping = Grouping(decisions)
    composed = grouping.composed()
    for identity in "abcdef":
        device = grouping.device(identity)
        assert identity in grouping.members(device) and device in grouping.members(device)
        assert composed.get(identity, identity) == device
    assert sum(len(grouping.members(d)) for d in {grouping.device(i) for i in "abcdef"}) == 6
