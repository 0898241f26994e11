"""Bills of software components: attached to a device or to a model, shown for a device, removed."""

from __future__ import annotations

import msgspec
from django.db.models import Q, QuerySet

from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.knowledge.sbom import Bill, Component
from medwarden.store.bulk import insert_rows
from medwarden.store.changes import Change
from medwarden.store.marking import marked
from medwarden.store.models import ComponentList, Device, SoftwareComponent
from medwarden.store.queries.scope import Page, Scope, bounds


class Subject(msgspec.Struct, frozen=True):
    """What a bill is of: a device by its id, or a maker's model, of one firmware or (empty) of any."""

    device: str = ""
    vendor: str = ""
    model: str = ""
    firmware: str = ""


class BillView(msgspec.Struct, frozen=True):
    """One attached bill."""

    id: str
    subject: Subject
    format: str
    name: str
    version: str
    source: str
    said_at: str
    components: int
    skipped: int
    actor: str
    at_ns: int


def attach_bill(change: Change, bill: Bill, subject: Subject, source: str, digest: str) -> str:
    """Attach a bill to its subject and return its id; the same file for the same subject is kept once.

    Raises ConfigurationError where the subject is neither a device that there is nor a maker and model.
    """
    device = None
    if subject.device:
        device = Device.objects.filter(tenant_id=change.tenant, pk=subject.device).first()
        if device is None:
            raise ConfigurationError(f"there is no device {subject.device[:40]!r}")
    elif not (subject.vendor and subject.model):
        raise ConfigurationError("say what the bill is of: a device, or a maker and a model")
    identifier = stable_id(
        "s", change.tenant, subject.device, subject.vendor, subject.model, subject.firmware, digest
    )
    if ComponentList.objects.filter(pk=identifier).exists():
        return identifier
    row = ComponentList(
        id=identifier,
        tenant_id=change.tenant,
        site_id=device.site_id if device else None,
        device=device,
        vendor=subject.vendor[:200],
        model=subject.model[:200],
        firmware=subject.firmware[:200],
        format=bill.format,
        name=bill.name,
        version=bill.version,
        source=source[:255],
        digest=digest,
        said_at=bill.said_at,
        components=len(bill.components),
        skipped=bill.skipped,
        actor=change.actor[:150],
        at_ns=change.now_ns,
    )
    row.save(force_insert=True)
    insert_rows([_component(row, at, component) for at, component in enumerate(bill.components)])
    change.record(
        "sbom.attached",
        f"device:{subject.device}" if device else f"model:{subject.vendor} {subject.model}",
        None,
        {"bill": identifier, "name": bill.name, "components": len(bill.components), "format": bill.format},
        site=row.site_id,
    )
    _look_again(row)
    return identifier


def _look_again(bill: ComponentList) -> None:
    """Have the devices that a bill counts for matched anew at the next round."""
    rows = Device.objects.filter(tenant_id=bill.tenant_id)
    if bill.device_id:
        rows = rows.filter(pk=bill.device_id)
    else:
        rows = rows.filter(vendor__iexact=bill.vendor, model__iexact=bill.model)
    rows.filter(retired_at=None).update(**marked())


def _component(row: ComponentList, at: int, component: Component) -> SoftwareComponent:
    return SoftwareComponent(
        tenant_id=row.tenant_id,
        site_id=row.site_id,
        bill=row,
        position=at,
        licences=list(component.licences),
        depends=list(component.depends),
        hashes=component.hashes,
        **{f: getattr(component, f) for f in ("ref", "kind", "name", "version", "supplier", "purl", "cpe")},
    )


def remove_bill(change: Change, scope: Scope, identifier: str) -> None:
    """Remove a bill. Raises ConfigurationError where there is none in ``scope``."""
    row = _bill(scope, identifier)
    change.record(
        "sbom.removed",
        f"sbom:{row.pk}",
        {"name": row.name, "components": row.components},
        None,
        site=row.site_id,
    )
    _look_again(row)
    row.delete()


def bills(
    scope: Scope, *, device: str = "", text: str = "", offset: int = 0, limit: int = 50
) -> Page[BillView]:
    """Return a page of bills by name; with ``device`` those of it and of its model and firmware.

    A bill of a model counts for a firmware only where it names none, or that one.
    """
    offset, limit = bounds(offset, limit)
    rows = _visible(scope)
    if device:
        found = scope.over(Device.objects.filter(pk=device)).first()
        if found is None:
            return Page((), 0, offset, limit)
        of_model = Q(
            device=None,
            vendor__iexact=found.vendor or "",
            model__iexact=found.model or "",
            vendor__gt="",
            model__gt="",
        ) & (Q(firmware="") | Q(firmware__iexact=found.firmware or ""))
        rows = rows.filter(Q(device_id=device) | of_model)
    for term in text.split()[:8]:
        rows = rows.filter(Q(name__icontains=term) | Q(model__icontains=term) | Q(vendor__icontains=term))
    chosen = rows.order_by("name", "version", "id")[offset : offset + limit]
    return Page(tuple(_view(row) for row in chosen), rows.count(), offset, limit)


def components(
    scope: Scope, bill: str, *, text: str = "", offset: int = 0, limit: int = 100
) -> Page[Component]:
    """Return a page of the components of a bill, in its order; ``text`` is part of name, version or purl."""
    offset, limit = bounds(offset, limit)
    rows = SoftwareComponent.objects.filter(bill__in=_visible(scope).filter(pk=bill))
    for term in text.split()[:8]:
        rows = rows.filter(Q(name__icontains=term) | Q(version__icontains=term) | Q(purl__icontains=term))
    chosen = rows.order_by("position")[offset : offset + limit]
    return Page(tuple(_model(row) for row in chosen), rows.count(), offset, limit)


def bill(scope: Scope, identifier: str) -> BillView:
    """Return one bill. Raises ConfigurationError where there is none in ``scope``."""
    return _view(_bill(scope, identifier))


def _bill(scope: Scope, identifier: str) -> ComponentList:
    row = _visible(scope).filter(pk=identifier).first()
    if row is None:
        raise ConfigurationError(f"there is no bill {identifier[:40]!r}: see `medwarden sbom list`")
    return row


def _visible(scope: Scope) -> QuerySet[ComponentList]:
    """Return the bills of a scope; those of models belong to the whole tenant."""
    rows = ComponentList.objects.filter(tenant_id=scope.tenant)
    return rows if scope.sites is None else rows.filter(Q(site_id__in=scope.sites) | Q(site=None))


def _view(row: ComponentList) -> BillView:
    return BillView(
        row.pk,
        Subject(row.device_id or "", row.vendor, row.model, row.firmware),
        row.format,
        row.name,
        row.version,
        row.source,
        row.said_at,
        row.components,
        row.skipped,
        row.actor,
        row.at_ns,
    )


def _model(row: SoftwareComponent) -> Component:
    return Component(
        row.ref, row.name, row.version, row.kind, row.supplier, row.purl, row.cpe,
        tuple(row.licences), row.hashes, tuple(row.depends),
    )  # fmt: skip
