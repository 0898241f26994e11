"""Places: attached where it was last reported, in the room that the plan says, each part explained."""

from __future__ import annotations

from tests.inventory.conftest import Heard

from medwarden.inventory.labelling import identify
from medwarden.inventory.places import place_of
from medwarden.inventory.plan import Plan, read_plan
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.place import PlanKey

PLAN = Plan(
    read_plan(
        "switch,port,ap,station,unit,subnet,vlan,mac,building,floor,room,department\n"
        "sw1,Gi1/0/4,,,,,,,C,3,3.21,ICU\n"
        "sw1,,,,,,,,C,3,,\n"
        ",,ap-7,,,,,,B,1,,Emergency\n"
        ",,,CT01,,,,,A,0,CT 1,Radiology\n"
        ",,,,ICU-W,,,,C,3,,ICU west\n"
        ",,,,,10.9.0.0/16,,,D,,,\n"
        ",,,,,,42,,E,,,\n"
        ",,,,,,,00:11:22:33:44:55,F,9,9.9,\n"
    )[0]
)


def attached(*facts: tuple[str, str, str, int]) -> Device:
    """Return a device with facts (source, field, value, last heard)."""
    ledger = tuple(LedgerEntry(source, field, value, "s", 1, last, 1) for source, field, value, last in facts)
    return Device(id="d", site="default", ledger=ledger)


def test_the_plan_says_which_room_a_port_is_in(heard: Heard) -> None:
    device = attached(
        ("snmp_poll", "switch.name", "SW1.hospital.local", 5),
        ("snmp_poll", "switch.port", "GigabitEthernet1/0/4", 5),
    )
    place = place_of(device, PLAN)
    assert place is not None
    assert (place.building, place.floor, place.room, place.department) == ("C", "3", "3.21", "ICU")
    assert place.label == "C, 3, 3.21"
    assert {(b.part, b.plan) for b in place.basis if b.plan} == {
        (part, PlanKey.SWITCH_PORT) for part in ("building", "floor", "room", "department")
    }
    assert identify(device, PLAN).location == "C, 3, 3.21"


def test_a_device_that_moved_is_where_it_was_heard_last() -> None:
    device = attached(
        ("snmp_poll", "switch.name", "sw1", 9),
        ("snmp_poll", "switch.port", "Gi1/0/4", 5),
        ("snmp_poll", "switch.port", "Gi1/0/9", 9),
    )
    place = place_of(device, PLAN)
    assert place is not None
    assert place.port == "Gi1/0/9"
    assert (place.building, place.floor, place.room) == ("C", "3", None)  # by its switch


def test_wireless_after_wired_is_wireless() -> None:
    facts = [
        ("snmp_poll", "switch.name", "sw1", 5),
        ("snmp_poll", "switch.port", "Gi1/0/4", 5),
        ("controller", "wireless.ap", "AP-7", 9),
        ("controller", "wireless.ssid", "clinic", 9),
    ]
    roaming = place_of(attached(*facts), PLAN)
    assert roaming is not None
    assert (roaming.building, roaming.access_point, roaming.port, roaming.ssid) == (
        "B",
        "AP-7",
        None,
        "clinic",
    )
    docked = place_of(attached(*facts, ("snmp_poll", "switch.port", "Gi1/0/4", 12)), PLAN)
    assert docked is not None
    assert (docked.switch, docked.port, docked.access_point, docked.room) == ("sw1", "Gi1/0/4", None, "3.21")


def test_a_coarser_row_does_not_complete_another_building(heard: Heard) -> None:
    place = place_of(heard(("dicom.station_name", "CT01"), ips=("10.9.1.1",)), PLAN)
    assert place is not None
    assert (place.building, place.room) == ("A", "CT 1")
    only_network = place_of(heard(ips=("10.9.1.1",)), PLAN)
    assert only_network is not None
    assert (only_network.building, only_network.floor) == ("D", None)
    by_vlan = place_of(heard(vlans=(42,)), PLAN)
    assert by_vlan is not None and by_vlan.building == "E"
    by_card = place_of(heard(("dicom.station_name", "CT01"), macs=("00:11:22:33:44:55",)), PLAN)
    assert by_card is not None and by_card.building == "F"


def test_the_unit_of_a_bed_is_found_without_the_bed(heard: Heard) -> None:
    place = place_of(heard(("hl7.location", "ICU-W^^12")), PLAN)
    assert place is not None
    assert (place.building, place.department) == ("C", "ICU west")
    assert place.said == "ICU-W^^12"


def test_without_a_plan_devices_speak_for_themselves(heard: Heard) -> None:
    def label(*facts: tuple[str, str]) -> str | None:
        place = place_of(heard(*facts))
        return None if place is None else place.label

    assert label(("snmp.sys_location", "Radiology, room 12")) == "Radiology, room 12"
    assert label(("dhcp.relay_agent_circuit_id", "0004000a0003")) is None
    assert label(("dhcp.relay_agent_circuit_id", "Gi1/0/12")) == "Gi1/0/12"
    assert label(("snmp.sys_location", "Unknown")) is None
    assert label(("snmp.sys_location", "Sitting on the Dock of the Bay")) is None  # as net-snmp ships it


def test_a_port_without_its_switch_says_nothing() -> None:
    assert place_of(attached(("snmp_poll", "switch.port", "Gi1/0/4", 5)), PLAN) is None


def test_an_sdc_device_says_building_floor_and_room_itself_and_the_plan_knows_better() -> None:
    facts = (
        ("sdc", "sdc.building", "B", 5),
        ("sdc", "sdc.floor", "2", 5),
        ("sdc", "sdc.room", "2.12", 5),
        ("sdc", "sdc.location", "ICU-W", 5),
    )
    alone = place_of(attached(*facts))
    assert alone is not None
    assert (alone.building, alone.floor, alone.room, alone.said) == ("B", "2", "2.12", "ICU-W")
    planned = place_of(attached(*facts), PLAN)
    assert planned is not None
    assert (planned.building, planned.floor, planned.room) == ("C", "3", None)
