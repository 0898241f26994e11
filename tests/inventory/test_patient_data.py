"""How likely a device stores or transmits patient data, with reasons."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from medwarden.inventory.labelling import identify
from medwarden.inventory.patient_data import patient_data
from medwarden.model.device import Device
from medwarden.model.evidence import LedgerEntry
from medwarden.model.mds2 import Claim, Disclosure, Edition

Heard = Callable[..., Device]


def test_what_was_recognised_on_the_wire_is_seen(heard: Heard) -> None:
    found = patient_data(identify(heard(("hl7.patient_data", "yes"), ("hl7.message_type", "ORU^R01"))))
    assert found.transmits.word == "seen"
    assert found.in_clear
    assert found.transmits.reasons[0].field == "hl7.patient_data"


def test_an_archive_stores(heard: Heard) -> None:
    found = patient_data(identify(heard(("dicom.role", "storage_scp"), ("dicom.role", "query_scp"))))
    assert found.stores.probability >= 0.99
    assert "receives DICOM images" in {reason.words for reason in found.stores.reasons}
    assert not found.transmits.seen


def test_a_modality_holds_what_it_sends(heard: Heard) -> None:
    found = patient_data(identify(heard(("dicom.role", "storage_scu"), ("dicom.modality", "CT"))))
    assert found.transmits.word == "likely"
    assert found.stores.word == "likely"


def test_a_camera_films_people_and_no_records(heard: Heard) -> None:
    found = patient_data(identify(heard(("dhcp.host_name", "DCS-935L"), macs=("b0:c5:54:00:00:01",))))
    assert found.personal.word == "likely"
    assert found.stores.word == found.transmits.word == "no sign"


def test_silence_is_no_sign(heard: Heard) -> None:
    found = patient_data(identify(heard(("arp.ip", "10.0.0.1"))))
    assert (found.stores.probability, found.transmits.probability, found.personal.probability) == (0, 0, 0)


def disclosed(**holds: bool) -> Disclosure:
    claims = {name: Claim(name, value, "MPII-2", "Yes" if value else "No") for name, value in holds.items()}
    return Disclosure("f", Edition.HN1_2019, "Nordlicht", "Aurora", claims=claims)


def test_what_the_maker_says_counts(heard: Heard) -> None:
    silent = identify(heard(("arp.ip", "10.0.0.1")))
    found = patient_data(silent, disclosed(phi_kept=True, phi_on_network=True))
    assert (found.stores.word, found.transmits.word) == ("likely", "likely")
    assert found.stores.reasons[0].field == "mds2.MPII-2" and not found.transmits.seen
    assert patient_data(silent, disclosed(phi_kept=False)).stores.probability == 0


def test_a_no_of_the_maker_weakens_the_kind_and_never_what_was_heard(heard: Heard) -> None:
    pump = msgspec.structs.replace(identify(heard(("arp.ip", "10.0.0.1"))), category="pacs")
    assert (
        patient_data(pump, disclosed(phi_kept=False)).stores.probability
        < patient_data(pump).stores.probability
    )
    seen = identify(heard(("hl7.patient_data", "yes")))
    found = patient_data(seen, disclosed(phi_handled=False, phi_on_network=False))
    assert found.transmits.word == "seen" and found.in_clear


FACTS = st.tuples(
    st.sampled_from(["dicom.role", "hl7.message_type", "hl7.patient_data", "ldap.role", "fhir.resource"]),
    st.sampled_from(["storage_scp", "storage_scu", "ACK^A01", "yes", "server", "Patient"]),
)


@given(st.lists(FACTS, max_size=8), FACTS)
def test_a_further_reason_never_lowers_it(facts: list[tuple[str, str]], more: tuple[str, str]) -> None:
    def device(pairs: list[tuple[str, str]]) -> Device:
        ledger = tuple(LedgerEntry(f.partition(".")[0], f, v, "s", 1, 1, 1) for f, v in dict.fromkeys(pairs))
        return Device(id="d", site="s", ledger=ledger)

    before, after = patient_data(device(facts)), patient_data(device([*facts, more]))
    for level in ("transmits", "stores", "personal"):
        assert 0 <= getattr(before, level).probability <= getattr(after, level).probability <= 0.99
