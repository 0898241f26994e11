from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import aliases, vulnerabilities
from medwarden.app.aliases import Wish, change_stored_aliases
from medwarden.app.knowledge import import_files
from medwarden.app.vulnerabilities import match_devices, own_aliases, refresh
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.vulnerability import MatchState
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

DAY = 86_400 * 10**9


def advisory(identifier: str, version: str, cve: str = "CVE-2020-0001") -> dict[str, object]:
    product = {"name": f"Infusomat Space {version}", "product_id": "P1"}
    branch = {"category": "product_version_range", "name": version, "product": product}
    named = {"category": "product_name", "name": "Infusomat Space", "branches": [branch]}
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "title": "B. Braun Infusomat Space",
            "publisher": {"category": "vendor", "name": "made up", "namespace": "https://example.org"},
            "tracking": {
                "id": identifier,
                "status": "final",
                "version": "1",
                "initial_release_date": "2020-01-01T00:00:00Z",
                "current_release_date": "2020-01-01T00:00:00Z",
                "revision_history": [{"date": "2020-01-01T00:00:00Z", "number": "1", "summary": "first"}],
            },
        },
        "product_tree": {
            "branches": [{"category": "vendor", "name": "B. Braun Medical", "branches": [named]}]
        },
        "vulnerabilities": [{"cve": cve, "product_status": {"known_affected": ["P1"]}}],
    }


def take_in(home: Path, tmp_path: Path, *documents: dict[str, object]) -> None:  # noqa: F811
    folder = tmp_path / "published"
    folder.mkdir(exist_ok=True)
    for document in documents:
        tracking = document["document"]["tracking"]["id"]  # type: ignore[index]
        (folder / f"{tracking}.json").write_text(json.dumps(document))
    import_files(home, [folder], unsigned=True)


def furnish(heard: DeltaMaker) -> None:  # noqa: F811
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
    Device.objects.update(vendor="B. Braun", model="Infusomat Space", firmware="2.0")
    Device.objects.filter(pk="d-main-2").update(firmware="3.0")
    Device.objects.filter(pk="d-main-3").update(firmware=None)


def meanwhile(
    monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], None], where: ModuleType = vulnerabilities
) -> None:
    """Let another process act before the next time that a step of matching is taken."""
    real = getattr(where, step)

    def taken(*given: object) -> object:
        monkeypatch.setattr(where, step, real)
        act()
        return real(*given)

    monkeypatch.setattr(where, step, taken)


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    furnish(heard)
    return store


def states(at_ns: int = 0, *, cve: str = "CVE-2020-0001") -> dict[str, MatchState]:
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.queries import Scope
    from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

    found = verdicts(Scope(), VerdictFilter(vulnerability=cve), at_ns=at_ns or wall_clock(), now=not at_ns)
    return {view.device: view.state for view in found}


