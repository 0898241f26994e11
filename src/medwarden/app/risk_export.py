"""Risk as of a date in a file that can be proved: every device with score, factors, cause and rules.

The digest of the file goes into the audit chain, whose head is sealed; with the proof beside the file
anybody who has the data folder can show that it was made then and has not been changed since.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import msgspec

from medwarden.kernel.clock import iso, wall_clock
from medwarden.kernel.errors import ConfigurationError, ResourceError
from medwarden.kernel.printable import neutral_cell
from medwarden.risk.weights import Weights
from medwarden.store.chain import check_chain, folder_of_database, read_head
from medwarden.store.changes import Change
from medwarden.store.models import Device, FactorSpan, RiskScore
from medwarden.store.queries.scope import Scope
from medwarden.store.queries.scores import during, holding
from medwarden.store.risk_rules import noted_rules

FORMATS = ("json", "csv")
_AT_ONCE = 400
_COLUMNS = (
    "device", "name", "site", "category", "vendor", "model", "score", "level", "likelihood", "impact",
    "since", "rules", "cause", "factor", "title", "group", "points", "raw_points", "why", "factor_since",
)  # fmt: skip


class ExportedFactor(msgspec.Struct, frozen=True):
    """A factor that held: its points then, why, on what, since when and for what cause."""

    factor: str
    title: str
    group: str
    points: int
    raw_points: float
    why: str
    since: str
    cause: str
    evidence: list[dict[str, object]]


class ExportedScore(msgspec.Struct, frozen=True):
    """The score of one device as it stood."""

    device: str
    name: str
    site: str
    category: str | None
    vendor: str | None
    model: str | None
    score: int
    level: str
    likelihood: int
    impact: int
    since: str
    rules: str
    cause: str
    factors: list[ExportedFactor]


class Export(msgspec.Struct, frozen=True):
    """What a file of scores holds: as of when, made when, by which rules, and how the audit chain stood."""

    as_of: str
    made: str
    tenant: str
    sites: tuple[str, ...] | None
    rules: dict[str, Weights | None]
    chain_whole: bool
    chain_rows: int
    devices: list[ExportedScore]


class Proof(msgspec.Struct, frozen=True):
    """What speaks for a file: its digest, and where in the audit chain it stands (:mod:`store.chain`)."""

    sha256: str
    devices: int
    as_of: str
    sequence: int
    digest: str
    sealed_at: str


def exported_scores(scope: Scope, at_ns: int) -> Iterator[ExportedScore]:
    """Yield the score of every device as it stood at ``at_ns``, by device id."""
    rows = holding(scope.over(RiskScore.objects.all()), at_ns).order_by("device_id")
    ids = list(rows.values_list("device_id", flat=True))
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        devices = {row.pk: row for row in Device.objects.filter(pk__in=part)}
        spans: dict[str, list[FactorSpan]] = {}
        for span in during(FactorSpan.objects.filter(device_id__in=part), at_ns):
            spans.setdefault(span.device_id, []).append(span)
        for row in rows.filter(device_id__in=part):
            device = devices[row.device_id]
            if device.retired_at is None or device.retired_at > at_ns:
                yield _score(row, device, spans.get(device.pk, []))


def _score(row: RiskScore, device: Device, spans: list[FactorSpan]) -> ExportedScore:
    factors = [
        ExportedFactor(
            span.factor,
            span.title,
            span.group,
            row.points[span.factor][0],
            span.raw_points,
            span.why,
            iso(span.since_ns),
            span.cause,
            span.evidence,
        )
        for span in spans
        if span.factor in row.points
    ]
    factors.sort(key=lambda f: (-f.points, f.factor))
    return ExportedScore(
        device.pk, device.name or "", device.site_id, device.category, device.vendor, device.model,
        row.score, row.level, row.likelihood, row.impact, iso(row.at_ns), row.rules_version, row.cause,
        factors,
    )  # fmt: skip


def content(scope: Scope, at_ns: int, form: str) -> tuple[bytes, int]:
    """Return a file of scores as of ``at_ns`` and how many devices it holds.

    Raises ConfigurationError for a form that is not in :data:`FORMATS`.
    """
    if form not in FORMATS:
        raise ConfigurationError(f"scores are exported as {' or '.join(FORMATS)}")
    found = list(exported_scores(scope, at_ns))
    if form == "csv":
        return _csv(found), len(found)
    chain = check_chain()
    made = Export(
        as_of=iso(at_ns),
        made=iso(wall_clock()),
        tenant=scope.tenant,
        sites=scope.sites,
        rules={name: noted_rules(scope.tenant, name) for name in sorted({score.rules for score in found})},
        chain_whole=chain.broken is None,
        chain_rows=chain.entries,
        devices=found,
    )
    return msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n", len(found)


def _csv(found: list[ExportedScore]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for score in found:
        head: list[str | float] = [
            score.device, score.name, score.site, score.category or "", score.vendor or "", score.model or "",
            score.score, score.level, score.likelihood, score.impact, score.since, score.rules, score.cause,
        ]  # fmt: skip
        tails: list[list[str | float]] = [
            [
                factor.factor, factor.title, factor.group, factor.points, round(factor.raw_points, 4),
                factor.why, factor.since,
            ]
            for factor in score.factors
        ]  # fmt: skip
        for tail in tails or [[""] * 7]:
            writer.writerow([neutral_cell(cell) for cell in (*head, *tail)])
    return text.getvalue().encode()


def proved(scope: Scope, at_ns: int, form: str, *, actor: str, reason: str) -> tuple[bytes, Proof]:
    """Return a file of scores with what speaks for it; its digest is written to the audit chain.

    On an open store of a writer.
    """
    data, devices = content(scope, at_ns, form)
    digest = hashlib.sha256(data).hexdigest()
    with Change(actor, reason, tenant=scope.tenant) as change:
        change.record(
            "risk.exported", f"file:{digest[:32]}", None,
            {"sha256": digest, "devices": devices, "as_of_ns": at_ns, "form": form},
        )  # fmt: skip
    folder = folder_of_database()
    head = None if folder is None else read_head(folder)
    return data, Proof(
        digest,
        devices,
        iso(at_ns),
        0 if head is None else head.sequence,
        "" if head is None else head.digest,
        "" if head is None else iso(head.at_ns),
    )


def check_file(path: Path) -> bool:
    """Tell whether a file is one that was exported from this data folder and not changed since.

    On an open store. Raises ResourceError where it cannot be read.
    """
    from medwarden.store.models import AuditEntry

    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror}") from error
    rows = AuditEntry.objects.filter(action="risk.exported", subject=f"file:{digest[:32]}")
    told = any(msgspec.json.decode(row.after)["sha256"] == digest for row in rows)
    return told and check_chain().broken is None
