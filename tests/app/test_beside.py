"""A second process judges as this one does, and its end loses nothing."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from tests.app.test_ingest import batches

from medwarden.app import beside as beside_module
from medwarden.app import judge, surroundings
from medwarden.app.beside import Answer, Beside, Identified, Lost, in_parts
from medwarden.app.fingerprints import load_own
from medwarden.app.ingest import Ingest
from medwarden.app.judge import Judging, judge_stale
from medwarden.app.models import load_model
from medwarden.store.open import Store


def _heard(store: Store, capture: Path) -> tuple[str, str, list[str]]:
    from medwarden.store.queries import stale_devices

    ingest = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    return ingest.writer.tenant, ingest.writer.site, stale_devices(ingest.writer.site)


def test_a_second_process_identifies_and_assesses_as_this_one(store: Store, capture: Path) -> None:
    tenant, site, ids = _heard(store, capture)
    load_own(store.home)
    load_model(store.home)
    here = Judging(tenant, site)
    with Beside(store.home, tenant, site) as beside:
        beside.ask(ids, assess=False)
        beside.ask(ids[:1], assess=True)
        identified = beside.answer(list[Identified])
        assert msgspec.to_builtins(identified) == msgspec.to_builtins(here.identified(ids))
        (score, findings), *others = beside.answer(list[beside_module.Outcome])
        assert not others
        assert (score.device, score.score) == (ids[0], here.assessed(ids[:1])[0][0].score)
        assert {finding.device for finding in findings} <= {ids[0]}
        pid = beside.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_large_backlog_is_stored_with_its_help(
    store: Store, capture: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from medwarden.store.models import Identification, RiskScore

    tenant, site, ids = _heard(store, capture)
    monkeypatch.setattr(judge, "MANY", 1)
    monkeypatch.setattr(judge, "_AT_ONCE", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(Judging, "identified", _not_here)
    monkeypatch.setattr(Judging, "assessed", _not_here)
    monkeypatch.setattr(Judging, "assessed_few", _not_here)
    with caplog.at_level(logging.WARNING):
        assert judge_stale(tenant, site) == len(ids) == 2
    assert not caplog.records
    assert Identification.objects.count() == 2
    assert RiskScore.objects.filter(current=True).count() == 2


def _not_here(_self: Judging, _ids: Sequence[str]) -> list[Identified]:
    raise AssertionError("this process was to store only")


def test_this_process_goes_on_alone_when_the_other_was_killed(
    store: Store, capture: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tenant, site, ids = _heard(store, capture)
    parts = iter([[each] for each in ids])
    with Beside(store.home, tenant, site) as beside, caplog.at_level(logging.WARNING):
        assert beside.pid is not None
        os.kill(beside.pid, signal.SIGKILL)
        found = list(
            in_parts(
                beside,
                lambda _under_way: next(parts, []),
                Judging(tenant, site).identified,
                list[Identified],
                assess=False,
            )
        )
    assert [part for part, _ in found] == [[each] for each in ids]
    assert [each.device.id for _, judged in found for each, _ in judged] == ids
    assert "goes on in one process" in caplog.text


def test_a_process_that_labels_by_something_else_is_not_believed(
    store: Store, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, site, ids = _heard(store, capture)
    monkeypatch.setattr(beside_module, "labelling_version", lambda: "labels-of-another-kind")
    with Beside(store.home, tenant, site) as beside:
        beside.ask(ids, assess=False)
        with pytest.raises(Lost, match="labels by"):
            beside.answer(list[Identified])


def test_parts_under_way_are_not_asked_for_again() -> None:
    told: list[list[str]] = []

    def following(under_way: Sequence[str]) -> list[str]:
        told.append(list(under_way))
        return [] if len(told) > 2 else [f"d-{len(told)}"]

    found = list(
        in_parts(None, following, lambda ids: [each.upper() for each in ids], list[str], assess=False)
    )
    assert found == [(["d-1"], ["D-1"]), (["d-2"], ["D-2"])]
    assert told == [[], [], []]


def test_surroundings_are_kept_and_follow_devices(
    store: Store, capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.identities import retire
    from medwarden.store.models import Device as Row
    from medwarden.store.queries import complete_devices

    tenant, site, ids = _heard(store, capture)
    judge_stale(tenant, site)
    reads: list[str] = []
    read = surroundings._read

    def counted(tenant: str, site: str) -> object:
        reads.append(site)
        return read(tenant, site)

    monkeypatch.setattr(surroundings, "_read", counted)
    Row.objects.filter(pk=ids[0]).update(device_class="OT", subnet="10.99.0.0/24")
    kept = surroundings.surroundings_with(tenant, site, complete_devices(ids[:1]))
    assert reads == []
    anew = surroundings.surroundings(tenant, site)
    assert reads == [site]
    assert dict(kept.subnets) == dict(anew.subnets)
    assert (site, "10.99.0.0/24") in kept.subnets
    assert dict(kept.labels) == dict(anew.labels)
    with Change("user:anna", "sold", tenant=tenant, site=site) as change:
        retire(change, ids[1])
    assert ids[1] not in surroundings.surroundings_with(tenant, site, ()).labels
    assert reads == [site, site]


def test_this_process_judges_too_while_the_answer_is_not_there() -> None:
    class Slow(Beside):
        def __init__(self) -> None:
            super().__init__(Path(), "default", "main")
            self.asked: list[list[str]] = []
            self.looks = 0

        def ask(self, ids: Sequence[str], *, assess: bool) -> None:
            self.asked.append(list(ids))

        def ready(self) -> bool:
            self.looks += 1
            return self.looks % 2 == 0

        def answer(self, kind: type[list[Answer]]) -> list[Answer]:
            return msgspec.convert([f"beside {each}" for each in self.asked.pop(0)], kind)

    parts = iter([[f"d-{number}"] for number in range(6)])
    found = list(
        in_parts(
            Slow(),
            lambda _under_way: next(parts, []),
            lambda ids: [f"here {i}" for i in ids],
            list[str],
            assess=False,
        )
    )
    assert sorted(part for part, _ in found) == [[f"d-{number}"] for number in range(6)]
    assert all(answer[0].endswith(part[0]) for part, answer in found)
    assert {answer[0].split(" ")[0] for _, answer in found} == {"beside", "here"}
