"""What others tell of a device is the same in whatever order and portions devices come, cut off or not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medwarden.app import judge
from medwarden.app.judge import judge_stale
from medwarden.inventory.company import MOST_CLIENTS, MOST_SERVICES
from medwarden.inventory.joined import in_company
from medwarden.inventory.labelling import identify
from medwarden.kernel.errors import ResourceError
from medwarden.model.device import Device, Verdict
from medwarden.model.inventory_delta import (
    ConversationIncrement,
    DeviceChange,
    InterfaceChange,
    InventoryDelta,
    KeyKind,
    Merge,
    ServiceIncrement,
)
from medwarden.store.open import Store

TENANT = "default"
BEGIN = 1_790_000_000 * 10**9
KINDS = {
    "pump": "00:03:b1",  # ICU Medical, which makes hardly anything else
    "monitor": "00:09:fb",  # Philips Patient Monitoring
    "camera": "00:40:8c",  # Axis
    "desk": "00:06:5b",  # Dell
    "silent": "00:40:9d",  # Digi, whose modules are in devices of everybody
    "server": "00:0c:29",  # a virtual machine
}
SERVED = {"monitor": ("udp", 24_105), "camera": ("tcp", 554)}
PORTS = (443, 443, 443, 24_105, 24_105, 8443, 445, 2575, 554)
OFTEN = ("pump", "pump", "pump", "silent", "silent", "server", "monitor", "camera", "desk")
_numbers = itertools.count(1)


class House:
    """A site with devices of certain kinds, of which pieces are heard one after the other."""

    def __init__(self, kinds: Sequence[str]) -> None:
        from medwarden.store.open import ensure_site

        number = next(_numbers)
        self.site = f"house-{number}"
        ensure_site(TENANT, self.site)
        self.ids = [f"d-{number}-{n:04d}" for n in range(len(kinds))]
        self.kinds = dict(zip(self.ids, kinds, strict=True))
        self._now = BEGIN

    def hear(
        self, *talks: tuple[int, int, int], alone: Sequence[int] = (), merges: Sequence[Merge] = ()
    ) -> None:
        """Store that some devices used a port of others (client, server, port) and that some are there."""
        from medwarden.store.changes import Change
        from medwarden.store.delta import apply_delta

        self._now += 10**9
        met = sorted({*alone, *(end for one, other, _ in talks for end in (one, other))})
        ids = [self.ids[n] for n in met]
        delta = InventoryDelta(
            site=self.site,
            devices=tuple(self._device(i) for i in dict.fromkeys(ids)),
            interfaces=tuple(
                InterfaceChange(i, f"{KINDS[self.kinds[i]]}:00:00:{i[-2:]}", False, False, BEGIN, self._now)
                for i in dict.fromkeys(ids)
            ),
            services=tuple(
                ServiceIncrement(i, *SERVED[self.kinds[i]], None, BEGIN, self._now, 1, 1, 1)
                for i in dict.fromkeys(ids)
                if self.kinds[i] in SERVED
            ),
            conversations=tuple(part for talk in talks for part in self._talk(*talk)),
            merges=tuple(merges),
        )
        with Change("sensor:s", "heard", tenant=TENANT, site=self.site) as change:
            apply_delta(change, delta)

    def _device(self, device: str) -> DeviceChange:
        return DeviceChange(device, self.site, KeyKind.MAC, False, False, BEGIN, self._now, ())

    def _talk(self, client: int, server: int, port: int) -> Iterator[ConversationIncrement]:
        ends = (
            (self.ids[client], "client", self.ids[server]),
            (self.ids[server], "server", self.ids[client]),
        )
        transport = "udp" if port == 24_105 else "tcp"
        for one, role, other in ends:
            yield ConversationIncrement(
                one, role, other, None, None, "internal", transport, port, None, self._now, self._now,
                1, 9, 90, 90, True,
            )  # fmt: skip

    def merge(self, gone: int, kept: int) -> None:
        """Let the resolver find that one device is another, which has its place from now on."""
        there, other = self.ids[gone], self.ids[kept]
        self.ids = [other if each == there else each for each in self.ids]
        self.hear(alone=[kept], merges=[Merge(there, other, self._now, "one address")])

    def told(self) -> dict[str, tuple[Verdict, ...]]:
        """Return the verdicts that are stored."""
        return {device.id: device.verdicts for device in self.devices()}

    def devices(self) -> list[Device]:
        """Return the devices as they are stored."""
        from medwarden.store.models import Device as Row
        from medwarden.store.queries import complete_devices

        return complete_devices(list(Row.objects.filter(site_id=self.site).values_list("pk", flat=True)))

    def judged_at_once(self) -> dict[str, tuple[Verdict, ...]]:
        """Return the verdicts of the same devices as ``assess`` and ``score`` come to them."""
        return {device.id: device.verdicts for device in in_company(self.devices(), identify).devices}

    def settled(self) -> bool:
        """Judge until nothing is due; tell whether once more finds nothing to do."""
        judge_stale(TENANT, self.site)
        return judge_stale(TENANT, self.site) == 0


def by_company(verdicts: Sequence[Verdict]) -> bool:
    return any(ballot.rule.startswith("company:") for verdict in verdicts for ballot in verdict.ballots)


def cut_off(house: House, where: str, calls: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Judge, and let a step fail at one of its calls, as on a full disk; tell whether it came so far."""
    left = [calls]
    real = getattr(judge, where)

    def failing(*arguments: object, **named: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            raise ResourceError("no space left on device")
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(judge, "_AT_ONCE", 3)
        patched.setattr(judge, where, failing)
        try:
            judge_stale(TENANT, house.site)
        except ResourceError:
            return True
    return False


_talk = st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from(PORTS)).filter(lambda t: t[0] != t[1])
_step = st.one_of(
    st.tuples(st.just("hear"), st.lists(_talk, min_size=1, max_size=8)),
    st.tuples(st.just("judge"), st.none()),
    st.tuples(
        st.sampled_from(
            ["record_identities", "record_company", "mark_due", "find_contradictions", "record_scores"]
        ),
        st.integers(1, 3),
    ),
    st.tuples(st.sampled_from(["merge", "join"]), st.permutations(range(10))),
    st.tuples(st.just("undo"), st.none()),
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    kinds=st.lists(st.sampled_from(OFTEN), min_size=10, max_size=10),
    steps=st.lists(_step, min_size=3, max_size=12),
)
def test_in_any_order_and_portions_the_answers_are_those_of_judging_all_at_once(
    kinds: list[str], steps: list[tuple[str, object]], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(kinds)
    house.hear((0, 9, 443), (1, 9, 443), (2, 9, 443), alone=range(10))
    decisions: list[int] = []
    for what, how in steps:
        if what == "hear":
            house.hear(*how)  # type: ignore[misc]
        elif what == "judge":
            judge_stale(TENANT, house.site)
        elif what in ("merge", "join"):
            _make_one(house, what, how[0], how[1], decisions)  # type: ignore[index]
        elif what == "undo":
            _take_back(house, decisions)
        else:
            cut_off(house, what, how, monkeypatch)  # type: ignore[arg-type]
    assert house.settled()
    assert house.told() == house.judged_at_once()


def _make_one(house: House, what: str, one: int, other: int, decisions: list[int]) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.joining import join
    from medwarden.store.models import Device as Row

    there = set(Row.objects.filter(site_id=house.site).values_list("pk", flat=True))
    left, right = house.ids[one], house.ids[other]
    if left == right or not {left, right} <= there:
        return
    if what == "merge":
        house.merge(one, other)
        return
    with Change("user:anna", "one device", tenant=TENANT, site=house.site) as change:
        decisions.append(join(change, left, right))


def _take_back(house: House, decisions: list[int]) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.joining import undo
    from medwarden.store.models import IdentityDecision

    holding = IdentityDecision.objects.filter(pk__in=decisions, undone_ns=None).values_list("pk", flat=True)
    for number in holding[:1]:
        with Change("user:anna", "a mistake", tenant=TENANT, site=house.site) as change:
            undo(change, number)


def test_who_came_first_is_told_by_who_came_later(store: Store) -> None:
    house = House(["silent", "server", "pump", "pump", "pump"])
    house.hear((0, 1, 443))
    assert house.settled()
    assert not any(by_company(verdicts) for verdicts in house.told().values())
    house.hear(*((n, 1, 443) for n in (2, 3, 4)))
    assert house.settled()
    found = {device.id: (device.category, device.vendor) for device in house.devices()}
    assert found[house.ids[0]] == ("infusion_pump", "ICU Medical")
    assert found[house.ids[1]] == ("infusion_server", "ICU Medical")


def test_another_of_many_changes_nothing_for_the_others(store: Store) -> None:
    from medwarden.store.queries.company import told_otherwise

    house = House(["server", *["pump"] * 7])
    house.hear(*((n, 0, 443) for n in range(1, 7)))
    assert house.settled()
    house.hear((7, 0, 443))
    judged = judge_stale(TENANT, house.site)
    assert judged == 2, "the new pump and the server, which was heard too"
    assert told_otherwise(house.site) == []
    assert house.told() == house.judged_at_once()


def test_a_service_of_too_many_falls_silent_for_all(store: Store) -> None:
    house = House(["server", "silent", *["pump"] * MOST_CLIENTS])
    house.hear(*((n, 0, 443) for n in range(1, MOST_CLIENTS + 1)))
    assert house.settled()
    silent = house.ids[1]
    assert by_company(house.told()[silent])
    house.hear((MOST_CLIENTS + 1, 0, 443))
    assert house.settled()
    told = house.told()
    assert not any(by_company(verdicts) for verdicts in told.values())
    assert told == house.judged_at_once()


def test_who_uses_very_many_services_counts_by_the_first(store: Store) -> None:
    house = House(["silent", "server", "pump", "pump", "pump"])
    house.hear(*((0, 1, port) for port in range(9000, 9000 + MOST_SERVICES)))
    house.hear(*((n, 1, 9999) for n in (0, 2, 3, 4)))
    assert house.settled()
    told = house.told()
    assert not by_company(told[house.ids[0]]), "it used 32 others before"
    assert told == house.judged_at_once()


@pytest.mark.parametrize("where", ["record_company", "mark_due", "find_contradictions", "record_scores"])
def test_what_was_cut_off_is_taken_up(store: Store, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    from medwarden.store.models import RiskScore

    house = House(["silent", "server", *["pump"] * 6])
    house.hear(*((n, 1, 443) for n in (0, *range(2, 8))))
    assert [cut_off(house, where, calls, monkeypatch) for calls in (1, 2)] == [True, where != "record_scores"]
    assert (judge_stale(TENANT, house.site) > 0) == (where != "record_scores")
    assert house.told() == house.judged_at_once()
    assert by_company(house.told()[house.ids[0]])
    assert RiskScore.objects.filter(site_id=house.site, current=True).count() == len(house.ids)
    assert judge_stale(TENANT, house.site) == 0


def test_a_device_that_is_heard_again_keeps_what_others_told_of_it(store: Store) -> None:
    from medwarden.store.models import VerdictChange

    house = House(["silent", "server", "pump", "pump", "pump"])
    house.hear(*((n, 1, 443) for n in (0, 2, 3, 4)))
    assert house.settled()
    changes, told = VerdictChange.objects.count(), house.told()
    house.hear(alone=range(5))
    assert house.settled()
    assert house.told() == told
    assert VerdictChange.objects.count() == changes


def test_servers_that_are_one_bring_their_clients_together(store: Store) -> None:
    house = House(["silent", "server", "server", "pump", "pump", "pump"])
    house.hear((0, 1, 443), *((n, 2, 443) for n in (3, 4, 5)))
    assert house.settled()
    silent = house.ids[0]
    assert not by_company(house.told()[silent])
    house.merge(1, 2)
    assert house.settled()
    assert by_company(house.told()[silent])
    assert house.told() == house.judged_at_once()


def test_servers_that_a_person_joins_and_takes_apart_again(store: Store) -> None:
    house = House(["silent", "server", "server", "pump", "pump", "pump"])
    house.hear((0, 1, 443), *((n, 2, 443) for n in (3, 4, 5)))
    assert house.settled()
    silent, decisions, before = house.ids[0], list[int](), house.told()
    _make_one(house, "join", 2, 1, decisions)
    assert house.settled()
    assert by_company(house.told()[silent])
    assert house.told() == house.judged_at_once()
    _take_back(house, decisions)
    assert house.settled()
    assert house.told() == before == house.judged_at_once()


def test_who_collects_from_monitors_is_told_when_they_are_known(store: Store) -> None:
    house = House(["silent", "monitor", "monitor"])
    house.hear((0, 1, 24_105), (0, 2, 24_105))
    assert house.settled()
    assert {device.id: device.category for device in house.devices()}[house.ids[0]] == "central_station"
    house.merge(1, 2)
    assert house.settled()
    assert {device.id: device.category for device in house.devices()}[house.ids[0]] is None
    assert house.told() == house.judged_at_once()
