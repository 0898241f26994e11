from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.feeds import making
from tests.store.conftest import DeltaMaker, heard, home, migrated, store  # noqa: F401 - fixtures

from medwarden.app.knowledge import import_files
from medwarden.app.recall_desk import (
    REPORT_HEADER,
    Entered,
    Work,
    close,
    correct,
    describe,
    enter,
    enter_document,
    entered_of,
    notice_of,
    reopen,
    report_html,
    report_rows,
    undo,
    withdraw,
    work_on,
)
from medwarden.app.recalls import due_days, match_devices, refresh, set_due_days
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.risk.recalls.facts import DeviceFacts
from medwarden.risk.recalls.notice import MAKER, Notice, Scope
from medwarden.risk.recalls.workflow import DAY_NS, DueDays
from medwarden.store.changes import Change
from medwarden.store.delta import apply_delta
from medwarden.store.open import Store

NUMBER = "Z-0001-2026"


def publish(home: Path, tmp_path: Path, *codes: str, level: str = "Class I", status: str = "Ongoing") -> None:  # noqa: F811
    folder = tmp_path / "published"
    folder.mkdir(exist_ok=True)
    reports = []
    for n, text in enumerate(codes, 1):
        report = making.enforcement(f"Z-{n:04d}-2026", level)
        report |= {
            "product_description": "PumpOne infusion pump, model P100",
            "code_info": text,
            "status": status,
        }
        reports.append(report)
    document = {
        "meta": {"results": {"skip": 0, "limit": len(reports), "total": len(reports)}},
        "results": reports,
    }
    (folder / "enforcement.json").write_text(json.dumps(document))
    import_files(home, [folder], unsigned=True)


@pytest.fixture
def pumps(store: Store, heard: DeltaMaker) -> Store:  # noqa: F811
    from medwarden.store.models import Device

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(1, 2, 3))
    Device.objects.update(vendor="Acme Medical", model="PumpOne P100", name="Pump")
    Device.objects.filter(pk="d-main-1").update(serial="1500")
    Device.objects.filter(pk="d-main-2").update(serial="2500")
    return store


def states(number: str = NUMBER) -> dict[str, str]:
    from medwarden.store.models import RecallVerdict

    rows = RecallVerdict.objects.filter(notice__number=number, until_ns=None)
    return dict(rows.values_list("device_id", "state"))


def case_of(device: str) -> str:
    from medwarden.store.models import RecallCase

    return str(RecallCase.objects.get(device=device, notice__number=NUMBER).pk)


def step_of(device: str) -> str:
    from medwarden.store.models import RecallCase

    return str(RecallCase.objects.get(device=device, notice__number=NUMBER).step)


def finding_states(device: str) -> list[str]:
    from medwarden.store.models import Finding

    rows = Finding.objects.filter(kind="recall", device_id=device)
    return list(rows.values_list("state", flat=True))


