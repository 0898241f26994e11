"""The IEEE's registry of MAC prefixes as a hospital brought it, laid over the packaged one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from medwarden.kernel.errors import ResourceError
from medwarden.knowledge.oui import maker_of, use_registry
from medwarden.store.knowledge import FILE, FOLDER, Knowledge

_FEED = "oui"
_log = logging.getLogger(__name__)
_loaded: dict[Path, tuple[tuple[int, int], int]] = {}
"""By folder: when the file of knowledge was changed last, and which edition of the registry is in use."""


def load_registry(home: Path) -> bool:
    """Put the registry of a data folder to use; tell whether another one is in use now.

    What came over the network or in a bundle is younger than the packaged table and wins; what a person
    brought may be of any age and only says what the table does not know. Nothing is read again while no
    knowledge changed; what cannot be read leaves the one in use, with a warning.
    """
    stamp = _stamp(home)
    known = _loaded.get(home)
    if known is not None and known[0] == stamp:
        return False
    try:
        with Knowledge(home) as knowledge:
            state = knowledge.states().get(_FEED)
            edition = state.edition if state else None
            number = edition.id if edition else 0
            if known is not None and known[1] == number:
                _loaded[home] = (stamp, number)
                return False
            if known is None and not number and not _loaded:
                _loaded[home] = (stamp, 0)
                return False
            found = {one.id.lower(): one.organisation for one in knowledge.assignments()}
    except ResourceError as error:
        _log.warning("the registry of MAC prefixes is not read: %s", error)
        return False
    _loaded.clear()  # one folder's registry is in use at a time
    _loaded[home] = (stamp, number)
    use_registry(found, newer=edition is not None and edition.proof != "unsigned")
    return True


def _stamp(home: Path) -> tuple[int, int]:
    """Return when knowledge changed last: of the database and of the log that SQLite writes first."""
    path = home / FOLDER / FILE

    def changed(file: Path) -> int:
        try:
            return file.stat().st_mtime_ns
        except OSError:
            return 0

    return changed(path), changed(path.with_name(f"{path.name}-wal"))


def makers_of(macs: Iterable[str]) -> dict[str, str]:
    """Return the registered maker of each MAC address that has one."""
    found = ((mac, maker_of(mac)) for mac in macs)
    return {mac: maker.registered for mac, maker in found if maker is not None}


def judge_again(home: Path) -> int:
    """Load the registry, and have devices judged anew whose address has another maker now; return how many.

    Of every tenant, for all share the registry. On an open store of a writer.
    """
    from medwarden.store.marking import mark
    from medwarden.store.models import Interface

    rows = list(Interface.objects.values_list("mac", "device_id"))
    before = makers_of({mac for mac, _ in rows})
    if not load_registry(home):
        return 0
    after = makers_of({mac for mac, _ in rows})
    other = {device for mac, device in rows if before.get(mac) != after.get(mac)}
    mark(other, retired=False)
    return len(other)
