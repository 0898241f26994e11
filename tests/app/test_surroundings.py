"""Surroundings that are kept are those that would be read anew, whoever came, went, returned or merged."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.app.test_judge_repeatable import BEGIN, TENANT, House

from medwarden.app import surroundings as kept
from medwarden.app.judge import judge_stale
from medwarden.app.surroundings import surroundings, surroundings_of, surroundings_with
from medwarden.risk.context import RiskContext
from medwarden.store.open import Store

KINDS = ("pump", "monitor", "camera", "desk", "silent", "server")
COMPARED = ("subnets", "vlans", "classes", "labels", "places")


def now() -> int:
    return BEGIN


def facts(context: RiskContext) -> dict[str, object]:
    return {name: dict(getattr(context, name)) for name in COMPARED}


def at_hand(house: House, ids: Sequence[str] = ()) -> dict[str, object]:
    """Return the surroundings that are kept, told of some devices that were judged."""
    from medwarden.store.queries import complete_devices

    return facts(surroundings_with(TENANT, house.site, complete_devices(ids), now))


def anew(house: House) -> dict[str, object]:
    return facts(surroundings(TENANT, house.site, now))


def decide(house: House, what: str, number: int, other: int, decisions: list[int]) -> None:
    """Do what a person does to devices, or a sensor that finds that two are one."""
    from medwarden.store.changes import Change
    from medwarden.store.identities import restore_device, retire
    from medwarden.store.joining import join, undo
    from medwarden.store.models import Device

    rows = {row.pk: row.retired_at is None for row in Device.objects.filter(site_id=house.site)}
    one, two = house.ids[number], house.ids[other]
    with Change("user:anna", "because", tenant=TENANT, site=house.site) as change:
        if what == "retire" and rows.get(one):
            retire(change, one)
        elif what == "restore" and rows.get(one) is False:
            restore_device(change, one)
        elif what == "join" and one != two and rows.get(one) and rows.get(two):
            decisions.append(join(change, one, two))
        elif what == "undo" and decisions:
            undo(change, decisions.pop())
    if what == "merge" and one != two and {one, two} <= rows.keys() and not decisions:
        house.merge(number, other)


_act = st.tuples(
    st.sampled_from(["hear", "retire", "restore", "merge", "join", "undo"]),
    st.integers(0, 5),
    st.integers(0, 5),
    st.booleans(),
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(_act, min_size=2, max_size=10))
def test_what_is_kept_is_what_would_be_read(acts: list[tuple[str, int, int, bool]], store: Store) -> None:
    house = House(KINDS)
    house.hear(alone=range(4))
    judge_stale(TENANT, house.site)
    assert at_hand(house) == anew(house)
    decisions: list[int] = []
    for what, number, other, judged in acts:
        if what == "hear":
            house.hear(alone=[number])
        else:
            decide(house, what, number, other, decisions)
        if judged:
            judge_stale(TENANT, house.site)
            assert at_hand(house, house.ids) == anew(house)
    judge_stale(TENANT, house.site)
    assert at_hand(house, house.ids) == anew(house)


def test_who_is_retired_elsewhere_is_gone_at_once(store: Store) -> None:
    house = House(KINDS)
    house.hear(alone=range(4))
    judge_stale(TENANT, house.site)
    assert at_hand(house) == anew(house)
    decide(house, "retire", 1, 0, [])
    assert at_hand(house) == anew(house)
    decide(house, "restore", 1, 0, [])
    assert at_hand(house) == anew(house)


def test_what_one_device_has_to_do_with_is_part_of_what_surrounds_all(store: Store) -> None:
    from medwarden.app.risk import _Site
    from medwarden.store.models import Device as Row
    from medwarden.store.queries import complete_devices

    house = House(KINDS)
    house.hear((0, 1, 443), (2, 0, 104), alone=range(6))
    Row.objects.filter(pk=house.ids[3]).update(vlans=[7, 8])
    Row.objects.filter(pk=house.ids[1]).update(vlans=[7])
    Row.objects.filter(pk=house.ids[5]).update(subnet=None)
    judge_stale(TENANT, house.site)
    decide(house, "retire", 4, 0, [])
    whole = surroundings(TENANT, house.site, now)
    assert len(whole.vlans) == 2 and len(whole.classes) == 5
    met = 0
    for device in complete_devices(house.ids):
        one = surroundings_of(TENANT, house.site, device, now)
        assert (dict(one.subnets), dict(one.vlans)) == (dict(whole.subnets), dict(whole.vlans))
        peers = {c.peer_device for c in device.conversations if c.peer_device}
        known = (peers | {device.id}) & whole.classes.keys()
        met += len(known - {device.id})
        for name in ("classes", "labels", "places"):
            here, everywhere = getattr(one, name), getattr(whole, name)
            assert dict(here) == {each: everywhere[each] for each in known}
        told, expected = (
            [(w.actions, w.score, w.after and [(f.id, f.points) for f in w.after.factors])
             for w in site.what_ifs(device)]
            for site in (_Site(TENANT, house.site, device), _Site(TENANT, house.site))
        )  # fmt: skip
        assert told == expected
    assert met >= 4


def test_nothing_is_counted_while_devices_are_only_judged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(KINDS)
    house.hear(alone=range(4))
    judge_stale(TENANT, house.site)
    house.hear((0, 1, 443))
    judge_stale(TENANT, house.site)
    expected = anew(house)

    def listed(_tenant: str, _site: str) -> object:
        raise AssertionError("all devices were asked for")

    monkeypatch.setattr(kept, "_listed", listed)
    assert at_hand(house, house.ids[:2]) == expected
