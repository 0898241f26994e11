from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pytest_django.plugin import DjangoDbBlocker
from tests.app.test_vulnerabilities import DAY, advisory, take_in
from tests.store.conftest import migrated  # noqa: F401 - a fixture

from medwarden.app.vulnerabilities import match_devices
from medwarden.app.vulnerabilities import refresh as judge
from medwarden.app.work import (
    accept,
    action_named,
    decide_acceptance,
    end_acceptance,
    lapse,
    own_rules,
    refresh,
    refresh_if_changed,
    step,
    undo,
)
from medwarden.app.work_desk import shown_of
from medwarden.app.work_table import HEADER, csv_cells, export_rows
from medwarden.app.work_table import take_in as take_table
from medwarden.kernel.clock import iso, wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Role
from medwarden.risk.work.states import AcceptScope, WorkState
from medwarden.store.changes import Change
from medwarden.store.open import Store, ensure_site, open_store

if TYPE_CHECKING:
    from medwarden.store.models import WorkAction
    from medwarden.store.queries import Scope

if TYPE_CHECKING:
    pass


def grave(identifier: str, version: str, cve: str = "CVE-2020-0001") -> dict[str, object]:
    """Return an advisory on a vulnerability of CVSS 7.5."""
    found = advisory(identifier, version, cve)
    vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"
    scored = {"version": "3.1", "vectorString": vector, "baseScore": 7.5, "baseSeverity": "HIGH"}
    vulnerability = found["vulnerabilities"][0]  # type: ignore[index]
    vulnerability["scores"] = [{"products": ["P1"], "cvss_v3": scored}]
    return found


