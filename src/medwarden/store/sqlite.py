"""How SQLite is opened: durable, concurrent readers, foreign keys on."""

from __future__ import annotations

PRAGMAS = (
    ("journal_mode", "WAL"),  # readers never wait for the writer
    ("synchronous", "FULL"),  # a commit that returned is on the disk
    ("temp_store", "MEMORY"),
    ("mmap_size", "268435456"),
    ("cache_size", "-65536"),  # KiB
)
INIT_COMMAND = "; ".join(f"PRAGMA {name}={value}" for name, value in PRAGMAS)
