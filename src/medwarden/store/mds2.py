"""Disclosure forms: kept in versions by maker and model, withdrawn and restored, attached by hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from django.db.models import Q, QuerySet

from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.mds2 import Answer, DeclaredPort, Edition, Form, Header, Problem
from medwarden.risk.mds2_naming import Series, Word
from medwarden.store.changes import Change
from medwarden.store.models import Device, DisclosureAttachment, DisclosureForm
from medwarden.store.prepared import PreparedRows
from medwarden.store.queries.scope import Page, Scope, bounds

SORTS = {
    "vendor": ("vendor", "model", "-released"),
    "released": ("-released", "vendor", "model"),
    "imported": ("-at_ns",),
}


class FormView(msgspec.Struct, frozen=True):
    """A form as lists show it. ``counts``: it is the newest of its series that was not withdrawn."""

    id: str
    series: str
    edition: str
    vendor: str
    model: str
    document: str
    released: str
    software: str
    source: str
    read_from: str
    answers: int
    problems: int
    actor: str
    at_ns: int
    counts: bool
    withdrawn_ns: int | None = None
    withdrawn_by: str = ""
    withdrawn_why: str = ""


class AttachmentView(msgspec.Struct, frozen=True):
    """A person's word on a series of forms."""

    id: int
    series: str
    device: str
    vendor: str
    model: str
    belongs: bool
    reason: str
    actor: str
    at_ns: int


def series_id(tenant: str, maker: str, model: str) -> str:
    """Return the id of the series of a maker (its key) and a model (in plain spelling)."""
    return stable_id("ms", tenant, maker, model)


def keep_form(change: Change, form: Form, series: str, source: str, digest: str) -> tuple[str, bool]:
    """Keep a form and return its id, and whether it is new; the same file is kept once.

    A withdrawn form that is brought in again is restored.
    """
    identifier = stable_id("mf", change.tenant, series, digest)
    known = DisclosureForm.objects.filter(tenant_id=change.tenant, pk=identifier).first()
    if known is not None:
        if known.withdrawn_ns is not None:
            _restore(change, known)
            return identifier, True
        return identifier, False
    header = form.header
    row = DisclosureForm(
        id=identifier,
        tenant_id=change.tenant,
        site_id=None,
        series=series,
        edition=form.edition.value,
        vendor=header.vendor[:200],
        model=header.model[:500],
        document=header.document[:200],
        released=header.released,
        header=msgspec.to_builtins(header),
        answers=msgspec.to_builtins(form.answers),
        ports=msgspec.to_builtins(form.ports),
        problems=msgspec.to_builtins(form.problems),
        read_from=form.read_from[:40],
        source=source[:255],
        digest=digest,
        actor=change.actor[:150],
        at_ns=change.now_ns,
    )
    row.save(force_insert=True)
    change.record(
        "mds2.imported",
        f"mds2:{identifier}",
        None,
        {
            "vendor": row.vendor, "model": row.model, "released": row.released, "edition": row.edition,
            "answers": sum(answer.given for answer in form.answers), "problems": len(form.problems),
        },
    )  # fmt: skip
    return identifier, True


def withdraw_form(change: Change, identifier: str) -> str:
    """Let a form count no more and return its series; it stays in the history and can be restored.

    Raises ConfigurationError where there is none or it was withdrawn.
    """
    row = _row(change.tenant, identifier)
    if row.withdrawn_ns is not None:
        raise ConfigurationError("this form was withdrawn already")
    row.withdrawn_ns, row.withdrawn_by, row.withdrawn_why = change.now_ns, change.actor[:150], change.reason
    row.save(update_fields=["withdrawn_ns", "withdrawn_by", "withdrawn_why"])
    change.record("mds2.withdrawn", f"mds2:{row.pk}", {"released": row.released}, None)
    return row.series


def restore_form(change: Change, identifier: str) -> str:
    """Let a withdrawn form count again and return its series."""
    row = _row(change.tenant, identifier)
    if row.withdrawn_ns is None:
        raise ConfigurationError("this form was not withdrawn")
    _restore(change, row)
    return row.series


def _restore(change: Change, row: DisclosureForm) -> None:
    row.withdrawn_ns, row.withdrawn_by, row.withdrawn_why = None, "", ""
    row.save(update_fields=["withdrawn_ns", "withdrawn_by", "withdrawn_why"])
    change.record("mds2.restored", f"mds2:{row.pk}", None, {"released": row.released})