def test_knowledge_then_devices_and_devices_then_knowledge(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device, Finding, VulnerabilityVerdict

    assert refresh(pumps.home, "default") == 0
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    assert refresh(pumps.home, "default") == 3
    assert states() == {
        "d-main-1": MatchState.CONFIRMED,
        "d-main-2": MatchState.FIXED,
        "d-main-3": MatchState.POTENTIAL,
    }
    assert Finding.objects.filter(kind="vulnerability", device_id="d-main-1", state="open").count() == 1
    before = VulnerabilityVerdict.objects.count()
    assert refresh(pumps.home, "default") == 0
    assert VulnerabilityVerdict.objects.count() == before, "nothing changed, nothing is written"

    Device.objects.filter(pk="d-main-1").update(firmware="3.0")
    match_devices(pumps.home, "default", "main", ["d-main-1"])
    assert states()["d-main-1"] is MatchState.FIXED
    assert Finding.objects.get(kind="vulnerability", device_id="d-main-1").state == "resolved"


def test_a_new_advisory_is_judged_alone_and_the_past_stays_known(pumps: Store, tmp_path: Path) -> None:
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.models import VulnerabilityVerdict

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    then = wall_clock()
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 3.5"), advisory("MADE-2", "< 2.0", "CVE-2020-0002"))
    assert refresh(pumps.home, "default") == 3
    assert states()["d-main-2"] is MatchState.CONFIRMED
    assert states(then)["d-main-2"] is MatchState.FIXED
    assert states(cve="CVE-2020-0002")["d-main-1"] is MatchState.FIXED
    ended = VulnerabilityVerdict.objects.exclude(until_ns=None)
    assert {row.cause for row in ended} == {"knowledge or rules changed"}


def test_a_device_of_a_new_kind_is_judged_by_the_claims_of_today(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 1.5"), advisory("MADE-2", "<= 4", "CVE-2020-0002"))
    refresh(pumps.home, "default")
    Device.objects.filter(pk="d-main-1").update(firmware="2.2")
    assert match_devices(pumps.home, "default", "main", ["d-main-1"]) == 1
    assert states()["d-main-1"] is MatchState.FIXED, "by the advisory as it is now"
    assert states(cve="CVE-2020-0002")["d-main-1"] is MatchState.CONFIRMED


def test_a_person_calls_it_irrelevant_until_a_day_with_a_reason(pumps: Store, tmp_path: Path) -> None:
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.vulnerabilities import declare_irrelevant, take_back_irrelevance

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    now = wall_clock()
    with Change("user:anna", "the port is closed for good", site="main") as change:
        declare_irrelevant(change, "d-main-1", "CVE-2020-0001", expires_ns=now + DAY)
    assert states()["d-main-1"] is MatchState.IRRELEVANT
    assert states(now + 2 * DAY)["d-main-1"] is MatchState.CONFIRMED
    with Change("user:anna", "opened again", site="main") as change:
        take_back_irrelevance(change, "d-main-1", "CVE-2020-0001")
    assert states()["d-main-1"] is MatchState.CONFIRMED
    for device, cve, until in (
        ("d-main-9", "CVE-2020-0001", DAY),
        ("d-main-1", "CVE-1", DAY),
        ("d-main-1", "CVE-2020-0001", -DAY),
    ):
        with pytest.raises(ConfigurationError), Change("user:anna", "no", site="main") as change:
            declare_irrelevant(change, device, cve, expires_ns=now + until)


def test_names_of_a_hospital_are_read_or_named(tmp_path: Path) -> None:
    assert own_aliases(tmp_path).vendors == ()
    (tmp_path / "aliases.yaml").write_text("vendors: [[Philips, our supplier]]\n")
    assert own_aliases(tmp_path).vendors == (("Philips", "our supplier"),)
    (tmp_path / "aliases.yaml").write_text("vendors: 3\n")
    with pytest.raises(ConfigurationError, match=r"aliases\.yaml"):
        own_aliases(tmp_path)
    (tmp_path / "aliases.yaml").write_text("vendors: " + "[" * 3000)
    with pytest.raises(ConfigurationError, match="nested deeper"):
        own_aliases(tmp_path)


def score_of(device: str) -> dict[str, int]:
    from medwarden.store.models import FactorSpan

    rows = FactorSpan.objects.filter(device_id=device, until_ns=None, factor__endswith="vulnerabilities")
    return dict(rows.values_list("factor", "points"))


def test_scores_follow_verdicts_both_ways(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.judge import assess, assess_due
    from medwarden.store.models import Device, RiskScore
    from medwarden.store.scores import mark_due
    from medwarden.store.vulnerabilities import declare_irrelevant

    ids = ["d-main-1", "d-main-2", "d-main-3"]
    Device.objects.update(stale=False)
    assess("default", "main", ids)
    assert [score_of(device) for device in ids] == [{}, {}, {}]
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    sure, fixed, perhaps = (score_of(device) for device in ids)
    assert fixed == {} and sure["known_vulnerabilities"] > perhaps["known_vulnerabilities"] > 0
    assert not Device.objects.exclude(score_due_ns=None).exists()
    row = RiskScore.objects.get(device_id="d-main-1", current=True)
    assert "known_vulnerabilities" in row.cause

    with Change("user:anna", "the port is closed for good", site="main") as change:
        declare_irrelevant(change, "d-main-1", "CVE-2020-0001", expires_ns=change.now_ns + DAY)
        mark_due(change, ["d-main-1"])
    assert assess_due("default", "main") == 1
    assert score_of("d-main-1") == {}


def test_a_device_that_is_judged_is_matched_before_it_is_scored(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.judge import judge_stale
    from medwarden.store.models import Device, ProfileMember

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    Device.objects.update(stale=True)
    assert judge_stale("default", "main") == 3
    assert ProfileMember.objects.filter(until_ns=None).count() == 3
    assert not Device.objects.exclude(score_due_ns=None).exists()


def test_public_exploits_are_counted_once_and_again_the_same(pumps: Store, tmp_path: Path) -> None:
    """A module, the entry it was made of, and one more entry are two exploits, however often brought in."""
    from tests.feeds import making

    from medwarden.store.models import Device, VulnerabilityWeight
    from medwarden.store.queries import Scope
    from medwarden.store.queries.scores import risk

    folder = tmp_path / "published"
    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    (folder / "exploits.csv").write_bytes(
        making.exploitdb(("50001", "CVE-2020-0001"), ("50002", "CVE-2020-0001;CVE-2020-7"))
    )
    (folder / "modules.json").write_bytes(making.metasploit(pump=["CVE-2020-0001", "EDB-50001"]))
    import_files(pumps.home, [folder], unsigned=True)
    Device.objects.update(stale=False)
    refresh(pumps.home, "default")

    def weight() -> tuple[int, dict[str, int], bool]:
        row = VulnerabilityWeight.objects.get(vulnerability="CVE-2020-0001")
        return row.exploit_count, row.exploits_by, row.exploits

    assert weight() == (2, {"metasploit": 1, "exploit_db": 1}, True)
    import_files(pumps.home, [folder], unsigned=True)
    refresh(pumps.home, "default")
    assert weight() == (2, {"metasploit": 1, "exploit_db": 1}, True)
    assert Device.objects.filter(score_due_ns__isnull=False).count() == 0
    score = risk(Scope(), "d-main-1")
    assert score is not None
    (factor,) = [f for f in score.factors if f.id == "exploitable_vulnerabilities"]
    assert "2 public exploits are known of CVE-2020-0001." in factor.why

    (folder / "exploits.csv").write_bytes(making.exploitdb(("50001", "CVE-2020-0001")))
    import_files(pumps.home, [folder], unsigned=True)
    refresh(pumps.home, "default")
    assert weight() == (1, {"metasploit": 1}, True)


def test_who_judged_by_names_of_before_leaves_the_device_to_be_judged_by_those_of_today(
    pumps: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device is judged by the old names; before that is stored, a person enters a name of its maker."""
    from medwarden.store.models import Device

    take_in(pumps.home, tmp_path, advisory("MADE-1", "<= 2.5"))
    refresh(pumps.home, "default")
    Device.objects.filter(pk="d-main-1").update(vendor="Haus Eins")
    wish = Wish("B. Braun Medical", also=("Haus Eins",))

    def enter() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(aliases, "refresh", lambda *_: 0)  # it is not there yet when that is stored
            change_stored_aliases(pumps.home, "default", wish, actor="user:anna", reason="our supplier")

    meanwhile(monkeypatch, "_weigh", enter)
    assert match_devices(pumps.home, "default", "main", ["d-main-1"]) == 1
    assert "d-main-1" not in states()
    refresh(pumps.home, "default")
    assert states()["d-main-1"] is MatchState.CONFIRMED
