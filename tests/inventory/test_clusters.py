"""Gathering devices that nobody could name."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.clusters import Subject, clusters, subject_of
from medwarden.inventory.labelling import identify
from medwarden.inventory.shared_evidence import in_words, shared_evidence
from medwarden.model.device import Conversation, Device

Heard = Callable[..., Device]


def talk(peer: str, port: int) -> Conversation:
    """Return a conversation with a server."""
    return Conversation(
        "d", "client", None, peer, None, "internal", "tcp", port, None, 1, 2, 1, 9, 9, 9, True
    )


def pump(heard: Heard, number: int, **changes: object) -> Device:
    """Return one of many devices of a make that no rule knows."""
    serial = f"70b3d5{number:06x}"
    device = heard(
        ("dhcp.vendor_class", "ACME-IV"),
        ("dhcp.host_name", f"acme-{number:04d}"),
        ("http.user_agent", f"acme/1.2 ({serial})"),
        ("arp.ip", f"10.0.0.{number}"),
        macs=(":".join(serial[i : i + 2] for i in range(0, 12, 2)),),
        conversations=(talk("10.2.3.4", 5000),),
        **changes,
    )
    return identify(msgspec.structs.replace(device, id=f"d-{number:04d}"))


def subject(number: int, *evidence: tuple[str, str]) -> Subject:
    """Return a device that is open at the category."""
    return Subject(f"d-{number:04d}", f"n{number}", "", ("category",), {}, evidence)


def test_devices_of_one_make_are_one_question(heard: Heard) -> None:
    pumps = [subject_of(pump(heard, n)) for n in range(1, 15)]
    others = [subject(100 + n, ("http.title", f"page {n}")) for n in range(5)]
    first, *rest = clusters([*(p for p in pumps if p is not None), *others])
    assert len(first.devices) == 14
    assert first.gain == 14.0
    assert first.open == {"category": 14, "vendor": 14}
    assert first.name.startswith("14 devices: ")
    assert "DHCP vendor class 'acme-iv'" in first.name
    assert "talk to tcp/5000 of 10.2.3.4" in {words for _, _, words in first.evidence}
    assert [len(c.devices) for c in rest] == [1] * 5


def test_what_belongs_to_one_device_is_no_shared_evidence(heard: Heard) -> None:
    one, other = (dict.fromkeys(shared_evidence(pump(heard, n))) for n in (3, 9))
    assert one == other
    assert "arp.ip" not in {field for field, _ in one}
    assert ("dhcp.host_name", "acme-#") in one


def test_a_named_device_asks_nothing(heard: Heard) -> None:
    camera = identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",)))
    assert subject_of(camera) is None
    doubtful = subject_of(camera, sure=0.9999)
    assert doubtful is not None
    assert doubtful.guesses["category"][0] == "ip_camera"


def test_the_id_stays_while_devices_come_and_go(heard: Heard) -> None:
    def cluster_of(numbers: range) -> str:
        found = clusters(s for n in numbers if (s := subject_of(pump(heard, n))) is not None)
        return next(c.id for c in found if len(c.devices) == len(numbers))

    assert cluster_of(range(1, 5)) == cluster_of(range(3, 30))


def test_similar_devices_join_and_different_ones_do_not() -> None:
    firmware = [
        subject(
            n,
            ("upnp.model_name", "acme iv"),
            ("http.server", f"acme/{n % 2}.0"),
            ("dhcp.vendor_class", "acme"),
        )
        for n in range(10)
    ]
    others = [
        subject(50 + n, ("upnp.model_name", "other"), ("dhcp.vendor_class", "udhcp 1.2")) for n in range(6)
    ]
    found = clusters([*firmware, *others])
    assert [len(c.devices) for c in found] == [10, 6]
    assert 0.4 < found[0].alike < 1.0


def test_the_larger_gain_comes_first_and_the_silent_last() -> None:
    loud = [subject(n, ("dhcp.vendor_class", "a")) for n in range(3)]
    louder = [subject(10 + n, ("dhcp.vendor_class", "b")) for n in range(5)]
    silent = [subject(20 + n) for n in range(9)]
    found = clusters([*silent, *loud, *louder])
    assert [len(c.devices) for c in found] == [5, 3, 9]
    assert found[-1].name == "9 devices that said nothing of themselves"
    assert len({c.id for c in found}) == 3


def test_a_device_says_its_words_as_text() -> None:
    assert in_words(("http.title", "{0} <b>")) == "web page titled '{0} <b>'"
    assert in_words(("mdns.txt.{x}", "y")) == "MDNS txt {x} 'y'"
    assert in_words(("oui.registered", "Acme Medical")) == "MAC prefix of Acme Medical"


EVIDENCE = st.tuples(
    st.sampled_from(["dhcp.vendor_class", "http.title", "tls.sni"]), st.sampled_from("abcdef")
)


@given(st.lists(st.lists(EVIDENCE, max_size=4, unique=True), max_size=25), st.randoms())
def test_every_device_is_in_one_cluster_whatever_the_order(
    rows: list[list[tuple[str, str]]], rng: random.Random
) -> None:
    subjects = [subject(n, *evidence) for n, evidence in enumerate(rows)]
    found = clusters(subjects)
    assert sorted(d for c in found for d in c.devices) == [s.id for s in subjects]
    assert len({c.id for c in found}) == len(found)
    assert [c.gain for c in found] == sorted((c.gain for c in found), reverse=True)
    rng.shuffle(subjects)
    assert clusters(subjects) == found


def test_each_shared_pair_names_a_device_that_said_it() -> None:
    """Four of five are enough to share something, so the first of a group need not have said it."""
    common = tuple((f"http.server.{n}", "acme") for n in range(6))
    first = subject(1, *common)
    rest = [subject(n, *common, ("http.title", "console")) for n in range(2, 8)]
    (found,) = clusters([first, *rest])
    assert found.devices[0] == "d-0001"
    holders = {(field, value): holder for field, value, _, holder in found.told}
    assert set(holders) == set(found.shared)
    assert holders["http.title", "console"] == "d-0002"
    assert holders["http.server.0", "acme"] == "d-0001"
