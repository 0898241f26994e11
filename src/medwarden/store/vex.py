"""Imported VEX statements: kept with their author, and the words on verdicts that follow from them.

A statement changes nothing by itself. It counts where its author is the maker of the device, or where a
person accepted it; then it is a word like theirs (:class:`~medwarden.store.models.Irrelevance`), with an end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec
from django.db.models import Q

from medwarden.kernel.clock import NANOSECONDS
from medwarden.kernel.errors import ConfigurationError
from medwarden.kernel.ids import stable_id
from medwarden.model.vulnerability import MatchState
from medwarden.risk.work.vex.statement import Reading, Statement, VexStatus
from medwarden.store.bulk import insert_rows, update_rows
from medwarden.store.changes import Change
from medwarden.store.models import (
    Irrelevance,
    ProfileMember,
    VexDocument,
    VexStatement,
    VulnerabilityVerdict,
)
from medwarden.store.queries.scope import Page, bounds
from medwarden.store.work_items import CONCERNING

DAY = 86_400 * NANOSECONDS
_AT_ONCE = 400
COUNTING = ("counts", "accepted")


class Weighed(msgspec.Struct, frozen=True):
    """What became of a statement: its state, and the profiles whose verdict it changes or would change."""

    state: str
    profiles: tuple[str, ...] = ()


def keep_document(
    change: Change,
    reading: Reading,
    *,
    author: str,
    source: str,
    digest: str,
    claims: Sequence[Mapping[str, object]],
    checked: str = "",
    fingerprint: str = "",
    signer: str = "",
) -> VexDocument:
    """Keep a document and its statements, none of them weighed yet.

    ``checked``, ``fingerprint`` and ``signer`` are what was found of its signature.

    Raises ConfigurationError where this very file was imported and not taken back.
    """
    held = VexDocument.objects.filter(tenant_id=change.tenant, digest=digest, undone_ns=None).first()
    if held is not None:
        raise ConfigurationError(f"this file was imported already, as {held.source[:80]!r}")
    row = VexDocument(
        id=stable_id("vx", change.tenant, digest, str(change.now_ns)),
        tenant_id=change.tenant,
        site_id=None,
        form=reading.form,
        document=reading.document,
        version=reading.version,
        author=author[:200],
        published=reading.published,
        source=source[:255],
        digest=digest,
        actor=change.actor[:150],
        at_ns=change.now_ns,
        by_vendor=reading.by_vendor,
        checked=checked[:400],
        fingerprint=fingerprint[:64],
        signer=signer[:200],
        problems=[msgspec.to_builtins(problem) for problem in reading.problems],
    )
    row.save(force_insert=True)
    insert_rows(
        [_statement(change, row, said, claim) for said, claim in zip(reading.statements, claims, strict=True)]
    )
    change.record(
        "vex.imported",
        f"vex:{row.pk}",
        None,
        {
            "author": row.author,
            "document": row.document,
            "statements": len(reading.statements),
            "signed_with": row.fingerprint,
        },
    )
    return row


def _statement(
    change: Change, document: VexDocument, said: Statement, claim: Mapping[str, object]
) -> VexStatement:
    return VexStatement(
        tenant_id=change.tenant,
        site_id=None,
        document_id=document.pk,
        place=said.place[:200],
        vulnerability=said.names[0],
        names=list(said.names),
        product=said.product.name[:400],
        vendor=said.product.vendor[:200],
        says=said.says.value,
        justification=said.justification[:60],
        text=said.text,
        claim=dict(claim),
        state="noted",
    )


def live_statements(tenant: str) -> list[VexStatement]:
    """Return the statements of documents that were not taken back, those that were refused left out."""
    rows = VexStatement.objects.filter(tenant_id=tenant, document__undone_ns=None).exclude(state="refused")
    return list(rows.select_related("document").order_by("pk"))


def open_pairs(tenant: str, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the verdicts there are of some vulnerabilities now: state by profile, by vulnerability."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    wanted = sorted(names)
    for start in range(0, len(wanted), _AT_ONCE):
        rows = VulnerabilityVerdict.objects.filter(
            tenant_id=tenant, until_ns=None, vulnerability__in=wanted[start : start + _AT_ONCE]
        )
        for vulnerability, profile, state in rows.values_list("vulnerability", "profile_id", "state"):
            found[vulnerability][profile] = state
    return found


def words_in_force(tenant: str, now_ns: int) -> dict[tuple[str, str], str]:
    """Return whose word holds for a profile and a vulnerability: the source of each."""
    rows = Irrelevance.objects.filter(
        tenant_id=tenant, ended_ns=None, expires_ns__gt=now_ns, device_id=None
    ).exclude(profile_id=None)
    return {
        (profile or "", vulnerability): source
        for profile, vulnerability, source in rows.values_list("profile_id", "vulnerability", "source")
    }


def source_of(row: VexStatement) -> str:
    """Return how the words of a statement name it."""
    return f"{row.document_id}#{row.pk}"


def first_signed(fingerprints: Collection[str]) -> dict[str, str]:
    """Return by fingerprint the author of the first document that was kept and is signed with that key.

    Documents that were taken back count only where there is no other.
    """
    rows = VexDocument.objects.filter(fingerprint__in=list(fingerprints))
    found: dict[str, str] = {}
    for undone in (True, False):
        for row in rows.filter(undone_ns__isnull=not undone).order_by("-at_ns", "-pk"):
            found[row.fingerprint] = row.author
    return found


def record_weighed(change: Change, weighed: Mapping[int, Weighed], members: Mapping[str, int]) -> set[str]:
    """Keep what became of statements; return those of them (as text) that moved.

    ``members`` are devices by profile. What a person decided stays.
    """
    moved, altered = set(), []
    rows = {row.pk: row for row in VexStatement.objects.filter(tenant_id=change.tenant, pk__in=list(weighed))}
    for key, found in weighed.items():
        row = rows[key]
        state = row.state if row.state in ("accepted", "refused") else found.state
        devices = sum(members.get(profile, 0) for profile in found.profiles)
        effect = sorted(found.profiles)
        if (row.state, row.devices, row.effect) != (state, devices, effect):
            row.state, row.devices, row.effect = state, devices, effect
            altered.append(row)
            moved.add(str(key))
    update_rows(altered, ("state", "devices", "effect"))
    return moved


def let_count(change: Change, rows: Iterable[VexStatement], *, days: int, actor: str) -> set[str]:
    """Give the statements their say over the profiles they are about; return the profiles that changed."""
    changed: set[str] = set()
    fresh = []
    for row in rows:
        held = set(
            Irrelevance.objects.filter(
                tenant_id=change.tenant, source=source_of(row), ended_ns=None, expires_ns__gt=change.now_ns
            ).values_list("profile_id", flat=True)
        )
        for profile in row.effect:
            if profile in held:
                continue
            fresh.append(_word(change, row, profile, days, actor))
            changed.add(profile)
    insert_rows(fresh)
    if fresh:
        change.record(
            "vex.counts",
            f"vex:{fresh[0].source}",
            None,
            {"verdicts": len(fresh), "profiles": sorted(changed)[:50]},
        )
    return changed


def withdraw(change: Change, rows: Iterable[VexStatement]) -> set[str]:
    """End the words of statements that count no longer; return the profiles that changed."""
    changed: set[str] = set()
    for row in rows:
        words = Irrelevance.objects.filter(tenant_id=change.tenant, source=source_of(row), ended_ns=None)
        ended = {profile for profile in words.values_list("profile_id", flat=True) if profile}
        words.update(ended_ns=change.now_ns)
        change.record("vex.withdrawn", f"vex:{source_of(row)}", {"profiles": sorted(ended)[:50]}, None)
        changed |= ended
    return changed


def _word(change: Change, row: VexStatement, profile: str, days: int, actor: str) -> Irrelevance:
    fixed = row.says == VexStatus.FIXED.value
    grounds = row.justification.replace("_", " ")
    name = next((n for n in row.names if _concerns(change.tenant, profile, n)), row.vulnerability)
    return Irrelevance(
        tenant_id=change.tenant,
        site_id=None,
        device_id=None,
        profile_id=profile,
        vulnerability=name,
        reason=". ".join(part for part in (grounds, row.text) if part)
        or f"says so in {row.document.document}",
        actor=actor[:150],
        at_ns=change.now_ns,
        expires_ns=change.now_ns + days * DAY,
        ended_ns=None,
        said=(MatchState.FIXED if fixed else MatchState.NOT_AFFECTED).value,
        justification=row.justification,
        author=row.document.author,
        source=source_of(row),
    )


def _concerns(tenant: str, profile: str, name: str) -> bool:
    return VulnerabilityVerdict.objects.filter(
        tenant_id=tenant, profile_id=profile, vulnerability=name, until_ns=None, state__in=CONCERNING
    ).exists()


def decide(change: Change, rows: Sequence[VexStatement], *, accept: bool, days: int) -> set[str]:
    """Accept or refuse statements that wait; return the profiles whose verdict changed.

    Raises ConfigurationError without a reason, or where one does not wait.
    """
    if not change.reason.strip():
        raise ConfigurationError("say why the statement is believed or not")
    late = next((row for row in rows if row.state != "waiting"), None)
    if late is not None or not rows:
        raise ConfigurationError(
            f"the statement on {late.vulnerability} is {late.state} already" if late else "choose a statement"
        )
    for row in rows:
        row.state = "accepted" if accept else "refused"
        row.decided_by, row.decided_ns, row.reason = change.actor[:150], change.now_ns, change.reason
        change.record(f"vex.{row.state}", f"vex:{source_of(row)}", None, {"vulnerability": row.vulnerability})
    update_rows(rows, ("state", "decided_by", "decided_ns", "reason"))
    return let_count(change, rows, days=days, actor=change.actor) if accept else set()


def take_back(change: Change, document: VexDocument) -> set[str]:
    """Take a document back: its statements count no more; return the profiles whose verdict changed.

    Raises ConfigurationError where it was taken back already.
    """
    if document.undone_ns is not None:
        raise ConfigurationError("it is taken back already")
    words = Irrelevance.objects.filter(
        tenant_id=change.tenant, source__startswith=f"{document.pk}#", ended_ns=None
    )
    changed = {profile for profile in words.values_list("profile_id", flat=True) if profile}
    words.update(ended_ns=change.now_ns)
    document.undone_ns, document.undone_by = change.now_ns, change.actor[:150]
    document.save(update_fields=["undone_ns", "undone_by"])
    change.record("vex.undone", f"vex:{document.pk}", {"author": document.author}, None)
    return changed


def reopen_statement(change: Change, row: VexStatement) -> set[str]:
    """Take a person's decision on a statement back; return the profiles whose verdict changed."""
    if row.state not in ("accepted", "refused"):
        raise ConfigurationError("nobody decided on this statement")
    words = Irrelevance.objects.filter(tenant_id=change.tenant, source=source_of(row), ended_ns=None)
    changed = {profile for profile in words.values_list("profile_id", flat=True) if profile}
    words.update(ended_ns=change.now_ns)
    before, row.state = row.state, "waiting"
    row.decided_by, row.decided_ns, row.reason = "", None, ""
    row.save(update_fields=["state", "decided_by", "decided_ns", "reason"])
    change.record("vex.reopened", f"vex:{source_of(row)}", before, "waiting")
    return changed


