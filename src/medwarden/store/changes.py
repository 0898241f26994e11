"""The one way to change state by decision: a :class:`Change` says who and why, and is audited.

Counters and times of the inventory are not decisions and need none. Everything else does: new
devices, identities, retirement, risk levels, findings, policies, people, roles, settings, exports::

    with Change("user:anna", "pump returned to the vendor", tenant="default", site="main") as change:
        change.record("device.retired", f"device:{device.id}", before=..., after=...)
        ...  # the rows themselves

The rows and their audit entries commit together or not at all.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType

from django.db import transaction

from medwarden.kernel.clock import Clock, wall_clock
from medwarden.kernel.errors import InternalError
from medwarden.store.bulk import insert_rows
from medwarden.store.chain import (
    GENESIS,
    MISMATCH,
    canonical,
    digest_of,
    folder_of_database,
    head_fits,
    read_head,
    seal_head,
)
from medwarden.store.models.audit import AuditEntry
from medwarden.store.models.tenancy import DEFAULT_TENANT

_active: ContextVar[Change | None] = ContextVar("medwarden_change", default=None)


def active_change() -> Change | None:
    """Return the change that is under way in this context, if any."""
    return _active.get()


class Change:
    """One decision by ``actor`` (``user:anna``, ``rule:risk``, ``sensor:eth0``, ``system``).

    ``rule_version`` names the rules or model that decided, where it was no person. A database
    transaction is open from enter to exit (BEGIN IMMEDIATE: one writer at a time), and every
    :meth:`record` becomes a row of the audit chain at its end. An exception rolls both back.
    """

    def __init__(
        self,
        actor: str,
        reason: str,
        rule_version: str = "",
        tenant: str = DEFAULT_TENANT,
        site: str | None = None,
        clock: Clock = wall_clock,
    ) -> None:
        self.actor = actor
        self.reason = reason
        self.rule_version = rule_version
        self.tenant = tenant
        self.site = site
        self.now_ns = clock()
        self._entries: list[AuditEntry] = []
        self._atomic: transaction.Atomic | None = None
        self._token: Token[Change | None] | None = None

    def record(
        self,
        action: str,
        subject: str,
        before: object = None,
        after: object = None,
        *,
        reason: str | None = None,
        rule_version: str | None = None,
        site: str | None = None,
    ) -> None:
        """Note that ``action`` was done to ``subject`` (``kind:id``), from ``before`` to ``after``.

        Both may be anything msgspec turns into JSON; None means there was nothing. Secrets do not
        belong in them. Raises InternalError outside the ``with`` block.
        """
        if self._atomic is None:
            raise InternalError("a change was recorded outside its with block")
        self._entries.append(
            AuditEntry(
                tenant_id=self.tenant,
                site_id=site or self.site,
                at_ns=self.now_ns,
                actor=self.actor[:150],
                action=action,
                subject=subject[:200],
                before="" if before is None else canonical(before),
                after="" if after is None else canonical(after),
                reason=self.reason if reason is None else reason,
                version=self.rule_version if rule_version is None else rule_version,
            )
        )

    def __enter__(self) -> Change:
        self._atomic = transaction.atomic()
        self._atomic.__enter__()
        self._token = _active.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        atomic, self._atomic = self._atomic, None
        if self._token is not None:
            _active.reset(self._token)
        if atomic is None:
            raise InternalError("a change was left that was never entered")
        if error is None:
            try:
                self._append()
            except BaseException as failure:
                atomic.__exit__(type(failure), failure, failure.__traceback__)
                raise
        atomic.__exit__(kind, error, trace)

    def _append(self) -> None:
        if not self._entries:
            return
        last = AuditEntry.objects.order_by("-sequence").first()
        folder = folder_of_database()
        mismatch = folder is not None and not head_fits(folder, last)
        entries = self._entries
        if mismatch and folder is not None:
            entries = [self._mismatch(read_head(folder), last), *entries]
        sequence, previous = (last.sequence, last.digest) if last else (0, GENESIS)
        for entry in entries:
            sequence += 1
            entry.sequence, entry.previous = sequence, previous
            entry.digest = previous = digest_of(entry)
        insert_rows(entries)
        self._entries = []
        if folder is not None:
            sealed_folder, at_ns = folder, self.now_ns
            transaction.on_commit(lambda: seal_head(sealed_folder, sequence, previous, at_ns, force=mismatch))

    def _mismatch(self, head: object, last: AuditEntry | None) -> AuditEntry:
        found = None if last is None else {"sequence": last.sequence, "digest": last.digest}
        return AuditEntry(
            tenant_id=self.tenant,
            site_id=None,
            at_ns=self.now_ns,
            actor="system",
            action=MISMATCH,
            subject="audit:chain",
            before="" if head is None else canonical(head),
            after="" if found is None else canonical(found),
            reason="the chain does not contain its sealed head: rows were cut off, or the head was removed",
        )
