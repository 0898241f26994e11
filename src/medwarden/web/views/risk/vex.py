"""VEX: what others say of vulnerabilities, whether it is believed, and the hospital's own word."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app.publisher_keys import distrust, trust, vouchers
from medwarden.app.vex import decide, reopen, take_back, take_in, weigh
from medwarden.app.vex_export import FORMS, Chosen, publisher, set_publisher, write
from medwarden.app.vex_signature import LARGEST_COMPANION, MOST_COMPANIONS, check_with
from medwarden.feeds.vouching import LONGEST_PUBLISHER, is_among
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.role import Permission
from medwarden.risk.work.vex.reading import LARGEST
from medwarden.store.changes import Change
from medwarden.store.vex import documents, statements
from medwarden.web.decisions import data_folder, reason_of, refused, said
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget
from medwarden.web.scope import actor_of, scope_of, signed_in

_PER_PAGE = 50
_MOST_PROBLEMS = 5
STATES = {
    "": "All",
    "waiting": "Waiting for you",
    "counts": "The maker's word",
    "accepted": "Believed",
    "conflict": "At odds",
    "agrees": "Changes nothing",
    "refused": "Not believed",
    "unmatched": "No such device",
    "noted": "Noted",
}
SAYS = {
    "not_affected": "not affected",
    "affected": "affected",
    "fixed": "fixed",
    "under_investigation": "being looked into",
}


@requires(Permission.SEE_INVENTORY)
@require_GET
def vex(request: HttpRequest) -> HttpResponse:
    """Show what imported documents say, those first that wait for a person."""
    scope, user = scope_of(request), signed_in(request)
    state, number = request.GET.get("state", ""), page_number(request)
    state = state if state in STATES else ""
    page = statements(
        scope.tenant, state=state, text=text_of(request), offset=offset_of(number, _PER_PAGE), limit=_PER_PAGE
    )
    rows = documents(scope.tenant)
    counts: dict[str, int] = {}
    for row in rows:
        if row.undone_ns is None:
            for key, n in row.statements.items():
                counts[key] = counts.get(key, 0) + n
    counts[""] = sum(counts.values())
    known = vouchers(data_folder())
    bound = {one.id: one.publishers for one in known if one.kind == "key"}
    proven = {row.id for row in rows if is_among(row.author, bound.get(row.fingerprint, ()))}
    uncompared = sum(
        1 for row in rows if row.fingerprint and row.fingerprint not in bound and not row.undone_ns
    )
    context = {
        **paging(page, number),
        "documents": rows,
        "uncompared": uncompared,
        "vouchers": known,
        "proven": proven,
        "states": [(key, title, counts.get(key, 0)) for key, title in STATES.items()],
        "state": state,
        "words": SAYS,
        "state_words": STATES,
        "text": text_of(request),
        "issuer": publisher(scope.tenant),
        "bound": bound,
        "may_change": user.may(Permission.CHANGE_FINDING) and scope.every_site,
        "may_set": user.may(Permission.CHANGE_SETTINGS),
        "may_export": user.may(Permission.EXPORT),
    }
    return render(request, "web/risk_vex.html", context)


@requires(Permission.EXPORT)
@require_GET
def vex_export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Download the hospital's verdicts as CSAF or OpenVEX; serial numbers and addresses only when asked."""
    if form not in FORMS:
        raise Http404("VEX documents are CSAF or OpenVEX.")
    scope = scope_of(request)
    chosen = Chosen(
        vendor=request.GET.get("vendor", "")[:200],
        vulnerability=request.GET.get("cve", "").strip()[:60],
        devices=request.GET.get("with") == "devices",
    )
    try:
        written = write(scope.store, form, chosen, actor=actor_of(request))
    except ConfigurationError as error:
        return refused(request, "risk_vex", str(error))
    with Change(actor_of(request), "download", tenant=scope.tenant, site=scope.site) as change:
        change.record("vex.exported", "export:vex", None, {"as": form, "version": written.version})
    response = HttpResponse(written.document, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{written.name}"'
    return response


def everywhere(request: HttpRequest) -> None:
    """Raise ConfigurationError for a person of some sites: a statement is about all devices of a kind."""
    if not scope_of(request).every_site:
        raise ConfigurationError("statements concern every site: somebody who sees all of them has to decide")


@requires(Permission.CHANGE_FINDING)
@require_POST
def vex_import(request: HttpRequest) -> HttpResponse:
    """Take an uploaded document in."""
    file = request.FILES.get("document")
    if file is None or isinstance(file, list) or (file.size or 0) > LARGEST:
        return refused(request, "risk_vex", f"choose a JSON document of at most {LARGEST >> 20} MiB")
    document, source = file.read(), file.name or "document.json"
    companions = [
        (each.name or "companion", each.read(LARGEST_COMPANION + 1))
        for each in request.FILES.getlist("companions")[: MOST_COMPANIONS + 1]
    ]
    author = request.POST.get("author", "").strip()[:200]

    def take() -> str:
        everywhere(request)
        try:
            checked = check_with(data_folder(), document, source, companions)
            done = take_in(
                data_folder(), scope_of(request).tenant, document, source, actor=actor_of(request),
                author=author, reason=reason_of(request), checked=checked,
            )  # fmt: skip
        except MalformedInput as error:
            raise ConfigurationError(str(error)) from error
        for problem in done.problems[:_MOST_PROBLEMS]:
            messages.warning(request, f"{problem.place}: {problem.reason}.")
        told = ", ".join(f"{n:,} {STATES[state].lower()}" for state, n in sorted(done.states.items()))
        return f"{done.statements:,} statements by {done.author}: {told}; {done.checked}"

    answer = said(request, "risk_vex", take)
    forget()
    return answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def vex_decide(request: HttpRequest) -> HttpResponse:
    """Believe the chosen statements or not."""
    accept = request.POST.get("decision") == "accept"
    ids = [int(one) for one in request.POST.getlist("id")[:500] if one.isascii() and one.isdigit()]

    def settle() -> str:
        everywhere(request)
        devices = decide(
            data_folder(), scope_of(request).tenant, ids, accept=accept, actor=actor_of(request),
            reason=reason_of(request),
        )  # fmt: skip
        words = "believed" if accept else "not believed"
        return f"{len(ids):,} {words}; verdicts of {devices:,} devices changed"

    answer = said(request, "risk_vex", settle)
    forget()
    return answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def vex_reopen(request: HttpRequest, number: int) -> HttpResponse:
    """Take the decision on a statement back."""

    def again() -> str:
        everywhere(request)
        reopen(scope_of(request).tenant, number, actor=actor_of(request), reason=reason_of(request))
        return "the statement waits again"

    answer = said(request, "risk_vex", again)
    forget()
    return answer


@requires(Permission.CHANGE_FINDING)
@require_POST
def vex_undo(request: HttpRequest, document: str) -> HttpResponse:
    """Take an imported document back with all it changed."""

    def undo() -> str:
        everywhere(request)
        take_back(scope_of(request).tenant, document, actor=actor_of(request), reason=reason_of(request))
        return "the document is taken back; verdicts are what they were without it"

    answer = said(request, "risk_vex", undo)
    forget()
    return answer


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def vex_trust(request: HttpRequest) -> HttpResponse:
    """Let a key or a provider speak for a publisher, or no longer."""
    who = request.POST.get("who", "").strip()[:300]
    publisher = request.POST.get("publisher", "").strip()[:LONGEST_PUBLISHER]
    ends = request.POST.get("act") == "end"

    def believe() -> str:
        everywhere(request)
        change = distrust if ends else trust
        change(data_folder(), who, publisher, actor=actor_of(request), reason=reason_of(request))
        weigh(data_folder(), scope_of(request).tenant)
        if ends:
            return f"what it signs proves nothing of {publisher or 'anybody'} any longer"
        return f"what it signs in the name of {publisher} counts as signed by its publisher"

    answer = said(request, "risk_vex", believe)
    forget()
    return answer


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def vex_issuer(request: HttpRequest) -> HttpResponse:
    """Keep who issues the hospital's documents."""

    def keep() -> str:
        name, namespace = request.POST.get("name", ""), request.POST.get("namespace", "")
        set_publisher(scope_of(request).tenant, name, namespace, actor=actor_of(request))
        return "documents are issued in that name from now on"

    return said(request, "risk_vex", keep)
