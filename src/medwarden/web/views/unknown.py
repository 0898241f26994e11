"""What nobody could name: the queue, one question with its preview, and the answers given so far."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from medwarden.app.answers import Given, Preview, give_answer, preview, undo_answer
from medwarden.app.unknown import all_clusters, devices_meant
from medwarden.inventory.clusters import Cluster
from medwarden.inventory.story import Story, story
from medwarden.kernel.errors import ConfigurationError
from medwarden.knowledge.taxonomy import UNKNOWN, categories
from medwarden.model.device import Device
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.answers import answers
from medwarden.web.decisions import data_folder, reason_of, said
from medwarden.web.exports import FORMATS, download
from medwarden.web.guard import requires
from medwarden.web.operation_lists import text_of
from medwarden.web.paging import offset_of, page_number, paging
from medwarden.web.recent import forget, recently
from medwarden.web.scope import actor_of, scope_of, signed_in
from medwarden.web.templatetags.console import category_name, page_url

ASKED = ("category", "vendor", "model", "os", "serial")
"""Levels that the form asks for; a category brings its class."""

_PER_PAGE = 20
_MOST_SHOWN = 12
_MOST_EFFECTS = 200
_HEADER = ("cluster", "name", "devices", "alike", "gain", "ids", *ASKED)


@requires(Permission.SEE_INVENTORY)
@require_GET
def unknown(request: HttpRequest) -> HttpResponse:
    """Show clusters of devices that nobody could name, those first whose answer labels most."""
    text = text_of(request).lower()
    every = recently(all_clusters, scope_of(request).store)
    chosen = [c for c in every if not text or text in c.name.lower() or _mentions(c, text)]
    number = page_number(request)
    start = offset_of(number, _PER_PAGE)
    page = queries.Page(tuple(chosen[start : start + _PER_PAGE]), len(chosen), start, _PER_PAGE)
    context = {
        **paging(page, number),
        "text": text_of(request),
        "devices": sum(len(c.devices) for c in every),
        "reached": round(sum(c.gain for c in every[:10])),
        "may_answer": signed_in(request).may(Permission.CORRECT_IDENTITY),
        "may_export": signed_in(request).may(Permission.EXPORT),
    }
    return render(request, "web/devices_unknown.html", context)


def _mentions(cluster: Cluster, text: str) -> bool:
    return any(text in part.lower() for row in cluster.evidence for part in row)


@requires(Permission.EXPORT)
@require_GET
def unknown_export(request: HttpRequest, kind: str) -> HttpResponseBase:
    """Download the queue; filled in, `medwarden answers import` takes it back."""
    if kind not in FORMATS:
        raise Http404("Downloads are CSV or JSON.")
    empty: dict[str, object] = dict.fromkeys(ASKED, "")
    rows: list[dict[str, object]] = [
        {
            "cluster": c.id,
            "name": c.name,
            "devices": len(c.devices),
            "alike": c.alike,
            "gain": c.gain,
            "ids": list(c.devices),
            **empty,
        }
        for c in all_clusters(scope_of(request).store)
    ]
    return download(request, "unknown", kind, iter(rows), _HEADER)


@requires(Permission.CORRECT_IDENTITY)
@require_http_methods(["GET", "POST"])
def question(request: HttpRequest, target: str) -> HttpResponse:
    """Ask what a cluster or device is: show what it said, what an answer would change, and take it."""
    scope = scope_of(request)
    labels = {level: request.POST.get(level, "").strip()[:200] for level in ASKED}
    done: Preview | None = None
    try:
        devices, cluster = devices_meant(scope.store, target)
        if request.method == "POST":
            if request.POST.get("step") == "answer":
                given = give_answer(
                    scope.store,
                    target,
                    labels,
                    home=data_folder(),
                    actor=actor_of(request),
                    reason=reason_of(request),
                )
                return _answered(request, given)
            done = preview(scope.store, target, labels)
    except ConfigurationError as error:
        if request.method != "POST":
            raise Http404(f"{str(error).capitalize()}.") from error
        messages.error(request, f"{str(error)[:1].upper()}{str(error)[1:]}.")
        devices, cluster = _still(scope.store, target)
    found = (
        next((c for c in recently(all_clusters, scope.store) if c.id == cluster), None) if cluster else None
    )
    context = {
        "target": target,
        "cluster": found,
        "devices": devices[:_MOST_SHOWN],
        "all": len(devices),
        "story": _told(devices),
        "labels": labels,
        "asked": [(level, labels[level]) for level in ASKED],
        "reason": reason_of(request),
        "categories": [
            (c.id, c.name) for c in sorted(categories().values(), key=lambda c: c.name) if c.id != UNKNOWN
        ],
        "preview": done,
        "effects": _by_device(done),
    }
    return render(request, "web/devices_question.html", context)


def _still(scope: queries.Scope, target: str) -> tuple[list[Device], str]:
    try:
        return devices_meant(scope, target)
    except ConfigurationError:
        return [], ""


def _told(devices: list[Device]) -> Story | None:
    return story(devices[0]) if len(devices) == 1 else None


def _answered(request: HttpRequest, given: Given) -> HttpResponse:
    forget()
    changed = {effect.device for effect in given.preview.changes}
    others = len(changed - set(given.preview.devices))
    also = f", and {others:,} more that show the same" if others else ""
    messages.success(
        request, f"Answer {given.answer.number} is kept: {len(given.preview.devices):,} devices{also}."
    )
    return HttpResponseRedirect(page_url(request, "devices_unknown"))


def _by_device(done: Preview | None) -> list[tuple[str, str, bool, list[tuple[str, str, str]]]]:
    """Return (id, label, whether it was asked about, changes as level, before, after) of each device.

    Those nobody asked about come first: they are what a person should look at.
    """
    grouped: dict[tuple[bool, str, str], list[tuple[str, str, str]]] = {}
    for effect in () if done is None else done.changes:
        change = effect.level, _word(effect.level, effect.before), _word(effect.level, effect.after)
        grouped.setdefault((effect.answered, effect.label, effect.device), []).append(change)
    return [(key[2], key[1], key[0], grouped[key]) for key in sorted(grouped)[:_MOST_EFFECTS]]


def _word(level: str, label: str | None) -> str:
    if not label:
        return "not known"
    return category_name(label) if level == "category" else label


@requires(Permission.SEE_INVENTORY)
@require_GET
def given_answers(request: HttpRequest) -> HttpResponse:
    """Show the answers people gave, and let them be taken back."""
    number = page_number(request)
    found = answers(scope_of(request).store, offset=offset_of(number), limit=50)
    context = {
        **paging(found, number),
        "may_answer": signed_in(request).may(Permission.CORRECT_IDENTITY),
    }
    return render(request, "web/devices_answers.html", context)


@requires(Permission.CORRECT_IDENTITY)
@require_POST
def answer_undo(request: HttpRequest, answer_id: str) -> HttpResponse:
    """Take an answer back with what was learnt from it"""

    def undo() -> str:
        given = undo_answer(
            scope_of(request).store,
            answer_id,
            home=data_folder(),
            actor=actor_of(request),
            reason=reason_of(request),
        )
        forget()
        return f"Answer {given.answer.number} is taken back, with what was learnt from it"

    return said(request, "devices_answers", undo)
