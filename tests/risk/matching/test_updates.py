from __future__ import annotations

from collections.abc import Iterator

import pytest

from medwarden.kernel.errors import ResourceError
from medwarden.model.vulnerability import (
    Advisory,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.profile import Profile
from medwarden.risk.matching.updates import Updates, articles, numbers

FROM = Provenance("csaf", "made up")
REMEDY = Remedy(
    "vendor_fix",
    "10.0.17763.7558:Security Update:https://support.microsoft.com/help/5062557",
    "https://catalog.update.microsoft.com/v7/site/Search.aspx?q=KB5062557",
    products=("P1",),
)
BEFORE = Remedy(
    "vendor_fix",
    "10.0.17763.7434:Security Update:https://support.microsoft.com/help/5060531",
    products=("P0",),
)
CLAIM = ProductClaim(
    ProductStatus.AFFECTED,
    "Microsoft",
    "Windows 10 Version 1809",
    "",
    (VersionSpan(low="10.0.17763.0", high="10.0.17763.7558"),),
    part="o",
    product_id="P1",
)
OLD = ProductClaim(ProductStatus.AFFECTED, "Microsoft", "Windows 10 Version 1809", part="o", product_id="P0",
                   spans=(VersionSpan(high="10.0.17763.7434"),))  # fmt: skip


@pytest.fixture
def engine() -> Engine:
    made = Engine()
    for number, claim, remedy in (("1", CLAIM, REMEDY), ("2", OLD, BEFORE)):
        record = Vulnerability(f"CVE-2025-000{number}", "x", "", FROM, claims=(claim,), remedies=(remedy,))
        made.add_advisory(Advisory(f"MSRC-{number}", "July", "Microsoft", FROM, vulnerabilities=(record,)))
    return made


def judged(
    engine: Engine, *, build: str = "", updates: frozenset[str] = frozenset()
) -> tuple[MatchState, str]:
    profile = Profile(
        vendor="GE HealthCare", model="Workstation", os="Windows", os_version="10 1809", build=build,
        updates=updates,
    )  # fmt: skip
    match = next(m for m in engine.judge(profile) if m.vulnerability == "CVE-2025-0001")
    return match.state, match.reason


def test_articles_are_read_from_what_is_published() -> None:
    assert articles(REMEDY.text) == ("KB5062557",)
    assert articles("install KB 4012212 or kb4012215") == ("KB4012212", "KB4012215")
    assert articles("part number 5062557") == ()
    assert numbers("10.0.17763.7558") == (10, 0, 17763, 7558)
    assert numbers("R2") == ()


def test_an_unknown_build_may_be_affected(engine: Engine) -> None:
    state, reason = judged(engine)
    assert state is MatchState.POTENTIAL
    assert "the build of the system is not known" in reason
    state, reason = judged(engine, build="10.0.17763")
    assert state is MatchState.POTENTIAL
    assert "it cannot be told whether 10.0.17763 is" in reason


def test_a_full_build_settles_it(engine: Engine) -> None:
    state, reason = judged(engine, build="10.0.17763.7434")
    assert state is MatchState.CONFIRMED
    assert reason.endswith("the device runs Windows 10 1809 10.0.17763.7434: it is affected.")
    assert judged(engine, build="10.0.17763.7558")[0] is MatchState.FIXED


def test_an_installed_update_settles_it_also_where_a_later_one_holds_it(engine: Engine) -> None:
    state, reason = judged(engine, updates=frozenset({"KB5062557"}))
    assert state is MatchState.FIXED
    assert "KB5062557 is installed" in reason or "later than" in reason
    # The update of June makes 10.0.17763.7434: July's is missing.
    assert judged(engine, updates=frozenset({"KB5060531"}))[0] is MatchState.CONFIRMED
    # An article that nobody speaks of says nothing.
    assert judged(engine, updates=frozenset({"KB1111111"}))[0] is MatchState.POTENTIAL


def test_updates_of_another_release_do_not_count() -> None:
    updates = Updates()
    updates.completed([CLAIM], [REMEDY])
    other = Profile(os="Windows", build="10.0.19045.1", updates=frozenset({"KB5062557"}))
    assert updates.applied(other) == other
    own = Profile(os="Windows", build="10.0.17763.1", updates=frozenset({"KB5062557"}))
    assert updates.applied(own).build == "10.0.17763.7558"


def test_builds_that_could_not_be_told_once_are_asked_for_again() -> None:
    asked: list[int] = []

    def known() -> Iterator[tuple[str, str]]:
        asked.append(1)
        yield "KB5060531", "10.0.17763.7434"
        if len(asked) == 1:
            raise ResourceError("the disk is full")
        yield "KB5062557", "10.0.17763.7558"

    updates = Updates(known)
    device = Profile(os="Windows", build="10.0.17763.1", updates=frozenset({"KB5062557"}))
    with pytest.raises(ResourceError):
        updates.applied(device)
    assert [updates.applied(device).build for _ in range(2)] == ["10.0.17763.7558"] * 2
    assert len(asked) == 2
