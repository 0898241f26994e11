"""Devices as inventories write them against one claim: who is meant, how sure, and by which sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.model.vulnerability import (
    Advisory,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile

SOURCE = Provenance("csaf", "made-up.json")


def _engine(*claims: tuple[str, str, str]) -> Engine:
    engine = Engine()
    named = tuple(ProductClaim(ProductStatus.AFFECTED, *claim) for claim in claims)
    record = Vulnerability("CVE-2021-0001", "", "", SOURCE, claims=named)
    engine.add_advisory(Advisory("MADE-1", "Made up", "nobody", SOURCE, vulnerabilities=(record,)))
    return engine


def _said(
    engine: Engine, vendor: str = "", model: str = "", firmware: str = "", os_version: str = ""
) -> tuple[MatchState | None, str]:
    found = engine.judge(Profile(vendor, model, firmware, os_version=os_version))
    return (found[0].state, found[0].reason) if found else (None, "")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"vendor": "BD", "model": "Alaris 8015 PC unit", "firmware": "9.5"}, MatchState.CONFIRMED),
        ({"vendor": "", "model": "Becton Alaris 8015 PC unit", "firmware": "9.5"}, MatchState.CONFIRMED),
        ({"vendor": "BD", "model": "CareFusion, Inc. Alaris 8015", "firmware": "9.5"}, MatchState.CONFIRMED),
        ({"vendor": "BD", "model": "Alaris 8015 PC unit", "firmware": "Alaris v9.5"}, MatchState.CONFIRMED),
        ({"vendor": "BD", "model": "Alaris 8015 PC unit", "os_version": "9.5"}, MatchState.CONFIRMED),
        ({"vendor": "BD", "model": "Alaris 8015 PC unit v9.5"}, MatchState.CONFIRMED),
        ({"vendor": "BD", "model": "Alaris 8015 PC unit"}, MatchState.POTENTIAL),
        ({"vendor": "BD", "model": "Alaris 8015 PC unit", "firmware": "9.6"}, MatchState.FIXED),
        ({"vendor": "BD", "model": "Alaris 8020 PC unit", "firmware": "9.5"}, None),
        ({"vendor": "Acme", "model": "Alaris 8015 PC unit", "firmware": "9.5"}, None),
    ],
)  # fmt: skip
def test_a_device_in_many_spellings(facts: dict[str, str], state: MatchState | None) -> None:
    engine = _engine(("Becton, Dickinson and Company (BD)", "Alaris 8015 PC unit", "<= 9.5"))
    assert _said(engine, **facts)[0] is state


def test_a_maker_in_the_models_name_is_said_to_be_there() -> None:
    engine = _engine(("ENEA, Green Hills Software and Wind River", "OSE", "4"))
    state, why = _said(engine, model="ENEA OSE", firmware="4")
    assert state is MatchState.CONFIRMED
    assert "the device is an ENEA OSE with version 4" in why


def test_a_name_that_lists_models_is_only_sure_where_all_are_named() -> None:
    engine = _engine(("Medtronic", "MiniMed Paradigm 522K/722K pumps", "vers:all/*"))
    assert _said(engine, vendor="Medtronic", model="MiniMed Paradigm 522K/722K")[0] is MatchState.CONFIRMED
    state, why = _said(engine, vendor="Medtronic", model="MiniMed Paradigm 527K/722K")
    assert state is MatchState.POTENTIAL
    assert "lists several models, and not all of them are named" in why


def test_another_order_number_in_brackets_is_another_product() -> None:
    engine = _engine(("Spacelabs", "Arkon (99999)", "vers:all/*"))
    assert _said(engine, vendor="Spacelabs", model="Arkon (99999)")[0] is MatchState.CONFIRMED
    assert _said(engine, vendor="Spacelabs", model="Arkon (100099)")[0] is None
    assert _said(engine, vendor="Spacelabs", model="Arkon")[0] is not None


def test_ways_of_numbering_do_not_disturb_each_other() -> None:
    engine = _engine(
        ("Philips", "Interoperability Solution XDS", ">= 2.5 | <= 3.11"),
        ("Philips", "Interoperability Solution XDS", ">= 2018-1 | <= 2021-1"),
    )
    name = {"vendor": "Philips", "model": "Interoperability Solution XDS"}
    assert _said(engine, **name, firmware="3.11")[0] is MatchState.CONFIRMED
    assert _said(engine, **name, firmware="2019-1")[0] is MatchState.CONFIRMED
    assert _said(engine, **name, firmware="3.12")[0] is MatchState.FIXED
    assert _said(engine, **name, firmware="2021-2")[0] is MatchState.FIXED
    assert _said(engine, **name, firmware="B")[0] is MatchState.POTENTIAL


def test_the_rest_of_a_makers_name_before_the_model_is_no_part_of_it() -> None:
    engine = _engine(("ZOLL", "Defibrillator Dashboard", "< 2.2"))
    model = "Medical Corporation Defibrillator Dashboard"
    assert _said(engine, vendor="ZOLL", model=model, firmware="2.1")[0] is MatchState.CONFIRMED
    assert _said(engine, vendor="ZOLL", model=model, firmware="2.2")[0] is MatchState.FIXED


def _record(number: int, product: str, version: str) -> Vulnerability:
    claim = ProductClaim(ProductStatus.AFFECTED, "B. Braun", product, version)
    return Vulnerability(f"CVE-2024-{number}", "", "", SOURCE, claims=(claim,))


def _of(*records: Vulnerability) -> Engine:
    engine = Engine()
    for record in records:
        engine.add_vulnerability(record)
    return engine


def test_a_model_among_the_versions_is_found_behind_any_number_of_others() -> None:
    others = [_record(1000 + number, "Pump", f"{number}.x1") for number in range(45)]
    late, device = _record(1999, "Pump", "Perfusor 3.1"), Profile("B. Braun", "Perfusor")
    alone = _of(late).judge(device)
    assert [(match.vulnerability, match.state) for match in alone] == [
        ("CVE-2024-1999", MatchState.CONFIRMED)
    ]
    assert _of(*others, late).judge(device) == alone
    engine = _of(*others)
    assert engine.judge(device) == ()
    engine.add_vulnerability(late)
    assert engine.judge(device) == alone


VERSIONS = (
    "Perfusor 3.1", "Perfusr", "Space", "InfusomatSpace", "8000/9000", "60012 60013", "2.1", "", "<= 3.0",
)  # fmt: skip
CLAIMS = st.tuples(
    st.sampled_from(["Pump", "Perfusor", "Infusomat Space", "Monitor 8000"]), st.sampled_from(VERSIONS)
)
MODELS = ("Perfusor", "Infusomat Space", "Pump 8000", "60012 Space", "Perfusor 9000", "Monitor")


@given(st.lists(CLAIMS, min_size=2, max_size=8), st.sampled_from(MODELS))
def test_what_is_said_of_a_vulnerability_does_not_hang_on_claims_of_others(
    claims: list[tuple[str, str]], model: str
) -> None:
    records = [_record(1000 + number, *claim) for number, claim in enumerate(claims)]
    for vendor in ("B. Braun", ""):
        device = Profile(vendor, model, "2.1")
        apart = [match for record in records for match in _of(record).judge(device)]
        assert list(_of(*records).judge(device)) == apart
