from __future__ import annotations

import pytest

from medwarden.model.vulnerability import (
    Advisory,
    Match,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile, Software
from medwarden.risk.work.choice import ActionKind, Choice, Said, choose, latest

HERE = Provenance("csaf", "made.json")
MONITOR = Profile(vendor="Philips", model="IntelliVue MX450", firmware="M.03", category="patient_monitor")


def affected(product: str = "IntelliVue MX450", version: str = "", **more: object) -> ProductClaim:
    return ProductClaim(ProductStatus.AFFECTED, "Philips", product, version, **more)  # type: ignore[arg-type]


def chosen(
    profile: Profile,
    claims: tuple[ProductClaim, ...],
    remedies: tuple[Remedy, ...] = (),
    *,
    others: tuple[Said, ...] = (),
    kev_due: str = "",
) -> Choice:
    record = Vulnerability("CVE-2020-0001", "", "", HERE, claims=claims, remedies=remedies)
    engine = Engine()
    engine.add_advisory(Advisory("MADE-1", "A notice", "Philips", HERE, vulnerabilities=(record,)))
    match: Match = engine.judge(profile)[0]
    return choose(profile, match, (Said("MADE-1", "Philips", record), *others), kev_due)


def fix(text: str, category: str = "vendor_fix", fixes: bool | None = True, **more: object) -> Remedy:
    return Remedy(category, text, fixes=fixes, **more)  # type: ignore[arg-type]


def test_the_end_of_an_open_range_is_the_version_to_reach() -> None:
    found = chosen(MONITOR, (affected(version="< N.01", spans=(VersionSpan(high="N.01"),)),))
    assert (found.kind, found.target) == (ActionKind.UPDATE, "N.01")
    assert found.subject == ("Philips", "IntelliVue MX450")


def test_a_product_called_fixed_stands_before_words() -> None:
    claims = (
        affected(version="< N.00", spans=(VersionSpan(high="N.00"),)),
        ProductClaim(
            ProductStatus.FIXED, "Philips", "IntelliVue MX450", "N.02", spans=(VersionSpan(exact="N.02"),)
        ),
    )
    assert chosen(MONITOR, claims, (fix("Upgrade to version N.07."),)).target == "N.02"


def test_words_name_the_version_where_claims_name_only_the_last_affected() -> None:
    claims = (affected(version="<= M.04", spans=(VersionSpan(high="M.04", high_included=True),)),)
    assert (
        chosen(MONITOR, claims, (fix("Philips released version N.01 which corrects it."),)).target == "N.01"
    )
    told = chosen(MONITOR, claims, (fix("An update is available from the service portal."),))
    assert (told.kind, told.target, told.after) == (ActionKind.UPDATE, "", "M.04")


def test_a_version_that_is_itself_affected_is_no_target() -> None:
    claims = (affected(version="<= M.04", spans=(VersionSpan(high="M.04", high_included=True),)),)
    assert chosen(MONITOR, claims, (fix("Users of version M.04 can request an update."),)).target == ""


def test_a_vendor_fix_that_says_there_is_none_is_no_fix() -> None:
    denied = fix("Philips will not issue an update; the product is end-of-life.", fixes=False)
    walled = fix("Put the device behind a firewall.", "mitigation", None)
    assert chosen(MONITOR, (affected(),), (denied, walled)).kind is ActionKind.REPLACE
    assert chosen(MONITOR, (affected(),), (walled,)).kind is ActionKind.RESTRICT
    assert chosen(MONITOR, (affected(),)).kind is ActionKind.ASK


def test_a_mitigation_that_names_a_release_is_a_fix_unless_it_is_only_planned() -> None:
    given = fix("Philips has released version N.05 to correct it.", "mitigation", None)
    planned = fix("Philips plans to release version N.05 next year.", "mitigation", None)
    assert chosen(MONITOR, (affected(version="M.03"),), (given,)).target == "N.05"
    assert chosen(MONITOR, (affected(version="M.03"),), (planned,)).kind is ActionKind.ASK


@pytest.mark.parametrize(
    ("words", "service"),
    [
        ("Disable SMBv1 on the device.", "SMB 1"),
        ("Telnet should be disabled where it is not needed.", "telnet"),
        ("Turn the wireless module off.", "wireless networking"),
    ],
)
def test_a_service_that_is_to_be_switched_off_is_named(words: str, service: str) -> None:
    found = chosen(MONITOR, (affected(),), (fix(words, "workaround", None),))
    assert (found.kind, found.subject[-1]) == (ActionKind.DISABLE, service)


def test_words_on_another_product_of_the_advisory_are_not_taken() -> None:
    claims = (affected(), affected("IntelliVue X3"))
    other = fix("Upgrade IntelliVue X3 to version N.09.")
    assert chosen(MONITOR, claims, (other,)).kind is ActionKind.ASK
    ours = fix("Upgrade IntelliVue MX450 to version N.09.")
    assert chosen(MONITOR, claims, (other, ours)).target == "N.09"


def test_a_remedy_for_other_product_ids_is_not_taken() -> None:
    claims = (affected(product_id="P1"),)
    assert chosen(MONITOR, claims, (fix("Install version N.09.", products=("P2",)),)).kind is ActionKind.ASK


def test_another_makers_advisory_on_the_same_vulnerability_does_not_speak() -> None:
    theirs = Vulnerability("CVE-2020-0001", "", "", HERE, remedies=(fix("Install version 7.2."),))
    found = chosen(MONITOR, (affected(),), others=(Said("THEIRS-1", "Dräger", theirs),))
    assert found.kind is ActionKind.ASK


def test_a_component_of_the_device_is_asked_of_its_maker() -> None:
    profile = Profile(
        vendor="Philips",
        model="IntelliVue MX450",
        software=(Software("openssl", "1.0.1", field="sbom:bill"),),
    )
    claim = ProductClaim(
        ProductStatus.AFFECTED, "openssl", "openssl", "< 1.0.2", spans=(VersionSpan(high="1.0.2"),), part="a"
    )
    found = chosen(profile, (claim,))
    assert (found.kind, found.target) == (ActionKind.COMPONENT, "1.0.2")
    assert found.subject == ("Philips", "IntelliVue MX450", "openssl")


def test_the_key_stays_when_the_target_rises() -> None:
    one = chosen(MONITOR, (affected(version="< N.01", spans=(VersionSpan(high="N.01"),)),))
    other = chosen(
        MONITOR, (affected(version="< N.02", spans=(VersionSpan(high="N.02"),)),), kev_due="2026-01-01"
    )
    assert one.key == other.key
    assert one.target != other.target


def test_the_latest_of_versions_in_the_makers_order() -> None:
    assert latest(["N.01", "M.09", "N.00"]) == "N.01"
    assert latest([]) == ""
