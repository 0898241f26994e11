"""Letters to makers: written from open verdicts, sent by people, answered by hand or document.

An answer becomes knowledge of its own, an advisory that stands for this model and version before what others
say of it, and devices are judged by it at once.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.knowledge import writing
from medwarden.app.recall_desk import day_of, end_of
from medwarden.app.vulnerabilities import refresh
from medwarden.feeds.csaf import FEED as CSAF_FEED
from medwarden.kernel.clock import NANOSECONDS, from_datetime, iso, to_datetime
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.feed import Entry
from medwarden.model.vulnerability import (
    Advisory,
    ProductClaim,
    ProductStatus,
    Provenance,
    Remedy,
    VersionSpan,
    Vulnerability,
)
from medwarden.risk.matching.engine import ANSWER
from medwarden.risk.recalls.letter import Answered, Letter, html_of, status_of, table_of, text_of
from medwarden.risk.recalls.naming import described, named
from medwarden.store.chain import folder_of_database
from medwarden.store.knowledge_editions import Brought, Gathering, put_in_use

if TYPE_CHECKING:
    from medwarden.store.models import MakerLetter
    from medwarden.store.queries import Scope

DAYS_TO_ANSWER = 30
_DAY_NS = 86_400 * NANOSECONDS
_LARGEST = 20 << 20


class Taken(msgspec.Struct, frozen=True):
    """What a document answered: statuses, and vulnerabilities of the letter that it does not settle."""

    answers: tuple[Answered, ...]
    open: tuple[str, ...]


def write(
    scope: Scope, maker: str, model: str, firmware: str, vulnerabilities: Sequence[str], *, actor: str
) -> str:
    """Write a letter about a model at a firmware version; return its number."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import Draft, next_number, write_letter
    from medwarden.store.queries.letters import asked_of, devices_of

    names = tuple(dict.fromkeys(name.strip().upper() for name in vulnerabilities if name.strip()))
    devices = devices_of(scope, maker, model, firmware)
    with Change(actor, "a letter to a maker", tenant=scope.tenant) as change:
        number = next_number(change)
        due = to_datetime(change.now_ns + DAYS_TO_ANSWER * _DAY_NS).date().isoformat()
        asked = asked_of(scope.tenant, names)
        letter = Letter(
            number, maker.strip(), model.strip(), firmware.strip(), asked, max(len(devices), 1), due
        )
        draft = Draft(letter.maker, letter.model, letter.firmware, names, devices)
        write_letter(change, number, draft, text_of(letter))
    return number


def _letter(row: MakerLetter) -> Letter:
    from medwarden.store.queries.letters import asked_of

    asked = asked_of(row.tenant_id, tuple(row.vulnerabilities))
    return Letter(row.pk, row.maker, row.model, row.firmware, asked, len(row.devices), "")


def as_file(tenant: str, number: str, kind: str) -> tuple[bytes, str]:
    """Return a letter as a file (txt, html, csv) with its media type.

    Raises ConfigurationError for another kind.
    """
    from medwarden.store.letters import letter_named

    row = letter_named(tenant, number)
    match kind:
        case "txt":
            return row.text.encode(), "text/plain; charset=utf-8"
        case "html":
            return html_of(row.text, f"Letter {row.pk}").encode(), "text/html; charset=utf-8"
        case "csv":
            return table_of(_letter(row)).encode(), "text/csv; charset=utf-8"
    raise ConfigurationError("a letter is written as txt, html or csv")


def edit(tenant: str, number: str, text: str, *, actor: str) -> None:
    """Change the words of a letter that was not sent."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import edit_letter

    with Change(actor, "other words", tenant=tenant) as change:
        edit_letter(change, number, text)


def _begin_of(day: str) -> int:
    found = day_of(day)
    return from_datetime(datetime(found.year, found.month, found.day, tzinfo=UTC))


def send(
    tenant: str, number: str, *, to: str, actor: str, sent: str = "", due: str = "", reason: str = ""
) -> None:
    """Note that a person sent a letter: to whom, on which day (today), and by when an answer is due."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import send_letter

    with Change(actor, reason or f"sent to {to}", tenant=tenant) as change:
        sent_ns = _begin_of(sent) if sent else change.now_ns
        if sent_ns > change.now_ns:
            raise ConfigurationError("a letter cannot have been sent tomorrow")
        due_ns = end_of(day_of(due)) if due else sent_ns + DAYS_TO_ANSWER * _DAY_NS
        send_letter(change, number, to=to, sent_ns=sent_ns, due_ns=due_ns)


def remind(tenant: str, number: str, *, actor: str, to: str = "", due: str = "", reason: str = "") -> None:
    """Note that the maker was reminded; another 14 days are given where no day is said."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import remind as note

    with Change(actor, reason or "reminded", tenant=tenant) as change:
        due_ns = end_of(day_of(due)) if due else change.now_ns + 14 * _DAY_NS
        note(change, number, to=to, due_ns=due_ns)


def close(tenant: str, number: str, *, actor: str, reason: str) -> None:
    """Give a letter up, for a reason."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import close_letter

    with Change(actor, reason, tenant=tenant) as change:
        close_letter(change, number)


