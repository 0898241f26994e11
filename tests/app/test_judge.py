"""Stale devices are identified and assessed, and only they."""

from __future__ import annotations

from pathlib import Path

from tests.app.test_ingest import batches

from medwarden.app.ingest import Ingest
from medwarden.app.judge import judge_stale, surroundings
from medwarden.store.open import Store


def test_what_was_heard_of_is_judged_once(store: Store, capture: Path) -> None:
    from medwarden.store.models import Device, Identification

    ingest = Ingest(store, "capture", kind="capture")
    tenant, site = ingest.writer.tenant, ingest.writer.site
    assert judge_stale(tenant, site) == 0
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    assert Device.objects.filter(stale=True).count() == 2
    assert judge_stale(tenant, site) == 2
    assert judge_stale(tenant, site) == 0
    assert not Device.objects.filter(stale=True).exists()
    assert Identification.objects.count() == 2
    assert all(name for name in Device.objects.values_list("name", flat=True))
    context = surroundings(tenant, site)
    assert context is not None


def test_another_site_is_left_alone(store: Store, capture: Path) -> None:
    ingest = Ingest(store, "capture@north", kind="capture", site="north")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    assert judge_stale(ingest.writer.tenant, "south") == 0
    assert judge_stale(ingest.writer.tenant, "north") == 2