def _row(tenant: str, identifier: str) -> DisclosureForm:
    row = DisclosureForm.objects.filter(tenant_id=tenant, pk=identifier).first()
    if row is None:
        raise ConfigurationError(f"there is no form {identifier[:40]!r}: see `medwarden mds2 list`")
    return row


def attach(
    change: Change, series: str, *, device: str = "", vendor: str = "", model: str = "", belongs: bool = True
) -> None:
    """Keep a person's word that a series belongs, or does not, to a device or to a maker's model.

    Raises ConfigurationError where there is no such series or device, or neither is named.
    """
    if not DisclosureForm.objects.filter(tenant_id=change.tenant, series=series).exists():
        raise ConfigurationError(f"there is no form {series[:40]!r}")
    if bool(device) == bool(vendor and model):
        raise ConfigurationError("say what the form is of: either a device, or a maker and a model")
    row = Device.objects.filter(tenant_id=change.tenant, pk=device).first() if device else None
    if device and row is None:
        raise ConfigurationError(f"there is no device {device[:40]!r}")
    detach(change, series, device=device, vendor=vendor, model=model)
    DisclosureAttachment.objects.create(
        tenant_id=change.tenant,
        site_id=row.site_id if row is not None else None,
        series=series,
        device=row,
        vendor="" if row is not None else vendor[:200],
        model="" if row is not None else model[:200],
        belongs=belongs,
        reason=change.reason,
        actor=change.actor[:150],
        at_ns=change.now_ns,
    )
    change.record(
        "mds2.attached" if belongs else "mds2.kept_apart",
        f"device:{device}" if device else f"model:{vendor} {model}",
        None,
        {"series": series},
        site=row.site_id if row is not None else None,
    )


def detach(change: Change, series: str, *, device: str = "", vendor: str = "", model: str = "") -> int:
    """Take a person's word back and return how many there were; names decide again."""
    standing = DisclosureAttachment.objects.filter(tenant_id=change.tenant, series=series, ended_ns=None)
    standing = (
        standing.filter(device_id=device)
        if device
        else standing.filter(device=None, vendor=vendor, model=model)
    )
    rows = list(standing)
    for row in rows:
        row.ended_ns, row.ended_by = change.now_ns, change.actor[:150]
        row.save(update_fields=["ended_ns", "ended_by"])
        subject = f"device:{row.device_id}" if row.device_id else f"model:{row.vendor} {row.model}"
        change.record("mds2.word_ended", subject, {"series": series, "belongs": row.belongs}, None)
    return len(rows)


def standing_series(tenant: str) -> list[Series]:
    """Return the series that have a form that counts, with its names and day."""
    return [
        Series(row.series, row.vendor, row.model, row.released, row.at_ns)
        for row in _counting(tenant).values()
    ]


def words_of(tenant: str) -> list[Word]:
    """Return what people said of series."""
    rows = DisclosureAttachment.objects.filter(tenant_id=tenant, ended_ns=None).order_by("at_ns", "pk")
    return [Word(r.series, r.device_id or "", r.vendor, r.model, r.belongs) for r in rows]


def attachments(scope: Scope, series: str) -> list[AttachmentView]:
    """Return what people said of a series, the latest first."""
    rows = DisclosureAttachment.objects.filter(tenant_id=scope.tenant, series=series, ended_ns=None)
    if scope.sites is not None:
        rows = rows.filter(Q(site_id__in=scope.sites) | Q(site=None))
    return [
        AttachmentView(
            r.pk, r.series, r.device_id or "", r.vendor, r.model, r.belongs, r.reason, r.actor, r.at_ns
        )
        for r in rows.order_by("-at_ns", "-pk")
    ]


def counting_forms(tenant: str, series: Iterable[str]) -> dict[str, tuple[str, Form, int]]:
    """Return, by series, the form that counts: its id, itself, and when it was brought in (ns)."""
    wanted = set(series)
    if not wanted:
        return {}
    ids = [row.pk for key, row in _counting(tenant).items() if key in wanted]
    rows = DisclosureForm.objects.filter(pk__in=ids)
    return {row.series: (row.pk, to_form(row), row.at_ns) for row in rows}


_COUNTING = PreparedRows(
    DisclosureForm,
    lambda tenant: DisclosureForm.objects.filter(tenant_id=tenant, withdrawn_ns=None).order_by(
        "released", "at_ns", "pk"
    ),
    "id",
    "series",
    "vendor",
    "model",
    "released",
    "at_ns",
)


