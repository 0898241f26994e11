"""Reports of vulnerability scanners: taken in, looked at, taken back; lists of what to leave alone."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.scanner_pull import is_running
from medwarden.app.scanners import interfaces
from medwarden.app.scans import UPLOAD, import_upload, take_back, written_exclusions
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.model.scan import SCANNERS
from medwarden.operations.scan_exclusions import FORMS
from medwarden.sensors.scans.registry import readers
from medwarden.store.queries.scans import scan_hosts, scans
from medwarden.store.scanners import connections
from medwarden.web.decisions import change_by, data_folder, reason_of, refused, said
from medwarden.web.guard import requires
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import page_url

_PER_PAGE = 50
_MOST_UNKNOWN = 10
_LOGIN = {True: "yes", False: "no", None: "not said"}


@requires(Permission.SEE_INVENTORY)
@require_GET
def scanner_reports(request: HttpRequest) -> HttpResponse:
    """List imported reports, take new ones in, and hand out lists of what scanners should leave alone."""
    scope, user = scope_of(request), signed_in(request)
    number = page_number(request)
    titles = {each.name: each.title for each in interfaces()}
    page = scans(scope.store, removed=True, offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE)
    context = {
        **paging(page, number),
        "lines": [(scan, SCANNERS.get(scan.scanner, scan.scanner)) for scan in page.items],
        "forms": [(name, file, what) for name, (file, what, _) in FORMS.items()],
        "connections": [
            (row, titles.get(row.interface, row.interface), is_running(row.pid, row.begun_ns, row.ended_ns))
            for row in sorted(connections(scope.store), key=lambda row: not row.error)
        ],
        "interfaces": interfaces(),
        "may_set": user.may(Permission.CHANGE_SETTINGS),
        "may_connect": user.may(Permission.CHANGE_SETTINGS) and scope.one_site is not None,
        "readable": [reader.manifest.title for reader in readers()],
        "may_import": user.may(Permission.FEED_DATA) and scope.one_site is not None,
        "may_feed": user.may(Permission.FEED_DATA),
        "may_export": user.may(Permission.EXPORT) and scope.one_site is not None,
    }
    return render(request, "web/risk_scans.html", context)


@requires(Permission.SEE_INVENTORY)
@require_GET
def scanner_report(request: HttpRequest, scan_id: str) -> HttpResponse:
    """Show one report: its hosts, which devices they are, and those that are none."""
    scope, number = scope_of(request), page_number(request)
    found = scans(scope.store, scan=scan_id).items
    if not found:
        raise Http404("There is no such report in what you may see.")
    unknown = request.GET.get("unknown") == "1"
    page = scan_hosts(
        scope.store, scan_id, unknown=unknown, offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE
    )
    context = {
        **paging(page, number),
        "scan": found[0],
        "scanner": SCANNERS.get(found[0].scanner, found[0].scanner),
        "unknown": unknown,
        "lines": [(host, _LOGIN[host.credentialed]) for host in page.items],
        "may_feed": signed_in(request).may(Permission.FEED_DATA),
    }
    return render(request, "web/risk_scan.html", context)


@requires(Permission.FEED_DATA)
@require_POST
def scanner_import(request: HttpRequest) -> HttpResponse:
    """Take an uploaded report in for the chosen site."""
    scope, report = scope_of(request), request.FILES.get("report")
    if scope.one_site is None:
        return refused(request, "risk_scans", "choose one site above: a report is of one site")
    if report is None or isinstance(report, list):
        return refused(request, "risk_scans", "choose the file of a report")
    if report.size is not None and report.size > UPLOAD:
        return refused(
            request,
            "risk_scans",
            f"the file is larger than {UPLOAD >> 20} MiB: bring it in with `medwarden scans import`",
        )
    document, name, place = report.read(), report.name or "report", scope.one_site

    def take_in() -> str:
        try:
            done = import_upload(
                data_folder(), document, name, actor=actor_of(request), tenant=scope.tenant, site=place
            )
        except MalformedInput as error:
            raise ConfigurationError(str(error)) from error
        forget()
        for host in done.unknown[:_MOST_UNKNOWN]:
            called = ", ".join((*host.names[:1], *host.ips[:1], *host.macs[:1]))
            messages.warning(request, f"{called}: {host.why}.")
        again = ": this file had been taken in before, nothing was changed" if done.already else ""
        return (
            f"{done.known:,} of {done.hosts:,} hosts are devices here, {done.sightings:,} sightings, "
            f"{done.ended:,} earlier ones ended{again}"
        )

    return said(request, "risk_scans", take_in)


@requires(Permission.FEED_DATA)
@require_POST
def scanner_remove(request: HttpRequest, scan_id: str) -> HttpResponse:
    """Take a report back."""
    scope = scope_of(request)
    if not scans(scope.store, scan=scan_id).items:
        raise Http404("There is no such report in what you may see.")

    def remove() -> str:
        reason, actor = reason_of(request), actor_of(request)
        number = take_back(data_folder(), scope.tenant, scan_id, actor=actor, reason=reason)
        forget()
        return f"the report is taken back; it spoke of {number:,} devices"

    return said(request, "risk_scans", remove)


@requires(Permission.EXPORT)
@require_GET
def scanner_exclusions(request: HttpRequest, form: str) -> HttpResponse:
    """Download what a scanner should leave alone, in its own form; the download is audited."""
    scope = scope_of(request)
    if form not in FORMS:
        raise Http404("No such list is known.")
    if scope.one_site is None:
        messages.error(request, "Choose one site above: the list is of one site.")
        return HttpResponseRedirect(page_url(request, "risk_scans"))
    name, text, number = written_exclusions(scope.tenant, scope.one_site, form)
    with change_by(request, "download", scope.one_site) as change:
        change.record("scan_exclusions.exported", f"export:{form}", None, {"addresses": number})
    media = "text/csv; charset=utf-8" if name.endswith(".csv") else "text/plain; charset=utf-8"
    answer = HttpResponse(text, content_type=media)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
