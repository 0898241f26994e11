"""A new advisory or recall scores what it touches, as a full assessment would, and is never half told."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.app.test_vulnerabilities import advisory, furnish, pumps, take_in  # noqa: F401 - fixtures
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app import recalls, vulnerabilities
from medwarden.app.beside import Outcome
from medwarden.app.knowledge import writing
from medwarden.model.device import Device
from medwarden.model.recall import Recall
from medwarden.model.risk import RiskScore
from medwarden.model.vulnerability import Provenance
from medwarden.risk.assess import reassess_device
from medwarden.store.changes import Change
from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use
from medwarden.store.open import Store, open_store

IDS = ["d-main-1", "d-main-2", "d-main-3"]
KILLED = """
import os, signal, sys
from pathlib import Path
from medwarden.store.open import open_store
with open_store(Path(sys.argv[1]), writer=True):
    from medwarden.app import recalls, vulnerabilities
    from medwarden.store import findings
    counted = findings.count_open
    def killed(ids):
        counted(ids)
        os.kill(os.getpid(), signal.SIGKILL)
    findings.count_open = killed
    {"advisory": vulnerabilities, "recall": recalls}[sys.argv[2]].refresh(Path(sys.argv[1]), "default")
"""


def score() -> None:
    from medwarden.app.judge import assess
    from medwarden.store.models import Device

    Device.objects.update(stale=False)
    assess("default", "main", IDS)


@pytest.fixture
def scored(pumps: Store) -> Store:  # noqa: F811
    score()
    return pumps


def bring(home: Path, number: str, product: str) -> None:  # noqa: F811
    recall = Recall(
        id=number, title=product, maker="B. Braun Medical", product=product, reason="It may stop.",
        action="", provenance=Provenance("fda_recall", "made", "2026-01-01"), status="Open",
        begun="2026-01-01", codes="All units",
    )  # fmt: skip
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        gathering.add("fda_recall", 0, recall)
        put_in_use(knowledge, gathering, Brought("fda_recall", seen=1, kept=1), whole=False)


def bring_advisory(home: Path, tmp_path: Path) -> None:  # noqa: F811
    take_in(home, tmp_path, advisory("MADE-2", "<= 3.5", "CVE-2020-0002"))


def bring_recall(home: Path, tmp_path: Path) -> None:  # noqa: F811
    del tmp_path
    bring(home, "Z-9-2026", "B. Braun Infusomat Space infusion pump")


def stand(home: Path, tmp_path: Path) -> None:  # noqa: F811
    """Bring knowledge up to date once, so that what comes next is a small change."""
    take_in(home, tmp_path, advisory("MADE-1", "<= 2.5"))
    bring(home, "Z-1-2026", "Something else")
    vulnerabilities.refresh(home, "default")
    recalls.refresh(home, "default")
    vulnerabilities.refresh(home, "default")


def rows() -> tuple[int, int]:
    from medwarden.store.models import FactorSpan, RiskScore

    return RiskScore.objects.count(), FactorSpan.objects.count()


@pytest.mark.parametrize(
    ("bring_it", "refresh", "factor"),
    [
        (bring_advisory, vulnerabilities.refresh, "known_vulnerabilities"),
        (bring_recall, recalls.refresh, "open_recall"),
    ],
    ids=["advisory", "recall"],
)
def test_it_is_what_a_full_assessment_gives_device_by_device(
    scored: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bring_it: Callable[[Path, Path], None],
    refresh: Callable[[Path, str], int],
    factor: str,
) -> None:
    from medwarden.app.judge import assess_due
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.models import Device as Row
    from medwarden.store.queries import Scope
    from medwarden.store.queries.scores import risk, risk_at
    from medwarden.store.scores import mark_due

    stand(scored.home, tmp_path)
    before = {device: risk(Scope(), device) for device in IDS}
    then, stood = wall_clock(), rows()
    judged: list[str] = []

    def watched(device: Device, *rest: object) -> RiskScore:
        judged.append(device.id)
        return reassess_device(device, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("medwarden.app.touched.reassess_device", watched)
    bring_it(scored.home, tmp_path)
    refresh(scored.home, "default")
    assert "d-main-1" in judged, "it was judged beside what stands, not whole"
    assert not Row.objects.exclude(score_due_ns=None).exists()
    mine = risk(Scope(), "d-main-1")
    assert mine is not None and factor in {f.id for f in mine.factors}
    changed = rows()
    assert changed > stood
    assert {device: risk_at(Scope(), device, then) for device in IDS} == before, "the past stays what it was"

    with Change("test", "all once more", site="main") as change:
        mark_due(change)
    assert assess_due("default", "main") == len(IDS)
    assert rows() == changed, "a full assessment finds nothing to correct"


def test_who_was_due_or_stale_before_is_left_to_a_full_assessment(scored: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device
    from medwarden.store.scores import mark_due, mark_touched

    stand(scored.home, tmp_path)
    Device.objects.filter(pk="d-main-3").update(stale=True)
    with Change("test", "something else changed", site="main") as change:
        mark_due(change, ["d-main-2"])
    with Change("test", "an advisory", site="main") as later:
        assert list(mark_touched(later, IDS)) == ["d-main-1"]
    due = dict(Device.objects.values_list("pk", "score_due_ns"))
    assert due == dict.fromkeys(IDS, later.now_ns)


def test_a_device_that_was_marked_again_meanwhile_stays_due(scored: Store, tmp_path: Path) -> None:
    from medwarden.app.touched import assess_touched
    from medwarden.risk.factor import Basis
    from medwarden.store.models import Device
    from medwarden.store.scores import mark_due, mark_touched

    stand(scored.home, tmp_path)
    with Change("test", "an advisory", site="main") as change:
        fresh = mark_touched(change, IDS)
    with Change("user:anna", "another word", site="main") as other:
        mark_due(other, ["d-main-2"])
    assess_touched("default", {"main": fresh}, Basis.VULNERABILITIES)
    due = Device.objects.exclude(score_due_ns=None)
    assert list(due.values_list("pk", "score_due_ns")) == [("d-main-2", other.now_ns)]


def test_a_change_that_began_earlier_and_commits_while_a_score_is_made_keeps_it_due(
    scored: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamp of a long change is older than what was read before it committed."""
    from medwarden.app import judge
    from medwarden.kernel.clock import wall_clock
    from medwarden.store.queries import due_devices
    from medwarden.store.scores import mark_due

    began = wall_clock()
    real = judge.Judging.assessed_few

    def read_before_it_committed(judging: judge.Judging, ids: Sequence[str]) -> list[Outcome]:
        outcomes = real(judging, ids)
        with Change("user:anna", "irrelevant", site="main", clock=lambda: began) as change:
            mark_due(change, ["d-main-2"])
        return outcomes

    with monkeypatch.context() as patched:
        patched.setattr(judge.Judging, "assessed_few", read_before_it_committed)
        judge.assess("default", "main", IDS)
    assert due_devices("main") == ["d-main-2"]
    assert judge.assess_due("default", "main") == 1
    assert due_devices("main") == []


