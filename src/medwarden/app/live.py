"""A live interface to the store: batches every second, exact accounting, clean ends."""

from __future__ import annotations

FLUSH_SECONDS = 2.0
