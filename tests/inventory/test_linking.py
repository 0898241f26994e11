"""Which devices may be one: what joins, what is asked, and what must never be joined."""

from __future__ import annotations

import pytest

from medwarden.inventory.identifiers import number, short_name, stated
from medwarden.inventory.linking import Kind, Link, links
from medwarden.model.device import Device, Verdict
from medwarden.model.evidence import LedgerEntry

HOUR = 3600 * 1_000_000_000
UUID = "4c4c4544-0043-4b10-8052-b7c04f4e3932"


def device(
    key: str,
    *facts: tuple[str, str],
    mac: str = "",
    first: int = 0,
    last: int = 10,
    ips: tuple[str, ...] = (),
    **labels: str,
) -> Device:
    return Device(
        id=key,
        site="main",
        macs=(mac or f"00:1b:21:00:00:{sum(map(ord, key)) % 256:02x}",),
        ips=ips,
        first_seen=first * HOUR,
        last_seen=last * HOUR,
        verdicts=tuple(Verdict(level, label, 0.95) for level, label in labels.items()),
        ledger=tuple(
            LedgerEntry(field.partition(".")[0], field, value, "s", first * HOUR, last * HOUR, 1)
            for field, value in facts
        ),
    )


def certain(found: list[Link]) -> set[tuple[str, str]]:
    return {(link.left, link.right) for link in found if link.certain}


def test_two_cards_with_one_machine_uuid_are_one_device() -> None:
    [link] = links(
        [
            device("a", ("dhcp.machine_uuid", UUID), ("dhcp.host_name", "ct-2.hospital.example")),
            device("b", ("dhcp.machine_uuid", UUID.upper()), ("ntlmssp.workstation", "CT-2")),
        ]
    )
    assert link.certain and link.kind is Kind.INTERFACES and not link.against
    assert any("SMBIOS UUID" in sentence for sentence in link.supporting)


@pytest.mark.parametrize(
    "value",
    [
        "To be filled by O.E.M.",
        "123456",
        "1234567890",
        "0000000000",
        "Default string",
        "System Serial Number",
        "N/A",
        "03000200-0400-0500-0006-000700080009",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "xxxxxxx",
        "none",
        "1111",
    ],
)
def test_what_nobody_filled_in_identifies_nobody(value: str) -> None:
    assert number(value) is None
    pair = [device("a", ("snmp.entity_serial", value)), device("b", ("snmp.entity_serial", value))]
    assert links(pair) == []


@pytest.mark.parametrize("name", ["iPhone", "iphone.local", "android", "localhost", "MINIT-7", "pc"])
def test_plain_names(name: str) -> None:
    assert (short_name(name) is None) is (name != "MINIT-7")


def test_a_cloned_uuid_joins_nobody() -> None:
    cloned = [
        device(f"pc{n}", ("dhcp.machine_uuid", UUID), ("dhcp.host_name", f"ward-pc-{n}")) for n in range(4)
    ]
    assert links(cloned) == []


def test_one_serial_of_two_makers_joins_nobody() -> None:
    assert not links(
        [
            device("a", ("snmp.entity_serial", "A0001723"), vendor="Philips"),
            device("b", ("lldp.serial", "A0001723"), vendor="Cisco"),
        ]
    )


def test_a_serial_and_another_model_is_asked_at_most() -> None:
    found = links(
        [
            device("a", ("snmp.entity_serial", "SN-8812-77"), model="MX800"),
            device("b", ("lldp.serial", "SN-8812-77"), model="MX450"),
        ]
    )
    assert not certain(found)
    assert all(link.against for link in found)


def test_a_router_stating_one_chassis_on_many_interfaces_is_one() -> None:
    ports = [
        device(f"r{n}", ("lldp.chassis_id", "00:1c:73:aa:bb:01"), ("lldp.system_name", "core-1"))
        for n in range(12)
    ]
    found = links(ports, frozenset(p.id for p in ports[:5]))
    assert len(certain(found)) == 11 and {link.left for link in found} == {found[0].left}


def test_a_router_that_states_nothing_stays_several() -> None:
    assert links([device(f"r{n}", ("arp.ip", "10.0.0.1")) for n in range(5)]) == []


