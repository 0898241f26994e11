"""From batches to the store: whose they are, exactly once, also when a batch is offered again."""

from __future__ import annotations

from pathlib import Path

import pytest

from medwarden.app.ingest import Ingest, token_key
from medwarden.app.intake import take_in
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.batch import Batch
from medwarden.store.open import Store


def batches(capture: Path, key: bytes) -> list[Batch]:
    """Return what a capture comes to."""
    taken: list[Batch] = []
    report = take_in(capture, key, taken.append)
    assert report.error is None
    return [batch for batch in taken if not batch.empty()]


def counts(store: Store) -> dict[str, int]:
    from medwarden.store.models import Device, EvidenceEntry

    return {
        "devices": Device.objects.count(),
        "facts": sum(EvidenceEntry.objects.values_list("count", flat=True)),
        "flows": store.lake.count("flows", tenant="default"),
        "evidence": store.lake.count("evidence", tenant="default"),
    }


def test_a_batch_is_stored_once_however_often_it_is_offered(store: Store, capture: Path) -> None:
    ingest = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, ingest.token_key)
    state = ingest.writer.begin_input("file:1", "a.pcap", "pcap")
    ingest.commit(state, 0, batch)
    assert ingest.new_devices == 2
    stored = counts(store)
    assert stored["devices"] == 2
    assert stored["flows"] == 1
    assert stored["evidence"] > 3
    ingest.commit(state, 0, batch)
    # Another process, after a crash, knows it from the ledger.
    again = Ingest(store, "capture", kind="capture")
    revived = again.writer.begin_input("file:1", "a.pcap", "pcap")
    assert revived.next_batch == 1
    again.commit(revived, 0, batch)
    assert counts(store) == stored
    assert again.new_devices == 0


def test_devices_are_known_again_by_the_next_sensor(store: Store, capture: Path) -> None:
    first = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, first.token_key)
    first.commit(first.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    second = Ingest(store, "live-eth0", kind="live")
    second.commit(second.writer.begin_input("live:1", "eth0", "live"), 0, batch)
    assert second.new_devices == 0
    assert counts(store)["devices"] == 2


def test_tokens_are_keyed_by_the_secret_of_the_folder(store: Store, tmp_path: Path) -> None:
    key = token_key(store.home)
    assert len(key) == 32
    assert key == token_key(store.home)
    secret = store.home / "secret.key"
    secret.write_text("another secret")
    assert token_key(store.home) != key
    secret.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        token_key(store.home)
