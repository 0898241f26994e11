"""The sources of knowledge: what is in use and how old, what failed, bundles, schedule, who is asked."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import msgspec
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from medwarden.app import knowledge_bundles as bundles
from medwarden.app.knowledge_effect import count_words
from medwarden.app.knowledge_job import UPLOADS, Job, last_job, start
from medwarden.app.knowledge_records import words_on
from medwarden.app.knowledge_settings import Schedule, read_settings, with_provider
from medwarden.app.knowledge_status import Source, sources, standing
from medwarden.app.knowledge_steering import change_settings, next_due, providers, with_stale_after
from medwarden.kernel.clock import to_datetime, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.model.role import Permission
from medwarden.store.changes import Change
from medwarden.store.knowledge import FOLDER
from medwarden.web.decisions import data_folder, reason_of, refused, said
from medwarden.web.exports import FORMATS, download, streamed
from medwarden.web.guard import requires
from medwarden.web.scope import actor_of, scope_of, signed_in

PAGE = "risk_knowledge"
_PIECE = 1 << 20
_HEADER = tuple(name for name in Source.__struct_fields__ if name not in ("counts", "problems"))
_PROOFS = {
    "publisher": "signed by its publisher",
    "transport": "from its publisher's address",
    "unsigned": "brought by a person",
    "demonstration": "part of the demonstration",
}


def proof_words(proof: str) -> str:
    """Return in words what speaks for an edition."""
    return _PROOFS.get(proof, f"bundle of the key {proof.removeprefix('bundle ')[:12]}" if proof else "")


@requires(Permission.SEE_INVENTORY)
@require_GET
def knowledge(request: HttpRequest) -> HttpResponse:
    """Show every source of knowledge, and what can be done about it."""
    home, user = data_folder(), signed_in(request)
    found = sources(home)
    settings, problem = None, ""
    try:
        settings = read_settings(home)
        due = next_due(home)
    except ConfigurationError as error:
        due, problem = None, str(error)
    may_set = user.may(Permission.CHANGE_SETTINGS)
    publishers = providers(settings) if settings else ()
    context = {
        "used": [
            (one, proof_words(one.proof), [count_words(kind, n) for kind, n in one.counts.items()])
            for one in found
            if one.edition is not None
        ],
        "unused": [one for one in found if one.edition is None],
        "standing": standing(home),
        "schedule": settings.schedule if settings else None,
        "problem": problem,
        "due": due,
        "asked": [one for one in publishers if one.asked],
        "others": [one for one in publishers if not one.asked],
        "job": _job(home),
        "own_key": bundles.key_if_any(home),
        "keys": bundles.trusted(home),
        "may_bring": user.may(Permission.FEED_DATA),
        "may_set": may_set,
        "may_export": user.may(Permission.EXPORT),
        "live_feeds": [(one.id, one.title) for one in found if one.live],
    }
    return render(request, "web/risk_knowledge.html", context)


def _job(home: Path) -> Job | None:
    return last_job(home)


@requires(Permission.SEE_INVENTORY)
@require_GET
def knowledge_job(request: HttpRequest) -> HttpResponse:
    """Show how far the work under way is; a page asks again while it runs."""
    job = _job(data_folder())
    response = render(request, "web/part/risk_knowledge_job.html", {"job": job})
    if job is not None and not job.running:
        response["HX-Refresh"] = "true"
    return response


@requires(Permission.SEE_INVENTORY)
@require_GET
def knowledge_record(request: HttpRequest) -> HttpResponse:
    """Show what each source says of an id and where it came from."""
    wanted = request.GET.get("q", "").strip()[:120]
    words = words_on(data_folder(), wanted) if wanted else ()
    return render(request, "web/risk_knowledge_record.html", {"wanted": wanted, "words": words})


@requires(Permission.EXPORT)
@require_GET
def knowledge_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Send how every source stands as a table."""
    if kind not in FORMATS:
        raise Http404("There is no such form.")
    rows = ({name: getattr(one, name) for name in _HEADER} for one in sources(data_folder()))
    return download(request, "knowledge", kind, rows, _HEADER)


@requires(Permission.FEED_DATA)
@require_POST
def knowledge_sync(request: HttpRequest) -> HttpResponse:
    """Look at publishers now: at one, or at all of ordinary size."""
    feed = request.POST.get("feed", "")

    def act() -> str:
        start(data_folder(), Job("sync", actor_of(request), feeds=(feed,) if feed else ()))
        return "the publishers are being asked; what is in use stays in use meanwhile"

    return _done(request, act)


@requires(Permission.FEED_DATA)
@require_POST
def knowledge_import(request: HttpRequest) -> HttpResponse:
    """Take in an uploaded bundle, or publishers' files for which an administrator vouches."""
    table = request.FILES.get("bundle")
    unsigned = request.POST.get("unsigned") == "on"
    if table is None or isinstance(table, list):
        return refused(request, PAGE, "choose a bundle, or a zip of publishers' files")
    if unsigned and not signed_in(request).may(Permission.CHANGE_SETTINGS):
        return refused(request, PAGE, "only an administrator may vouch for files that nobody signed")

    def act() -> str:
        home = data_folder()
        path = keep_upload(home, table.chunks(_PIECE))
        start(home, Job("import", actor_of(request), paths=(str(path),), unsigned=unsigned))
        return f"{(table.name or 'the file')[:80]} is being taken in"

    return _done(request, act)