def test_a_phone_with_three_hundred_addresses_is_one_device() -> None:
    phone = [
        device(
            f"p{n:03}",
            ("dhcp.host_name", "Annas-Pixel-8"),
            ("mdns.host_name", "Annas-Pixel-8.local"),
            ("dhcpv6.duid", "000400112233445566778899aabbccddeeff"),
            ("dhcp.parameter_request_list", "1,3,6,15,26,28,51,58,59,43,114"),
            mac=f"da:a1:19:00:{n // 256:02x}:{n % 256:02x}",
            first=n * 2,
            last=n * 2 + 1,
        )
        for n in range(300)
    ]
    found = links(phone)
    assert len(certain(found)) == 299
    assert {link.kind for link in found} == {Kind.RANDOMISED} and {link.left for link in found} == {"p000"}


def test_randomised_addresses_without_identifiers_stay_apart() -> None:
    phones = [
        device(
            f"p{n}",
            ("dhcp.host_name", "iPhone"),
            ("dhcp.parameter_request_list", "1,121,3,6,15,108,114,119,252"),
            mac=f"da:a1:19:00:00:{n:02x}",
            first=n * 2,
            last=n * 2 + 1,
        )
        for n in range(10)
    ]
    assert links(phones) == []


def test_a_replaced_card_of_a_device_with_a_serial_number() -> None:
    [link] = links(
        [
            device("old", ("sdc.serial_number", "DE512-0042"), ips=("10.1.1.7",), first=0, last=50),
            device("new", ("sdc.serial_number", "DE512-0042"), ips=("10.1.1.7",), first=52, last=90),
        ]
    )
    assert link.certain and link.kind is Kind.REPLACED
    assert any("took over the address 10.1.1.7" in sentence for sentence in link.supporting)


def test_a_replaced_card_known_by_its_name_alone_is_asked() -> None:
    [link] = links(
        [
            device("old", ("dhcp.host_name", "us-room-3"), ips=("10.1.1.7",), first=0, last=50),
            device("new", ("dhcp.host_name", "us-room-3"), ips=("10.1.1.7",), first=52, last=90),
        ]
    )
    assert not link.certain and link.kind is Kind.REPLACED and link.odds > 4


def test_an_address_given_to_another_by_dhcp_joins_nobody() -> None:
    churn = [
        device(f"d{n}", ("dhcp.host_name", f"pc-{n}"), ips=("10.1.1.7",), first=n * 10, last=n * 10 + 8)
        for n in range(6)
    ]
    assert links(churn) == []


def test_a_dock_used_by_several_laptops_is_none_of_them() -> None:
    dock = device("dock", ("dhcp.host_name", "laptop-1"), ("dhcp.host_name", "laptop-2"))
    laptops = [
        device(f"wlan{n}", ("dhcp.host_name", f"laptop-{n}"), ("dhcp.machine_uuid", f"{n}{UUID[1:]}"))
        for n in (1, 2)
    ]
    assert "host name" in stated(dock).shared
    assert not certain(links([dock, *laptops]))


def test_a_gateway_that_speaks_for_pumps_is_none_of_them() -> None:
    gateway = device(
        "gw", *(("hl7.source_serial", f"PUMP-00{n}A") for n in range(20)), ("hl7.role", "gateway")
    )
    pumps = [device(f"pump{n}", ("sdc.serial_number", f"PUMP-00{n}A")) for n in range(20)]
    assert links([gateway, *pumps]) == []


def test_a_hub_that_states_the_serials_of_its_children_is_none_of_them() -> None:
    hub = device("hub", ("upnp.serial_number", "LAMP-4711"), ("upnp.serial_number", "LAMP-4712"))
    children = [device(f"c{n}", ("upnp.serial_number", f"LAMP-471{n}")) for n in (1, 2)]
    assert not certain(links([hub, *children]))


def test_names_many_devices_share_prove_nothing() -> None:
    kiosks = [device(f"k{n}", ("dhcp.host_name", "kiosk")) for n in range(9)]
    assert links(kiosks) == []


def test_virtual_routers_are_left_alone() -> None:
    pair = [
        device(key, ("snmp.entity_serial", "FOC2210ABC"), mac=mac)
        for key, mac in (("a", "00:00:5e:00:01:0a"), ("b", "00:1c:73:00:00:01"))
    ]
    assert links(pair) == []


def test_two_machines_with_one_name_are_two() -> None:
    pair = [
        device(key, ("dhcp.host_name", "nb-0042"), ("dhcp.machine_uuid", f"{n}{UUID[1:]}"))
        for n, key in ((1, "a"), (2, "b"))
    ]
    assert links(pair) == []
