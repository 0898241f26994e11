"""Let one more device be heard, as a sensor process would: ``python newcomer.py HOME MAC``."""

from __future__ import annotations

import sys
from pathlib import Path

from medwarden.kernel.clock import wall_clock
from medwarden.kernel.ids import stable_id
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.inventory_delta import DeviceChange, InterfaceChange, InventoryDelta, KeyKind
from medwarden.store.ingest import IngestWriter
from medwarden.store.open import open_store


def main(home: Path, mac: str) -> None:
    now = wall_clock()
    with open_store(home, writer=True, role="sensor-test") as store:
        writer = IngestWriter(store, "span-core")
        device = stable_id("dev", writer.site, mac)
        delta = InventoryDelta(
            writer.site,
            devices=(DeviceChange(device, writer.site, KeyKind.MAC, True, False, now, now, (30,)),),
            interfaces=(InterfaceChange(device, mac, False, False, now, now),),
        )
        state = writer.begin_input(f"live-{mac}", "eth0", "live")
        report = InputReport("eth0", "live", PacketCount(1, 1, 0, 0))
        writer.commit_batch(state, 0, None, None, delta, report)
        writer.finish_input(state, report)
    sys.stdout.write(device)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
