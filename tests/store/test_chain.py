from __future__ import annotations

import sqlite3
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.store import chain
from medwarden.store.changes import Change
from medwarden.store.models import AuditEntry
from medwarden.store.open import Store

FLIPPED = "CASE substr({0}, 1, 1) WHEN 'a' THEN 'b' ELSE 'a' END || substr({0}, 2)"
"""The same digest with another first letter, whatever it was."""


def write(count: int) -> None:
    for number in range(count):
        with Change("user:anna", f"reason {number}") as change:
            change.record("device.retired", f"device:{number}", {"n": number}, {"n": number + 1})


def tamper(store: Store, *statements: str) -> None:
    with sqlite3.connect(store.home / "state.sqlite3") as database:
        for statement in statements:
            database.execute(statement)
    database.close()


def test_an_untouched_chain_is_whole(store: Store) -> None:
    write(5)
    report = chain.check_chain()
    assert (report.broken, report.reason) == (None, "")
    assert report.entries == AuditEntry.objects.count() >= 5
    assert chain.verify_chain() is None


@pytest.mark.parametrize(
    "column, value",
    [
        ("actor", "'user:eve'"),
        ("reason", "reason || ' '"),
        ("before", "'{}'"),
        ("after", "'{}'"),
        ("at_ns", "at_ns + 1"),
        ("action", "'nothing'"),
        ("subject", "'device:x'"),
        ("version", "'9'"),
        ("site_id", "'main'"),
        ("digest", FLIPPED.format("digest")),
        ("previous", FLIPPED.format("previous")),
    ],
)
def test_a_flipped_value_is_found(store: Store, column: str, value: str) -> None:
    write(6)
    tamper(store, f"UPDATE store_auditentry SET {column} = {value} WHERE sequence = 5")
    assert chain.verify_chain() == 5


def test_a_deleted_row_is_found(store: Store) -> None:
    write(6)
    tamper(store, "DELETE FROM store_auditentry WHERE sequence = 4")
    assert chain.verify_chain() == 4


def test_a_deleted_row_is_found_when_the_rest_moves_up(store: Store) -> None:
    write(6)
    tamper(
        store,
        "DELETE FROM store_auditentry WHERE sequence = 4",
        "UPDATE store_auditentry SET sequence = sequence - 1 WHERE sequence > 4",
    )
    assert chain.verify_chain() == 4


def test_reordered_rows_are_found(store: Store) -> None:
    write(6)
    tamper(
        store,
        "UPDATE store_auditentry SET sequence = -1 WHERE sequence = 4",
        "UPDATE store_auditentry SET sequence = 4 WHERE sequence = 5",
        "UPDATE store_auditentry SET sequence = 5 WHERE sequence = -1",
    )
    assert chain.verify_chain() == 4


def test_a_cut_off_end_is_found(store: Store) -> None:
    write(6)
    last = AuditEntry.objects.count()
    tamper(store, f"DELETE FROM store_auditentry WHERE sequence >= {last - 1}")
    report = chain.check_chain()
    assert report.broken == last - 1
    assert report.reason == f"rows {last - 1} to {last} were cut off"


def test_an_emptied_chain_is_found(store: Store) -> None:
    write(2)
    tamper(store, "DELETE FROM store_auditentry")
    assert chain.verify_chain() == 1


def test_a_removed_or_forged_head_is_found(store: Store) -> None:
    write(6)
    last = AuditEntry.objects.count()
    path = store.home / "audit.head"
    head = msgspec.json.decode(path.read_bytes(), type=chain.Head)
    digest = AuditEntry.objects.get(sequence=4).digest
    tamper(store, "DELETE FROM store_auditentry WHERE sequence > 4")
    path.write_bytes(msgspec.json.encode(chain.Head(4, digest, head.at_ns, head.seal)))
    assert chain.verify_chain() == 5
    path.unlink()
    assert chain.verify_chain() == 5
    assert last > 5


def test_a_cut_off_end_stays_found_when_writing_goes_on(store: Store) -> None:
    write(6)
    last = AuditEntry.objects.count()
    tamper(store, f"DELETE FROM store_auditentry WHERE sequence = {last}")
    write(3)
    report = chain.check_chain()
    assert report.broken == last
    assert "did not fit its sealed head" in report.reason
    assert AuditEntry.objects.get(sequence=last).action == chain.MISMATCH


def test_rewriting_history_with_right_digests_is_found_by_the_anchors(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "ANCHOR_EVERY", 4)
    write(12)
    entries = list(AuditEntry.objects.order_by("sequence"))
    previous = entries[4].previous
    entries[4].reason = "forged"
    for entry in entries[4:]:
        entry.previous = previous
        entry.digest = previous = chain.digest_of(entry)
    AuditEntry.objects.bulk_update(entries[4:], ["reason", "previous", "digest"])
    (store.home / "audit.head").unlink()
    broken = chain.verify_chain()
    assert broken is not None
    assert 5 <= broken <= 8


def test_a_forged_anchor_is_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "ANCHOR_EVERY", 2)
    write(4)
    path = store.home / "audit.anchors"
    path.write_bytes(path.read_bytes().replace(b'"sequence":4', b'"sequence":5', 1))
    report = chain.check_chain()
    assert report.broken == 1
    assert "line 1: the seal does not hold" in report.reason


def test_after_a_crash_between_commit_and_head_the_chain_is_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(2)
    with monkeypatch.context() as patch:
        patch.setattr("medwarden.store.changes.seal_head", lambda *_, **__: None)
        write(2)
    assert chain.verify_chain() is None
    write(1)
    assert chain.verify_chain() is None


WRITER = """
import sys
from pathlib import Path
from medwarden.store.open import open_store
with open_store(Path(sys.argv[1]), writer=True, role="test-" + sys.argv[2]):
    from medwarden.store.changes import Change
    for _ in range(10):
        with Change("user:" + sys.argv[2], "at the same time") as change:
            change.record("device.retired", "device:x")
"""


def test_several_processes_keep_one_chain(store: Store) -> None:
    before = AuditEntry.objects.count()
    command = [sys.executable, "-c", WRITER, str(store.home)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    for process in processes:
        assert process.wait(120) == 0
    assert AuditEntry.objects.count() == before + 30
    assert chain.check_chain() == chain.ChainReport(before + 30)
    head = chain.read_head(store.home)
    assert head is not None
    assert head.sequence == before + 30


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_canonical_json_reads_back_and_does_not_depend_on_order(value: object) -> None:
    text = chain.canonical(value)
    assert msgspec.json.decode(text.encode("utf-8", "replace")) == value or "\\ud" in text
    if isinstance(value, dict):
        assert chain.canonical(dict(reversed(value.items()))) == text
