"""What a device is by who else uses the server it uses, and by whom it serves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from medwarden.inventory.company import (
    COMPANY_RULE,
    FEWEST,
    MOST_CLIENTS,
    MOST_SERVICES,
    Circle,
    Company,
    company_of,
    member_of,
    services_used,
    told_otherwise,
)
from medwarden.inventory.joined import in_company
from medwarden.inventory.labelling import identify, judge
from medwarden.model.device import Ballot, Conversation, Device, DeviceClass, Verdict
from medwarden.model.evidence import LedgerEntry

MINUTE = 60 * 10**9


def talk(
    device: str, peer: str, port: int, role: str = "client", *, at: int = 1, established: bool = True
) -> Conversation:
    """Return a conversation of one device with another."""
    return Conversation(
        device, role, peer, None, None, "internal", "tcp", port, None, at, at + 9, 1, 9, 900, 900, established
    )


def device(
    name: str,
    talks: Sequence[Conversation] = (),
    *,
    category: str | None = None,
    vendor: str | None = None,
    rule: str = "by-hand",
    weight: float = 4.0,
    device_class: DeviceClass = DeviceClass.UNKNOWN,
) -> Device:
    """Return a device that was identified by one rule, or not at all."""
    verdicts = []
    for level, label in (("category", category), ("vendor", vendor)):
        if label is not None:
            ballot = Ballot(level, label, weight, rule, "http.title", "x")
            verdicts.append(Verdict(level, label, 0.95, ballots=(ballot,)))
    return Device(
        name,
        "here",
        device_class=device_class,
        category=category,
        vendor=vendor,
        verdicts=tuple(verdicts),
        conversations=tuple(talks),
    )


def pump(name: str, *, category: str = "infusion_pump", vendor: str = "Baxter", port: int = 443) -> Device:
    """Return a pump that was told by evidence of its own."""
    return device(
        name,
        [talk(name, "srv", port)],
        category=category,
        vendor=vendor,
        device_class=DeviceClass.IOMT,
    )


def said(company: Company, of: Device) -> dict[str, str]:
    """Return what the company says of a device, by level."""
    return {ballot.level: ballot.label for ballot in company.votes(of)}


SILENT = device("silent", [talk("silent", "srv", 443)])


def test_the_other_clients_of_its_server_tell_what_a_silent_pump_is() -> None:
    company = company_of([*(pump(f"p{n}") for n in range(3)), SILENT])
    assert said(company, SILENT) == {"category": "infusion_pump", "vendor": "Baxter"}
    identified = identify(SILENT, company=company)
    assert (identified.category, identified.vendor) == ("infusion_pump", "Baxter")
    verdict = identified.verdict("category")
    assert verdict is not None
    (ballot,) = verdict.ballots
    assert ballot.rule.startswith(COMPANY_RULE)
    assert ballot.evidence_field == "flow.client_of"
    assert ballot.evidence_value == "tcp/443 like at least 3 known clients"


def test_one_fellow_is_no_company() -> None:
    assert said(company_of([pump("p1"), SILENT]), SILENT) == {}
    assert said(company_of([pump("p1"), pump("p2"), SILENT]), SILENT) == {"category": "infusion_pump"}


def test_different_pumps_are_infusion_pumps_together() -> None:
    fellows = [pump("a"), pump("b", category="syringe_pump"), pump("c", category="pca_pump")]
    assert said(company_of([*fellows, SILENT]), SILENT)["category"] == "infusion_pump"


def test_a_mixed_company_says_nothing() -> None:
    desks = [
        device(f"d{n}", [talk(f"d{n}", "srv", 443)], device_class=DeviceClass.IT, category="workstation")
        for n in range(2)
    ]
    assert said(company_of([pump("a"), pump("b"), *desks, SILENT]), SILENT) == {}


def test_pumps_of_two_makers_name_no_maker() -> None:
    fellows = [pump("a"), pump("b"), pump("c", vendor="BD")]
    assert said(company_of([*fellows, SILENT]), SILENT) == {"category": "infusion_pump"}


@pytest.mark.parametrize("port", [53, 104, 445, 2575, 8883])
def test_everybodys_services_and_those_of_a_standard_say_nothing(port: int) -> None:
    silent = device("silent", [talk("silent", "srv", port)])
    assert said(company_of([*(pump(f"p{n}", port=port) for n in range(3)), silent]), silent) == {}


def test_a_connection_that_was_not_answered_says_nothing() -> None:
    silent = device("silent", [talk("silent", "srv", 443, established=False)])
    assert said(company_of([*(pump(f"p{n}") for n in range(3)), silent]), silent) == {}


def test_a_computer_among_pumps_stays_a_computer() -> None:
    entries = tuple(
        LedgerEntry("dhcp", field, value, "s", 1, 1, 1)
        for field, value in (
            ("dhcp.vendor_class", "MSFT 5.0"),
            ("smb.role", "client"),
            ("browser.role", "server"),
        )
    )
    desk = msgspec.structs.replace(
        device("desk", [talk("desk", "srv", 443)]), ledger=entries, macs=("00:06:5b:00:00:01",)
    )
    company = company_of([*(pump(f"p{n}") for n in range(9)), desk])
    assert company.votes(desk)
    judged = identify(desk, company=company)
    assert judged.device_class is DeviceClass.IT
    assert judged.category != "infusion_pump"


def test_a_server_is_told_by_its_clients_and_by_their_maker() -> None:
    server = device("srv", [talk("srv", f"p{n}", 443, "server") for n in range(FEWEST)])
    company = company_of([server, *(pump(f"p{n}") for n in range(FEWEST))])
    assert said(company, server) == {"category": "infusion_server", "vendor": "Baxter"}


def test_who_collects_from_monitors_is_a_station_or_a_gateway() -> None:
    monitors = [device(f"m{n}", category="patient_monitor", device_class=DeviceClass.IOMT) for n in range(3)]
    polls = [talk("c", f"m{n}", 24_105) for n in range(3)]
    station = device("c", polls)
    gateway = device("c", [*polls, talk("c", "engine", 2575)])
    assert said(company_of([*monitors, station]), station) == {"category": "central_station"}
    assert said(company_of([*monitors, gateway]), gateway) == {"category": "device_gateway"}


def test_who_takes_pictures_of_many_cameras_is_a_recorder() -> None:
    cameras = [device(f"k{n}", category="ip_camera", device_class=DeviceClass.IOT) for n in range(3)]
    recorder = device("r", [talk("r", f"k{n}", 554) for n in range(3)])
    looker = device("r", [talk("r", "k0", 554)])
    assert said(company_of([*cameras, recorder]), recorder) == {"category": "nvr"}
    assert said(company_of([*cameras, looker]), looker) == {}


def test_what_rests_on_company_alone_counts_for_nobody_else() -> None:
    passed_on = [
        device(
            f"q{n}",
            [talk(f"q{n}", "srv", 443)],
            category="infusion_pump",
            rule=f"{COMPANY_RULE}fellow-clients",
        )
        for n in range(5)
    ]
    assert member_of(passed_on[0]).category is None
    assert said(company_of([*passed_on, SILENT]), SILENT) == {}


def test_a_guess_counts_for_nobody_else() -> None:
    assert member_of(device("g", category="infusion_pump", weight=0.3)).category is None


def test_a_service_with_very_many_clients_is_everybodys() -> None:
    crowd = [pump(f"p{n}") for n in range(MOST_CLIENTS + 1)]
    assert said(company_of([*crowd, SILENT]), SILENT) == {}


def test_the_company_as_of_a_moment_has_those_who_came_before() -> None:
    late = [
        msgspec.structs.replace(pump(f"p{n}"), conversations=(talk(f"p{n}", "srv", 443, at=n * MINUTE),))
        for n in range(1, 4)
    ]
    company = company_of([*late, SILENT])
    assert said(company.as_of(MINUTE), SILENT) == {}
    assert said(company.as_of(2 * MINUTE), SILENT) == {"category": "infusion_pump"}


def test_devices_are_judged_by_themselves_and_then_in_company() -> None:
    prefix = [
        msgspec.structs.replace(device(f"b{n}", [talk(f"b{n}", "srv", 443)]), macs=(f"00:03:b1:00:00:0{n}",))
        for n in range(3)
    ]
    found = {d.id: d for d in in_company([*prefix, SILENT], identify).devices}
    assert found["silent"].category == "infusion_pump"
    assert found["silent"].vendor == "ICU Medical"


SERVICE = ("srv", "tcp", 443)


def circle(pumps: int, *others: Device) -> Circle:
    """Return who uses a service: some pumps of one maker, and others."""
    users = [*(pump(f"p{n}") for n in range(pumps)), *others]
    return Circle(SERVICE, {user.id: member_of(user) for user in users}, None)


def test_one_more_of_many_tells_no_other_anything_new() -> None:
    assert told_otherwise(circle(6, SILENT), circle(7, SILENT)) == {"p6"}, "the new one itself"
    assert told_otherwise(circle(1, SILENT), circle(3, SILENT)) == {"silent", "p0", "p1", "p2", "srv"}


def test_who_comes_to_a_service_is_told_by_it_and_who_leaves_it_is_not() -> None:
    assert told_otherwise(circle(5), circle(5, SILENT)) == {"silent"}
    assert told_otherwise(circle(5, SILENT), circle(5)) == {"silent"}


def test_a_service_that_too_many_use_stops_telling_all_of_them() -> None:
    few, many = circle(MOST_CLIENTS), circle(MOST_CLIENTS + 1)
    assert told_otherwise(few, many) == {"srv", *(f"p{n}" for n in range(MOST_CLIENTS))}
    assert told_otherwise(many, many) == set()


def test_what_a_device_is_to_others_does_not_follow_from_what_others_told_of_it() -> None:
    company = company_of([*(pump(f"p{n}") for n in range(3)), SILENT])
    alone, told = judge(SILENT), judge(SILENT, company=company)
    assert (alone.told, alone.device.category) == ((), None)
    assert told.told and told.device.category == "infusion_pump"
    assert told.member == alone.member == member_of(alone.device)


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_conversations_changes_no_vote(turned: bool) -> None:
    ports = range(9000, 9000 + MOST_SERVICES + 8)
    talks = [talk("silent", "srv", port, at=port) for port in ports]
    fellows = [
        device(f"p{n}", [talk(f"p{n}", "srv", port) for port in (9003, 9001)], category="infusion_pump")
        for n in range(3)
    ]
    silent = device("silent", talks[::-1] if turned else talks)
    assert {port for _, _, port in services_used(silent)} == set(ports[:MOST_SERVICES])
    votes = company_of([*(fellows[::-1] if turned else fellows), silent]).votes(silent)
    assert [(vote.label, vote.evidence_value) for vote in votes] == [
        ("infusion_pump", "tcp/9001 like at least 3 known clients")
    ]


def test_an_engine_between_senders_of_messages_names_the_port_they_use() -> None:
    talks = [
        talk("engine", "one", 6661, "server"),
        talk("engine", "two", 6661, "server"),
        talk("engine", "receiver", 2575),
    ]
    (vote,) = company_of([]).votes(device("engine", talks))
    assert (vote.label, vote.evidence_field) == ("interface_engine", "flow.serves")
    assert vote.evidence_value == "tcp/6661 from 2 senders, on to 1 others"
