from __future__ import annotations

import pytest
from tests.risk.recalls.making import notice, pump, recall

from medwarden.model.recall import RecallClass
from medwarden.model.vulnerability import ProductClaim, VersionSpan
from medwarden.risk.recalls.engine import Engine, RecallMatch, RecallState, engine_of
from medwarden.risk.recalls.facts import DeviceFacts
from medwarden.risk.recalls.notice import Notice, Scope, of_recalls


def one(facts: DeviceFacts, *notices: Notice) -> RecallMatch | None:
    found = engine_of(notices).judge(facts)
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("codes", "facts", "state", "words"),
    [
        ("Serial Numbers 1000 through 2000", pump(serial="1500"), RecallState.AFFECTED, "of 1000 to 2000"),
        ("Serial Numbers 1000 through 2000", pump(serial="2500"), RecallState.NOT_AFFECTED, "none of those"),
        ("Serial Numbers 1000 through 2000", pump(), RecallState.UNKNOWN, "missing: its serial number"),
        ("Lot numbers: A1, B2345", pump(serial="1500"), RecallState.UNKNOWN, "missing: its lot"),
        ("Lot numbers: A1, B2345", pump(lot="b-2345"), RecallState.AFFECTED, "stands in the list"),
        ("Lot A12; serial numbers K100, K101", pump(serial="K100"), RecallState.AFFECTED, "K100"),
        ("Software version 9.1 and below", pump(firmware="9.0.2"), RecallState.AFFECTED, "firmware 9.0.2"),
        ("Software version 9.1 and below", pump(firmware="9.2"), RecallState.NOT_AFFECTED, "firmware 9.2"),
        ("Software version 9.1 and below", pump(), RecallState.UNKNOWN, "missing: its firmware version"),
        (
            "Serial numbers 1000 to 2000, software version 9.1",
            pump(serial="1500", firmware="9.3"),
            RecallState.MAY_BE,
            "perhaps it was corrected already",
        ),
        ("All units", pump(), RecallState.AFFECTED, "all units"),
        ("", pump(serial="5"), RecallState.MAY_BE, "does not say which units"),
        ("see the letter of the firm", pump(serial="5"), RecallState.MAY_BE, "could not be read"),
        ("Serial numbers 1 to 5000 (see attachment)", pump(serial="7000"), RecallState.MAY_BE, "7000"),
        ("Units made between 2019 and 2021", pump(made="2020-05-01"), RecallState.AFFECTED, "2020-05-01"),
        ("Units made between 2019 and 2021", pump(made="2022"), RecallState.NOT_AFFECTED, "2022"),
        ("Units made between 2019 and 2021", pump(), RecallState.UNKNOWN, "date of manufacture"),
        ("Units made between 2019 and 2021", pump(bought="2018-03"), RecallState.NOT_AFFECTED, "2018-03"),
        ("All units", pump(made="2026-03-01"), RecallState.NOT_AFFECTED, "after the notice of 2026-01-01"),
        ("Serial Numbers: 77777", pump(serial="77777", made="2026-03-01"), RecallState.AFFECTED, "77777"),
        ("Serial Numbers 100 to 200", pump(serial="150", model_sure=False), RecallState.AFFECTED, "not sure"),
        ("All units", pump(model_sure=False), RecallState.MAY_BE, "not sure that it is"),
    ],
)  # fmt: skip
def test_a_verdict_and_its_sentence(codes: str, facts: DeviceFacts, state: RecallState, words: str) -> None:
    match = one(facts, notice(codes=codes))
    assert match is not None
    assert match.state is state, match.reason
    assert words in match.reason
    assert match.aspects


def test_other_makers_and_other_models_are_not_spoken_of() -> None:
    assert one(pump(vendor="Hillrom"), notice(codes="All units")) is None
    assert one(pump(model="Alaris 8100"), notice(codes="All units")) is None
    assert one(pump(model=""), notice(codes="All units")) is None


def test_a_udi_decides_without_maker_and_model() -> None:
    named = notice(codes="UDI-DI: 10885403801518; Serial numbers: 12345, 12346")
    match = one(pump(vendor="", model="", udi="10885403801518", serial="12346"), named)
    assert match is not None
    assert match.state is RecallState.AFFECTED
    assert match.aspects[0].name == "udi"
    other = one(pump(vendor="", model="", udi="10885403801511", serial="12346"), named)
    assert other is None