@pytest.fixture(scope="session")
def prepared(
    migrated: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Path:
    """A folder with three pumps of one model: one affected, one corrected, one of no known version."""
    folder = tmp_path_factory.mktemp("queue")
    home = Path(shutil.copytree(migrated, folder / "home"))
    with django_db_blocker.unblock(), open_store(home, writer=True):
        from medwarden.store.models import Device

        tenant, site = ensure_site()
        for number, firmware in ((1, "2.0"), (2, "3.0"), (3, None)):
            Device.objects.create(
                id=f"d-main-{number}", tenant_id=tenant, site_id=site, macs=[f"02:00:00:00:00:0{number}"],
                ips=[f"10.0.0.{number}"], vendor="B. Braun", model="Infusomat Space", firmware=firmware,
                first_seen=10**18, last_seen=10**18, added_ns=10**18, stale=False,
            )  # fmt: skip
        take_in(home, folder, grave("MADE-1", "< 2.5"), grave("MADE-2", "< 2.2", "CVE-2020-0002"))
        judge(home, "default")
        refresh(home, "default")
    return home


@pytest.fixture
def queue(prepared: Path, tmp_path: Path, django_db_blocker: DjangoDbBlocker) -> Iterator[Store]:
    """Return a copy of it, open."""
    home = Path(shutil.copytree(prepared, tmp_path / "home"))
    with django_db_blocker.unblock(), open_store(home, writer=True) as opened:
        yield opened


def person(name: str, role: Role) -> str:
    from medwarden.store.accounts import create_user

    with Change("test", "test") as change:
        create_user(change, name, "correct-horse-battery", role)
    return name


def scope() -> Scope:
    from medwarden.store.queries import Scope

    return Scope()


def only() -> WorkAction:
    from medwarden.store.models import WorkAction

    return WorkAction.objects.get(kind="update")


def test_one_action_for_all_that_one_update_closes(queue: Store) -> None:
    row = only()
    assert row.title == "Update B. Braun Infusomat Space to 2.5"
    shown = shown_of(scope(), row.pk)
    assert {(d.id, d.findings, d.sure) for d in shown.devices} == {
        ("d-main-1", 2, True),
        ("d-main-3", 2, False),
    }
    assert (row.devices, row.findings) == (2, 4)
    assert [s.id for s in shown.subjects] == ["CVE-2020-0001", "CVE-2020-0002"]
    assert row.shown["perhaps"] == 1


def test_the_same_action_when_more_becomes_known_and_nothing_is_written_in_vain(
    queue: Store, tmp_path: Path
) -> None:
    from medwarden.store.models import AuditEntry, WorkAction, WorkEvent

    before, audited = only().pk, AuditEntry.objects.count()
    refresh(queue.home, "default")
    assert AuditEntry.objects.count() == audited
    take_in(queue.home, tmp_path, grave("MADE-3", "< 2.9", "CVE-2020-0003"))
    judge(queue.home, "default")
    refresh(queue.home, "default")
    row = only()
    assert row.pk == before
    assert row.title.endswith("to 2.9")
    assert str(WorkEvent.objects.get(what="title").before).endswith("to 2.5")
    assert WorkAction.objects.filter(kind="update").count() == 1


def test_due_days_begin_when_it_was_first_known_and_a_new_version_does_not_begin_anew(queue: Store) -> None:
    from medwarden.store.models import Device

    row = only()
    known, due = row.known_ns, row.due_ns
    assert due == known + 30 * DAY
    Device.objects.filter(pk="d-main-1").update(firmware="2.1")
    match_devices(queue.home, "default", "main", ["d-main-1"])
    refresh(queue.home, "default")
    again = only()
    assert again.devices == 2
    assert (again.known_ns, again.due_ns) == (known, due)


def test_a_step_of_a_person_is_kept_audited_and_taken_back(queue: Store) -> None:
    from medwarden.store.models import AuditEntry
    from medwarden.store.work import Step

    person("anna", Role.BIOMEDICAL_ENGINEER)
    row = only()
    wanted = Step(
        WorkState.IN_PROGRESS, "anna", due_ns=row.known_ns + DAY, work_order="WO-7", labels=("b", "a")
    )
    batch = step(scope(), [row.pk], wanted, actor="user:anna", reason="ward 3 first")
    row = only()
    assert (row.state, row.owner, row.work_order, row.labels) == ("in_progress", "anna", "WO-7", ["a", "b"])
    assert row.due_ns == row.known_ns + DAY
    refresh(queue.home, "default")
    assert only().due_ns == row.due_ns, "the rules do not take a person's day away"
    entry = AuditEntry.objects.get(action="work.state")
    assert (entry.actor, entry.reason) == ("user:anna", "ward 3 first")
    assert undo(scope(), batch, actor="user:bert", reason="wrong one") == 5
    row = only()
    assert (row.state, row.owner, row.work_order, row.labels) == ("open", "", "", [])
    assert row.due_ns == row.known_ns + 30 * DAY
    with pytest.raises(ConfigurationError, match="already"):
        undo(scope(), batch, actor="user:bert", reason="")


def test_a_decision_that_others_built_on_is_not_taken_back(queue: Store) -> None:
    from medwarden.store.work import Step

    first = step(scope(), [only().pk], Step(owner="Biomed", team=True), actor="user:anna", reason="")
    step(scope(), [only().pk], Step(owner="IT", team=True), actor="user:bert", reason="")
    with pytest.raises(ConfigurationError, match="changed since"):
        undo(scope(), first, actor="user:anna", reason="")
    with pytest.raises(ConfigurationError, match="no such decision"):
        undo(scope(), "wb-none", actor="user:anna", reason="")


@pytest.mark.parametrize(
    ("state", "owner", "reason", "said"),
    [
        (WorkState.VERIFIED, None, "x", "evidence alone"),
        (WorkState.DONE, None, " ", "say why"),
        (None, "nobody", "x", "no person"),
    ],
)
def test_what_a_person_cannot_say(
    queue: Store, state: WorkState | None, owner: str | None, reason: str, said: str
) -> None:
    from medwarden.store.work import Step

    with pytest.raises(ConfigurationError, match=said):
        step(scope(), [only().pk], Step(state, owner), actor="user:anna", reason=reason)


def test_done_is_verified_by_evidence_and_reopened_when_the_old_version_is_heard_again(queue: Store) -> None:
    from medwarden.store.models import Device, EvidenceEntry, WorkEvent
    from medwarden.store.work import Step

    step(scope(), [only().pk], Step(WorkState.DONE), actor="user:anna", reason="updated all")
    refresh(queue.home, "default")
    assert only().state == "done", "nothing was heard since: neither seen nor contradicted"
    EvidenceEntry.objects.create(
        tenant_id="default", site_id="main", device_id="d-main-1", source="s", field="http.firmware",
        value="SW 2.0", sensor="s", count=1, first_seen=1, last_seen=wall_clock(),
    )  # fmt: skip
    refresh(queue.home, "default")
    row = only()
    assert (row.state, row.claimed_ns) == ("open", None)
    assert "still said 2.0" in WorkEvent.objects.filter(what="state").latest("pk").reason

    step(scope(), [row.pk], Step(WorkState.DONE), actor="user:anna", reason="now really")
    Device.objects.filter(pk__in=("d-main-1", "d-main-3")).update(firmware="3.0")
    match_devices(queue.home, "default", "main", ["d-main-1", "d-main-3"])
    moved = refresh(queue.home, "default")
    row = only()
    assert moved.verified == [row.pk]
    assert (row.state, row.present, row.devices) == ("verified", False, 0)

    Device.objects.filter(pk="d-main-1").update(firmware="2.0")
    match_devices(queue.home, "default", "main", ["d-main-1"])
    assert refresh(queue.home, "default").reopened == [row.pk]
    assert only().state == "open"


def test_a_risk_is_accepted_by_one_who_may_and_lapses_with_its_finding(queue: Store) -> None:
    from medwarden.store.acceptances import Wish
    from medwarden.store.models import Finding, RiskAcceptance

    person("anna", Role.BIOMEDICAL_ENGINEER)
    person("chief", Role.ADMINISTRATOR)
    row, now = only(), wall_clock()
    wish = Wish(AcceptScope.DEVICE, now + 10 * DAY, ("d-main-1",), conditions="only in ward 3")
    with pytest.raises(ConfigurationError, match="may not accept"):
        accept(queue.home, scope(), row.pk, wish, actor="user:anna", reason="no window", approver="anna")
    asked = accept(queue.home, scope(), row.pk, wish, actor="user:anna", reason="no window")
    assert only().devices == 2, "a wish alone changes nothing"
    decide_acceptance(
        queue.home, scope(), asked.pk, approve=True, approver="chief", actor="user:chief", reason="agreed"
    )
    row = only()
    assert (row.devices, row.shown["accepted"]) == (1, 1)
    findings = Finding.objects.filter(device_id="d-main-1", kind="vulnerability")
    assert {(f.state, f.approver) for f in findings} == {("accepted", "chief")}

    assert lapse("default", lambda: now + 9 * DAY) == 0
    assert lapse("default", lambda: now + 11 * DAY) == 1
    refresh(queue.home, "default", lambda: now + 11 * DAY)
    assert RiskAcceptance.objects.get().state == "lapsed"
    assert only().devices == 2
    assert {f.state for f in Finding.objects.filter(device_id="d-main-1", kind="vulnerability")} == {"open"}


def test_what_becomes_known_later_is_not_accepted(queue: Store, tmp_path: Path) -> None:
    from medwarden.store.acceptances import Wish

    person("chief", Role.ADMINISTRATOR)
    wish = Wish(AcceptScope.SITE, wall_clock() + 10 * DAY)
    accept(queue.home, scope(), only().pk, wish, actor="user:chief", reason="x", approver="chief")
    assert (only().devices, only().present) == (0, True)
    take_in(queue.home, tmp_path, grave("MADE-3", "< 2.9", "CVE-2020-0003"))
    judge(queue.home, "default")
    refresh(queue.home, "default")
    row = only()
    assert (row.devices, row.findings) == (2, 2)


def test_an_acceptance_of_a_model_holds_in_its_subnet_only_and_is_withdrawn(queue: Store) -> None:
    from medwarden.store.acceptances import Wish
    from medwarden.store.models import Device

    person("chief", Role.ADMINISTRATOR)
    Device.objects.filter(pk="d-main-1").update(subnet="10.0.0.0/24")
    wish = Wish(
        AcceptScope.MODEL,
        wall_clock() + DAY,
        vendor="B. Braun",
        model="Infusomat Space",
        subnet="10.0.0.0/24",
    )
    borne = accept(queue.home, scope(), only().pk, wish, actor="user:chief", reason="x", approver="chief")
    assert (only().devices, only().shown["accepted"]) == (1, 1)
    Device.objects.filter(pk="d-main-1").update(subnet="10.0.9.0/24")
    refresh(queue.home, "default")
    assert only().devices == 2, "it moved: the condition no longer holds"
    with pytest.raises(ConfigurationError, match="say why"):
        end_acceptance(queue.home, scope(), borne.pk, actor="user:chief", reason="")
    end_acceptance(queue.home, scope(), borne.pk, actor="user:chief", reason="patched")
    with pytest.raises(ConfigurationError, match="already"):
        end_acceptance(queue.home, scope(), borne.pk, actor="user:chief", reason="again")


@pytest.mark.parametrize(
    ("days", "devices", "subjects", "said"),
    [
        (400, ("d-main-1",), (), "365 days at most"),
        (-1, ("d-main-1",), (), "in the future"),
        (10, ("d-other",), (), "no such devices"),
        (10, (), (), "none named"),
        (10, ("d-main-1",), ("CVE-1999-1",), "not about CVE-1999-1"),
    ],
)
def test_a_wish_that_cannot_be(
    queue: Store, days: int, devices: tuple[str, ...], subjects: tuple[str, ...], said: str
) -> None:
    from medwarden.store.acceptances import Wish

    wish = Wish(AcceptScope.DEVICE, wall_clock() + days * DAY, devices, subjects=subjects)
    with pytest.raises(ConfigurationError, match=said):
        accept(queue.home, scope(), only().pk, wish, actor="user:anna", reason="x")


def test_a_finding_that_people_called_false_is_no_work(queue: Store) -> None:
    from medwarden.model.finding import FindingState
    from medwarden.store.findings import transition
    from medwarden.store.models import Finding

    finding = Finding.objects.get(device_id="d-main-1", detail__contains="CVE-2020-0001")
    with Change("user:anna", "it is another board", site="main") as change:
        transition(change, finding.pk, FindingState.FALSE_POSITIVE)
    refresh(queue.home, "default")
    assert only().findings == 3


def test_a_table_goes_out_and_comes_back_with_rows_that_cannot_be_used_named(queue: Store) -> None:
    from medwarden.store.queries.work import ActionFilter

    person("anna", Role.BIOMEDICAL_ENGINEER)
    rows = list(export_rows(scope(), ActionFilter(view="all")))
    assert set(rows[0]) == set(HEADER)

    def document(*changed: dict[str, object]) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(HEADER)
        writer.writerows(csv_cells({**rows[0], **change}) for change in changed)
        return out.getvalue().encode()

    same = take_table(scope(), document({}), "work.csv", actor="cli:x", reason="")
    assert (same.rows, same.same, same.problems) == (1, 1, ())
    done = take_table(
        scope(),
        document(
            {
                "state": "waiting_maker",
                "owner": "anna",
                "due": "2031-02-03",
                "labels": "a; b",
                "note": "=1+1",
            },
            {"id": "w-none"},
            {"state": "finished"},
            {"due": "03.02.2031"},
            {"owner": "Nobody Known"},
        ),
        "work.csv",
        actor="cli:x",
        reason="",
    )
    row = only()
    assert (row.state, row.owner, row.labels, iso(row.due_ns or 0)[:10]) == (
        "waiting_maker", "anna", ["a", "b"], "2031-02-03",
    )  # fmt: skip
    assert [problem.line for problem in done.problems] == [3, 4, 5, 6]
    assert "2031" in done.problems[2].reason
    back = take_table(scope(), document({"due": "-", "owner": "-"}), "work.csv", actor="cli:x", reason="")
    assert back.changed == 1
    assert (only().owner, only().own_due_ns) == ("", None)


@pytest.mark.parametrize("document", [b"a,b\n1,2\n", b"\xff\xfe", b"", b"id\n" + b"x" * (9 << 20)])
def test_what_is_no_table_is_refused_whole(queue: Store, document: bytes) -> None:
    with pytest.raises(MalformedInput, match=r"work\.csv"):
        take_table(scope(), document, "work.csv", actor="cli:x", reason="")


def test_rules_of_a_hospital_count(queue: Store) -> None:
    (queue.home / "work.yaml").write_text("due_days: {high: 5}\n")
    assert own_rules(queue.home).due_days.high == 5
    began = wall_clock()  # with every full hour, all of it is looked at again
    assert refresh_if_changed(queue.home, "default", lambda: began)
    assert only().due_ns == only().known_ns + 5 * DAY
    assert not refresh_if_changed(queue.home, "default", lambda: began)
    (queue.home / "work.yaml").write_text("due_days: 5\n")
    with pytest.raises(ConfigurationError, match=r"work\.yaml"):
        own_rules(queue.home)


def test_an_action_is_named_by_id_or_words(queue: Store) -> None:
    assert action_named(scope(), "infusomat update").pk == only().pk
    for name in ("", "no such thing"):
        with pytest.raises(ConfigurationError, match="no action"):
            action_named(scope(), name)


def test_another_site_sees_and_changes_nothing(queue: Store) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.work import actions, totals
    from medwarden.store.work import Step

    elsewhere = Scope("default", ("elsewhere",))
    assert actions(elsewhere, now_ns=wall_clock()).total == 0
    assert totals(elsewhere, wall_clock()).devices == 0
    with pytest.raises(ConfigurationError, match="no action"):
        step(elsewhere, [only().pk], Step(owner="IT", team=True), actor="user:x", reason="")


def test_what_a_scanner_alone_sees_is_work_too_and_what_it_confirms_is_sure(queue: Store) -> None:
    from medwarden.store.models import Scan, ScanHost, ScannerSighting, WorkAction

    now = wall_clock()
    site = {"tenant_id": "default", "site_id": "main"}
    scan = Scan.objects.create(
        **site, id="sc-1", scanner="nessus", form="nessus", source="s.nessus", digest="0" * 64,
        started_ns=now, ended_ns=now, imported_ns=now, actor="user:anna", hosts=1, known=1, sightings=2,
    )  # fmt: skip
    host = ScanHost.objects.create(
        **site, id="sh-1", scan=scan, device="d-main-3", how="by address", seen_ns=now
    )
    for cve, remedy in (("CVE-2020-0001", ""), ("CVE-2014-0160", "Upgrade OpenSSL to 1.0.1g or later.")):
        ScannerSighting.objects.create(
            **site, host=host, device="d-main-3", scanner="nessus", vulnerability=cve, check_id="1",
            title="Heartbleed", outcome="vulnerable", score=7.5, remedy=remedy, seen_ns=now, since_ns=now,
        )  # fmt: skip
    refresh(queue.home, "default")
    row = only()
    assert (row.devices, row.findings, row.shown["perhaps"]) == (2, 4, 0)
    advised = WorkAction.objects.get(title="Upgrade OpenSSL to 1.0.1g or later")
    assert (advised.devices, advised.shown["vulnerabilities"]) == (1, ["CVE-2014-0160"])
    from medwarden.store.queries.work import ActionFilter, actions

    about = actions(scope(), ActionFilter(device="d-main-3"), now_ns=now)
    assert {a.id for a in about.items} >= {row.pk, advised.pk}


def test_what_an_action_would_change_is_the_score_once_it_is_done(queue: Store) -> None:
    from medwarden.app.judge import assess
    from medwarden.store.models import Device

    assess("default", "main", ["d-main-1", "d-main-2", "d-main-3"])
    effect = shown_of(scope(), only().pk).effect
    assert effect is not None
    assert (effect.devices, effect.of) == (2, 2)
    assert effect.worst_after < effect.worst
    before = list(Device.objects.filter(pk__in=("d-main-1", "d-main-3")).values_list("risk_score", flat=True))
    assert effect.worst == max(before)
    Device.objects.filter(pk__in=("d-main-1", "d-main-3")).update(firmware="3.0")
    match_devices(queue.home, "default", "main", ["d-main-1", "d-main-3"])
    assess("default", "main", ["d-main-1", "d-main-3"])
    after = list(Device.objects.filter(pk__in=("d-main-1", "d-main-3")).values_list("risk_score", flat=True))
    assert effect.worst_after == max(after)
    assert effect.points == sum(before) - sum(after)


def test_the_queue_keeps_up_by_itself_and_says_what_is_wrong_with_its_rules(
    queue: Store, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.app import work_round
    from medwarden.store.models import Device

    monkeypatch.setattr(work_round, "EVERY_S", 0.0)
    began = wall_clock()  # with every full hour, all of it is looked at again
    monkeypatch.setattr(work_round, "refresh_if_changed", partial(refresh_if_changed, clock=lambda: began))
    work_round.keep_up(queue.home)
    assert not work_round.keep_up(queue.home), "nothing changed"
    Device.objects.filter(pk="d-main-1").update(firmware="3.0")
    match_devices(queue.home, "default", "main", ["d-main-1"])
    assert work_round.keep_up(queue.home)
    assert only().devices == 1
    (queue.home / "work.yaml").write_text("due_days: never\n")
    work_round.keep_up(queue.home)
    assert "work.yaml" in caplog.text
