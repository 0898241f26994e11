"""What makers' forms say of the network, beside the rules that were learnt."""

from __future__ import annotations

import msgspec
import pytest
from tests.policy.test_learn import call, house

from medwarden.model.device import Conversation, Device
from medwarden.model.mds2 import DeclaredPort, NetworkNeeds
from medwarden.policy import learn_category, learn_device

NEEDS = NetworkNeeds(
    form="f1", title="MDS2 of 2024-05-17", ports=(), ports_listed=None, remote_service=None,
    remote_monitoring=None, external_communication=None, internet=None, fixed_destinations=None,
    wireless=None, time_server=None, directory=None,
)  # fmt: skip


def notes(*conversations: Conversation, **said: object) -> list[str]:
    """Return what is noted of the maker's form of a CT with these conversations."""
    devices = house(*conversations, arc="pacs")
    needs = {"ct": msgspec.structs.replace(NEEDS, **said)}
    policy = learn_device(devices["ct"], devices, needs=needs)
    assert policy.rules == learn_device(devices["ct"], devices).rules, "no rule is written by a form"
    return [note for note in policy.notes if note.startswith("MDS2 of 2024-05-17, 1 device: ")]


ARCHIVE = call(104, "dicom", peer="arc", ip="10.0.0.7")
OUTSIDE = call(443, "tls", scope="internet", name="updates.example.org", ip="198.51.100.7")
PINNED = call(443, "tls", scope="internet", ip="198.51.100.7")


@pytest.mark.parametrize(("heard", "named"), [(OUTSIDE, "updates.example.org"), (PINNED, "198.51.100.7")])
def test_rules_to_the_internet_are_held_against_the_makers_word(heard: Conversation, named: str) -> None:
    (note,) = notes(ARCHIVE, heard, internet=False)
    assert f"needs no internet by its maker's word, yet rules lead there ({named})" in note
    assert notes(ARCHIVE, internet=False) == []
    assert notes(ARCHIVE, heard, internet=None) == []


def test_a_public_address_of_the_house_is_not_the_internet() -> None:
    assert notes(call(104, "dicom", ip="8.8.8.8", scope="internal"), internet=False) == []


def test_needs_that_traffic_did_not_show_are_named() -> None:
    (note,) = notes(ARCHIVE, internet=True)
    assert "needs the internet by its maker's word; none was seen" in note
    (note,) = notes(ARCHIVE, remote_service=True)
    assert "its maker serves it from afar" in note and "broker it by name and time" in note
    (note,) = notes(ARCHIVE, remote_monitoring=True)
    assert "its maker watches it from afar" in note


def test_services_of_the_form_without_a_rule_are_named_and_no_others() -> None:
    ports = (DeclaredPort("tcp", 104), DeclaredPort("udp", 514), DeclaredPort("", 5000, 5010))
    (note,) = notes(ARCHIVE, ports=ports)
    assert "names and no rule allows: udp/514, port 5000-5010." in note
    assert notes(ARCHIVE, ports=ports[:1]) == []


def test_services_that_the_form_does_not_name_are_told_where_it_lists_them() -> None:
    telnet = call(23, "telnet", role="server", peer="arc")
    served = call(104, "dicom", role="server", peer="arc")
    ports = (DeclaredPort("tcp", 104),)
    (note,) = notes(telnet, served, ports=ports, ports_listed=True)
    assert note.endswith("seen to offer and the form does not name: tcp/23.")
    assert notes(telnet, served, ports=ports, ports_listed=None) == []


def test_each_form_of_a_category_speaks_for_its_own_devices() -> None:
    devices: dict[str, Device] = house(ARCHIVE, OUTSIDE, ct2="ct", ct3="ct", arc="pacs")
    one = msgspec.structs.replace(NEEDS, internet=False)
    other = msgspec.structs.replace(NEEDS, form="f2", title="MDS2 C-77", remote_service=True)
    policy = learn_category("ct", devices, needs={"ct": one, "ct2": one, "ct3": other, "arc": other})
    assert [note.partition(": ")[0] for note in policy.notes if note.startswith("MDS2")] == [
        "MDS2 of 2024-05-17, 2 devices",
        "MDS2 C-77, 1 device",
    ]
