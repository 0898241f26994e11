"""Operations on vulnerabilities: lists, verdicts on devices, people's words, reports of scanners."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status

from medwarden.app.scans import UPLOAD, import_upload, protected_devices, take_back, written_exclusions
from medwarden.app.vulnerabilities import called_irrelevant, called_relevant
from medwarden.app.vulnerability_pages import (
    AboutAdvisory,
    AboutVulnerability,
    about_advisory,
    about_vulnerability,
)
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.operations.scan_exclusions import Exclusion
from medwarden.store import queries
from medwarden.store.queries.scans import ScanHostView, ScanView, scan_hosts, scans
from medwarden.store.queries.scope import Page
from medwarden.store.queries.vulnerabilities import VerdictFilter, VerdictView, verdicts
from medwarden.store.queries.vulnerability_list import SORTS, ListFilter, VulnerabilityRow, vulnerability_page
from medwarden.store.scans import ScanImport
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import Problem, list_of, page_of, page_schema, plain, schema_of
from medwarden.web.decisions import data_folder
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, site_named

router = Router(tags=["Vulnerabilities"])
SEE = needs(Permission.SEE_INVENTORY)
CHANGE = needs(Permission.CHANGE_FINDING)
FEED = needs(Permission.FEED_DATA)
EXPORT = needs(Permission.EXPORT)
STATES = ("concerning", "confirmed", "potential", "fixed", "not_affected", "irrelevant")


def _paged(page: int, per: int) -> tuple[int, int]:
    return max(1, page), min(max(1, per), 1000)


class VulnerabilityQuery(Schema):
    """Which vulnerabilities, in which order."""

    q: str = ""
    state: str = Field("concerning", description="One of " + ", ".join(STATES))
    exploited: bool = False
    least: float = Field(0.0, description="CVSS base score from which they are listed")
    seen_by: str = Field("", description="medwarden, a scanner, both or contradicted")
    exploits: int = Field(0, description="Public exploits from which they are listed")
    sort: str = Field("-grave", description="One of " + ", ".join(SORTS) + "; - for descending")
    page: int = 1
    per: int = 100


class VerdictQuery(Schema):
    """Which verdicts: one of device, vulnerability and advisory has to be given."""

    device: str = ""
    vulnerability: str = ""
    advisory: str = ""
    state: str = ""
    q: str = ""
    at_ns: int = Field(0, description="As they stood then; 0 for now")
    page: int = 1
    per: int = 100


@router.get(
    "/vulnerabilities",
    response=page_schema(VulnerabilityRow),
    auth=SEE,
    url_name="vulnerabilities",
    summary="Vulnerabilities with counts of devices",
)
def vulnerabilities(request: HttpRequest, asked: Query[VulnerabilityQuery]) -> dict[str, Any]:
    """Return vulnerabilities that something is said of, the gravest first."""
    page, per, sort = *_paged(asked.page, asked.per), asked.sort
    if asked.state not in STATES or sort.removeprefix("-") not in SORTS:
        raise ConfigurationError("no such state or order: see the description")
    wanted = ListFilter(asked.q, asked.state, asked.exploited, asked.least, asked.seen_by, asked.exploits)
    found = vulnerability_page(
        scope_of(request).store, wanted, at_ns=wall_clock(), sort=sort, offset=(page - 1) * per, limit=per
    )
    return page_of(found, page, per)


@router.get(
    "/vulnerabilities/{vulnerability_id}",
    response={200: schema_of(AboutVulnerability), 404: Problem},
    auth=SEE,
    url_name="vulnerability",
    summary="One vulnerability from all its sources",
)
def vulnerability(request: HttpRequest, vulnerability_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return what the sources say of a vulnerability."""
    wanted = VerdictFilter(vulnerability=vulnerability_id)
    views = list(verdicts(scope_of(request).store, wanted, at_ns=wall_clock()))
    named = tuple(sorted({view.advisory for view in views if view.advisory}))
    found = about_vulnerability(data_folder(), vulnerability_id, named)
    if not views and not found.known:
        return Status(404, {"detail": "Nothing is known of such a vulnerability here."})
    return plain(found)


