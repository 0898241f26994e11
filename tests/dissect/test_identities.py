from __future__ import annotations

import pytest

from medwarden.dissect.identities import Identity, mac_in, read_identity


@pytest.mark.parametrize(
    ("text", "identity"),
    [
        ("host/ct1.ward.test", Identity(machine="ct1.ward.test")),
        ("host/ct1.ward.test@WARD.TEST", Identity(machine="ct1.ward.test")),
        ("WARD\\CT1$", Identity(machine="CT1", realm="WARD")),
        ("CT1$@ward.test", Identity(machine="CT1", realm="ward.test")),
        ("WARD\\miller", Identity(person="miller", realm="WARD")),
        ("miller@ward.test", Identity(person="miller", realm="ward.test")),
        ("miller", Identity(person="miller")),
        ("0009fb123456", Identity(mac="00:09:fb:12:34:56")),
        ("", Identity()),
    ],
)
def test_machines_people_and_addresses(text: str, identity: Identity) -> None:
    assert read_identity(text) == identity


@pytest.mark.parametrize("text", ["00-09-FB-12-34-56", "00:09:fb:12:34:56", "0009.fb12.3456", "0009FB123456"])
def test_forms_of_an_address(text: str) -> None:
    assert mac_in(text) == "00:09:fb:12:34:56"


@pytest.mark.parametrize(
    "text", ["", "0009fb12345", "0109fb123456", "000000000000", "x0009fb123456", "4915112345678"]
)
def test_what_is_no_address_of_a_device(text: str) -> None:
    assert mac_in(text) == ""