def mark_said(change: Change, device: str, vulnerability: str, says: str, justification: str) -> None:
    """Note what the word that was just given on a device and a vulnerability says, and on what grounds."""
    member = ProfileMember.objects.filter(device_id=device, until_ns=None).first()
    mine = Q(device_id=device) | Q(profile_id=None if member is None else member.profile_id)
    rows = Irrelevance.objects.filter(
        tenant_id=change.tenant, vulnerability=vulnerability, at_ns=change.now_ns, ended_ns=None
    ).filter(mine)
    rows.update(said=says, justification=justification)
    change.record(
        "vulnerability.said",
        f"device:{device}",
        None,
        {"vulnerability": vulnerability, "says": says, "justification": justification},
    )


def devices_by_profile(tenant: str) -> dict[str, int]:
    """Return how many devices have each profile now."""
    found: defaultdict[str, int] = defaultdict(int)
    rows = ProfileMember.objects.filter(tenant_id=tenant, until_ns=None)
    for profile in rows.values_list("profile_id", flat=True):
        found[profile] += 1
    return found


# ---------------------------------------------------------------- reading


class DocumentRow(msgspec.Struct, frozen=True):
    """One imported document with how its statements stand."""

    id: str
    form: str
    document: str
    version: str
    author: str
    published: str
    source: str
    actor: str
    at_ns: int
    statements: dict[str, int]
    problems: list[dict[str, str]]
    undone_ns: int | None
    undone_by: str
    checked: str
    fingerprint: str
    signer: str