def keep_upload(home: Path, pieces: Iterable[bytes]) -> Path:
    """Lay an uploaded file down where the job finds it. Raises ResourceError for the disk."""
    folder = home / FOLDER / UPLOADS
    path = folder / secrets.token_hex(12)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("wb") as out:
            for piece in pieces:
                out.write(piece)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise ResourceError(f"{folder}: {error.strerror or error}") from error
    return path


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def knowledge_schedule(request: HttpRequest) -> HttpResponse:
    """Say when knowledge is looked for by itself."""
    jitter = request.POST.get("jitter", "")
    wanted = Schedule(
        on=request.POST.get("on") == "on",
        at=request.POST.get("at", "").strip(),
        zone=request.POST.get("zone", "").strip(),
        jitter_minutes=int(jitter) if jitter.isascii() and jitter.isdigit() and len(jitter) < 4 else -1,
        feeds=tuple(request.POST.getlist("feeds")),
    )

    def act() -> str:
        home = data_folder()
        decided = partial(msgspec.structs.replace, schedule=wanted)
        change_settings(home, decided, actor=actor_of(request), reason=reason_of(request) or "knowledge page")
        due = next_due(home)
        if due is None:
            return "nothing is looked for by itself any longer"
        return f"knowledge is looked for next on {to_datetime(due.at_ns):%d %B %Y at %H:%M} UTC"

    return _done(request, act)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def knowledge_age(request: HttpRequest, feed: str) -> HttpResponse:
    """Say from which age a source is stale; an empty age is its own again."""
    hours = request.POST.get("hours", "").strip()

    def act() -> str:
        if hours and not (hours.isascii() and hours.isdigit() and len(hours) < 7):
            raise ConfigurationError("the age is a number of hours")
        home = data_folder()
        decided = partial(with_stale_after, feed=feed, hours=int(hours) if hours else None)
        change_settings(home, decided, actor=actor_of(request), reason=reason_of(request) or "knowledge page")
        return "the age from which this source is stale is set"

    return _done(request, act)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def knowledge_provider(request: HttpRequest) -> HttpResponse:
    """Ask a publisher of advisories, or no longer."""
    named = request.POST.get("named", "").strip()[:300]
    asked = request.POST.get("act") != "remove"

    def act() -> str:
        if not named:
            raise ConfigurationError("name a publisher by its domain or the address of its metadata")
        home = data_folder()
        decided = partial(with_provider, named=named, asked=asked)
        change_settings(home, decided, actor=actor_of(request), reason=reason_of(request) or "knowledge page")
        return f"{named} is asked from the next look on" if asked else f"{named} is no longer asked"

    return _done(request, act)


@requires(Permission.CHANGE_SETTINGS)
@require_POST
def knowledge_key(request: HttpRequest) -> HttpResponse:
    """Trust the key of another folder, or no longer."""

    def act() -> str:
        home = data_folder()
        forgotten = request.POST.get("forget", "")
        with Change(actor_of(request), reason_of(request) or "knowledge page") as change:
            if forgotten:
                gone = bundles.forget(home, forgotten)
                change.record("knowledge.key_forgotten", f"key:{gone.id}", gone.name, None)
                return f"bundles of {gone.name or gone.id} are no longer taken in"
            pem = request.POST.get("pem", "").encode()
            key = bundles.trust_pem(home, pem, request.POST.get("name", "").strip()[:80])
            change.record("knowledge.key_trusted", f"key:{key.id}", None, key.name)
            return f"bundles of the key {key.id} are taken in from now on"

    return _done(request, act)


def _done(request: HttpRequest, act: object) -> HttpResponse:
    """Do it, say what came of it or why not, and lead back to the page."""
    assert callable(act)
    try:
        return said(request, PAGE, act)
    except ResourceError as error:
        return refused(request, PAGE, str(error))


@requires(Permission.EXPORT)
@require_POST
def knowledge_bundle(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """Send everything in use as one signed file, for a place without internet."""
    home = data_folder()
    folder = tempfile.TemporaryDirectory(prefix="leaving-", dir=home / FOLDER)
    path = Path(folder.name) / "bundle"
    try:
        made = bundles.export_bundle(home, path)
    except (ConfigurationError, ResourceError) as error:
        folder.cleanup()
        return refused(request, PAGE, str(error))
    with Change(actor_of(request), "download", tenant=scope_of(request).tenant) as change:
        change.record("knowledge.exported", "export:bundle", None, {"feeds": len(made.editions)})

    def pieces() -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        finally:
            folder.cleanup()

    response = streamed(request, pieces(), "application/zip")
    stamp = to_datetime(wall_clock()).strftime("%Y%m%dT%H%M%SZ")
    response["Content-Disposition"] = f'attachment; filename="medwarden-knowledge-{stamp}.bundle"'
    return response
