"""InsightVM and Nexpose: the newest result of every report in the form "XML Export 2.0".

After Rapid7's description of the console's API (version 3): reports, their history, and the output of one
instance. The console makes reports by its own schedule; medwarden fetches what it has not seen yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Generic, TypeVar

import msgspec

from medwarden.connectors.scanners.desk import Brought, ConnectorManifest, Desk
from medwarden.kernel.errors import RemoteServiceError
from medwarden.transport.pace import Pace

_T = TypeVar("_T")
_PACE = Pace(60, 60.0)
_FORM = "xml-export-v2"
_PAGE = 100
_MOST_PAGES = 100


class _Report(msgspec.Struct):
    id: int
    format: str = ""
    name: str = ""


class _Pages(msgspec.Struct, rename="camel"):
    total_pages: int = 1


class _Instance(msgspec.Struct):
    id: int
    status: str
    generated: str = ""


class _Listed(msgspec.Struct, Generic[_T]):
    resources: list[_T]
    page: _Pages = msgspec.field(default_factory=_Pages)


class InsightVm:
    """Fetches report by report."""

    manifest: ClassVar[ConnectorManifest] = ConnectorManifest(
        name="insightvm",
        title="InsightVM",
        scanner="rapid7",
        reference="Rapid7, InsightVM API (v3): Report",
        address="https://insightvm.example:3780",
        account="User",
        secret="Password",  # noqa: S106 - what it is called
        chosen="Reports, by name or number",
    )

    @staticmethod
    def pull(desk: Desk) -> Iterator[Brought]:
        """Yield the newest result of each report that was not brought yet."""
        headers = {**desk.credentials.basic(), "Accept": "application/json"}
        listed = _all(desk, "/api/3/reports", _Listed[_Report], headers)
        reports = [report for report in listed if report.format == _FORM]
        chosen = [report for report in reports if desk.wanted(report.name, str(report.id))]
        if not chosen:
            which = "of those chosen" if desk.chosen else "at all"
            raise RemoteServiceError(
                f"{desk.title} has no report {which} in the form XML Export 2.0: make one there, to be"
                " written after each scan"
            )
        for number, report in enumerate(chosen):
            what = f"report {report.name or report.id}"
            desk.tell(number, len(chosen), what)
            instance = desk.of_one(what, partial(_newest, desk, report, headers))
            if instance is None or desk.state.get(f"report {report.id}") == str(instance.id):
                continue
            brought = desk.of_one(what, partial(_output, desk, report, instance))
            if brought is not None:
                desk.state[f"report {report.id}"] = str(instance.id)
                yield brought
        desk.ended({f"report {report.id}" for report in reports})


def _output(desk: Desk, report: _Report, instance: _Instance) -> Brought:
    path = f"/api/3/reports/{report.id}/history/{instance.id}/output"
    came = desk.file(path, desk.credentials.basic(), keep=f"report-{report.id}-{instance.id}")
    return Brought(came, f"{report.name or report.id}.xml", alone=True)


def _all(desk: Desk, path: str, kind: type[_Listed[_T]], headers: dict[str, str]) -> Iterator[_T]:
    """Yield what all pages of a list hold."""
    page, pages = 0, 1
    while page < min(pages, _MOST_PAGES):
        listed = desk.answer(f"{path}?page={page}&size={_PAGE}", kind, headers, pace=_PACE)
        yield from listed.resources
        page, pages = page + 1, listed.page.total_pages


def _newest(desk: Desk, report: _Report, headers: dict[str, str]) -> _Instance | None:
    history = _all(desk, f"/api/3/reports/{report.id}/history", _Listed[_Instance], headers)
    done = [each for each in history if each.status == "complete"]
    if not done:
        desk.failures.append(f"report {report.name or report.id} was never written: write it on the console")
    return max(done, key=lambda each: (each.generated, each.id), default=None)


CONNECTOR = InsightVm
