"""What answers rest on: one step from anything a page shows towards what was heard."""

from __future__ import annotations

import pytest

from medwarden.inventory.grounds import Ground, grounds_of, heard
from medwarden.inventory.linking import Compared, ground_of
from medwarden.inventory.places import place_of
from medwarden.inventory.plan import Plan
from medwarden.inventory.shared_evidence import MAKER, shared_evidence
from medwarden.model.device import Ballot, Device, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import PlanKey, PlanRow


def said(field: str, value: str, source: str = "snmp_poll") -> LedgerEntry:
    return LedgerEntry(source, field, value, "s", 1, 2, 1)


DEVICE = Device(
    id="d-1",
    site="main",
    macs=("00:11:22:33:44:55",),
    ips=("10.1.2.3",),
    vendor="GE HealthCare",
    model="B650",
    firmware="3.1",
    phi=True,
    ledger=(
        said("switch.name", "sw-c3.house.org"),
        said("switch.port", "GigabitEthernet1/0/4"),
        said("dhcp.host_name", "BED-17.house.org", "dhcp"),
        said("dicom.manufacturer", "GE Healthcare", "dicom"),
        said("hl7.patient_data", "yes", "hl7v2"),
        said("http.user_agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) and much more", "http"),
        said("dhcp.subnet_mask", "255.255.255.0", "dhcp"),
    ),
    verdicts=(
        Verdict("vendor", "GE HealthCare", 0.97, ballots=(
            Ballot("vendor", "GE HealthCare", 3.0, "r1", "dicom.manufacturer", "GE HealthCare"),
            Ballot("vendor", "Philips", 0.5, "r2", "oui.vendor", "Philips"),
        )),
    ),
)  # fmt: skip


def test_a_room_rests_on_switch_and_port_and_on_the_plan() -> None:
    plan = Plan([PlanRow(PlanKey.SWITCH_PORT, "sw-c3 gi1/0/4", "C", "3", "3.21", line=9)])
    place = place_of(DEVICE, plan)
    assert place is not None
    placed = Device(**{**{f: getattr(DEVICE, f) for f in DEVICE.__struct_fields__}, "place": place})
    found = {(g.field, g.value) for g in grounds_of(placed, "place.room", "3.21")}
    assert found == {
        ("switch.name", "sw-c3.house.org"),
        ("switch.port", "GigabitEthernet1/0/4"),
        ("plan.switch_port", "sw-c3.house.org GigabitEthernet1/0/4"),
    }
    assert grounds_of(placed, "place.switch", "sw-c3.house.org") == (
        Ground("switch.name", "sw-c3.house.org", "the switch follows from it"),
    )
    assert grounds_of(DEVICE, "place.room", "3.21") == (), "without a place there is nothing to rest on"


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("vendor", "GE HealthCare", [("dicom.manufacturer", "GE HealthCare")]),
        ("dicom.manufacturer", "GE HEALTHCARE", [("dicom.manufacturer", "GE Healthcare")]),
        ("dicom.manufacturer", "GE Healthcare", []),  # a fact itself
        ("name", "bed-17", [("dhcp.host_name", "BED-17.house.org")]),
        ("http.user_agent", "Mozilla/5.0 (Windows", [("http.user_agent", DEVICE.ledger[5].value)]),  # cut
        ("phi", "seen", [("hl7.patient_data", "yes")]),
        ("version", "3.1", [("firmware", "3.1")]),
        ("product", "B650", [("model", "B650")]),
        ("conversation", "to PACS, dicom on tcp/104", [("flow.client_of", "tcp/104")]),
        ("conversation", "from PACS, dicom on tcp/104", [("flow.serves", "tcp/104")]),
        ("service", "rdp on tcp/3389, 2 clients", [("flow.serves", "tcp/3389")]),
        ("subnet", "10.1.2.0/24", [("ip", "10.1.2.3"), ("dhcp.subnet_mask", "255.255.255.0")]),
        ("subnet", "no network", []),
        ("mac", "00:11:22:33:44:55 66:77:88:99:aa:bb",
         [("mac", "00:11:22:33:44:55"), ("mac", "66:77:88:99:aa:bb")]),
        ("prefix", "00:11:22", [("mac", "00:11:22:33:44:55")]),
        ("dhcp.host_name", "", [("dhcp.host_name", "BED-17.house.org")]),
        ("dhcp.host_name", "somebody else", []),
        ("nothing", "known", []),
    ],
)  # fmt: skip
def test_an_answer_names_what_it_rests_on(field: str, value: str, found: list[tuple[str, str]]) -> None:
    assert [(g.field, g.value) for g in grounds_of(DEVICE, field, value)] == found


def test_what_devices_share_leads_back_to_what_one_of_them_said() -> None:
    shared = [pair for pair in shared_evidence(DEVICE) if pair[0] != MAKER]  # that is by its traffic
    assert any("#" in value or value != value.upper() for _, value in shared)
    for field, value in shared:
        assert heard(DEVICE, field, value) or grounds_of(DEVICE, field, value), (field, value)


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("both state the serial number 'A 1' (lldp.serial)", Compared("lldp.serial", "A 1", "A 1")),
        ('both state the host name "it\'s" (mdns.host_name)', Compared("mdns.host_name", "it's", "it's")),
        ("both state the host name 'x' 'y' + 'z' (mdns.host_name)", None),
        ("their DHCP requests are alike (dhcp.vendor_class, dhcp.options_order)",
         Compared("dhcp.vendor_class", "", "")),
        ("the second took over the address 10.1.2.3", Compared("ip", "10.1.2.3", "10.1.2.3")),
        ("their vendor differs: acme and other", Compared("vendor", "acme", "other")),
        ("each states a serial number of its own: 1 and 2", Compared("serial", "1", "2")),
        ("they are called differently: a and b", Compared("name", "a", "b")),
        ("one of them forwards for others and the other does not", None),
    ],
)  # fmt: skip
def test_a_sentence_on_two_devices_names_its_evidence(sentence: str, found: Compared | None) -> None:
    assert ground_of(sentence) == found


def test_the_last_address_of_a_list_that_was_cut_is_none() -> None:
    macs = "00:11:22:33:44:55 00:11:22:33:44:66 00:11:22"
    assert [g.value for g in grounds_of(DEVICE, "mac", macs)] == macs.split()[:2]
    assert [g.value for g in grounds_of(DEVICE, "ip", "10.1.2.3 fe80::1 10.1.")] == ["10.1.2.3", "fe80::1"]
