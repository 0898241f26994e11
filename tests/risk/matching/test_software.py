from __future__ import annotations

import pytest

from medwarden.model.vulnerability import (
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.heard import DISTRIBUTION
from medwarden.risk.matching.profile import Profile, Software
from medwarden.risk.matching.software import (
    cpe_parts,
    cpe_version,
    judge_software,
    keys_of,
    package,
    software_key,
)

LIGHTTPD = ProductClaim(
    ProductStatus.AFFECTED, "lighttpd", "lighttpd", spans=(VersionSpan(high="1.4.35"),), part="a"
)
LODASH = ProductClaim(
    ProductStatus.AFFECTED, "", "lodash", purl="pkg:npm/lodash", spans=(VersionSpan(high="4.17.12"),)
)


def test_names_purls_and_cpes_are_taken_apart() -> None:
    assert software_key("OpenSSL 1.1.1k") == software_key("openssl") == "openssl"
    assert cpe_parts("cpe:2.3:a:apache:http_server:2.4.29:*:*:*:*:*:*:*") == ("a", "apache", "http_server")
    assert cpe_version("cpe:2.3:a:apache:http_server:2.4.29:*:*:*:*:*:*:*") == "2.4.29"
    assert cpe_version("cpe:/a:openbsd:openssh:8.0p1") == "8.0p1"
    assert cpe_version("cpe:2.3:a:x:y:*:*:*:*:*:*:*:*") == cpe_version("cpe:/a:x:y") == cpe_version("x") == ""
    assert cpe_parts("nothing") == ("", "", "")
    assert package("pkg:npm/%40angular/core@12.0.0") is not None
    assert package("no purl") is None
    assert "npm/lodash" in keys_of(Software("lodash", purl="pkg:npm/lodash@4.17.11"))
    assert keys_of(Software("x", cpe="cpe:/a:apache:http_server:2")) == {"httpserver"}


@pytest.mark.parametrize(
    ("version", "vendor", "doubt", "state"),
    [
        ("1.4.31", True, "", MatchState.CONFIRMED),
        ("1.4.31", None, "", MatchState.POTENTIAL),
        ("1.4.31", True, DISTRIBUTION, MatchState.POTENTIAL),
        ("", True, "", MatchState.POTENTIAL),
        ("1.4.35", True, "", MatchState.FIXED),
        ("1.4.40", True, DISTRIBUTION, MatchState.FIXED),
    ],
)
def test_a_program_is_judged_by_maker_version_and_trust(
    version: str, vendor: bool | None, doubt: str, state: MatchState
) -> None:
    outcome = judge_software(LIGHTTPD, Software("lighttpd", version, "lighttpd", doubt=doubt), "NVD", vendor)
    assert outcome is not None
    assert outcome.state is state
    assert outcome.reason.endswith(".")
    if doubt and state is MatchState.POTENTIAL:
        assert doubt in outcome.reason
    if not version:
        assert "the version of the program is not known" in outcome.reason


def test_a_purl_needs_no_maker_and_another_purl_is_another_program() -> None:
    hit = judge_software(LODASH, Software("lodash", purl="pkg:npm/lodash@4.17.11"), "OSV", None)
    assert hit is not None
    assert hit.state is MatchState.CONFIRMED
    assert "pkg:npm/lodash" in hit.reason
    assert judge_software(LODASH, Software("lodash", purl="pkg:pypi/lodash@4.17.11"), "OSV", None) is None


def test_a_banner_leads_to_a_verdict_of_the_device() -> None:
    engine = Engine()
    engine.add_vulnerability(
        Vulnerability("CVE-2014-2323", "", "", Provenance("nvd", "x"), claims=(LIGHTTPD,))
    )
    banner = Software("lighttpd", "1.4.31", "lighttpd", field="http.server")
    (match,) = engine.judge(Profile(vendor="Zebra", model="ZT410", software=(banner,)))
    assert match.state is MatchState.CONFIRMED
    assert match.reason == (
        "CVE-2014-2323 names lighttpd, below 1.4.35; the device contains lighttpd 1.4.31: it is affected."
    )
    assert {aspect.evidence_field for aspect in match.aspects} == {"http.server"}
    assert engine.judge(Profile(vendor="Zebra", model="ZT410")) == ()
