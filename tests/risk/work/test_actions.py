from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.clock import NANOSECONDS, iso
from medwarden.model.finding import Severity
from medwarden.risk.work.actions import Concern, DeviceFacts, build, due_of
from medwarden.risk.work.choice import ActionKind, Choice
from medwarden.risk.work.rules import shipped_rules

RULES = shipped_rules()
KNOWN = 1_790_000_000 * NANOSECONDS  # 2026-09-21
UPDATE = Choice(ActionKind.UPDATE, ("Philips", "IntelliVue MX450"), target="N.01")


def concern(subject: str = "CVE-2020-0001", devices: str = "ab", **more: object) -> Concern:
    values: dict[str, object] = {
        "subject": subject, "choice": UPDATE, "severity": Severity.HIGH, "sure": True, "known_ns": KNOWN,
        "devices": frozenset(devices), **more,
    }  # fmt: skip
    return Concern(**values)  # type: ignore[arg-type]


def test_one_action_counts_devices_once_and_findings_each() -> None:
    other = Choice(ActionKind.UPDATE, ("Philips", "IntelliVue MX450"), target="N.03")
    found = build("t", "s", [concern(devices="ab"), concern("CVE-2020-0002", "bc", choice=other)], {}, RULES)
    assert len(found) == 1
    assert (found[0].devices, found[0].findings) == (3, 4)
    assert found[0].title == "Update Philips IntelliVue MX450 to N.03"
    assert found[0].shown.what == "closes 4 findings on 3 devices"


def test_the_id_stays_when_devices_versions_and_gravity_change() -> None:
    one = build("t", "s", [concern()], {}, RULES)[0]
    choice = Choice(ActionKind.UPDATE, ("PHILIPS", "IntelliVue  MX450"), target="N.09")
    other = build("t", "s", [concern("CVE-1", "xyz", choice=choice, severity=Severity.LOW)], {}, RULES)[0]
    assert one.id == other.id
    assert one.id != build("t", "other site", [concern()], {}, RULES)[0].id


def test_what_is_used_in_attacks_comes_first_whatever_else_there_is() -> None:
    lone = concern("CVE-1", "a", exploited=True, severity=Severity.CRITICAL)
    many = concern(
        "CVE-2",
        "bcdefgh",
        choice=Choice(ActionKind.DISABLE, ("X", "Y", "telnet")),
        severity=Severity.CRITICAL,
    )
    facts = {device: DeviceFacts(5, True) for device in "bcdefgh"}
    found = build("t", "s", [many, lone], facts, RULES)
    assert found[0].exploited
    assert not found[1].exploited


def test_due_days_by_gravity_and_by_the_day_of_the_catalogue() -> None:
    assert iso(due_of(concern(severity=Severity.CRITICAL), RULES)[0])[:10] == "2026-10-06"
    assert iso(due_of(concern(), RULES)[0])[:10] == "2026-10-21"
    used = Choice(ActionKind.UPDATE, ("X", "Y"), kev_due="2026-09-28")
    assert iso(due_of(concern(exploited=True, choice=used), RULES)[0]) == "2026-09-28T23:59:59.000Z"
    old = Choice(ActionKind.UPDATE, ("X", "Y"), kev_due="2022-05-03")
    day, why = due_of(concern(exploited=True, choice=old), RULES)
    assert (iso(day)[:10], why) == ("2026-10-06", "15 days, used in attacks")
    assert "high" in due_of(concern(exploited=True, sure=False, choice=used), RULES)[1]


def test_accepted_devices_do_not_count_but_are_told() -> None:
    found = build("t", "s", [concern(devices="a", accepted=frozenset("bc"))], {}, RULES)[0]
    assert (found.devices, found.findings, found.shown.accepted) == (1, 1, 2)
    all_of_it = build("t", "s", [concern(devices="", accepted=frozenset("bc"))], {}, RULES)[0]
    assert (all_of_it.devices, all_of_it.priority, all_of_it.shown.accepted) == (0, 0, 2)


def test_a_fixed_version_below_what_is_still_affected_is_not_enough() -> None:
    after = Choice(ActionKind.UPDATE, ("Philips", "IntelliVue MX450"), after="N.05")
    found = build("t", "s", [concern(), concern("CVE-2", choice=after)], {}, RULES)[0]
    assert found.title.endswith("to a version after N.05")


SUBJECTS = st.sampled_from(["CVE-1", "CVE-2", "CVE-3", "smbv1", "telnet_server"])
CONCERNS = st.lists(
    st.builds(
        concern,
        subject=SUBJECTS,
        devices=st.text("abcdef", max_size=6),
        accepted=st.frozensets(st.sampled_from("uvw"), max_size=2),
        choice=st.builds(
            Choice,
            kind=st.sampled_from(ActionKind),
            subject=st.sampled_from([("A", "B", "c"), ("A", "D", "c")]),
        ),
        severity=st.sampled_from(Severity),
        sure=st.booleans(),
        exploited=st.booleans(),
        exploits=st.booleans(),
        epss=st.none() | st.floats(0, 1),
    ),
    max_size=12,
)


@given(CONCERNS)
def test_numbers_of_actions_add_up_to_what_is_open_and_points_to_the_priority(
    concerns: list[Concern],
) -> None:
    found = build("t", "s", concerns, {"a": DeviceFacts(5, True)}, RULES)
    assert sum(action.findings for action in found) == sum(len(c.devices) for c in concerns)
    for action in found:
        assert action.priority == sum(reason.points for reason in action.shown.reasons)
        assert action.devices <= action.findings
        assert action.title
        assert len(action.title) <= 400
    order = [(not a.devices, -a.priority) for a in found]
    assert order == sorted(order)
