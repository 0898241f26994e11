"""Captures without patients: read twice, written once, whole or not at all, never over what was read."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from medwarden.app.inputs import find_inputs
from medwarden.dissect.sanitise import Sanitiser, SanitiseReport
from medwarden.kernel.errors import ConfigurationError, MalformedInput, MedwardenError, ResourceError
from medwarden.kernel.printable import printable
from medwarden.sensors.capture_rewrite import packed, pieces

Progress = Callable[[int, int, str], None]


class Sanitised(msgspec.Struct, frozen=True):
    """What became of one capture: where it was written (empty: nowhere), the report, and what was wrong.

    With an ``error`` the packets before it were written.
    """

    path: str
    out: str
    report: SanitiseReport
    error: str | None = None


def sanitise_captures(
    named: Sequence[Path], out: Path, *, keep_unknown: bool = False, progress: Progress | None = None
) -> list[Sanitised]:
    """Write each capture among ``named`` files and folders without patients: to ``out``, or into it.

    One input is written to the file ``out`` (packed as its name says) unless that is a folder; several go
    into the folder ``out`` under their names. Raises ConfigurationError where an output would be an input
    or is there already, before anything is read.
    """
    files = find_inputs(named).files
    targets = _targets(files, out)
    done: list[Sanitised] = []
    for number, (path, target) in enumerate(zip(files, targets, strict=True)):
        if progress is not None:
            progress(number, len(files), str(path))
        done.append(sanitise_capture(path, target, keep_unknown=keep_unknown))
    if progress is not None:
        progress(len(files), len(files), "done")
    return done


def sanitise_capture(path: Path, target: Path, *, keep_unknown: bool = False) -> Sanitised:
    """Write one capture without patients; what is wrong with it stands in the outcome.

    Raises ResourceError where ``target`` cannot be written.
    """
    sanitiser = Sanitiser(keep_unknown=keep_unknown)
    error = _first_pass(path, sanitiser)
    if error is not None and sanitiser.seen == 0:
        return Sanitised(printable(str(path)), "", sanitiser.close(), printable(error))
    sanitiser.prepare()
    try:
        second = _write(path, target, sanitiser)
    except OSError as problem:
        raise ResourceError(f"{target}: cannot be written ({problem.strerror})") from problem
    error = error or second
    words = None if error is None else printable(error)
    return Sanitised(printable(str(path)), printable(str(target)), sanitiser.close(), words)


def _first_pass(path: Path, sanitiser: Sanitiser) -> str | None:
    try:
        for piece in pieces(path):
            if piece.linktype >= 0:
                sanitiser.learn(piece.data, piece.linktype)
    except MedwardenError as wrong:
        return str(wrong)
    return None


def _write(path: Path, target: Path, sanitiser: Sanitiser) -> str | None:
    """Write into a file beside ``target`` and put it in place once it is whole and on the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    error: str | None = None
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:80]}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            with packed(target, cast("BinaryIO", file)) as write:
                try:
                    for piece in pieces(path):
                        if piece.linktype < 0:
                            write(piece.head)
                        elif sanitiser.report.packets < sanitiser.seen:
                            write(piece.head + sanitiser.clean(piece.data, piece.linktype) + piece.tail)
                except (MalformedInput, ResourceError) as wrong:
                    error = str(wrong)
            file.flush()
            os.fsync(file.fileno())
        # A link refuses what a rename would overwrite.
        os.link(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
    return error


def _targets(files: Sequence[Path], out: Path) -> list[Path]:
    if len(files) == 1 and not out.is_dir():
        targets = [out]
    else:
        if out.exists() and not out.is_dir():
            raise ConfigurationError(f"{out} is a file: name a folder for {len(files)} captures")
        targets = [out / path.name for path in files]
    _refuse(files, targets)
    return targets


def _refuse(files: Iterable[Path], targets: Sequence[Path]) -> None:
    inputs = {path.resolve() for path in files}
    if len({target.resolve() for target in targets}) < len(targets):
        raise ConfigurationError("two captures have the same name: sanitise them one after the other")
    for target in targets:
        if target.resolve() in inputs:
            raise ConfigurationError(f"{target} is an input: an input is never overwritten")
        if target.exists() or target.is_symlink():
            raise ConfigurationError(f"{target} is there already: name another or remove it")