def _counting(tenant: str) -> dict[str, DisclosureForm]:
    """Return the form that counts of every series: the newest by its own day, then by its import."""
    return {row.series: row for row in _COUNTING(tenant)}


def forms(
    scope: Scope,
    *,
    series: str = "",
    text: str = "",
    withdrawn: bool = False,
    sort: str = "vendor",
    offset: int = 0,
    limit: int = 50,
) -> Page[FormView]:
    """Return a page of forms; forms are of makers' models and belong to the whole tenant."""
    offset, limit = bounds(offset, limit)
    rows = DisclosureForm.objects.filter(tenant_id=scope.tenant)
    if series:
        rows = rows.filter(series=series)
    if not withdrawn:
        rows = rows.filter(withdrawn_ns=None)
    for term in text.split()[:8]:
        rows = rows.filter(Q(vendor__icontains=term) | Q(model__icontains=term) | Q(document__icontains=term))
    ordered = rows.order_by(*SORTS.get(sort, SORTS["vendor"]), "pk")
    return Page(tuple(_views(scope.tenant, ordered[offset : offset + limit])), rows.count(), offset, limit)


def form_of(scope: Scope, identifier: str) -> tuple[FormView, Form]:
    """Return a form. Raises ConfigurationError where there is none."""
    row = _row(scope.tenant, identifier)
    return _views(scope.tenant, DisclosureForm.objects.filter(pk=row.pk))[0], to_form(row)


def _views(tenant: str, rows: QuerySet[DisclosureForm] | Sequence[DisclosureForm]) -> list[FormView]:
    counting = {row.pk for row in _counting(tenant).values()}
    return [_view(row, row.pk in counting) for row in rows]


def _view(row: DisclosureForm, counts: bool) -> FormView:
    given = sum(answer.get("stance") not in ("empty", "unreadable") for answer in row.answers)
    return FormView(
        row.pk, row.series, row.edition, row.vendor, row.model, row.document, row.released,
        str(row.header.get("software", "")), row.source, row.read_from, given, len(row.problems), row.actor,
        row.at_ns, counts, row.withdrawn_ns, row.withdrawn_by, row.withdrawn_why,
    )  # fmt: skip


def to_form(row: DisclosureForm) -> Form:
    """Return a row as the form that was read."""
    return Form(
        edition=Edition(row.edition),
        header=msgspec.convert(row.header, Header),
        answers=msgspec.convert(row.answers, tuple[Answer, ...]),
        ports=msgspec.convert(row.ports, tuple[DeclaredPort, ...]),
        problems=msgspec.convert(row.problems, tuple[Problem, ...]),
        read_from=row.read_from,
    )


class ModelCount(msgspec.Struct, frozen=True):
    """A maker's model as the inventory knows it, and how many devices of it there are."""

    vendor: str
    model: str
    devices: int
    category: str = ""


def models_there_are(scope: Scope, *, medical: bool = False) -> list[ModelCount]:
    """Return the makers' models among the devices of a scope, the most frequent first."""
    rows = scope.over(Device.objects.filter(retired_at=None, vendor__gt="", model__gt=""))
    if medical:
        rows = rows.filter(device_class="IoMT")
    counts: dict[tuple[str, str], list[str]] = {}
    for vendor, model, category in rows.values_list("vendor", "model", "category"):
        counts.setdefault((vendor or "", model or ""), []).append(category or "")
    found = [ModelCount(*key, len(kinds), max(set(kinds), key=kinds.count)) for key, kinds in counts.items()]
    return sorted(found, key=lambda each: (-each.devices, each.vendor, each.model))


def devices_named(scope: Scope) -> list[tuple[str, str, str, str]]:
    """Return id, site, maker and model of the devices of a scope that a form could be of."""
    attached = DisclosureAttachment.objects.filter(
        tenant_id=scope.tenant, ended_ns=None, device__isnull=False
    ).values("device_id")
    rows = scope.over(Device.objects.filter(retired_at=None)).filter(
        Q(vendor__gt="", model__gt="") | Q(pk__in=attached)
    )
    return [
        (pk, site, vendor or "", model or "")
        for pk, site, vendor, model in rows.order_by("pk").values_list("pk", "site_id", "vendor", "model")
    ]
