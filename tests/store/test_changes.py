from __future__ import annotations

import pytest
from django.db import connection

from medwarden.kernel.errors import InternalError
from medwarden.store.chain import read_head, verify_chain
from medwarden.store.changes import Change, active_change
from medwarden.store.models import AuditEntry, Setting
from medwarden.store.open import Store
from medwarden.store.settings import set_setting, setting


def test_a_change_says_who_what_why_before_and_after(store: Store) -> None:
    with Change("user:anna", "returned", rule_version="r1", site="main", clock=lambda: 7) as change:
        change.record("device.retired", "device:1", {"b": 1, "a": None}, [2])
    entry = AuditEntry.objects.latest("sequence")
    assert (entry.actor, entry.action, entry.subject) == ("user:anna", "device.retired", "device:1")
    assert (entry.before, entry.after) == ('{"a":null,"b":1}', "[2]")
    assert (entry.reason, entry.version, entry.at_ns) == ("returned", "r1", 7)
    assert (entry.tenant_id, entry.site_id) == ("default", "main")


def test_state_and_audit_commit_together_or_not_at_all(store: Store) -> None:
    before = AuditEntry.objects.count()
    head = read_head(store.home)
    with pytest.raises(ValueError, match="halfway"), Change("user:anna", "try") as change:
        set_setting(change, "retention_days", 30)
        raise ValueError("halfway")
    assert not Setting.objects.exists()
    assert AuditEntry.objects.count() == before
    assert read_head(store.home) == head
    assert active_change() is None


def test_a_change_inside_a_change_keeps_one_chain(store: Store) -> None:
    with Change("user:anna", "outer") as outer:
        outer.record("a", "x:1")
        with Change("system", "inner") as inner:
            inner.record("b", "x:2")
            assert active_change() is inner
        assert active_change() is outer
    assert list(AuditEntry.objects.order_by("-sequence").values_list("action", flat=True)[:2]) == ["a", "b"]
    assert verify_chain() is None


def test_recording_outside_the_block_is_a_defect(store: Store) -> None:
    change = Change("user:anna", "late")
    with pytest.raises(InternalError):
        change.record("a", "x:1")


def test_a_change_takes_the_write_lock_when_it_begins(store: Store) -> None:
    with Change("user:anna", "first"):
        assert connection.in_atomic_block
        import sqlite3

        other = sqlite3.connect(store.home / "state.sqlite3", timeout=0)
        try:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.execute("BEGIN IMMEDIATE")
        finally:
            other.close()


def test_settings_have_defaults_and_a_secret_is_not_audited(store: Store) -> None:
    assert setting("retention_days", 90) == 90
    with Change("user:anna", "longer") as change:
        set_setting(change, "retention_days", 365)
        set_setting(change, "smtp_password", "hunter2-hunter2", secret=True)
    with Change("user:anna", "here only", site="main") as change:
        set_setting(change, "retention_days", 10)
    assert setting("retention_days", 90) == 365
    assert setting("retention_days", 90, site="main") == 10
    assert setting("retention_days", 90, site="elsewhere") == 365
    assert setting("smtp_password", "") == "hunter2-hunter2"
    assert not AuditEntry.objects.filter(after__contains="hunter2").exists()
    count = AuditEntry.objects.count()
    with Change("user:anna", "again") as change:
        set_setting(change, "retention_days", 365)
    assert AuditEntry.objects.count() == count