def answer(tenant: str, number: str, answers: Sequence[Answered], *, actor: str, source: str = "") -> int:
    """Keep what the maker answered, as knowledge too; return how many profiles' verdicts changed.

    ``source`` says where the answer stands (a mail, a portal). Raises ConfigurationError where an answer
    "fixed" does not name the version.
    """
    from medwarden.store.changes import Change
    from medwarden.store.letters import answer_letter, letter_named

    unnamed = [a.vulnerability for a in answers if a.status is ProductStatus.FIXED and not a.fixed_in.strip()]
    if unnamed:
        raise ConfigurationError(f"say in which version {unnamed[0]} is fixed")
    with Change(actor, source or "the maker's answer", tenant=tenant) as change:
        answer_letter(change, number, answers, source)
    return _publish(tenant, _advisory(letter_named(tenant, number), {}))


def answer_by_document(tenant: str, number: str, document: bytes, name: str, *, actor: str) -> Taken:
    """Take a CSAF or OpenVEX document as the answer to a letter.

    Raises MalformedInput for what is neither, ConfigurationError where it says nothing of what was asked.
    """
    from medwarden.risk.recalls.letter import unanswered
    from medwarden.store.changes import Change
    from medwarden.store.letters import answer_letter, letter_named

    if len(document) > _LARGEST:
        raise MalformedInput(name, f"it is larger than {_LARGEST >> 20} MiB, which no answer is")
    row = letter_named(tenant, number)
    claims = _openvex(document, row) if _is_openvex(document) else _csaf(document, name, row)
    answers = tuple(_told(vulnerability, said) for vulnerability, said in claims.items())
    if not answers:
        raise ConfigurationError(
            f"{name} says nothing of {row.model or row.maker} that letter {number} asked"
        )
    with Change(actor, f"answer in {name[:120]}", tenant=tenant) as change:
        answer_letter(change, number, answers, name)
    _publish(tenant, _advisory(letter_named(tenant, number), claims))
    return Taken(answers, unanswered(row.vulnerabilities, answers))


def _csaf(document: bytes, name: str, row: MakerLetter) -> dict[str, tuple[ProductClaim, ...]]:
    """Return what a CSAF document says of the letter's model, by vulnerability asked about."""
    asked = set(row.vulnerabilities)
    maker = tuple(row.maker.lower().split())
    found: dict[str, tuple[ProductClaim, ...]] = {}
    for item in CSAF_FEED.read(io.BytesIO(document), Provenance("csaf", name)):
        if not isinstance(item, Entry):
            raise MalformedInput(name, getattr(item, "reason", "") or "it cannot be read")
        for advisory in item.records:
            if not isinstance(advisory, Advisory):
                continue
            for record in advisory.vulnerabilities:
                if record.id not in asked:
                    continue
                claims = tuple(
                    claim
                    for claim in record.claims
                    if not row.model
                    or named(row.model, maker, described(f"{claim.product} {claim.name}")).agrees is not False
                )
                if claims:
                    found[record.id] = claims
    return found


class _Named(msgspec.Struct):
    name: str = ""


class _Statement(msgspec.Struct):
    vulnerability: _Named | str = ""
    status: str = ""
    justification: str = ""
    impact_statement: str = ""
    action_statement: str = ""


class _OpenVex(msgspec.Struct):
    context: str = msgspec.field(name="@context", default="")
    statements: list[_Statement] = msgspec.field(default_factory=list)


def _is_openvex(document: bytes) -> bool:
    return b"openvex.dev/ns" in document[:4096]


def _openvex(document: bytes, row: MakerLetter) -> dict[str, tuple[ProductClaim, ...]]:
    """Return what an OpenVEX document says by vulnerability asked about (OpenVEX specification 0.2.0)."""
    try:
        read = msgspec.json.decode(document, type=_OpenVex)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise MalformedInput("OpenVEX", str(error)) from error
    found: dict[str, tuple[ProductClaim, ...]] = {}
    for statement in read.statements:
        given = statement.vulnerability
        name = given if isinstance(given, str) else given.name
        status = status_of(statement.status)
        if name in row.vulnerabilities and status is not None:
            found[name] = (_claim(row, status, _exactly(row.firmware)),)
    return found