@pytest.mark.parametrize("earlier", [0, 10**9], ids=["at the same time", "begun earlier"])
def test_an_earlier_stamp_does_not_hide_a_mark_from_who_scores_what_was_touched(
    scored: Store, earlier: int
) -> None:
    from medwarden.app.touched import assess_touched
    from medwarden.risk.factor import Basis
    from medwarden.store.queries import due_devices
    from medwarden.store.scores import mark_touched

    with Change("test", "an advisory", site="main") as change:
        fresh = mark_touched(change, IDS)
    with Change("test", "a recall", site="main", clock=lambda: change.now_ns - earlier) as other:
        assert not mark_touched(other, ["d-main-2"]), "it is due for more than this"
    assess_touched("default", {"main": fresh}, Basis.VULNERABILITIES)
    assert due_devices("main") == ["d-main-2"]


@pytest.mark.parametrize("kind", ["advisory", "recall"])
def test_who_is_killed_while_telling_has_told_nothing_and_the_next_tells_all(
    home: Path,  # noqa: F811
    heard: DeltaMaker,  # noqa: F811
    django_db_blocker: DjangoDbBlocker,
    tmp_path: Path,
    kind: str,
) -> None:
    with django_db_blocker.unblock():
        with open_store(home, writer=True):
            furnish(heard)
            score()
            stand(home, tmp_path)
            {"advisory": bring_advisory, "recall": bring_recall}[kind](home, tmp_path)
        child = subprocess.run(
            [sys.executable, "-c", KILLED, str(home), kind], check=False, timeout=300, capture_output=True
        )
        assert child.returncode == -signal.SIGKILL, child.stderr
        with open_store(home, writer=True):
            assert told_of(kind) == (0, 0), "nothing is half told"
            {"advisory": vulnerabilities, "recall": recalls}[kind].refresh(home, "default")
            assert min(told_of(kind)) > 0


def told_of(kind: str) -> tuple[int, int]:
    """Return how many verdicts there are on what came last, and how many findings."""
    from medwarden.store.models import Finding, RecallVerdict, VulnerabilityVerdict

    if kind == "advisory":
        said = VulnerabilityVerdict.objects.filter(vulnerability="CVE-2020-0002").count()
    else:
        said = RecallVerdict.objects.filter(notice__number="Z-9-2026").count()
    name = {"advisory": "MADE-2", "recall": "Z-9-2026"}[kind]
    return said, Finding.objects.filter(title__contains=name).count()