@router.get(
    "/advisories/{advisory_id}",
    response={200: schema_of(AboutAdvisory), 404: Problem},
    auth=SEE,
    url_name="advisory",
    summary="One advisory",
)
def advisory(request: HttpRequest, advisory_id: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return what an advisory says."""
    del request
    found = about_advisory(data_folder(), advisory_id)
    if found is None:
        return Status(404, {"detail": "There is no such advisory here."})
    return plain(found)


@router.get(
    "/verdicts",
    response={200: page_schema(VerdictView), 404: Problem},
    auth=SEE,
    url_name="verdicts",
    summary="Verdicts on devices and vulnerabilities",
)
def verdict_rows(request: HttpRequest, asked: Query[VerdictQuery]) -> Any:  # noqa: ANN401 (JSON)
    """Return one object per device and vulnerability: verdict, reason, evidence, who saw it."""
    page, per = _paged(asked.page, asked.per)
    scope = scope_of(request).store
    if not (asked.device or asked.vulnerability or asked.advisory):
        raise ConfigurationError("say which device, vulnerability or advisory")
    row = queries.find_device(scope, asked.device) if asked.device else None
    if asked.device and row is None:
        return Status(404, {"detail": "There is no such device in what you may see."})
    wanted = VerdictFilter(
        devices=None if row is None else (row.pk,),
        states=(asked.state,) if asked.state else (),
        vulnerability=asked.vulnerability,
        advisory=asked.advisory,
        text=asked.q,
    )
    found = list(verdicts(scope, wanted, at_ns=asked.at_ns or wall_clock(), now=not asked.at_ns))
    start = (page - 1) * per
    return page_of(Page(tuple(found[start : start + per]), len(found), start, per), page, per)


class Irrelevant(Schema):
    """Why and until when a vulnerability is irrelevant for a device."""

    vulnerability: str = Field(max_length=60)
    reason: str = Field(min_length=1, max_length=500)
    expires_ns: int
    alike: bool = Field(False, description="For all devices of the same kind and version")


class Relevant(Schema):
    """Why a vulnerability counts again for a device."""

    vulnerability: str = Field(max_length=60)
    reason: str = Field(min_length=1, max_length=500)


@router.post(
    "/devices/{device_id}/irrelevant",
    response={204: None, 404: Problem, 422: Problem},
    auth=CHANGE,
    summary="Call a vulnerability irrelevant for a device",
)
def irrelevant(request: HttpRequest, device_id: str, body: Irrelevant) -> Any:  # noqa: ANN401 (an empty answer)
    """Keep a person's word that a vulnerability is irrelevant for a device until a time."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        return Status(404, {"detail": "There is no such device in what you may see."})
    called_irrelevant(
        scope.tenant, row.site_id, row.pk, body.vulnerability,
        reason=body.reason, actor=actor_of(request), expires_ns=body.expires_ns, alike=body.alike,
    )  # fmt: skip
    forget()
    return Status(204, None)


@router.post(
    "/devices/{device_id}/relevant",
    response={204: None, 404: Problem, 422: Problem},
    auth=CHANGE,
    summary="Take back that a vulnerability is irrelevant",
)
def relevant(request: HttpRequest, device_id: str, body: Relevant) -> Any:  # noqa: ANN401 (an empty answer)
    """Let a vulnerability count again for a device."""
    scope = scope_of(request)
    row = queries.find_device(scope.store, device_id)
    if row is None:
        return Status(404, {"detail": "There is no such device in what you may see."})
    called_relevant(
        scope.tenant, row.site_id, row.pk, body.vulnerability, reason=body.reason, actor=actor_of(request)
    )
    forget()
    return Status(204, None)


@router.get("/scans", response=page_schema(ScanView), auth=SEE, url_name="scans", summary="Scanner reports")
def scan_rows(request: HttpRequest, removed: bool = False, page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return the imported reports of scanners, the latest first."""
    page, per = _paged(page, per)
    found = scans(scope_of(request).store, removed=removed, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get(
    "/scans/{scan_id}/hosts", response=page_schema(ScanHostView), auth=SEE, summary="Hosts of a report"
)
def scan_host_rows(
    request: HttpRequest, scan_id: str, unknown: bool = False, page: int = 1, per: int = 100
) -> dict[str, Any]:
    """Return the hosts of a report and which devices they are; only those that are none with ``unknown``."""
    page, per = _paged(page, per)
    found = scan_hosts(scope_of(request).store, scan_id, unknown=unknown, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


class ReportIn(Schema):
    """A scanner's report for a site; ``report`` is the file, or its bytes in base64 with ``packed``."""

    site: str
    name: str = Field("report", max_length=200)
    report: str
    packed: bool = False


@router.post(
    "/scans",
    response={200: schema_of(ScanImport), 404: Problem, 422: Problem},
    auth=FEED,
    summary="Import a scanner's report",
)
def scan_import(request: HttpRequest, body: ReportIn) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Take a report in; the same one counts once."""
    scope = scope_of(request)
    try:
        document = base64.b64decode(body.report, validate=True) if body.packed else body.report.encode()
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError("the report is no base64") from error
    if len(document) > UPLOAD:
        raise ConfigurationError(f"the report is larger than {UPLOAD >> 20} MiB")
    try:
        done = import_upload(
            data_folder(),
            document,
            body.name,
            actor=actor_of(request),
            tenant=scope.tenant,
            site=site_named(request, body.site),
        )
    except MalformedInput as error:
        raise ConfigurationError(str(error)) from error
    forget()
    return plain(done)


class Why(Schema):
    """The reason of a step."""

    reason: str = Field(min_length=1, max_length=500)


@router.post(
    "/scans/{scan_id}/remove",
    response={204: None, 404: Problem, 422: Problem},
    auth=FEED,
    summary="Take a report back",
)
def scan_remove(request: HttpRequest, scan_id: str, body: Why) -> Any:  # noqa: ANN401 (an empty answer)
    """Take a report back; what it had ended counts again."""
    scope = scope_of(request)
    if not scans(scope.store, scan=scan_id).items:
        return Status(404, {"detail": "There is no such report in what you may see."})
    take_back(data_folder(), scope.tenant, scan_id, actor=actor_of(request), reason=body.reason)
    forget()
    return Status(204, None)


class Written(Schema):
    """An exclusion list in a scanner's form."""

    name: str
    addresses: int
    text: str


@router.get(
    "/scan-exclusions",
    response={200: list_of(Exclusion), 404: Problem},
    auth=EXPORT,
    url_name="scan_exclusions",
    summary="What scanners should leave alone, with reasons",
)
def scan_exclusions(request: HttpRequest, site: str) -> Any:  # noqa: ANN401 (JSON of the schema)
    """Return addresses that are on the do-not-probe list, life-critical, or in use on a patient."""
    return plain(protected_devices(scope_of(request).tenant, site_named(request, site)))


@router.get(
    "/scan-exclusions/{form}",
    response={200: Written, 404: Problem, 422: Problem},
    auth=EXPORT,
    summary="The same in a scanner's own form",
)
def scan_exclusions_written(request: HttpRequest, form: str, site: str) -> Any:  # noqa: ANN401
    """Return the list as nessus, tenable, qualys, rapid7, openvas or nmap take it."""
    name, text, number = written_exclusions(scope_of(request).tenant, site_named(request, site), form)
    return {"name": name, "addresses": number, "text": text}
