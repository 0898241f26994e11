"""When knowledge is looked for by itself: once a day where an operator turned it on, sooner after a failure.

Off in a fresh folder: nothing then calls out. The moment of a day is the time that is set and a jitter that
is another every day. A look that failed is tried again for the feeds that failed, after a quarter of an hour,
then twice as long, up to four hours and six times; then the next day.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from medwarden.app.knowledge_settings import Schedule, read_settings
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.store.folder import replace_durably
from medwarden.store.knowledge import FOLDER

STATE = "schedule.json"
MOST_RETRIES = 6
_FIRST_RETRY = timedelta(minutes=15)
_LONGEST_RETRY = timedelta(hours=4)
_NS = 1_000_000_000


class Looks(msgspec.Struct, frozen=True):
    """What is remembered of looks by schedule.

    ``seed`` makes the jitter of this folder another than that of others. ``begun_ns`` without a later
    ``ended_ns`` is a look under way, or one that was killed. ``failed`` are feeds that failed at the
    last one, ``tries`` how many looks failed one after another.
    """

    seed: str
    begun_ns: int = 0
    ended_ns: int = 0
    failed: tuple[str, ...] = ()
    tries: int = 0


class Due(msgspec.Struct, frozen=True):
    """The next look: when, and at which feeds (empty: all that the schedule names); why again, if it is."""

    at_ns: int
    feeds: tuple[str, ...]
    again: bool


def read_looks(home: Path) -> Looks:
    """Return what is remembered; something fresh where nothing (readable) is."""
    path = home / FOLDER / STATE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Looks)
    except FileNotFoundError:
        return Looks(secrets.token_hex(8))
    except (OSError, ValueError) as error:
        raise ResourceError(f"{path} cannot be read ({error}): remove it") from error


def write_looks(home: Path, looks: Looks) -> None:
    """Remember. Raises ResourceError for the disk."""
    write_state(home / FOLDER / STATE, looks)


def write_state(path: Path, state: msgspec.Struct) -> None:
    """Keep a state as JSON for this user alone, whole or not at all. Raises ResourceError for the disk."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_durably(path, msgspec.json.encode(state), 0o600)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror or error}") from error


def moment_of(day: date, schedule: Schedule, seed: str) -> datetime:
    """Return the moment of a day at which knowledge is looked for.

    A time that a change of clocks leaves out or brings twice is read as ``zoneinfo`` does (PEP 495, fold 0).
    """
    hours, minutes = map(int, schedule.at.split(":"))
    draw = int.from_bytes(hashlib.sha256(f"{seed} {day.isoformat()}".encode()).digest()[:8])
    jitter = draw % (schedule.jitter_minutes * 60 + 1)
    at = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=ZoneInfo(schedule.zone))
    return at.astimezone(UTC) + timedelta(seconds=jitter)


def next_look(schedule: Schedule, looks: Looks, now_ns: int) -> Due | None:
    """Return the next look, which may lie in the past (it is then due now); None where it is turned off."""
    if not schedule.on:
        return None
    now = datetime.fromtimestamp(now_ns / _NS, UTC)
    today = now.astimezone(ZoneInfo(schedule.zone)).date()
    begun = datetime.fromtimestamp(looks.begun_ns / _NS, UTC)
    days = (moment_of(today + timedelta(days=n), schedule, looks.seed) for n in (-1, 0, 1, 2))
    regular = next(moment for moment in days if moment > begun)
    again = _retry(looks)
    if again is not None and again < regular:
        return Due(_ns(again), looks.failed, again=True)
    return Due(_ns(regular), (), again=False)


def _retry(looks: Looks) -> datetime | None:
    """Return when a look that failed, or was killed, is to be tried again."""
    killed = looks.begun_ns > looks.ended_ns
    tries = looks.tries + killed
    if not tries or tries > MOST_RETRIES or not (looks.failed or killed):
        return None
    wait = min(_FIRST_RETRY * 2 ** (tries - 1), _LONGEST_RETRY)
    since = looks.begun_ns if killed else looks.ended_ns
    moment: datetime = datetime.fromtimestamp(since / _NS, UTC) + wait
    return moment


def _ns(moment: datetime) -> int:
    return int(moment.timestamp()) * _NS


def due_now(home: Path, now_ns: int) -> Due | None:
    """Return the look that is due; None where none is, or where the settings do not hold."""
    try:
        due = next_look(read_settings(home).schedule, read_looks(home), now_ns)
    except ConfigurationError:
        return None
    return due if due is not None and due.at_ns <= now_ns else None


def begin(home: Path, now_ns: int) -> Looks:
    """Remember that a look begins; one that was killed before counts as failed."""
    looks = read_looks(home)
    if looks.begun_ns > looks.ended_ns:
        looks = msgspec.structs.replace(looks, tries=looks.tries + 1, failed=())
    looks = msgspec.structs.replace(looks, begun_ns=now_ns)
    write_looks(home, looks)
    return looks


def end(home: Path, failed: Sequence[str], now_ns: int) -> None:
    """Remember how a look went."""
    looks = read_looks(home)
    tries = looks.tries + 1 if failed else 0
    write_looks(home, msgspec.structs.replace(looks, ended_ns=now_ns, failed=tuple(failed), tries=tries))


def turned_on(home: Path, now_ns: int) -> None:
    """Let the first look be the next time of day, not one that passed before the schedule was turned on."""
    looks = read_looks(home)
    write_looks(home, Looks(looks.seed, begun_ns=now_ns, ended_ns=now_ns))
