"""The trained model of a data folder: kept beside the fingerprints, put to use, taken away again.

A hospital's own model lies in ``models/local.mwm``. One that does not hold is named and left out; the
shipped model goes on.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from medwarden.inventory.labels.in_use import generation, use_model
from medwarden.inventory.labels.model import LabelModel
from medwarden.inventory.labels.model_file import LARGEST_FILE
from medwarden.kernel.errors import MalformedInput, ResourceError

FOLDER = "models"
LOCAL = "local.mwm"

_log = logging.getLogger(__name__)
_loaded: dict[Path, tuple[tuple[int, int] | None, int]] = {}
"""The file's state and the generation of the model in use: another may have put a model to use since."""


def local_file(home: Path) -> Path:
    """Return where the model of a data folder lies; it need not be there."""
    return home / FOLDER / LOCAL


def read_model(path: Path) -> LabelModel:
    """Return the model in a file. Raises ResourceError or MalformedInput, which name the file."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    return LabelModel.from_bytes(data, str(path))


def load_model(home: Path) -> bool:
    """Label by the model of the data folder, by the shipped one where it has none; tell whether that is new.

    Nothing is read again while the file has not changed.
    """
    path = local_file(home)
    now = _signature(path)
    if _loaded.get(home) == (now, generation()):
        return False
    _loaded.clear()  # one folder's model is in use at a time
    model: LabelModel | None = None
    if now is not None:
        try:
            model = read_model(path)
        except (MalformedInput, ResourceError) as error:
            _log.warning("own model left out: %s", error)
    new = use_model(model)
    _loaded[home] = (now, generation())
    return new


def _signature(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def write_model(path: Path, model: LabelModel) -> None:
    """Write a model to a file in one step. Raises ResourceError where that is not possible."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(model.to_bytes())
        draft.replace(path)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error


def keep_model(home: Path, model: LabelModel) -> bool:
    """Keep ``model`` as the data folder's own and label by it; tell whether that changes anything."""
    write_model(local_file(home), model)
    return load_model(home)


def forget_model(home: Path) -> bool:
    """Take the data folder's own model away and label by the shipped one; tell whether that is new."""
    local_file(home).unlink(missing_ok=True)
    return load_model(home)