def test_an_ended_recall_that_names_no_unit_may_have_been_corrected() -> None:
    ended = notice(codes="All units", status="Terminated", ended="2026-03-01")
    match = one(pump(), ended)
    assert match is not None
    assert match.state is RecallState.MAY_BE
    assert match.reason.endswith("was this unit corrected then?")
    named = one(pump(serial="77"), notice(codes="Serial number: SN77, 77", status="Terminated"))
    assert named is not None
    assert named.state is RecallState.AFFECTED


def test_two_sources_of_one_recall_are_one_notice() -> None:
    both = of_recalls(
        [
            recall(
                codes="Serial Numbers 1000 through 2000", feed="fda_enforcement", recall_class=RecallClass.I
            ),
            recall(codes="1000 - 2000"),
        ]
    )
    assert both.recall_class is RecallClass.I
    assert both.product_codes == ("FRN",)
    assert both.sources == ("fda_recall", "fda_enforcement")
    assert both.ongoing
    match = one(pump(serial="1500"), both)
    assert match is not None
    assert match.state is RecallState.AFFECTED


def test_the_product_that_concerns_a_device_most_speaks_for_a_notice() -> None:
    letter = Notice(
        "FSN-1",
        "Alaris pumps",
        "BD",
        "maker",
        scopes=(
            Scope("BD", "Alaris 8015", serials=("1", "22")),
            Scope("BD", "Alaris 8015", version="< 12.1"),
        ),
    )
    match = one(pump(serial="333", firmware="12.0"), letter)
    assert match is not None
    assert match.state is RecallState.AFFECTED


def test_fields_limit_like_text() -> None:
    letter = Notice(
        "FSN-2",
        "Alaris pumps",
        "BD",
        "maker",
        scopes=(
            Scope(
                "BD",
                "Alaris 8015",
                serial_spans=(VersionSpan("A100", True, "A200", True),),
                firmware=(VersionSpan(exact="9.1"),),
                made="before June 2020",
            ),
        ),
    )
    sure = one(pump(serial="A150", firmware="9.1", made="2020-01"), letter)
    assert sure is not None
    assert sure.state is RecallState.AFFECTED
    assert {aspect.name for aspect in sure.aspects} >= {"serial", "firmware", "made", "model", "maker"}
    out = one(pump(serial="A250", firmware="9.2", made="2021"), letter)
    assert out is not None
    assert out.state is RecallState.NOT_AFFECTED
    worded = Notice("F", "t", "BD", "maker", scopes=(Scope("BD", "Alaris 8015", made="the blue ones"),))
    unread = one(pump(serial="A250", firmware="9.2"), worded)
    assert unread is not None
    assert unread.state is RecallState.MAY_BE


def test_devices_alike_are_judged_by_product_once_and_by_unit_each() -> None:
    engine = Engine()
    engine.add(notice(codes="Serial Numbers 1000 through 2000"))
    states = [
        engine.judge(pump(f"d{serial}", serial=str(serial)))[0].state for serial in (999, 1000, 2000, 2001)
    ]
    assert states == [
        RecallState.NOT_AFFECTED,
        RecallState.AFFECTED,
        RecallState.AFFECTED,
        RecallState.NOT_AFFECTED,
    ]
    assert len(engine) == 1


def test_a_claim_of_a_document_becomes_a_scope() -> None:
    from medwarden.model.vulnerability import Advisory, ProductStatus, Provenance, Remedy, Vulnerability
    from medwarden.risk.recalls.notice import of_advisory

    claim = ProductClaim(
        ProductStatus.AFFECTED, "BD", "Alaris 8015", "< 12.1", (VersionSpan(None, True, "12.1", False),)
    )
    fixed = ProductClaim(ProductStatus.FIXED, "BD", "Alaris 8015", "12.1", (VersionSpan(exact="12.1"),))
    advisory = Advisory(
        "BD-1", "Alaris notice", "BD", Provenance("csaf", "x"), "2026-02-03T00:00:00Z", summary="It stops.",
        vulnerabilities=(
            Vulnerability("", "", "", Provenance("csaf", "x"), claims=(claim, fixed),
                          remedies=(Remedy("vendor_fix", "Update to 12.1"),)),
        ),
    )  # fmt: skip
    made = of_advisory(advisory)
    assert made.begun == "2026-02-03"
    assert made.action == "Update to 12.1"
    assert len(made.scopes) == 1
    match = one(pump(firmware="12.0"), made)
    assert match is not None
    assert match.state is RecallState.AFFECTED
    assert one(pump(firmware="12.1"), made).state is RecallState.NOT_AFFECTED  # type: ignore[union-attr]
