"""A live interface into the store; the wire itself is tested on the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.flowcore import packets as made

from medwarden.app.ingest import Ingest
from medwarden.app.live import _Listener, listen
from medwarden.app.packet_stage import PacketStage
from medwarden.kernel.errors import ResourceError
from medwarden.model.accounting import PacketCount
from medwarden.store.open import Store


class Ear:
    """Stands in for the ring: says how many packets it has taken."""

    def __init__(self, stage: PacketStage) -> None:
        self._stage = stage

    @property
    def packets(self) -> PacketCount:
        return PacketCount(self._stage.core.parsed, self._stage.core.parsed)


class AtOnce:
    """A storekeeper that does in this thread what it is brought."""

    def bring(self, job: Callable[[], None]) -> None:
        job()


def test_batches_are_stored_as_they_come_and_silence_is_a_heartbeat(store: Store) -> None:
    from medwarden.flowcore import CaptureReader
    from medwarden.store.models import Device, InputLedger, Sensor

    ingest = Ingest(store, "live-ear0", kind="live")
    stage = PacketStage(ingest.token_key)
    listener = _Listener(ingest, stage, "ear0")
    listener.capture = Ear(stage)  # type: ignore[assignment]
    listener.keeper = AtOnce()  # type: ignore[assignment]
    Sensor.objects.filter(pk="live-ear0").update(heartbeat_ns=0)
    listener.flush(final=False)
    assert Sensor.objects.get(pk="live-ear0").heartbeat_ns > 0
    assert InputLedger.objects.get().next_batch == 0
    frame = made.udp_frame(b"<134>Jan  2 03:04:05 ct01 app[7]: hello", src=514, dst=514)
    CaptureReader(stage.core, "ear0").feed(memoryview(made.pcap([(made.START, frame)])), 0, True)
    listener(stage.core)
    ledger = InputLedger.objects.get()
    assert ledger.next_batch == 1
    assert ledger.report["packets"]["parsed"] == 1
    assert Device.objects.count() == 1
    listener.flush(final=True)
    assert store.lake.count("flows", tenant="default") == 1


def test_an_interface_that_is_not_there_is_named_before_a_folder_is_made(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match="nowhere0"):
        listen(tmp_path / "home", ["nowhere0"])
    assert not (tmp_path / "home").exists()