def test_recalls_then_devices_and_devices_then_recalls(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device, Finding, RecallVerdict

    assert refresh(pumps.home, "default") == 0
    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    assert refresh(pumps.home, "default") == 3
    assert states() == {"d-main-1": "affected", "d-main-2": "not_affected", "d-main-3": "unknown"}
    finding = Finding.objects.get(kind="recall", device_id="d-main-1")
    assert (finding.severity, finding.state) == ("critical", "open")
    assert "1500 is one of 1000 to 2000" in finding.detail
    assert Finding.objects.get(kind="recall", device_id="d-main-3").severity == "high"
    assert finding_states("d-main-2") == []
    before = RecallVerdict.objects.count()
    assert refresh(pumps.home, "default") == 0
    assert RecallVerdict.objects.count() == before, "nothing changed, nothing is written"

    Device.objects.filter(pk="d-main-3").update(serial="1999")
    assert match_devices(pumps.home, "default", "main", ["d-main-3"]) == 1
    assert match_devices(pumps.home, "default", "main", ["d-main-3"]) == 0
    assert states()["d-main-3"] == "affected"
    past = RecallVerdict.objects.filter(device_id="d-main-3").exclude(until_ns=None).get()
    assert (past.state, "missing: its serial number" in past.reason) == ("unknown", True)
    now = RecallVerdict.objects.get(device_id="d-main-3", until_ns=None)
    assert now.cause == "what is known of the device changed"


def test_a_new_recall_is_judged_alone_and_the_past_stays_known(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import RecallNotice, RecallVerdict
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recalls import history, versions

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    then = wall_clock()
    publish(pumps.home, tmp_path, "Serial Numbers 2000 through 3000", "All units")
    assert refresh(pumps.home, "default") == 3
    assert states() == {"d-main-1": "not_affected", "d-main-2": "affected", "d-main-3": "unknown"}
    assert set(states("Z-0002-2026").values()) == {"affected"}
    causes = set(
        RecallVerdict.objects.filter(until_ns=None, since_ns__gt=then).values_list("cause", flat=True)
    )
    assert causes == {"new or changed notices"}
    held = {span.device: span.state for span in history(Scope(), notice=NUMBER, at_ns=then)}
    assert held["d-main-1"] == "affected"
    assert len(versions(Scope(), NUMBER)) == 2
    assert RecallNotice.objects.count() == 2


def test_a_new_recall_says_the_same_of_devices_as_if_all_were_looked_at(
    pumps: Store,
    heard: DeltaMaker,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from medwarden.store import recalls
    from medwarden.store.models import Device, RecallStanding, RecallVerdict

    with Change("sensor:s", "heard", site="main") as change:
        apply_delta(change, heard(*range(4, 12)))
    for number, (vendor, model) in enumerate(
        [
            ("Acme Medical, Inc.", "PumpOne"), ("ACME", "P100"), ("Acme Medical", "Monitor 7"),
            ("Other Maker", "PumpOne P100"), ("Other Maker", "P100"), (None, "PumpOne P100"),
            ("Acme Medical", None), ("Acme Medicl", "PumpOne P100"),
        ],
        4,
    ):  # fmt: skip
        Device.objects.filter(pk=f"d-main-{number}").update(vendor=vendor, model=model, serial="1500")
    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    looked_at: list[str] = []
    facts_of = recalls.facts_of

    def noting(tenant: str, ids: Sequence[str]) -> dict[str, DeviceFacts]:
        looked_at.extend(ids)
        return facts_of(tenant, ids)

    monkeypatch.setattr(recalls, "facts_of", noting)
    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000", "Serial Numbers 1400 through 1600")
    refresh(pumps.home, "default")
    assert {"d-main-1", "d-main-2", "d-main-3"} <= set(looked_at)
    assert {"d-main-6", "d-main-9", "d-main-10"}.isdisjoint(looked_at), "nothing can mean these"
    found = states("Z-0002-2026")
    assert found["d-main-1"] == "affected"
    written = RecallVerdict.objects.count()
    RecallStanding.objects.all().delete()
    refresh(pumps.home, "default")
    assert len(set(looked_at)) == 11
    assert states("Z-0002-2026") == found
    assert RecallVerdict.objects.count() == written


def test_a_case_goes_from_found_to_closed_with_evidence(pumps: Store, tmp_path: Path) -> None:
    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    case = case_of("d-main-1")
    with pytest.raises(ConfigurationError, match="evidence"):
        work_on("default", [case], Work(step="assessed"), actor="user:anna")
    with pytest.raises(ConfigurationError, match="cannot follow"):
        work_on("default", [case], Work(step="verified", evidence="it works"), actor="user:anna")
    with pytest.raises(ConfigurationError, match="the step is one of"):
        work_on("default", [case], Work(step="sold", evidence="it works"), actor="user:anna")
    for step in ("assessed", "out_of_use", "corrected"):
        work_on("default", [case], Work(step=step, evidence=f"{step}, seen"), actor="user:anna")
    assert finding_states("d-main-1") == ["resolved"], "what is corrected is no danger any more"
    undo("default", case, actor="user:anna", reason="wrong device")
    assert step_of("d-main-1") == "out_of_use"
    assert finding_states("d-main-1") == ["open"]
    work_on(
        "default", [case], Work(step="corrected", evidence="done", references=("DMS 12",)), actor="user:anna"
    )
    work_on("default", [case], Work(step="verified", evidence="tested"), actor="user:bert")
    work_on("default", [case], Work(step="closed", evidence="letter sent back"), actor="user:bert")
    assert step_of("d-main-1") == "closed"


def test_a_notice_is_not_closed_while_devices_are_open(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import AuditEntry, RecallNotice
    from medwarden.store.queries import Scope

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    with pytest.raises(ConfigurationError, match="2 of 2 devices are not done"):
        close("default", NUMBER, actor="user:anna", reason="all done")
    with pytest.raises(ConfigurationError, match="without a reason"):
        close("default", NUMBER, actor="user:anna", reason=" ", despite="x")
    case = case_of("d-main-1")
    for step in ("returned", "verified", "closed"):
        work_on("default", [case], Work(step=step, evidence=step), actor="user:anna")
    record = close("default", NUMBER, actor="user:anna", reason="one returned", despite="the other is lost")
    assert record["steps"] == {"closed": 1, "found": 1}
    assert record["not_affected"] == 1
    assert len(str(record["digest"])) == 64
    assert RecallNotice.objects.get(number=NUMBER).closed_ns is not None
    page = report_html(Scope(), NUMBER, wall_clock())
    assert "the other is lost" in page
    assert str(record["digest"]) in page
    rows = report_rows(Scope(), NUMBER, wall_clock())
    assert [tuple(row) for row in rows] == [REPORT_HEADER] * 3
    with pytest.raises(ConfigurationError, match="closed already"):
        close("default", NUMBER, actor="user:anna", reason="again", despite="x")
    reopen("default", NUMBER, actor="user:anna", reason="the other was found")
    assert RecallNotice.objects.get(number=NUMBER).closed_ns is None
    actions = set(AuditEntry.objects.filter(subject=f"recall:{NUMBER}").values_list("action", flat=True))
    assert {"recall.closed", "recall.reopened"} <= actions


def test_another_device_opens_a_closed_notice_again(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device, RecallNotice

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    close("default", NUMBER, actor="user:anna", reason="done", despite="on paper")
    Device.objects.filter(pk="d-main-2").update(serial="1700")
    match_devices(pumps.home, "default", "main", ["d-main-2"])
    assert RecallNotice.objects.get(number=NUMBER).closed_ns is None
    assert step_of("d-main-2") == "found"


def test_a_case_nobody_touched_closes_with_its_verdict_and_comes_back(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    Device.objects.filter(pk="d-main-3").update(serial="9")
    match_devices(pumps.home, "default", "main", ["d-main-3"])
    assert step_of("d-main-3") == "closed"
    Device.objects.filter(pk="d-main-3").update(serial="1234")
    match_devices(pumps.home, "default", "main", ["d-main-3"])
    assert step_of("d-main-3") == "found"
    work_on("default", [case_of("d-main-1")], Work(step="assessed", evidence="looked"), actor="user:anna")
    Device.objects.filter(pk="d-main-1").update(serial="9")
    match_devices(pumps.home, "default", "main", ["d-main-1"])
    assert step_of("d-main-1") == "assessed", "what a person began stays with the person"


def test_owner_day_order_and_notes_are_kept_and_taken_back(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import RecallCase

    set_due_days("default", DueDays(I=3), actor="user:anna", reason="our rule")
    assert due_days("default").I == 3
    with pytest.raises(ConfigurationError):
        set_due_days("default", DueDays(I=0), actor="user:anna", reason="no")
    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    row = RecallCase.objects.get(device="d-main-1")
    assert row.due_ns == row.opened_ns + 3 * DAY_NS
    work = Work(owner="Anna", work_order="WO-7", due="2030-01-31", evidence="called the maker")
    assert work_on("default", [row.pk, case_of("d-main-3")], work, actor="user:anna") == 2
    row.refresh_from_db()
    assert (row.owner, row.work_order) == ("Anna", "WO-7")
    kinds = [undo("default", row.pk, actor="user:anna", reason="no") for _ in range(4)]
    assert kinds == ["note", "due_ns", "work_order", "owner"]
    row.refresh_from_db()
    assert (row.owner, row.work_order, row.due_ns) == ("", "", row.opened_ns + 3 * DAY_NS)
    with pytest.raises(ConfigurationError, match="nothing left"):
        undo("default", row.pk, actor="user:anna", reason="no")
    describe("default", NUMBER, actor="user:anna", owner="Anna", contact="recalls@acme.example")
    with pytest.raises(ConfigurationError, match="say what to do"):
        work_on("default", [row.pk], Work(), actor="user:anna")
    with pytest.raises(ConfigurationError, match="no day"):
        work_on("default", [row.pk], Work(due="tomorrow"), actor="user:anna")


LETTER = Entered(
    title="Battery of PumpOne", maker="Acme Medical", product="PumpOne P100", serials="1 to 1600, 2500",
    recall_class="II", action="Replace the battery.", begun="2026-02-03",
)  # fmt: skip


def test_a_makers_letter_is_entered_corrected_and_withdrawn(pumps: Store) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recalls import versions

    number = enter("default", notice_of(LETTER), actor="user:anna", reason="came by post")
    assert number.startswith("N-20")
    assert states(number) == {"d-main-1": "affected", "d-main-2": "affected", "d-main-3": "unknown"}
    (known,) = versions(Scope(), number)
    assert entered_of(known.body).serials == LETTER.serials
    fixed = notice_of(Entered(**{**_fields(LETTER), "serials": "1 to 1600"}))
    assert correct("default", number, fixed, actor="user:anna", reason="second letter") == 2
    assert states(number)["d-main-2"] == "not_affected"
    assert [v.number for v in versions(Scope(), number)] == [2, 1]
    with pytest.raises(ConfigurationError, match="already"):
        correct("default", number, fixed, actor="user:anna", reason="again")
    withdraw("default", number, actor="user:anna", reason="not for our country")
    assert states(number) == {}
    with pytest.raises(ConfigurationError, match="cannot be withdrawn"):
        withdraw("default", number, actor="user:anna", reason="again")


def _fields(entered: Entered) -> dict[str, str]:
    import msgspec

    return msgspec.structs.asdict(entered)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": " "}, "needs a title"),
        ({"product": "", "models": ""}, "needs a title and a product"),
        ({"recall_class": "IV"}, "class is one of"),
        ({"begun": "yesterday"}, "no day"),
    ],
)
def test_what_cannot_be_a_notice_is_said(pumps: Store, changed: dict[str, str], words: str) -> None:
    del pumps
    with pytest.raises(ConfigurationError, match=words):
        enter("default", notice_of(Entered(**{**_fields(LETTER), **changed})), actor="user:anna", reason="x")


def test_a_csaf_document_becomes_a_notice(pumps: Store) -> None:
    from tests.app.test_vulnerabilities import advisory

    document = advisory("ACME-1", "<= 2.5")
    branch = document["product_tree"]["branches"][0]  # type: ignore[index]
    branch["name"] = "Acme Medical"
    branch["branches"][0]["name"] = "PumpOne P100"
    numbers = enter_document(
        "default", json.dumps(document).encode(), "letter.json", actor="user:anna", reason=""
    )
    assert numbers == ["ACME-1"]
    assert set(states("ACME-1").values()) == {"unknown"}, "no device tells its firmware"
    branch["branches"][0]["branches"][0]["name"] = "<= 3.5"
    assert enter_document(
        "default", json.dumps(document).encode(), "l.json", actor="user:anna", reason=""
    ) == ["ACME-1"]
    with pytest.raises(MalformedInput):
        enter_document("default", b"[]", "letter.json", actor="user:anna", reason="")


def test_cases_follow_a_device_that_turned_out_to_be_another(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device, MergedDevice, RecallCase

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    MergedDevice.objects.create(
        tenant_id="default",
        site_id="main",
        gone="d-main-1",
        kept="d-main-2",
        at_ns=1,
        reason="one and the same",
    )
    Device.objects.filter(pk="d-main-1").delete()
    refresh(pumps.home, "default")
    assert not RecallCase.objects.filter(device="d-main-1").exists()
    assert RecallCase.objects.filter(device="d-main-2").count() == 1


def test_another_tenant_sees_and_changes_nothing(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recall_cases import CaseFilter, cases
    from medwarden.store.queries.recalls import notices

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")
    refresh(pumps.home, "default")
    assert notices(Scope("other"), wall_clock()) == []
    assert cases(Scope("other"), CaseFilter(), wall_clock()).total == 0
    assert cases(Scope("default", ("elsewhere",)), CaseFilter(), wall_clock()).total == 0
    assert cases(Scope(), CaseFilter(), wall_clock()).total == 2
    assert cases(Scope(), CaseFilter(states=("not_affected",)), wall_clock()).total == 1
    assert cases(Scope(), CaseFilter(notice=NUMBER), wall_clock()).total == 3
    with pytest.raises(ConfigurationError, match="no case"):
        work_on("other", [case_of("d-main-1")], Work(step="assessed", evidence="x"), actor="user:eve")


def test_lists_over_all_notices_are_narrowed(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope
    from medwarden.store.queries.recall_cases import CaseFilter, cases

    def found(**wanted: object) -> list[tuple[str, str]]:
        page = cases(Scope(), CaseFilter(**wanted), wall_clock())  # type: ignore[arg-type]  # as the filter has them
        assert page.total == len(page.items)
        return sorted((view.notice, view.device) for view in page.items)

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000", "All units", level="Class II")
    refresh(pumps.home, "default")
    Device.objects.filter(pk="d-main-2").update(location="Ward 7")
    assert len(found()) == 5
    assert found(states=("unknown",)) == [(NUMBER, "d-main-3")]
    assert found(states=("not_affected",)) == [(NUMBER, "d-main-2")]
    assert found(text="ward") == [("Z-0002-2026", "d-main-2")]
    assert len(found(text="0002 pump")) == 3
    assert found(text="nothing") == []
    assert found(overdue=True) == []
    work_on("default", [case_of("d-main-1")], Work(owner="Anna", due="2020-01-01"), actor="user:anna")
    assert found(overdue=True) == found(owner="Anna") == [(NUMBER, "d-main-1")]
    assert found(steps=("closed",)) == []
    assert cases(Scope(), CaseFilter(), wall_clock(), limit=1).items[0].overdue, "late ones come first"


def test_a_retired_device_is_spoken_of_no_more(pumps: Store, tmp_path: Path) -> None:
    from medwarden.store.models import Device

    publish(pumps.home, tmp_path, "All units")
    refresh(pumps.home, "default")
    Device.objects.filter(pk="d-main-1").update(retired_at=1)
    assert refresh(pumps.home, "default") == 1
    assert set(states()) == {"d-main-2", "d-main-3"}
    assert step_of("d-main-1") == "closed"
    assert finding_states("d-main-1") == ["resolved"]


def test_what_new_knowledge_means_is_said(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.knowledge_effect import concerned, follow

    before = concerned("default")
    publish(pumps.home, tmp_path, "All units")
    effect = follow(pumps.home, "default", before, 0)
    assert any(said.startswith("What recalls say of 3 devices changed") for said in effect.sentences)


def test_devices_are_compared_as_they_are_judged(pumps: Store, tmp_path: Path) -> None:
    from medwarden.app.judge import judge_stale
    from medwarden.store.models import RecallFacts

    publish(pumps.home, tmp_path, "All units")
    judge_stale("default", "main")
    assert RecallFacts.objects.count() == 3


def test_a_notice_whose_change_was_taken_back_is_stored_by_the_next(
    pumps: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.app import recalls
    from medwarden.store.models import RecallNotice

    publish(pumps.home, tmp_path, "Serial Numbers 1000 through 2000")

    def cut_off(*_: object, **__: object) -> list[str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(recalls, "tell", cut_off)
        with pytest.raises(KeyboardInterrupt):
            match_devices(pumps.home, "default", "main", ["d-main-1"])
    assert not RecallNotice.objects.exists(), "the change was taken back"
    assert match_devices(pumps.home, "default", "main", ["d-main-1"]) == 1
    assert (states(), finding_states("d-main-1")) == ({"d-main-1": "affected"}, ["open"])


def test_a_notice_whose_change_began_earlier_and_committed_later_is_compared(pumps: Store) -> None:
    from medwarden.store.recalls import enter_notice

    began = wall_clock()
    first, late = (
        Notice(number, "Stop", "Acme Medical", MAKER, scopes=(Scope("Acme Medical", "PumpOne P100"),))
        for number in ("N-1", "N-2")
    )
    with Change("user:anna", "a letter", tenant="default") as change:
        enter_notice(change, first)
    refresh(pumps.home, "default")
    assert len(states("N-1")) == 3
    with Change("user:ben", "another letter", tenant="default", clock=lambda: began) as change:
        enter_notice(change, late)
    refresh(pumps.home, "default")
    assert len(states("N-2")) == 3
