"""The trained model that comes with medwarden; how it is made and what from stands in docs/model.md."""

from __future__ import annotations

from importlib import resources

SHIPPED = "shipped.mwm"


def shipped_file() -> bytes | None:
    """Return the octets of the shipped model, None where this build was made without one."""
    file = resources.files("medwarden.knowledge.models") / SHIPPED
    return file.read_bytes() if file.is_file() else None