def _told(vulnerability: str, claims: Sequence[ProductClaim]) -> Answered:
    """Return what claims come to in one status, the gravest first, with the version that fixes it."""
    order = (ProductStatus.AFFECTED, ProductStatus.UNDER_INVESTIGATION, ProductStatus.FIXED)
    statuses = {claim.status for claim in claims}
    worst = next((status for status in order if status in statuses), ProductStatus.NOT_AFFECTED)
    fixed = next((c.version for c in claims if c.status is ProductStatus.FIXED and c.version), "")
    detail = "; ".join(
        dict.fromkeys(f"{c.status.value}: {c.name or c.product} {c.version}".strip() for c in claims)
    )
    return Answered(vulnerability, worst, detail[:600], fixed[:120])


def _exactly(version: str) -> tuple[VersionSpan, ...]:
    return (VersionSpan(exact=version),) if version else ()


def _claim(
    row: MakerLetter, status: ProductStatus, spans: tuple[VersionSpan, ...], version: str = ""
) -> ProductClaim:
    return ProductClaim(status, row.maker, row.model, version or row.firmware, spans)


def _of_answer(row: MakerLetter, said: Answered) -> tuple[ProductClaim, ...]:
    """Return what an answer by hand says as claims on the letter's model."""
    if said.fixed_in:
        below = (VersionSpan(high=said.fixed_in),)
        above = (VersionSpan(low=said.fixed_in),)
        return (
            _claim(row, ProductStatus.AFFECTED, below, f"< {said.fixed_in}"),
            _claim(row, ProductStatus.FIXED, above, f">= {said.fixed_in}"),
        )
    return (_claim(row, said.status, _exactly(row.firmware)),)


def _advisory(row: MakerLetter, claims: dict[str, tuple[ProductClaim, ...]]) -> Advisory:
    """Return an answer as an advisory on all that was asked.

    What is not answered is named without a word on any product, which takes an earlier answer back.
    """
    origin = Provenance("csaf", f"answer to letter {row.pk}", iso(row.changed_ns), row.changed_ns)
    answers = {said.vulnerability: said for said in msgspec.convert(row.answer, tuple[Answered, ...])}
    known = f"{row.tenant_id}:{row.pk}" if row.tenant_id != "default" else row.pk
    records = []
    for name in row.vulnerabilities:
        said = answers.get(name, Answered(name, ProductStatus.UNDER_INVESTIGATION))
        fixed = (Remedy("vendor_fix", said.remedy, fixes=bool(said.fixed_in)),) if said.remedy else ()
        about = (claims.get(name) or _of_answer(row, said)) if name in answers else ()
        records.append(Vulnerability(name, "", said.detail, origin, claims=about, remedies=fixed))
    return Advisory(
        id=f"{ANSWER}{known}",
        title=f"Answer of {row.maker} on {row.model} {row.firmware}".strip(),
        publisher=row.maker,
        provenance=origin,
        published=iso(row.answered_ns or row.changed_ns),
        summary=f"The maker's answer to letter {row.pk}.",
        vulnerabilities=tuple(records),
    )


def _publish(tenant: str, advisory: Advisory) -> int:
    """Make an answer knowledge and judge by it; return how many profiles' verdicts changed."""
    home = folder_of_database()
    if home is None:
        return 0
    put(home, advisory)
    return refresh(home, tenant)


def put(home: Path, advisory: Advisory) -> None:
    """Put an answer into the knowledge of a data folder, in place of an earlier one to the same letter."""
    brought = Brought("csaf", came_from=advisory.provenance.reference, seen=1, kept=1)
    with writing(home) as knowledge, Gathering(knowledge.folder) as gathering:
        state = knowledge.states().get("csaf")
        edition = state.edition if state else None
        brought.version, brought.updated = (edition.version, edition.updated) if edition else ("", "")
        gathering.add("csaf", 0, advisory)
        put_in_use(knowledge, gathering, brought, whole=False)


def undo(tenant: str, number: str, *, actor: str, reason: str) -> str:
    """Take the last thing that happened to a letter back, an answer's effect on verdicts too."""
    from medwarden.store.changes import Change
    from medwarden.store.letters import letter_named, undo_letter

    with Change(actor, reason or "taken back", tenant=tenant) as change:
        kind = undo_letter(change, number)
    if kind == "answered":
        _publish(tenant, _advisory(letter_named(tenant, number), {}))
    return kind


def answered_of(rows: Sequence[dict[str, str]]) -> list[Answered]:
    """Return answers that came as a table or form: vulnerability, status, fixed_in, detail, remedy.

    Rows without a status are passed over. Raises ConfigurationError for a status that is none.
    """
    found = []
    for row in rows:
        word = row.get("status", "").strip()
        if not word:
            continue
        status = status_of(word)
        if status is None:
            raise ConfigurationError(
                f"{word[:40]!r} is no status: affected, not affected, fixed, investigating"
            )
        found.append(
            Answered(
                row.get("vulnerability", "").strip(), status, row.get("detail", "").strip()[:2000],
                row.get("fixed_in", "").strip()[:120], row.get("remedy", "").strip()[:2000],
            )
        )  # fmt: skip
    return found
