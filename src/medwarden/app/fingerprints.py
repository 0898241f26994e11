"""Fingerprints a hospital writes itself: checked, tried on its own captures, and put to use.

Own rules lie in ``fingerprints/`` of the data folder. A file that does not hold is named and left out;
the packaged rules and the other files go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from medwarden.app.registry import load_registry
from medwarden.inventory.labelling import derived_facts
from medwarden.kernel.errors import ConfigurationError, MalformedInput, ResourceError
from medwarden.knowledge.fingerprints.index import Index
from medwarden.knowledge.fingerprints.local import LARGEST, check_rules, read_rules
from medwarden.knowledge.fingerprints.rules import (
    Fingerprint,
    fingerprints,
    generation,
    own_rules,
    use_own,
)
from medwarden.model.accounting import InputReport
from medwarden.model.device import Device

FOLDER = "fingerprints"
_SHOWN = ("class", "category", "vendor", "model", "os")
_log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]


class Matched(msgspec.Struct, frozen=True):
    """A rule that matched a device, with what decided it and what it says."""

    rule: str
    field: str
    value: str
    says: dict[str, str]


class Tried(msgspec.Struct, frozen=True):
    """One device of a capture: what matched, and what it was called before and with the rules tried."""

    device: str
    macs: tuple[str, ...]
    matched: tuple[Matched, ...]
    before: dict[str, str | None]
    after: dict[str, str | None]


class Trial(msgspec.Struct, frozen=True):
    """What rules come to on captures: devices with a match, and how many devices there are at all."""

    devices: tuple[Tried, ...]
    of: int
    inputs: tuple[InputReport, ...]


def check_file(path: Path) -> tuple[tuple[Fingerprint, ...], list[str]]:
    """Return the rules of a file and its complaints. Raises ResourceError where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST * 4 + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    try:
        return check_rules(data.decode(), str(path))
    except UnicodeDecodeError as error:
        return (), [f"{path}:1: not UTF-8 text at byte {error.start}"]


def _signature(home: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what changes whenever a file of own rules does."""
    found = []
    for path in _files(home):
        try:
            state = path.stat()
        except OSError:
            continue  # taken away between listing and looking: the next look shows it gone
        found.append((path.name, state.st_mtime_ns, state.st_size))
    return tuple(found)


_loaded: dict[Path, tuple[tuple[tuple[str, int, int], ...], int]] = {}
"""The files' state and the generation of the rules in use: others may have been put to use since."""


def load_own(home: Path) -> bool:
    """Put the rules of the data folder to use; tell whether that changes anything.

    A file with anything wrong is left out with a warning that names file and line. Nothing is read
    again while no file has changed. The registry of MAC prefixes goes with them.
    """
    load_registry(home)
    now = _signature(home)
    if _loaded.get(home) == (now, generation()):
        return False
    _loaded.clear()  # one folder's rules are in use at a time
    rules: dict[str, Fingerprint] = {}
    for path in _files(home):
        try:
            found = read_rules(path.read_text(encoding="utf-8"), path.name)
        except (OSError, UnicodeDecodeError, MalformedInput) as error:
            _log.warning("own fingerprints left out: %s", error)
            continue
        rules |= {rule.id: rule for rule in found}
    new = use_own(tuple(rules.values()))
    _loaded[home] = (now, generation())
    return new


def _files(home: Path) -> list[Path]:
    try:
        return sorted(path for path in (home / FOLDER).iterdir() if path.suffix in (".yaml", ".yml"))
    except OSError:
        return []


def add_file(home: Path, path: Path, *, actor: str) -> int:
    """Check a file, keep it in the data folder under its name and have devices judged anew.

    Return how many rules it has. Raises ConfigurationError that names file and line of the first thing
    wrong; nothing is changed then.
    """
    from medwarden.store.open import open_store

    rules, problems = check_file(path)
    if problems:
        more = f" (and {len(problems) - 1} more: `medwarden fingerprint lint` shows them)"
        raise ConfigurationError(problems[0] + (more if len(problems) > 1 else ""))
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigurationError(f"{path}: give the file a name that ends in .yaml")
    with open_store(home, writer=True, role="fingerprints"):
        from medwarden.store.changes import Change

        with Change(actor, f"own fingerprints from {path.name}") as change:
            folder = home / FOLDER
            folder.mkdir(exist_ok=True)
            kept = folder / path.name
            before = kept.read_text(encoding="utf-8") if kept.exists() else None
            draft = folder / f".{path.name}.new"
            draft.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
            draft.replace(kept)
            summary = {"rules": [rule.id for rule in rules]}
            was = None if before is None else {"rules": [r.id for r in check_rules(before, path.name)[0]]}
            change.record("fingerprints.added", f"fingerprints:{path.name}", was, summary)
        _judge_anew(home)
    return len(rules)


def remove_file(home: Path, name: str, *, actor: str) -> None:
    """Take a file of own rules away. Raises ConfigurationError where there is none of that name."""
    from medwarden.store.open import open_store

    kept = {path.name: path for path in _files(home)}
    if name not in kept:
        raise ConfigurationError(
            f"no file of own rules is called {name!r}; there are: {', '.join(kept) or 'none'}"
        )
    with open_store(home, writer=True, role="fingerprints"):
        from medwarden.store.changes import Change

        with Change(actor, f"own fingerprints {name} taken away") as change:
            kept[name].unlink()
            change.record("fingerprints.removed", f"fingerprints:{name}")
        _judge_anew(home)


def _judge_anew(home: Path) -> None:
    from medwarden.app.judge import judge_stale
    from medwarden.app.worker import renew
    from medwarden.store.models import Site

    load_own(home)
    renew()
    for tenant, site in Site.objects.values_list("tenant_id", "id"):
        judge_stale(tenant, site)


def try_rules(
    captures: Iterable[str | Path], rules: tuple[Fingerprint, ...] | None, *, progress: Progress | None = None
) -> Trial:
    """Read captures and tell what would match: ``rules``, or all in use where None is given.

    With ``rules`` each device is identified without and with them, so that it shows what they change.
    """
    from medwarden.app.inputs import find_inputs
    from medwarden.app.study import study
    from medwarden.inventory.labelling import identify

    studied = study(find_inputs(captures).files, progress=progress)
    index = Index(fingerprints() if rules is None else rules)
    standing = own_rules()
    found = []
    try:
        if rules is not None:
            use_own((*(rule for rule in standing if rule.id not in {r.id for r in rules}), *rules))
        for device in studied.devices:
            entries = [(entry.field, entry.value) for entry in device.ledger]
            matches = index.match([*entries, *derived_facts(device)])
            if matches:
                after = device if rules is None else identify(device, company=studied.company)
                matched = tuple(Matched(m.rule.id, m.field, m.value, dict(m.labels)) for m in matches)
                found.append(Tried(device.label, device.macs, matched, _answer(device), _answer(after)))
    finally:
        use_own(standing)
    return Trial(tuple(found), len(studied.devices), studied.inputs)


def _answer(device: Device) -> dict[str, str | None]:
    return {
        level: verdict.label if (verdict := device.verdict(level)) is not None else None for level in _SHOWN
    }
