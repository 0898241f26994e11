"""A device's ledger as a story: every fact once, in order, with the answers that rest on it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labelling import identify
from medwarden.inventory.story import MOST_MOMENTS, PAUSE_NS, story
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Device, Service
from medwarden.model.evidence import LedgerEntry
from medwarden.model.statement import Authority, Statement

MINUTE = 60 * NANOSECONDS


def entry(field: str, value: str, at: int) -> LedgerEntry:
    return LedgerEntry("sensor", field, value, "s", at, at, 1)


def test_a_device_nothing_was_heard_of_has_no_story() -> None:
    assert story(Device("d", "s")).moments == ()


def test_it_tells_when_the_evidence_for_an_answer_came() -> None:
    early, late = 10 * MINUTE, 30 * MINUTE
    ledger = (
        entry("dhcp.host_name", "unnamed", early),
        entry("dpws.manufacturer", "Draeger", late),
        entry("dpws.model_name", "Evita V800", late),
    )
    service = Service("tcp", 443, "tls", late, late, 1, 1, 10)
    said = Statement(Authority.PERSON, "category", "ventilator", "mara", 90 * MINUTE)
    device = identify(
        Device("d", "s", ledger=ledger, services=(service,), statements=(said,), first_seen=early)
    )
    first, second, third = story(device).moments
    assert [told.value for told in first.told] == ["unnamed"]
    assert first.settled == ()
    assert {told.value for told in second.told if told.levels} >= {"Draeger", "Evita V800"}
    assert ("model", "Evita V800") in second.settled
    assert second.served == ("tcp/443 (tls)",)
    assert third.stated == ("mara: category ventilator",)


@given(st.lists(st.integers(0, 10**15), min_size=1, max_size=300))
def test_every_fact_is_in_exactly_one_moment_and_moments_are_in_order(times: list[int]) -> None:
    ledger = tuple(entry("dns.name", f"n{i}", at) for i, at in enumerate(times))
    told = story(Device("d", "s", ledger=ledger))
    assert len(told.moments) <= MOST_MOMENTS
    starts = [moment.at_ns for moment in told.moments]
    assert starts == sorted(starts)
    assert all(b.at_ns - a.until_ns > PAUSE_NS for a, b in zip(told.moments, told.moments[1:], strict=False))
    if not told.left_out:
        assert sum(len(moment.told) + moment.more for moment in told.moments) == len(times)
