"""Recalls and notices at a hospital: what each says of which device, the work it makes, letters to makers.

Only notices that concern something in the inventory, or that a person entered, have a row. Times are
nanoseconds since the Unix epoch (UTC); ``until_ns`` is null for what counts now.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class RecallNotice(TenantScoped):
    """A recall or a maker's notice, as it counts now, and how the hospital stands to it.

    ``number`` is the publisher's own. ``origin`` is the feed it came from, ``maker`` for one that a person
    entered and ``csaf`` for a document. ``body`` is a :class:`~medwarden.risk.recalls.notice.Notice` as JSON,
    ``version`` the latest of its versions. ``withdrawn``: its publisher tells of it no more. ``closed_ns`` is
    when the hospital was done with it, ``closure`` the record of that.
    """

    id = models.CharField(primary_key=True, max_length=40)
    number = models.CharField(max_length=120)
    origin = models.CharField(max_length=20)
    recall_class = models.CharField(max_length=12)
    maker = models.CharField(max_length=300, blank=True)
    title = models.CharField(max_length=400)
    begun = models.CharField(max_length=10, blank=True)
    ongoing = models.BooleanField(default=True)
    body = models.JSONField()
    version = models.IntegerField(default=1)
    withdrawn = models.BooleanField(default=False)
    added_ns = models.BigIntegerField()
    owner = models.CharField(max_length=150, blank=True)
    contact = models.TextField(blank=True)
    note = models.TextField(blank=True)
    closed_ns = models.BigIntegerField(null=True)
    closure = models.JSONField(null=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "number"], name="recall_notice_number")]
        indexes = [Index(fields=["tenant", "origin"], name="recall_notice_origin")]

    def __str__(self) -> str:
        return self.number


class RecallNoticeVersion(TenantScoped):
    """One wording of a notice: from whom, when, and why it was changed. None is ever overwritten."""

    notice = models.ForeignKey(
        RecallNotice, on_delete=models.CASCADE, related_name="versions", db_index=False
    )
    number = models.IntegerField()
    body = models.JSONField()
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["notice", "number"], name="recall_notice_version")]

    def __str__(self) -> str:
        return f"{self.notice_id} {self.number}"


class RecallStanding(Scoped):
    """Up to which knowledge, which notices of the hospital's own and which rules a site was judged."""

    edition = models.BigIntegerField(default=-1)
    notices_ns = models.BigIntegerField(default=0)
    rules_version = models.CharField(max_length=40, blank=True)
    judged_ns = models.BigIntegerField(default=0)

    class Meta:
        constraints = [UniqueConstraint(fields=["site"], name="recall_standing_site")]

    def __str__(self) -> str:
        return f"{self.site_id} {self.edition}"


class RecallFacts(Scoped):
    """What recalls were compared with at a device when it was last judged."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="+")
    facts = models.JSONField()

    def __str__(self) -> str:
        return self.device_id


class RecallVerdict(Scoped):
    """What was said of a device and a notice from ``since_ns`` until ``until_ns``, why, and what began it."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    notice = models.ForeignKey(RecallNotice, on_delete=models.CASCADE, related_name="+", db_index=False)
    state = models.CharField(max_length=16)
    reason = models.TextField()
    aspects = models.JSONField(default=list)
    rules_version = models.CharField(max_length=40)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField(null=True)
    cause = models.CharField(max_length=200)

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["device", "notice"], condition=Q(until_ns=None), name="recall_verdict_current"
            ),
        ]
        indexes = [
            Index(fields=["device", "notice", "since_ns"], name="recall_verdict_history"),
            Index(fields=["notice", "until_ns", "state"], name="recall_verdict_notice"),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.notice_id} {self.state}"


class RecallCase(Scoped):
    """The work that a notice makes at one device, from finding it to closing.

    The device is named by id and by what it was called, without a constraint: the record of what was done
    outlives it. ``due_ns`` is when the case shall be closed.
    """

    id = models.CharField(primary_key=True, max_length=40)
    notice = models.ForeignKey(RecallNotice, on_delete=models.PROTECT, related_name="cases", db_index=False)
    device = models.CharField(max_length=40)
    label = models.CharField(max_length=200)
    step = models.CharField(max_length=16)
    owner = models.CharField(max_length=150, blank=True)
    due_ns = models.BigIntegerField(null=True)
    work_order = models.CharField(max_length=120, blank=True)
    opened_ns = models.BigIntegerField()
    changed_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["notice", "device"], name="recall_case_key")]
        indexes = [
            Index(fields=["device"], name="recall_case_device"),
            Index(fields=["tenant", "step", "due_ns"], name="recall_case_step"),
        ]

    def __str__(self) -> str:
        return f"{self.notice_id} {self.device} {self.step}"


class RecallStep(Scoped):
    """One thing done in a case: a step from ``before`` to ``after``, or a note, owner, due date, work order.

    ``references`` are where proof is kept (a document's name or address); ``undone_ns`` when a person took
    the entry back, which leaves it readable.
    """

    case = models.ForeignKey(RecallCase, on_delete=models.CASCADE, related_name="steps", db_index=False)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    kind = models.CharField(max_length=12)
    before = models.CharField(max_length=200, blank=True)
    after = models.CharField(max_length=200, blank=True)
    evidence = models.TextField(blank=True)
    references = models.JSONField(default=list)
    undone_ns = models.BigIntegerField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["case", "at_ns"], name="recall_step_case")]

    def __str__(self) -> str:
        return f"{self.case_id} {self.kind} {self.after}"


class MakerLetter(TenantScoped):
    """A question to a maker: the status of vulnerabilities on a model at a firmware version.

    ``devices`` were concerned when it was written. ``sent_ns`` is when a person sent it and ``sent_to`` to
    whom; ``reminders`` are pairs of time and recipient. ``answer`` is what the maker said of each
    vulnerability, ``document`` where it stands.
    """

    id = models.CharField(primary_key=True, max_length=40)
    maker = models.CharField(max_length=200)
    model = models.CharField(max_length=200, blank=True)
    firmware = models.CharField(max_length=200, blank=True)
    vulnerabilities = models.JSONField(default=list)
    devices = models.JSONField(default=list)
    text = models.TextField()
    state = models.CharField(max_length=12)
    owner = models.CharField(max_length=150, blank=True)
    sent_ns = models.BigIntegerField(null=True)
    sent_to = models.CharField(max_length=300, blank=True)
    due_ns = models.BigIntegerField(null=True)
    reminders = models.JSONField(default=list)
    answer = models.JSONField(default=list)
    answered_ns = models.BigIntegerField(null=True)
    document = models.CharField(max_length=300, blank=True)
    created_ns = models.BigIntegerField()
    changed_ns = models.BigIntegerField()

    class Meta:
        indexes = [Index(fields=["tenant", "state", "due_ns"], name="maker_letter_state")]

    def __str__(self) -> str:
        return f"{self.maker} {self.model}"


class MakerLetterEvent(TenantScoped):
    """One thing that happened to a letter: written, sent, reminded, answered, closed, reopened, undone."""

    letter = models.ForeignKey(MakerLetter, on_delete=models.CASCADE, related_name="events", db_index=False)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    kind = models.CharField(max_length=12)
    before = models.JSONField(null=True)
    note = models.TextField(blank=True)
    undone_ns = models.BigIntegerField(null=True)

    class Meta:
        indexes = [Index(fields=["letter", "at_ns"], name="maker_letter_event")]

    def __str__(self) -> str:
        return f"{self.letter_id} {self.kind}"
