"""One pull of a connector from a contract server: what came, what is remembered, how long it would wait."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
from tests.connectors.scanners.contract import ACCOUNT, SECRET, case_of

from medwarden.connectors.scanners.desk import Asked, Credentials, Desk, Stream
from medwarden.connectors.scanners.registry import connector_named
from medwarden.model.scan import ScanReport
from medwarden.sensors.scans.registry import read_report
from medwarden.transport.http import HttpSession, Limits
from medwarden.transport.kept import Kept

NOW = 1_780_000_000.0


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the time pass."""
        self.slept.append(seconds)
        self.now += seconds


class Pulled(msgspec.Struct):
    """What a pull came to: names and reports in their order, and the state after the last of them."""

    reports: list[tuple[str, ScanReport]] = []
    state: dict[str, str] = {}
    failures: list[str] = []
    slept: list[float] = []
    error: Exception | None = None


def read(path: Path) -> ScanReport:
    """Return what a report says, read as a file of a person is."""
    with path.open("rb") as file:
        return read_report(file, "the report")


def pulled(
    case: Path,
    url: str,
    folder: Path,
    *,
    state: dict[str, str] | None = None,
    read_s: float = 20.0,
    limits: Limits | None = None,
    account: str = ACCOUNT,
    authorities: Path | None = None,
    fingerprint: str = "",
    open_stream: Callable[[str], Stream] | None = None,
) -> Pulled:
    """Pull once; an error of ours is kept with what had been taken in before."""
    told, time = case_of(case), Time()
    connector = connector_named(case.parent.name)
    came = Pulled(state=dict(told["state"] if state is None else state))
    arriving = folder / "arriving"
    arriving.mkdir(parents=True, exist_ok=True)
    session = HttpSession(
        now=time, wall=time, sleep=time.sleep, read_s=read_s, authorities=authorities, fingerprint=fingerprint
    )
    asked = Asked(connector.manifest.title, url, Credentials(account, SECRET), tuple(told.get("chosen", ())))
    desk = Desk(
        asked, session, arriving, Kept(folder / "kept"), came.state, now_s=NOW, sleep=time.sleep,
        limits=limits, open_stream=open_stream,
    )  # fmt: skip
    try:
        for brought in connector.pull(desk):
            came.reports.append((brought.name, read(brought.path)))
            came.state = dict(desk.state)
        came.state = dict(desk.state)
    except Exception as error:  # noqa: BLE001 - what it is the test says
        came.error = error
    finally:
        session.close()
    came.failures, came.slept = desk.failures, time.slept
    return came


def expected(case: Path) -> list[tuple[str, ScanReport]]:
    """Return what a case says that comes."""
    return [(each["name"], read(case.parent / each["as"])) for each in case_of(case)["brought"]]
