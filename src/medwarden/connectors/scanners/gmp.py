"""Greenbone and OpenVAS: the report of every task that ended since the last pull, over GMP.

After the Greenbone Management Protocol (22.4 and later): authenticate, get_tasks, get_reports with the report
format "XML", details, and no paging. An account with the role of an observer is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar
from xml.parsers import expat
from xml.sax.saxutils import escape

import msgspec

from medwarden.connectors.scanners.desk import REPORT, Brought, ConnectorManifest, Desk, Stream
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.http import MEBI, Limits

_XML = "a994b278-1f62-11e1-96ac-406186ea4fc5"
"""The id of the report format "XML" in every installation."""
_FILTER = "apply_overrides=0 levels=hmlg min_qod=0 rows=-1"
_SMALL = Limits(most_bytes=64 * MEBI, most_seconds=600.0)
_HEAD = 4096
_ID = re.compile(r"[0-9a-fA-F-]{1,64}\Z")
_STATUS = re.compile(
    rb"""\A\s*(?:<\?xml[^>]{0,200}\?>\s*)?<([a-z_]{1,60})_response\b[^>]{0,2000}?\bstatus=["'](\d{3})["']"""
)
_STATUS_TEXT = re.compile(rb"""status_text=["']([^"'<>]{1,200})["']""")
_NEWEST = ["task", "last_report", "report"]
_MOST_TASKS = 20_000


class Task(msgspec.Struct):
    """A task with its newest finished report: id, and when that ended as Greenbone writes it."""

    name: str = ""
    report: str = ""
    ended: str = ""


class Gmp:
    """Asks for the tasks, then for report by report."""

    manifest: ClassVar[ConnectorManifest] = ConnectorManifest(
        name="gmp",
        title="Greenbone",
        scanner="openvas",
        reference="Greenbone Management Protocol 22.4: get_tasks, get_reports",
        address="tls://greenbone.example:9390",
        account="User",
        secret="Password",  # noqa: S106 - what it is called
        chosen="Tasks, by name",
        schemes=("tls", "unix"),
    )

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield the newest report of each task that was not brought yet."""
        assert desk.open_stream is not None
        stream = desk.open_stream(desk.address)
        try:
            yield from _Conversation(desk, stream).reports()
        finally:
            stream.close()


class _Conversation:
    def __init__(self, desk: Desk, stream: Stream) -> None:
        self._desk = desk
        self._stream = stream

    def reports(self) -> Iterator[Brought]:
        desk = self._desk
        account, secret = escape(desk.credentials.account), escape(desk.credentials.secret)
        words = f"<username>{account}</username><password>{secret}</password>"
        self._asked(f"<authenticate><credentials>{words}</credentials></authenticate>", "authenticate")
        listed = self._asked('<get_tasks usage_type="scan" filter="rows=-1"/>', "get_tasks")
        tasks = read_tasks(listed.read_bytes())
        if tasks is None:
            raise desk.otherwise("get_tasks: an answer that holds no tasks that can be read")
        chosen = [task for task in tasks if task.report and desk.wanted(task.name)]
        new = [task for task in chosen if desk.state.get(f"report {task.report}") != task.ended]
        for number, task in enumerate(new):
            desk.tell(number, len(new), f"task {task.name}")
            yield self._report(task)
        # Only what is still the newest report of a task needs to be remembered.
        desk.ended({f"report {task.report}" for task in tasks})

    def _report(self, task: Task) -> Brought:
        name = f"report-{task.report}"
        path = self._desk.folder / name
        if not self._desk.take_up(name, path):
            came = self._asked(
                f'<get_reports report_id="{task.report}" format_id="{_XML}" details="1" '
                f'ignore_pagination="1" filter="{_FILTER}"/>',
                "get_reports",
                REPORT,
            )
            came.rename(path)
            self._desk.keep(name, path)
        self._desk.state[f"report {task.report}"] = task.ended
        return Brought(path, f"{task.name or task.report}.xml", alone=True)

    def _asked(self, command: str, kind: str, limits: Limits = _SMALL) -> Path:
        target = self._desk.folder / f"answer-{kind}"
        self._desk.may_go_on()
        self._stream.ask(command.encode(), target, self._desk.bounded(limits))
        self._desk.spend(target.stat().st_size)
        with target.open("rb") as file:
            head = file.read(_HEAD)
        said = _STATUS.match(head)
        if said is None or said.group(1).decode() != kind:
            raise self._desk.otherwise(f"{kind}: an answer to something else")
        status = int(said.group(2))
        if 200 <= status < 300:
            return target
        if kind == "authenticate":
            raise RemoteServiceError(
                f"{self._desk.title} at {self._desk.host} does not accept these credentials: give them anew"
            )
        text = _STATUS_TEXT.search(head)
        words = text.group(1).decode("utf-8", "replace") if text else "without a reason"
        shown = "".join(c if c.isprintable() else " " for c in words)
        raise RemoteServiceError(f"{self._desk.title} refuses {kind} with {status}: {shown}")


class _Tasks:
    """Gathers tasks: ``task/name`` and ``task/last_report/report`` with ``scan_end`` or ``timestamp``."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._path: list[str] = []
        self._text: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        self._text = []
        if self._path[1:] == ["task"] and len(self.tasks) < _MOST_TASKS:
            self.tasks.append(Task())
        if self._path[1:] == _NEWEST and _ID.match(attributes.get("id", "")):
            self.tasks[-1].report = attributes["id"]

    def end(self, _tag: str) -> None:
        text = " ".join("".join(self._text).split())[:200]
        within = self._path[1:]
        self._path.pop()
        if not self.tasks:
            return
        task = self.tasks[-1]
        if within == ["task", "name"]:
            task.name = text
        elif within == [*_NEWEST, "scan_end"] or (within == [*_NEWEST, "timestamp"] and not task.ended):
            task.ended = text or task.ended

    def words(self, data: str) -> None:
        if len(self._text) < 200:
            self._text.append(data)


def read_tasks(answer: bytes) -> list[Task] | None:
    """Return the tasks of an answer to get_tasks; None where it is no such answer."""
    gathering = _Tasks()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = gathering.start
    parser.EndElementHandler = gathering.end
    parser.CharacterDataHandler = gathering.words
    try:
        parser.Parse(answer, True)
    except expat.ExpatError:
        return None
    return gathering.tasks


CONNECTOR = Gmp
