"""Operating systems: what a name and a version mean, and when a claim on a system fits a device."""

from __future__ import annotations

import pytest

from medwarden.model.vulnerability import MatchState, ProductClaim, ProductStatus
from medwarden.risk.matching.platforms import System, judge_system, system
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.verdict import Outcome


def judged(product: str, version: str, os: str, os_version: str = "") -> Outcome | None:
    claim = ProductClaim(ProductStatus.AFFECTED, "Microsoft", product, version)
    named = system(product)
    assert named is not None
    return judge_system(claim, named, Profile(os=os, os_version=os_version), "ADVISORY")


@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("Windows", "10.0.19045", System("windows", "10", "22h2")),
        ("Windows", "10 22H2", System("windows", "10", "22h2")),
        ("Windows", "6.1.7601", System("windows", "7")),
        ("Windows", "7 or Server 2008 R2", System("windows", "7", others=("server 2008 r2",))),
        ("Windows Server", "2022", System("windows", "server 2022")),
        ("Windows Server", "2012 R2", System("windows", "server 2012 r2")),
        ("Windows Server", "", System("windows")),
        ("VxWorks", "6.9", System("vxworks")),
        ("Red Hat Enterprise Linux", "", System("enterprise linux")),
        ("A pump", "1.0", None),
    ],
)
def test_names_and_versions_are_systems(name: str, version: str, expected: System | None) -> None:
    assert system(name, version) == expected


def test_one_of_two_releases_may_be_affected_and_no_more() -> None:
    outcome = judged("Windows 7", "", "Windows", "7 or Server 2008 R2")
    assert outcome is not None and outcome.state is MatchState.POTENTIAL
    assert "the release of the system is not known" in outcome.reason
    assert judged("Windows 8.1", "", "Windows", "7 or Server 2008 R2") is None
    sure = judged("Windows 7", "", "Windows", "7")
    assert sure is not None and sure.state is MatchState.CONFIRMED


def test_a_server_is_no_desktop_and_another_server_another() -> None:
    assert judged("Windows 7", "", "Windows Server") is None
    assert judged("Windows 7", "", "Windows Server", "2022") is None
    assert judged("Windows Server 2019", "", "Windows Server", "2022") is None
    vague = judged("Windows Server 2019", "", "Windows Server")
    assert vague is not None and vague.state is MatchState.POTENTIAL


def test_a_condition_beside_the_version_leaves_a_doubt_that_is_told() -> None:
    outcome = judged("Windows 7", "without the update of May 2019", "Windows", "7")
    assert outcome is not None and outcome.state is MatchState.POTENTIAL
    assert "without the update of may 2019" in outcome.reason


def test_a_build_within_a_release_is_not_known_and_a_later_system_is_fixed() -> None:
    claim = "< 10.0.19045.4000"
    outcome = judged("Windows 10", claim, "Windows", "10.0.19045")
    assert outcome is not None and outcome.state is MatchState.POTENTIAL
    later = judged("Windows 10", claim, "Windows", "10.0.19045.5000")
    assert later is not None and later.state is MatchState.FIXED


def test_an_installed_update_is_a_fix() -> None:
    claim = ProductClaim(ProductStatus.AFFECTED, "Microsoft", "Windows 7", fixed_by=("KB4499164",))
    named = system("Windows 7")
    assert named is not None
    held = Profile(os="Windows", os_version="7", updates=frozenset({"KB4499164"}))
    outcome = judge_system(claim, named, held, "ADVISORY")
    assert outcome is not None and outcome.state is MatchState.FIXED
    assert "KB4499164 is installed" in outcome.reason


def test_a_linux_kernel_is_never_sure() -> None:
    outcome = judged("Linux Kernel", "< 5.10", "Linux", "4.19")
    assert outcome is None or outcome.state is MatchState.POTENTIAL


@pytest.mark.parametrize(
    ("stated", "os", "product", "state"),
    [
        ("", "Windows", "Windows 7", MatchState.POTENTIAL),
        ("10.0", "Windows", "Windows 7", None),
        ("10.0", "Windows", "Windows 10", MatchState.POTENTIAL),
        ("10.0", "Windows Server", "Windows 10", None),
        ("10.0", "Windows Server", "Windows Server 2019", MatchState.POTENTIAL),
        ("6.1", "Windows", "Windows 7", MatchState.POTENTIAL),
        ("6.1", "Windows", "Windows 10", None),
        ("5.1", "Windows", "Windows XP", MatchState.CONFIRMED),
    ],
)
def test_what_a_windows_states_rules_releases_out(
    stated: str, os: str, product: str, state: MatchState | None
) -> None:
    claim = ProductClaim(ProductStatus.AFFECTED, "Microsoft", product, "vers:all/*")
    named = system(product)
    assert named is not None
    found = judge_system(claim, named, Profile(os=os, build=stated), "ADVISORY")
    assert (found.state if found is not None else None) is state


def test_a_release_that_the_inventory_knows_stands_before_what_is_stated() -> None:
    claim = ProductClaim(ProductStatus.AFFECTED, "Microsoft", "Windows 7", "vers:all/*")
    found = judge_system(
        claim, System("windows", "7"), Profile(os="Windows", os_version="7", build="6.1"), "A"
    )
    assert found is not None
    assert found.state is MatchState.CONFIRMED
    assert "the device runs Windows 7 6.1" not in found.reason
