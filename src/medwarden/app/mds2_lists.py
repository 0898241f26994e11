"""Disclosure forms as commands and pages show them: lists, one form in our words, its claims, differences."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.mds2 import attach_form, compared, coverage, exported, restore, withdraw
from medwarden.knowledge.mds2 import claim_words, claims_of, questions, sections
from medwarden.model.mds2 import DeclaredPort, Form, Problem, Stance
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.app.mds2 import Covered
    from medwarden.store.mds2 import FormView


class AnswerRow(msgspec.Struct, frozen=True):
    """An answer with our words for its question."""

    question: str
    section: str
    words: str
    stance: str
    written: str
    note: str
    where: str


class ClaimRow(msgspec.Struct, frozen=True):
    """A claim of a form in words; ``holds`` is None where the form leaves it open."""

    name: str
    title: str
    group: str
    holds: bool | None
    question: str
    written: str
    note: str


class ShownForm(msgspec.Struct, frozen=True):
    """A form with everything it says."""

    view: FormView
    description: str
    use: str
    answers: tuple[AnswerRow, ...]
    claims: tuple[ClaimRow, ...]
    ports: tuple[DeclaredPort, ...]
    problems: tuple[Problem, ...]


class Differing(msgspec.Struct, frozen=True):
    """A difference of a device with its form."""

    device: str
    label: str
    type: str
    severity: str
    title: str
    questions: tuple[str, ...]
    said: str
    seen: str


def form_list(home: Path, *, text: str = "", withdrawn: bool = False) -> list[FormView]:
    """Return the forms there are."""
    with open_store(home, writer=False):
        from medwarden.store.mds2 import forms
        from medwarden.store.queries.scope import Scope

        return list(forms(Scope(), text=text, withdrawn=withdrawn, limit=1000).items)


def covered_models(home: Path) -> list[Covered]:
    """Return the makers' models of the inventory with the forms that count for them."""
    with open_store(home, writer=False):
        from medwarden.store.queries.scope import Scope

        return coverage(Scope())


def shown(home: Path, identifier: str) -> ShownForm:
    """Return a form. Raises ConfigurationError where there is none."""
    with open_store(home, writer=False):
        from medwarden.store.mds2 import form_of
        from medwarden.store.queries.scope import Scope

        return in_words(*form_of(Scope(), identifier))


def in_words(view: FormView, form: Form) -> ShownForm:
    """Return a form with our words for its questions, and its claims."""
    return ShownForm(
        view=view,
        description=form.header.description,
        use=form.header.use,
        answers=answer_rows(form),
        claims=claim_rows(form),
        ports=form.ports,
        problems=form.problems,
    )


def answer_rows(form: Form) -> tuple[AnswerRow, ...]:
    """Return the answers of a form with our words for the questions."""
    asked = questions(form.edition)
    rows = []
    for answer in form.answers:
        question = asked.get(answer.question)
        section = question.section if question else "OTHR"
        words = question.words if question else "Further remarks"
        rows.append(
            AnswerRow(
                answer.question,
                section,
                words,
                answer.stance.value,
                answer.written,
                answer.note,
                answer.where,
            )
        )
    return tuple(rows)


def claim_rows(form: Form) -> tuple[ClaimRow, ...]:
    """Return the claims of a form in the order in which they are shown."""
    claims, _ = claims_of(form.edition, form.answers)
    return tuple(
        ClaimRow(name, words.title, words.group, claim.holds, claim.question, claim.written, claim.note)
        for name, words in claim_words().items()
        if (claim := claims.get(name)) is not None
    )


def by_section(form: Form) -> list[tuple[str, str, list[AnswerRow]]]:
    """Return label, title and answers of the sections of a form that have any."""
    rows = answer_rows(form)
    found = [
        (section.id, section.title, [row for row in rows if row.section == section.id])
        for section in sections(form.edition)
    ]
    return [each for each in found if any(row.stance != Stance.EMPTY.value or row.note for row in each[2])]


def differing(home: Path, *, device: str = "", form: str = "") -> list[Differing]:
    """Return the differences of a device, of the devices of a form, or of all devices, gravest first.

    Raises ConfigurationError where there is no such device or form.
    """
    with open_store(home, writer=False):
        from medwarden.app.inventory import one_device
        from medwarden.app.mds2 import covered_devices
        from medwarden.store.mds2 import devices_named, form_of
        from medwarden.store.models import DEFAULT_TENANT, Device
        from medwarden.store.queries.scope import Scope

        if device:
            found = one_device(device)
            wanted = {found.id: found.site}
        elif form:
            wanted = covered_devices(DEFAULT_TENANT, form_of(Scope(), form)[0].series)
        else:
            wanted = {each: site for each, site, _, _ in devices_named(Scope())}
        by_site: dict[str, list[str]] = {}
        for each, site in wanted.items():
            by_site.setdefault(site, []).append(each)
        rows: list[Differing] = []
        for site, ids in sorted(by_site.items()):
            told = compared(DEFAULT_TENANT, site, ids)
            names = dict(Device.objects.filter(pk__in=list(told)).values_list("pk", "name"))
            rows += [
                Differing(
                    each, names.get(each) or each, d.type, d.severity.value, d.title, d.questions,
                    d.said, d.seen,
                )
                for each, differences in told.items()
                for d in differences
            ]  # fmt: skip
        return rows


def attach_by_hand(
    home: Path,
    form: str,
    *,
    actor: str,
    reason: str,
    device: str = "",
    vendor: str = "",
    model: str = "",
    belongs: bool | None = True,
) -> int:
    """Keep a person's word on what a form is of; a device is named by its id, MAC or IP."""
    with open_store(home, writer=True, role="mds2"):
        from medwarden.app.inventory import one_device
        from medwarden.store.models import DEFAULT_TENANT

        chosen = one_device(device).id if device else ""
        return attach_form(
            DEFAULT_TENANT, form, actor=actor, reason=reason, device=chosen, vendor=vendor, model=model,
            belongs=belongs,
        )  # fmt: skip


def change_standing(home: Path, form: str, *, actor: str, reason: str, back: bool) -> None:
    """Withdraw a form, or let it count again."""
    with open_store(home, writer=True, role="mds2"):
        from medwarden.store.models import DEFAULT_TENANT

        (restore if back else withdraw)(DEFAULT_TENANT, form, actor=actor, reason=reason)


def exported_rows(home: Path, form: str = "") -> list[dict[str, object]]:
    """Return the answers of a form, or of all that count, as rows."""
    with open_store(home, writer=False):
        from medwarden.store.mds2 import form_of, forms
        from medwarden.store.queries.scope import Scope

        scope = Scope()
        ids = [form] if form else [view.id for view in forms(scope, limit=1000).items if view.counts]
        return [row for each in ids for row in exported(*form_of(scope, each))]
