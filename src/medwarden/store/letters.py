"""Keep letters to makers: written, sent by a person, reminded, answered, closed; all can be taken back."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from medwarden.kernel.clock import to_datetime
from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.recalls.letter import Answered, LetterState
from medwarden.store.changes import Change
from medwarden.store.models import MakerLetter, MakerLetterEvent

MOST_ASKED = 200
"""Vulnerabilities that one letter may ask about."""

_KEPT = (
    "state",
    "owner",
    "sent_ns",
    "sent_to",
    "due_ns",
    "reminders",
    "answer",
    "answered_ns",
    "document",
    "text",
)


class Draft(msgspec.Struct, frozen=True):
    """A letter to be written: whom, about what, and the devices that it concerns now."""

    maker: str
    model: str
    firmware: str
    vulnerabilities: tuple[str, ...]
    devices: tuple[str, ...] = ()


def letter_named(tenant: str, number: str) -> MakerLetter:
    """Return a letter by its number. Raises ConfigurationError where there is none."""
    row = MakerLetter.objects.filter(tenant_id=tenant, pk=number).first()
    if row is None:
        raise ConfigurationError(f"there is no letter {number[:40]!r}: see 'medwarden letters'")
    return row


def next_number(change: Change) -> str:
    """Return the number of the next letter of this year."""
    year = to_datetime(change.now_ns).year
    return f"L-{year}-{MakerLetter.objects.filter(pk__startswith=f'L-{year}-').count() + 1:03d}"


def write_letter(change: Change, number: str, draft: Draft, text: str) -> MakerLetter:
    """Keep a letter that is not sent yet.

    Raises ConfigurationError without a maker or a vulnerability, with too many of them, and where an open
    letter asks the same.
    """
    if not draft.maker.strip() or not draft.vulnerabilities:
        raise ConfigurationError("a letter needs a maker and at least one vulnerability")
    if len(draft.vulnerabilities) > MOST_ASKED:
        raise ConfigurationError(f"a letter asks about {MOST_ASKED} vulnerabilities at most")
    open_ones = MakerLetter.objects.filter(
        tenant_id=change.tenant, maker=draft.maker, model=draft.model, firmware=draft.firmware
    ).filter(state__in=(LetterState.DRAFT.value, LetterState.SENT.value))
    for row in open_ones:
        if set(draft.vulnerabilities) <= set(row.vulnerabilities):
            raise ConfigurationError(f"letter {row.pk} asks that already and is {row.state}")
    row = MakerLetter(
        id=number,
        tenant_id=change.tenant,
        site_id=None,
        maker=draft.maker[:200],
        model=draft.model[:200],
        firmware=draft.firmware[:200],
        vulnerabilities=list(draft.vulnerabilities),
        devices=list(draft.devices),
        text=text,
        state=LetterState.DRAFT.value,
        created_ns=change.now_ns,
        changed_ns=change.now_ns,
    )
    row.save(force_insert=True)
    _note(change, row, "written", None, "")
    change.record("letter.written", f"letter:{number}", None, {"maker": row.maker, "model": row.model})
    return row


def _snapshot(row: MakerLetter) -> dict[str, object]:
    return {name: getattr(row, name) for name in _KEPT}


def _note(change: Change, row: MakerLetter, kind: str, before: dict[str, object] | None, note: str) -> None:
    MakerLetterEvent.objects.create(
        tenant_id=row.tenant_id, site_id=None, letter=row, at_ns=change.now_ns, actor=change.actor[:150],
        kind=kind, before=before, note=note[:2000], undone_ns=None,
    )  # fmt: skip


def _keep(change: Change, row: MakerLetter, kind: str, before: dict[str, object], note: str) -> None:
    row.changed_ns = change.now_ns
    row.save()
    _note(change, row, kind, before, note)
    told = {name: value for name, value in _snapshot(row).items() if value != before[name] and name != "text"}
    change.record(f"letter.{kind}", f"letter:{row.pk}", {n: before[n] for n in told}, told)


def _demand(row: MakerLetter, *states: LetterState) -> None:
    if row.state not in states:
        raise ConfigurationError(f"letter {row.pk} is {row.state}: that cannot be done to it now")


def edit_letter(change: Change, number: str, text: str) -> None:
    """Change the words of a letter that is not sent. Raises ConfigurationError for an empty or sent one."""
    row = letter_named(change.tenant, number)
    _demand(row, LetterState.DRAFT)
    if not text.strip():
        raise ConfigurationError("a letter without words asks nothing")
    before = _snapshot(row)
    row.text = text[:50_000]
    _keep(change, row, "edited", before, "")


def send_letter(change: Change, number: str, *, to: str, sent_ns: int, due_ns: int) -> None:
    """Note that a person sent a letter, to whom and when, and by when an answer is due."""
    row = letter_named(change.tenant, number)
    _demand(row, LetterState.DRAFT)
    if not to.strip():
        raise ConfigurationError("say to whom the letter was sent: an address, a portal, a name")
    if due_ns <= sent_ns:
        raise ConfigurationError("an answer is due after the letter was sent")
    before = _snapshot(row)
    row.state, row.sent_ns, row.sent_to, row.due_ns = (
        LetterState.SENT.value,
        sent_ns,
        to.strip()[:300],
        due_ns,
    )
    row.owner = row.owner or change.actor[:150]
    _keep(change, row, "sent", before, change.reason)


def remind(change: Change, number: str, *, to: str, due_ns: int) -> None:
    """Note that the maker was reminded, and by when an answer is due now."""
    row = letter_named(change.tenant, number)
    _demand(row, LetterState.SENT)
    before = _snapshot(row)
    row.reminders = [*row.reminders, [change.now_ns, (to.strip() or row.sent_to)[:300]]]
    row.due_ns = due_ns
    _keep(change, row, "reminded", before, change.reason)


def answer_letter(change: Change, number: str, answers: Sequence[Answered], document: str) -> None:
    """Keep what the maker said of each vulnerability; what is not named stays open.

    Raises ConfigurationError for a letter that was never sent, for no answer at all, and for a vulnerability
    that the letter did not ask about.
    """
    row = letter_named(change.tenant, number)
    _demand(row, LetterState.SENT, LetterState.ANSWERED)
    strange = [a.vulnerability for a in answers if a.vulnerability not in row.vulnerabilities]
    if strange or not answers:
        raise ConfigurationError(
            f"letter {number} did not ask about {strange[0]}" if strange else "say what the maker answered"
        )
    before = _snapshot(row)
    known = {a["vulnerability"]: a for a in row.answer}
    known |= {a.vulnerability: msgspec.to_builtins(a) for a in answers}
    row.answer = [known[each] for each in row.vulnerabilities if each in known]
    row.document = (document or row.document)[:300]
    row.answered_ns = change.now_ns
    row.state = LetterState.ANSWERED.value
    _keep(change, row, "answered", before, document)


def close_letter(change: Change, number: str) -> None:
    """Give a letter up, for the change's reason. Raises ConfigurationError without one."""
    row = letter_named(change.tenant, number)
    _demand(row, LetterState.DRAFT, LetterState.SENT, LetterState.ANSWERED)
    if not change.reason.strip():
        raise ConfigurationError("say why the letter is closed")
    before = _snapshot(row)
    row.state = LetterState.CLOSED.value
    _keep(change, row, "closed", before, change.reason)


def undo_letter(change: Change, number: str) -> str:
    """Take the last thing that happened to a letter back; return what it was.

    Raises ConfigurationError where only the writing of it is left.
    """
    row = letter_named(change.tenant, number)
    events = MakerLetterEvent.objects.filter(letter=row, undone_ns=None).exclude(kind="undone")
    last = events.order_by("-at_ns", "-pk").first()
    if last is None or last.before is None:
        raise ConfigurationError("there is nothing left to take back: close the letter instead")
    for name, value in last.before.items():
        setattr(row, name, value)
    row.changed_ns = change.now_ns
    row.save()
    last.undone_ns = change.now_ns
    last.save(update_fields=["undone_ns"])
    change.record("letter.undone", f"letter:{number}", {"step": last.kind}, {"state": row.state})
    return str(last.kind)
