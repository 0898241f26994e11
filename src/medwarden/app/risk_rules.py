"""The weights in force: as shipped, or with what a hospital's own file in the data folder says otherwise."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.risk.weights import Rules, own_rules, shipped_rules
from medwarden.store.folder import replace_durably

FILE = "risk-weights.yaml"
_log = logging.getLogger(__name__)


class _Read(msgspec.Struct):
    path: Path
    stamp: tuple[int, int]
    rules: Rules


_kept: list[_Read] = []


def read_rules(path: Path) -> Rules:
    """Return the rules with the weights of a file.

    Raises ConfigurationError with file and line where it does not hold, ResourceError where it cannot be
    read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror}") from error
    return own_rules(text, str(path))


def rules_in_force(home: Path | None) -> Rules:
    """Return the rules of a data folder; those as shipped where it has no weights of its own.

    A file that does not hold is named in the log, and what was in force before it stays.
    """
    if home is None:
        return shipped_rules()
    path = home / FILE
    try:
        stat = path.stat()
    except FileNotFoundError:
        _kept[:] = [read for read in _kept if read.path != path]
        return shipped_rules()
    stamp = (stat.st_mtime_ns, stat.st_size)
    before = next((read for read in _kept if read.path == path), None)
    if before is not None and before.stamp == stamp:
        return before.rules
    try:
        rules = read_rules(path)
    except (ConfigurationError, ResourceError) as error:
        rules = shipped_rules() if before is None else before.rules
        _log.error(
            "%s: %s stay in force", error, "the weights as shipped" if before is None else "older ones"
        )
    _kept[:] = [read for read in _kept if read.path != path]
    _kept.append(_Read(path, stamp, rules))
    return rules


def put_in_force(home: Path, source: Path | None, *, actor: str, reason: str) -> Rules:
    """Put the weights of ``source`` in force (None: those as shipped) and have every device scored anew.

    On an open store of a writer. Raises ConfigurationError where the file does not hold or no reason is
    given.
    """
    from medwarden.store.changes import Change
    from medwarden.store.models import Tenant
    from medwarden.store.risk_rules import note_rules
    from medwarden.store.scores import mark_due

    if not reason.strip():
        raise ConfigurationError("say why the weights change: --reason")
    before = rules_in_force(home)
    rules = shipped_rules() if source is None else read_rules(source)
    for tenant in Tenant.objects.values_list("pk", flat=True):
        with Change(actor, reason, rules.version, tenant=tenant) as change:
            change.record("risk.weights", "risk:weights", before.version, rules.version)
            note_rules(change, rules)
            mark_due(change)
    if source is None:
        (home / FILE).unlink(missing_ok=True)
    else:
        replace_durably(home / FILE, rules.own.encode() or source.read_bytes())
    return rules
