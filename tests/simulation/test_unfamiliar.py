"""A hospital nobody trained on: what is held out of it, and what stays."""

from __future__ import annotations

import pytest

from medwarden.simulation.catalogue import models
from medwarden.simulation.events import join, live_through
from medwarden.simulation.hospital import Hospital
from medwarden.simulation.unfamiliar import SILENT, unfamiliar

START = 1_772_438_400 * 10**9


def test_no_model_keeps_its_name_and_every_maker_stays() -> None:
    strange = unfamiliar(models(), 401)
    pairs = [(a, b) for kind, rows in models().items() for a, b in zip(rows, strange[kind], strict=True)]
    known = {model.name.lower() for model, _ in pairs}
    assert not known & {model.name.lower() for _, model in pairs}
    assert all(a.vendor == b.vendor and a.prefixes == b.prefixes for a, b in pairs)
    assert all([s.id for s in a.systems] == [s.id for s in b.systems] for a, b in pairs)
    for old, new in pairs:
        for key in ("dn", "title", "iv", "host", "name", "print", "cast"):
            assert not new.fact(key) or new.fact(key) != old.fact(key), (old.name, key)


def test_a_third_declares_nothing() -> None:
    rows = [model for kind in unfamiliar(models(), 402).values() for model in kind]
    silent = sum(model.fact("title") == "Login" for model in rows)
    assert abs(silent / len(rows) - SILENT) < 0.1


def test_standards_make_lesser_models_speak() -> None:
    strange = unfamiliar(models(), 402)
    for kind, rows in models().items():
        for old, new in zip(rows, strange[kind], strict=True):
            for key in ("descr", "platform", "sip", "onvif", "print", "upnp"):
                assert bool(old.fact(key)) == bool(new.fact(key)), (old.name, key)


def test_a_model_is_not_named_in_dhcp_either() -> None:
    strange = unfamiliar(models(), 402)
    phones = [system.dhcp_class for model in strange["voip_phone"] for system in model.systems]
    assert any(said.startswith("Cisco Systems, Inc. IP Phone ") for said in phones)
    assert not any("8841" in said or "VVX410" in said for said in phones)
    phone = next(m for m in strange["voip_phone"] if m.vendor == "Cisco")
    assert "8841" not in phone.fact("platform") + phone.fact("sip")


@pytest.mark.parametrize(
    ("category", "known"),
    [("voip_phone", "VVX_410"), ("ups", "Smart-UPS"), ("wifi_ap", "515"), ("digital_signage", "HD1024")],
)
def test_no_spelling_of_a_known_model_is_left(category: str, known: str) -> None:
    assert any(known in str(model.facts) for model in models()[category])
    assert not any(known in str(model.facts) for model in unfamiliar(models(), 402)[category])


def test_series_that_makers_count_on_stay_series() -> None:
    macs = [m.name for m in unfamiliar(models(), 402)["laptop"] if m.vendor == "Apple"]
    assert macs
    assert all(name.startswith("MacBookPro") and name != "MacBookPro18,3" for name in macs)


def test_products_called_like_their_maker_keep_saying_so() -> None:
    epic = next(m for m in unfamiliar(models(), 402)["ehr_server"] if m.vendor == "Epic")
    assert epic.fact("hl7") == "EPICADT"
    assert epic.name != "Epic"


def test_numbers_of_makers_stay_and_those_of_models_go() -> None:
    strange = unfamiliar(models(), 403)
    for kind, rows in models().items():
        for old, new in zip(rows, strange[kind], strict=True):
            if new.fact("oid"):
                assert new.fact("oid").split(".")[:7] == old.fact("oid").split(".")[:7]
            if new.fact("uid"):
                assert new.fact("uid").split(".")[:4] == old.fact("uid").split(".")[:4]


def test_the_same_seed_is_the_same_hospital() -> None:
    assert unfamiliar(models(), 404) == unfamiliar(models(), 404)
    assert unfamiliar(models(), 404) != unfamiliar(models(), 405)


def test_names_and_addresses_are_of_no_other_hospital() -> None:
    plain = Hospital(406, 60, 1, START)
    strange = Hospital(406, 60, 1, START, strange=True)
    assert {network.base >> 24 for network in plain.sites[0].plan.networks.values()} == {10}
    assert {network.base >> 24 for network in strange.sites[0].plan.networks.values()} == {172}
    assert strange.sites[0].naming.scheme >= 4
    assert plain.sites[0].naming.scheme < 4
    names = {device.name for device in strange.sites[0].devices if device.name}
    assert len(names) > 20


def test_devices_join_while_it_lasts() -> None:
    hospital = Hospital(407, 200, 2, START)
    live_through(hospital)
    before = [device.arrives for _, device in hospital.devices()]
    join(hospital, 0.0)
    assert [device.arrives for _, device in hospital.devices()] == before
    join(hospital, 0.5)
    joined = sum(a != device.arrives for a, (_, device) in zip(before, hospital.devices(), strict=True))
    assert 40 < joined < 140
    assert all(
        device.arrives < hospital.stop for _, device in hospital.devices() if device.category != "smartphone"
    )
