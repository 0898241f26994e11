"""Where the data folder lies: one folder holds everything medwarden keeps."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(named: str | os.PathLike[str] | None = None) -> Path:
    """Return the data folder: ``named`` (``--home``), else MEDWARDEN_HOME, else the user's data folder.

    The user's data folder follows the XDG base directory specification. Nothing is created here.
    """
    chosen = named or os.environ.get("MEDWARDEN_HOME")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser().resolve() / "medwarden"