class StatementRow(msgspec.Struct, frozen=True):
    """One statement: whose word, on what, what it says, and what became of it."""

    id: int
    document: str
    author: str
    vulnerability: str
    product: str
    vendor: str
    says: str
    justification: str
    text: str
    place: str
    state: str
    devices: int
    decided_by: str
    decided_ns: int | None
    reason: str


def documents(tenant: str) -> list[DocumentRow]:
    """Return the imported documents, the latest first."""
    counts: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for document, state in VexStatement.objects.filter(tenant_id=tenant).values_list("document_id", "state"):
        counts[document][state] = counts[document].get(state, 0) + 1
    return [
        DocumentRow(
            row.pk, row.form, row.document, row.version, row.author, row.published, row.source, row.actor,
            row.at_ns, counts[row.pk], list(row.problems), row.undone_ns, row.undone_by, row.checked,
            row.fingerprint, row.signer,
        )
        for row in VexDocument.objects.filter(tenant_id=tenant).order_by("-at_ns")
    ]  # fmt: skip


def statements(
    tenant: str, *, state: str = "", text: str = "", document: str = "", offset: int = 0, limit: int = 50
) -> Page[StatementRow]:
    """Return statements of documents that count, those that wait first."""
    rows = VexStatement.objects.filter(tenant_id=tenant).select_related("document")
    rows = rows.filter(document_id=document) if document else rows.filter(document__undone_ns=None)
    if state:
        rows = rows.filter(state=state)
    for term in text.split()[:8]:
        rows = rows.filter(
            Q(vulnerability__icontains=term)
            | Q(product__icontains=term)
            | Q(document__author__icontains=term)
        )
    start, size = bounds(offset, limit)
    ordered = rows.order_by("-state", "-devices", "pk")
    return Page(
        tuple(
            StatementRow(
                row.pk, row.document_id, row.document.author, row.vulnerability, row.product, row.vendor,
                row.says, row.justification, row.text, row.place, row.state, row.devices, row.decided_by,
                row.decided_ns, row.reason,
            )
            for row in ordered[start : start + size]
        ),
        rows.count(),
        start,
        size,
    )  # fmt: skip


def document_named(tenant: str, name: str) -> VexDocument:
    """Return a document by its id. Raises ConfigurationError where there is none."""
    row = VexDocument.objects.filter(tenant_id=tenant, pk=name).first()
    if row is None:
        raise ConfigurationError(f"there is no VEX document {name[:40]!r}")
    return row


def statements_named(tenant: str, ids: Sequence[int]) -> list[VexStatement]:
    """Return statements by their numbers. Raises ConfigurationError where one is not there."""
    rows = VexStatement.objects.filter(tenant_id=tenant, pk__in=list(ids), document__undone_ns=None)
    found = list(rows.select_related("document"))
    if len(found) != len(set(ids)):
        raise ConfigurationError("there is no such statement, or its document was taken back")
    return found
