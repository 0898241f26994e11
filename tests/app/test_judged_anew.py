"""What a revised, withdrawn or rejected record no longer says ends: verdict, finding, work, score, with why.

And judging only what changed comes to what judging everything from the beginning does.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django.plugin import DjangoDbBlocker
from tests.app.test_vulnerabilities import furnish, meanwhile, states
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import changed_claims, vulnerabilities
from medwarden.app.changed_claims import changed_since
from medwarden.app.knowledge import writing
from medwarden.app.vulnerabilities import refresh
from medwarden.model.feed import Record
from medwarden.model.vulnerability import (
    Advisory,
    Exploitation,
    MatchState,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import Engine
from medwarden.risk.matching.heard import Heard
from medwarden.store.knowledge import Knowledge
from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use
from medwarden.store.open import Store, open_store

IDS = ["d-main-1", "d-main-2", "d-main-3"]
ONE, TWO = "CVE-2020-0001", "CVE-2020-0002"
PUMP = ("B. Braun Medical", "Infusomat Space")


def publish(home: Path, feed: str, *records: Record) -> None:  # noqa: F811
    """Let a feed hold these records and no others."""
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        for record in records:
            gathering.add(feed, 0, record)
        brought = Brought(feed, seen=len(records), kept=len(records))
        put_in_use(knowledge, gathering, brought, whole=True)


def affects(product: tuple[str, str] = PUMP, version: str = "<= 2.5") -> ProductClaim:
    return ProductClaim(ProductStatus.AFFECTED, *product, version)


def record(
    name: str, *claims: ProductClaim, remedies: Sequence[Remedy] = (), rejected: bool = False
) -> Vulnerability:
    origin = Provenance("made", name, "2026-01-01")
    return Vulnerability(name, "", "", origin, claims=claims, remedies=tuple(remedies), rejected=rejected)


def advisory(number: str, *records: Vulnerability) -> Advisory:
    return Advisory(
        number, number, "maker", Provenance("csaf", number, "2026-01-01"), vulnerabilities=records
    )


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    """Three scored pumps by an advisory on two vulnerabilities, beside one of another maker."""
    from medwarden.app.judge import assess
    from medwarden.store.models import Device

    furnish(heard)
    Device.objects.update(stale=False)
    publish(store.home, "csaf", *BEFORE)
    refresh(store.home, "default")
    assess("default", "main", IDS)
    assert [states(cve=cve)["d-main-1"] for cve in (ONE, TWO)] == [MatchState.CONFIRMED] * 2
    assert points("d-main-1") > 0 and open_findings() == {"MADE-1": ["d-main-1"]}
    return store


OTHER = advisory("MADE-9", record("CVE-2020-0009", affects(("Acme", "Monitor 5"))))
BEFORE = (advisory("MADE-1", record(ONE, affects()), record(TWO, affects())), OTHER)
LESS = advisory("MADE-1", record(ONE, affects()))


def points(device: str) -> int:
    from medwarden.store.models import FactorSpan

    rows = FactorSpan.objects.filter(device_id=device, until_ns=None, factor__endswith="vulnerabilities")
    return sum(rows.values_list("points", flat=True))


def open_findings() -> dict[str, list[str]]:
    from medwarden.store.models import Finding

    found: dict[str, list[str]] = {}
    for title, device in Finding.objects.filter(kind="vulnerability", state="open").values_list(
        "title", "device_id"
    ):
        found.setdefault(title.split(" by ")[1].split(":")[0], []).append(device)
    return found


def actions(home: Path) -> int:  # noqa: F811
    """Return how many actions of the work queue concern somebody."""
    from medwarden.app.work import refresh as gather
    from medwarden.store.models import WorkAction

    gather(home, "default")
    return WorkAction.objects.filter(present=True).count()


def why_ended() -> dict[str, str]:
    """Return what the audit says of verdicts that ended."""
    import json

    from medwarden.store.models import AuditEntry

    entries = AuditEntry.objects.filter(action="vulnerabilities.judged").order_by("sequence")
    found: dict[str, str] = {}
    for after in entries.values_list("after", flat=True):
        found |= json.loads(after).get("ended_because", {})
    return found


def test_what_a_revision_no_longer_names_ends_with_the_cause(pumps: Store) -> None:
    from medwarden.store.models import Finding

    publish(pumps.home, "csaf", LESS, OTHER)
    assert refresh(pumps.home, "default") == 3
    assert states(cve=TWO) == {}
    assert states(cve=ONE)["d-main-1"] is MatchState.CONFIRMED
    assert why_ended() == {TWO: f"MADE-1 was revised and no longer names {TWO}"}
    detail = Finding.objects.get(kind="vulnerability", device_id="d-main-1", state="open").detail
    assert ONE in detail and TWO not in detail


@pytest.mark.parametrize(
    ("after", "because"),
    [
        ((OTHER,), "MADE-1 was withdrawn"),
        (
            (advisory("MADE-1", record(ONE, rejected=True), record(TWO, rejected=True)), OTHER),
            f"{ONE} was rejected",
        ),
        (
            (
                advisory(
                    "MADE-1",
                    record(ONE, affects(("Acme", "Monitor 5"))),
                    record(TWO, affects(("Acme", "Monitor 5"))),
                ),
                OTHER,
            ),
            "MADE-1 was revised",
        ),
        ((advisory("MADE-1"), OTHER), f"MADE-1 was revised and no longer names {ONE}"),
    ],
    ids=["withdrawn", "rejected", "product removed", "nothing left"],
)
def test_what_is_taken_back_ends_everywhere(pumps: Store, after: tuple[Record, ...], because: str) -> None:
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.models import Device, FindingEvent, RiskScore

    waiting, then, had = actions(pumps.home), wall_clock(), points("d-main-1")
    assert waiting > 0
    publish(pumps.home, "csaf", *after)
    refresh(pumps.home, "default")
    assert states(cve=ONE) == states(cve=TWO) == {}
    assert states(then, cve=ONE)["d-main-1"] is MatchState.CONFIRMED, "the past stays known"
    assert open_findings() == {}
    assert why_ended()[ONE] == because
    assert points("d-main-1") == 0 < had
    assert not Device.objects.exclude(score_due_ns=None).exists()
    row = RiskScore.objects.get(device_id="d-main-1", current=True)
    assert because in row.cause and "gone: known_vulnerabilities" in row.cause
    event = FindingEvent.objects.get(
        after="resolved", finding__device_id="d-main-1", finding__kind="vulnerability"
    )
    assert event.reason.startswith("no longer found: ") and because in event.reason
    assert actions(pumps.home) < waiting


def test_a_record_that_is_rejected_leaves_what_the_maker_says(pumps: Store) -> None:
    publish(pumps.home, "nvd", record(ONE, affects()), record("CVE-2020-0003", affects()))
    refresh(pumps.home, "default")
    assert states(cve="CVE-2020-0003")["d-main-1"] is MatchState.CONFIRMED
    publish(pumps.home, "nvd", record(ONE, rejected=True), record("CVE-2020-0003", rejected=True))
    refresh(pumps.home, "default")
    assert states(cve="CVE-2020-0003") == {}
    assert why_ended() == {"CVE-2020-0003": "CVE-2020-0003 was rejected"}
    assert states(cve=ONE)["d-main-1"] is MatchState.CONFIRMED, "the maker's advisory still names it"


# ---------------------------------------------------------------- some judged anew are all judged anew

WINDOWS = ("Microsoft", "Windows 10 Version 1809")
HELD, OLDER = "KB5062557", "KB5040430"


def windows(name: str, below: str, *fixed_by: str) -> Vulnerability:
    spans = (VersionSpan(high=below),)
    claim = ProductClaim(
        ProductStatus.AFFECTED, *WINDOWS, spans=spans, part="o", fixed_by=fixed_by, product_id="W"
    )
    return record(name, claim)


def update(name: str, article: str, build: str) -> Vulnerability:
    """Return a record whose remedy tells which build an update makes."""
    text = f"{build}:Security Update:https://support.microsoft.com/help/{article.removeprefix('KB')}"
    claim = ProductClaim(ProductStatus.AFFECTED, *WINDOWS, part="o", product_id="W")
    return record(name, claim, remedies=[Remedy("vendor_fix", text, products=("W",))])


def hold_update(patched: pytest.MonkeyPatch) -> None:
    """Let the second device be a workstation of which only an update that it holds tells the build."""
    from medwarden.store import vulnerabilities
    from medwarden.store.models import Device

    Device.objects.filter(pk="d-main-2").update(
        vendor="Dell", model=None, firmware=None, os="Windows 10", os_version="1809"
    )

    def heard_on(ids: Sequence[str]) -> dict[str, Heard]:
        return {"d-main-2": Heard(updates=frozenset({HELD}))} if "d-main-2" in ids else {}

    patched.setattr(vulnerabilities, "heard_on", heard_on)


def from_scratch(home: Path) -> dict[tuple[str, str], tuple[str, str, str]]:  # noqa: F811
    """Return the verdicts on all profiles in use by an engine that was given all there is."""
    from medwarden.store.vulnerabilities import profiles_in_use

    engine = Engine()
    with Knowledge(home) as knowledge:
        for each in knowledge.vulnerabilities():
            engine.add_vulnerability(each)
        for said in knowledge.advisories():
            engine.add_advisory(said)
    return {
        (key, match.vulnerability): (match.state.value, match.advisory, match.reason)
        for key, profile in profiles_in_use("default").items()
        for match in engine.judge(profile)
    }


def standing() -> dict[tuple[str, str], tuple[str, str, str]]:
    from medwarden.store.models import VulnerabilityVerdict

    rows = VulnerabilityVerdict.objects.filter(until_ns=None)
    columns = ("profile_id", "vulnerability", "state", "advisory", "reason")
    return {(profile, name): tuple(rest) for profile, name, *rest in rows.values_list(*columns)}


def test_a_device_that_holds_an_update_is_judged_by_all_when_it_is_told_what_that_makes(
    store: Store,  # noqa: F811
    heard: DeltaMaker,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    furnish(heard)
    hold_update(monkeypatch)
    publish(store.home, "csaf", advisory("MS-1", windows(ONE, "10.0.17763.7000")), OTHER)
    refresh(store.home, "default")
    assert states(cve=ONE)["d-main-2"] is MatchState.POTENTIAL
    second = advisory("MS-2", update(TWO, HELD, "10.0.17763.7558"))
    publish(store.home, "csaf", advisory("MS-1", windows(ONE, "10.0.17763.7000")), second, OTHER)
    refresh(store.home, "default")
    assert standing() == from_scratch(store.home)
    assert states(cve=ONE)["d-main-2"] is MatchState.FIXED, "its build holds what the first one asks for"
    publish(store.home, "csaf", advisory("MS-1", windows(ONE, "10.0.17763.7000")), OTHER)
    refresh(store.home, "default")
    assert states(cve=ONE)["d-main-2"] is MatchState.POTENTIAL, "nobody says any more what the update makes"


def test_what_a_rejected_record_told_of_an_update_counts_no_more(
    store: Store,  # noqa: F811
    heard: DeltaMaker,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    furnish(heard)
    hold_update(monkeypatch)
    first = advisory("MS-1", windows(ONE, "10.0.17763.7000"))
    told = update(TWO, HELD, "10.0.17763.7558")
    publish(store.home, "csaf", first, advisory("MS-2", told))
    refresh(store.home, "default")
    assert states(cve=ONE)["d-main-2"] is MatchState.FIXED
    publish(store.home, "csaf", first, advisory("MS-2", msgspec.structs.replace(told, rejected=True)))
    refresh(store.home, "default")
    assert states(cve=ONE)["d-main-2"] is MatchState.POTENTIAL
    assert standing() == from_scratch(store.home)


@pytest.mark.parametrize("most", [1, 2])
def test_use_of_vulnerabilities_counts_up_to_the_most_that_are_judged_alone(
    home: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    publish(home, "nvd", record(ONE, affects(version="2.0")))
    with Knowledge(home) as knowledge:
        before = knowledge.newest
    publish(home, "nvd", record(ONE, affects()))
    publish(home, "kev", Exploitation(TWO, kev_added="2026-01-01"))
    monkeypatch.setattr(changed_claims, "_MOST_CHANGED", most)
    with Knowledge(home) as knowledge:
        changed = changed_since(knowledge, before)
    assert (None if changed is None else set(changed.ids)) == (None if most == 1 else {ONE, TWO})


# ---------------------------------------------------------------- two that judge at once

ONLY_TWO = advisory("MADE-1", record(TWO, affects()))


@pytest.mark.parametrize("how", ["what changed", "what changed, in parts", "everything"])
def test_who_judged_by_older_knowledge_leaves_what_was_judged_by_newer(
    pumps: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """The command line judges by one edition; before it stores that, the next is settled."""
    from medwarden.store import vulnerabilities as kept

    newer: list[object] = []

    def overtake() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(vulnerabilities, "changed_since", changed_since)
            publish(pumps.home, "csaf", ONLY_TWO, OTHER)
            assert refresh(pumps.home, "default") == 3
        newer.extend((standing(), open_findings(), kept.standing("default")))

    publish(pumps.home, "csaf", LESS, OTHER)
    if how != "what changed":
        monkeypatch.setattr(vulnerabilities, "_FEW_DEVICES", 0)
    if how == "everything":
        monkeypatch.setattr(vulnerabilities, "changed_since", lambda *_: None)
    meanwhile(monkeypatch, "_settle_some", overtake)
    assert refresh(pumps.home, "default") == 0
    assert [standing(), open_findings(), kept.standing("default")] == newer
    assert standing() == from_scratch(pumps.home)
    assert states(cve=TWO)["d-main-1"] is MatchState.CONFIRMED


def test_who_was_overtaken_by_one_that_judged_by_older_knowledge_judges_again(
    pumps: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.kernel.clock import wall_clock
    from medwarden.store import vulnerabilities as kept
    from medwarden.store.models import MatchProfile, VulnerabilityVerdict

    publish(pumps.home, "csaf", LESS, OTHER)
    with Knowledge(pumps.home) as knowledge:
        older = knowledge.newest
    publish(pumps.home, "csaf", ONLY_TWO, OTHER)

    def store_what_the_older_said() -> None:
        VulnerabilityVerdict.objects.filter(vulnerability=TWO, until_ns=None).update(until_ns=wall_clock())
        MatchProfile.objects.update(edition=older)

    meanwhile(monkeypatch, "_settle_some", store_what_the_older_said)
    assert refresh(pumps.home, "default") == 3
    assert standing() == from_scratch(pumps.home)
    assert states(cve=TWO)["d-main-1"] is MatchState.CONFIRMED
    with Knowledge(pumps.home) as knowledge:
        assert {edition for edition, _ in kept.standing("default").values()} == {knowledge.newest}


CLAIMS = st.builds(
    lambda product, version, status: ProductClaim(status, product[0], product[1], version),
    st.sampled_from([PUMP, ("B. Braun Medical", "Infusomat"), ("Acme", "Monitor 5")]),
    st.sampled_from(["<= 2.5", "2.0", "", "< 3.1", "all versions", "3.0"]),
    st.sampled_from([ProductStatus.AFFECTED, ProductStatus.FIXED, ProductStatus.NOT_AFFECTED]),
)
NAMES = st.sampled_from([ONE, TWO, "CVE-2020-0003"])
RECORDS = st.one_of(
    st.builds(lambda name, claims: record(name, *claims), NAMES, st.lists(CLAIMS, min_size=1, max_size=2)),
    st.builds(lambda name: record(name, affects(), rejected=True), NAMES),
    st.builds(windows, st.just("CVE-2020-0005"), st.sampled_from(["10.0.17763.7000", "10.0.17763.8000"])),
    st.builds(
        update,
        st.sampled_from(["CVE-2020-0005", "CVE-2020-0006"]),
        st.sampled_from([HELD, OLDER]),
        st.sampled_from(["10.0.17763.7558", "10.0.17763.6000"]),
    ),
)
SAID = st.lists(RECORDS, max_size=3, unique_by=lambda each: each.id)
STEPS = st.lists(st.tuples(SAID, SAID, SAID), min_size=3, max_size=3)
"""What two advisories and the records of a feed say, one time after the other."""


@settings(
    max_examples=5,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each takes a data folder of its own
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_judging_what_changed_equals_judging_all_from_the_beginning(
    migrated: Path,  # noqa: F811
    heard: DeltaMaker,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
    steps: list[tuple[list[Vulnerability], list[Vulnerability], list[Vulnerability]]],
) -> None:
    folder = Path(shutil.copytree(migrated, tmp_path_factory.mktemp("revised") / "home"))
    with (
        pytest.MonkeyPatch.context() as patched,
        django_db_blocker.unblock(),
        open_store(folder, writer=True),
    ):
        furnish(heard)
        hold_update(patched)
        for first, second, records in steps:
            publish(folder, "csaf", advisory("MADE-1", *first), advisory("MADE-2", *second), OTHER)
            publish(folder, "nvd", *records, record("CVE-2020-0009", affects(("Acme", "Monitor 6"))))
            refresh(folder, "default")
            assert standing() == from_scratch(folder)
