"""Take three batches in; run as a program, be killed before or after one of the steps.

``python replaying.py HOME BATCHES POINT-before|after NUMBER``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq

from medwarden.model.accounting import InputReport
from medwarden.model.inventory_delta import InventoryDelta
from medwarden.store.open import Store, open_store

BATCHES = 3


def take_in(store: Store, folder: Path) -> None:
    """Offer every batch of ``folder``, as a replay of the same input does."""
    from medwarden.store.ingest import IngestWriter

    writer = IngestWriter(store, "s1")
    state = writer.begin_input("c1", "a.pcap", "pcap")
    for n in range(BATCHES):
        delta = msgspec.json.decode((folder / f"delta{n}.json").read_bytes(), type=InventoryDelta)
        flows = pq.read_table(folder / f"flows{n}.parquet")
        facts = pq.read_table(folder / f"facts{n}.parquet")
        writer.commit_batch(state, n, flows, facts, delta)
        print("acknowledged", n, flush=True)  # noqa: T201 (what the test counts)
    writer.finish_input(state, InputReport("a.pcap", "pcap"))


def die_at(owner: Any, name: str, when: str, number: int) -> None:
    """Let the process end at once, as by kill -9, around the ``number``-th call of ``owner.name``."""
    real, calls = getattr(owner, name), []

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == number and when == "before":
            os._exit(9)
        result = real(*args, **kwargs)
        if len(calls) == number and when == "after":
            os._exit(9)
        return result

    setattr(owner, name, dying)


def main() -> None:
    home, folder, point, number = sys.argv[1:]
    with open_store(Path(home), writer=True) as store:
        from medwarden.store import changes, ingest, lake, lake_files

        owners: dict[str, tuple[Any, str]] = {
            "append": (lake.Lake, "append_each_once"),
            "close": (lake_files.DurableStream, "close"),
            "ledger": (lake_files.FileLedger, "add_batches"),
            "delta": (ingest, "apply_delta"),
            "acknowledge": (ingest.IngestWriter, "_acknowledge"),
            "commit": (ingest.IngestWriter, "commit_batch"),
            "seal": (changes, "seal_head"),
            "finish": (ingest.IngestWriter, "finish_input"),
        }
        step, when = point.split("-")
        die_at(*owners[step], when, int(number))
        take_in(store, Path(folder))


if __name__ == "__main__":
    main()
