"""Disclosure forms of makers (MDS2): brought in, attached, compared with what was heard, withdrawn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.knowledge.mds2 import questions
from medwarden.model.mds2 import Form
from medwarden.risk.matching.names import Aliases, plain
from medwarden.risk.mds2_naming import maker_key
from medwarden.sensors.mds2_apart import read_apart
from medwarden.sensors.mds2_document import LARGEST
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.risk.mds2_difference import Difference
    from medwarden.store.mds2 import FormView, ModelCount
    from medwarden.store.queries.scope import Scope


class Imported(msgspec.Struct, frozen=True):
    """What bringing a form in came to; ``id`` is blank for a trial, ``new`` tells a file not seen before."""

    id: str
    new: bool
    form: Form
    devices: int


class Covered(msgspec.Struct, frozen=True):
    """A maker's model of the inventory with the form that counts for it, or those that may.

    ``with_form`` counts its devices that have one; ``differences`` are open ones, ``gravest`` their highest
    severity. ``possible`` are ids of series whose names may mean the model.
    """

    vendor: str
    model: str
    category: str
    devices: int
    with_form: int
    form: str
    released: str
    differences: int
    gravest: str
    gravest_rank: int
    possible: tuple[str, ...]


def import_file(
    home: Path, path: Path, *, actor: str, vendor: str = "", model: str = "", trial: bool = False
) -> Imported:
    """Bring the form in ``path`` in, attach it by its names and compare.

    ``vendor`` and ``model`` stand in for what the form says of itself. ``trial`` shows what would be read and
    changes nothing. Raises ResourceError where the file cannot be read, MalformedInput where it is no form
    that is read, ConfigurationError where it does not say of what it is.
    """
    try:
        with path.open("rb") as file:
            document = file.read(LARGEST + 1)
    except OSError as error:
        raise ResourceError(f"{path}: {error.strerror}") from error
    form = named(read_apart(document, path.name), vendor, model)
    digest = hashlib.sha256(document).hexdigest()
    with open_store(home, writer=not trial, role="mds2"):
        from medwarden.store.open import ensure_site

        if trial:
            return Imported("", False, form, 0)
        tenant, _ = ensure_site()
        return keep(tenant, form, path.name, digest, actor=actor)


def named(form: Form, vendor: str = "", model: str = "") -> Form:
    """Return a form under another maker or model. Raises ConfigurationError where either is not known."""
    header = msgspec.structs.replace(
        form.header, vendor=vendor.strip() or form.header.vendor, model=model.strip() or form.header.model
    )
    if not plain(header.vendor) or not plain(header.model):
        missing = "maker" if not plain(header.vendor) else "model"
        raise ConfigurationError(f"the form does not name its {missing}: say it with --vendor and --model")
    return msgspec.structs.replace(form, header=header)


def keep(tenant: str, form: Form, source: str, digest: str, *, actor: str) -> Imported:
    """Keep a form that was read, and compare the devices it is of; on an open store."""
    from medwarden.store.changes import Change
    from medwarden.store.mds2 import keep_form, series_id

    series = series_id(tenant, maker_key(form.header.vendor, _own()), plain(form.header.model))
    before = covered_devices(tenant, series)
    with Change(actor, f"disclosure form from {Path(source).name}", tenant=tenant) as change:
        identifier, new = keep_form(change, form, series, Path(source).name, digest)
    devices = covered_devices(tenant, series)
    _judge(tenant, {**before, **devices}, "a maker's form was brought in")
    return Imported(identifier, new, form, len(devices))


def _own() -> Aliases | None:
    from medwarden.app.vulnerabilities import own_aliases
    from medwarden.store.chain import folder_of_database

    home = folder_of_database()
    return None if home is None else own_aliases(home)


def covered_devices(tenant: str, series: str) -> dict[str, str]:
    """Return the devices that a series counts for, with their sites; on an open store."""
    from medwarden.app.disclosures import Disclosed
    from medwarden.store.mds2 import devices_named
    from medwarden.store.queries.scope import Scope

    naming = Disclosed(tenant).naming
    return {
        device: site
        for device, site, vendor, model in devices_named(Scope(tenant))
        if (fit := naming.of(device, vendor, model)) is not None and fit.series == series
    }


def _judge(tenant: str, devices: dict[str, str], reason: str) -> None:
    """Score devices anew and bring their findings in line, site by site."""
    from medwarden.app.judge import assess

    by_site: dict[str, list[str]] = {}
    for device, site in devices.items():
        by_site.setdefault(site, []).append(device)
    for site, ids in sorted(by_site.items()):
        assess(tenant, site, sorted(ids), reason)


def attach_form(
    tenant: str,
    form: str,
    *,
    actor: str,
    reason: str,
    device: str = "",
    vendor: str = "",
    model: str = "",
    belongs: bool | None = True,
) -> int:
    """Keep a person's word on what a form (and its series) is of; None takes the word back.

    Returns how many devices the series counts for now. On an open store; raises ConfigurationError where
    there is no such form or device, or nothing is named.
    """
    from medwarden.store.changes import Change
    from medwarden.store.mds2 import attach, detach, form_of
    from medwarden.store.queries.scope import Scope

    view, _ = form_of(Scope(tenant), form)
    if not reason.strip():
        raise ConfigurationError("say why: it is kept with the form")
    before = covered_devices(tenant, view.series)
    others = _devices_of(tenant, device, vendor, model)
    with Change(actor, reason, tenant=tenant) as change:
        if belongs is None:
            if not detach(change, view.series, device=device, vendor=vendor, model=model):
                raise ConfigurationError("nobody said that of this form")
        else:
            attach(change, view.series, device=device, vendor=vendor, model=model, belongs=belongs)
    after = covered_devices(tenant, view.series)
    _judge(tenant, {**before, **others, **after}, "a maker's form was attached or detached")
    return len(after)


def _devices_of(tenant: str, device: str, vendor: str, model: str) -> dict[str, str]:
    from medwarden.store.mds2 import devices_named
    from medwarden.store.queries.scope import Scope

    wanted = (plain(vendor), plain(model))
    return {
        pk: site
        for pk, site, made, called in devices_named(Scope(tenant))
        if pk == device or (not device and (plain(made), plain(called)) == wanted)
    }


def withdraw(tenant: str, form: str, *, actor: str, reason: str) -> None:
    """Let a form count no more; on an open store. It can be restored."""
    _change_standing(tenant, form, actor=actor, reason=reason, back=False)


def restore(tenant: str, form: str, *, actor: str, reason: str) -> None:
    """Let a withdrawn form count again; on an open store."""
    _change_standing(tenant, form, actor=actor, reason=reason, back=True)


def _change_standing(tenant: str, form: str, *, actor: str, reason: str, back: bool) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.mds2 import form_of, restore_form, withdraw_form
    from medwarden.store.queries.scope import Scope

    view, _ = form_of(Scope(tenant), form)
    before = covered_devices(tenant, view.series)
    with Change(actor, reason, tenant=tenant) as change:
        (restore_form if back else withdraw_form)(change, view.id)
    _judge(tenant, {**before, **covered_devices(tenant, view.series)}, "which form counts has changed")


def compared(tenant: str, site: str, devices: Sequence[str]) -> dict[str, tuple[Difference, ...]]:
    """Return, by device, where what was heard differs from its form; on an open store.

    Devices without a form are left out; those that bear their form out come with no difference.
    """
    from medwarden.app.disclosures import Disclosed
    from medwarden.app.surroundings import surroundings
    from medwarden.risk.mds2 import compare
    from medwarden.store.queries import complete_devices

    context = surroundings(tenant, site)
    found = complete_devices(devices)
    disclosed = Disclosed(tenant).of(found)
    return {
        device.id: compare(device, disclosed[device.id], context)
        for device in found
        if device.id in disclosed
    }


def coverage(scope: Scope, *, medical: bool = False) -> list[Covered]:
    """Return the makers' models of a scope: those with differences first, then those that lack a form.

    On an open store. Of each how many devices it has, and which form counts.
    """
    from medwarden.app.disclosures import Disclosed
    from medwarden.store.mds2 import devices_named, models_there_are, standing_series
    from medwarden.store.queries.mds2 import differences

    naming = Disclosed(scope.tenant).naming
    released = {series.id: series.released for series in standing_series(scope.tenant)}
    fits: dict[tuple[str, str], dict[str, int]] = {}
    for device, _, vendor, model in devices_named(scope):
        fit = naming.of(device, vendor, model)
        if fit is not None:
            held = fits.setdefault((vendor, model), {})
            held[fit.series] = held.get(fit.series, 0) + 1
    open_ones: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for each in differences(scope):
        open_ones.setdefault((each.vendor, each.model), []).append((each.severity_rank, each.severity))
    rows = []
    for model_count in models_there_are(scope, medical=medical):
        key = (model_count.vendor, model_count.model)
        held = fits.get(key, {})
        series = max(held, key=lambda s: (held[s], released.get(s, "")), default="")
        rank, severity = max(open_ones.get(key, []), default=(-1, ""))
        possible = () if series else tuple(fit.series for fit in naming.proposed(*key))
        rows.append(
            _covered(
                model_count, held, series, released, len(open_ones.get(key, [])), severity, rank, possible
            )
        )
    return sorted(rows, key=lambda r: (-r.gravest_rank, bool(r.form), -r.devices, r.vendor, r.model))


def _covered(
    model: ModelCount,
    held: dict[str, int],
    series: str,
    released: dict[str, str],
    count: int,
    severity: str,
    rank: int,
    possible: tuple[str, ...],
) -> Covered:
    return Covered(
        model.vendor, model.model, model.category, model.devices, sum(held.values()), series,
        released.get(series, ""), count, severity, rank, possible,
    )  # fmt: skip


def exported(view: FormView, form: Form) -> Iterator[dict[str, object]]:
    """Yield a form question by question, in our words."""
    asked = questions(form.edition)
    for answer in form.answers:
        question = asked.get(answer.question)
        yield {
            "form": view.id, "vendor": view.vendor, "model": view.model, "released": view.released,
            "edition": view.edition, "question": answer.question,
            "section": question.section if question else "OTHR",
            "words": question.words if question else "Further remarks",
            "answer": answer.stance.value, "written": answer.written, "note": answer.note,
            "where": answer.where,
        }  # fmt: skip


EXPORTED = (
    "form", "vendor", "model", "released", "edition", "question", "section", "words", "answer", "written",
    "note", "where",
)  # fmt: skip
