"""The work on risk: what to do about what is known, who does it until when, what was accepted, VEX.

What to do about a vulnerability is kept by profile (devices alike share it), so that a hundred thousand
devices need no row each. An action is one row per site; its items are those of its key. Times are nanoseconds
since the Unix epoch (UTC).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.tenancy import Scoped, TenantScoped
from medwarden.store.models.vulnerabilities import MatchProfile


class WorkRemedy(TenantScoped):
    """What a person does about a vulnerability of a profile (``choice``: engine's Choice as JSON).

    ``key`` is what makes an action one: the same for everything that the same work closes. ``edition`` is the
    edition of knowledge it was chosen by, ``rules`` the rules.
    """

    profile = models.ForeignKey(MatchProfile, on_delete=models.CASCADE, related_name="+", db_index=False)
    vulnerability = models.CharField(max_length=60)
    key = models.CharField(max_length=40)
    choice = models.JSONField()
    edition = models.BigIntegerField()
    rules = models.CharField(max_length=40)

    class Meta:
        constraints = [UniqueConstraint(fields=["profile", "vulnerability"], name="work_remedy_key")]
        indexes = [Index(fields=["tenant", "key"], name="work_remedy_action")]

    def __str__(self) -> str:
        return f"{self.profile_id} {self.vulnerability} {self.key}"


class WorkAction(Scoped):
    """One thing to do at one site, with how it stands.

    ``shown`` is what pages show of it (engine's Summary as JSON); the columns beside it are those that lists
    sort and filter by. ``due_ns`` is the day that counts: a person's (``own_due_ns``) or that of the rules.
    ``present`` tells whether anything of it is open now. ``claimed_ns`` is when a person called it done.
    """

    id = models.CharField(primary_key=True, max_length=40)
    key = models.CharField(max_length=40)
    kind = models.CharField(max_length=12)
    title = models.CharField(max_length=400)
    shown = models.JSONField(default=dict)
    severity = models.CharField(max_length=8)
    severity_rank = models.SmallIntegerField()
    priority = models.IntegerField()
    exploited = models.BooleanField(default=False)
    devices = models.IntegerField()
    findings = models.IntegerField()
    known_ns = models.BigIntegerField()
    due_ns = models.BigIntegerField(null=True)
    own_due_ns = models.BigIntegerField(null=True)
    state = models.CharField(max_length=16)
    owner = models.CharField(max_length=150, blank=True)
    team = models.BooleanField(default=False)
    work_order = models.CharField(max_length=80, blank=True)
    labels = models.JSONField(default=list)
    present = models.BooleanField(default=True)
    opened_ns = models.BigIntegerField()
    changed_ns = models.BigIntegerField()
    claimed_ns = models.BigIntegerField(null=True)
    closed_ns = models.BigIntegerField(null=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["site", "key"], name="work_action_key")]
        indexes = [
            Index(fields=["tenant", "present", "priority"], name="work_action_order"),
            Index(fields=["tenant", "due_ns"], condition=Q(present=True), name="work_action_due"),
        ]

    def __str__(self) -> str:
        return self.title


class WorkEvent(Scoped):
    """One step in the history of an action: what changed, from what to what, by whom and why.

    Steps of one decision share ``batch``, so that they are taken back together.
    """

    action = models.ForeignKey(WorkAction, on_delete=models.CASCADE, related_name="events")
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    what = models.CharField(max_length=16)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.TextField(blank=True)
    batch = models.CharField(max_length=40)
    undone_ns = models.BigIntegerField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "batch"], name="work_event_batch")]

    def __str__(self) -> str:
        return f"{self.action_id} {self.what}"


class RiskAcceptance(Scoped):
    """A risk that is borne for a while: asked for by one person, approved by one whose role may.

    ``scope`` is device (``devices`` lists them), model (all of ``vendor`` and ``model``) or site.
    ``subjects`` names what is accepted, word for word: vulnerabilities and types of findings; what becomes
    known later is not accepted. It holds while ``state`` is approved, until ``expires_ns``, and only for
    devices inside ``subnet`` where that condition was made.
    """

    id = models.CharField(primary_key=True, max_length=40)
    action = models.ForeignKey(WorkAction, on_delete=models.CASCADE, related_name="acceptances")
    state = models.CharField(max_length=10)
    scope = models.CharField(max_length=8)
    devices = models.JSONField(default=list)
    vendor = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    subjects = models.JSONField(default=list)
    conditions = models.TextField(blank=True)
    subnet = models.CharField(max_length=49, blank=True)
    reason = models.TextField()
    asked_by = models.CharField(max_length=150)
    asked_ns = models.BigIntegerField()
    approver = models.CharField(max_length=150, blank=True)
    decided_ns = models.BigIntegerField(null=True)
    decided_reason = models.TextField(blank=True)
    expires_ns = models.BigIntegerField()
    ended_ns = models.BigIntegerField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    ended_reason = models.TextField(blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "state", "expires_ns"], name="risk_acceptance_open")]

    def __str__(self) -> str:
        return f"{self.action_id} {self.scope} {self.state}"


class VexDocument(TenantScoped):
    """A document of statements on vulnerabilities that was imported: by whom it is and who brought it.

    ``checked`` says what was found of its digest and signature, ``fingerprint`` is the key that signed it and
    ``signer`` whom that key names; all empty where nobody looked.
    """

    id = models.CharField(primary_key=True, max_length=40)
    form = models.CharField(max_length=10)
    document = models.CharField(max_length=300)
    version = models.CharField(max_length=40, blank=True)
    author = models.CharField(max_length=200)
    published = models.CharField(max_length=40, blank=True)
    source = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()
    by_vendor = models.BooleanField(default=False)
    checked = models.CharField(max_length=400, blank=True, default="")
    fingerprint = models.CharField(max_length=64, blank=True, default="")
    signer = models.CharField(max_length=200, blank=True, default="")
    problems = models.JSONField(default=list)
    undone_ns = models.BigIntegerField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "at_ns"], name="vex_document_time")]

    def __str__(self) -> str:
        return f"{self.document} by {self.author}"


class VexStatement(TenantScoped):
    """One statement of a document on one vulnerability and one product.

    ``state`` is counts (the maker's own word), waiting (for a person), accepted, refused, agrees (nothing
    would change), noted (says nothing that counts), conflict (says affected where we do not) or unmatched (no
    device of ours is meant). ``names`` are all ids of the vulnerability, ``claim`` the product as matching
    takes it. ``effect`` names the profiles whose verdict it would change, ``devices`` how many devices.
    """

    document = models.ForeignKey(VexDocument, on_delete=models.CASCADE, related_name="statements")
    place = models.CharField(max_length=200)
    vulnerability = models.CharField(max_length=60)
    product = models.CharField(max_length=400)
    vendor = models.CharField(max_length=200, blank=True)
    says = models.CharField(max_length=20)
    justification = models.CharField(max_length=60, blank=True)
    text = models.TextField(blank=True)
    names = models.JSONField(default=list)
    claim = models.JSONField(default=dict)
    state = models.CharField(max_length=10)
    effect = models.JSONField(default=list)
    devices = models.IntegerField(default=0)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_ns = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "state", "vulnerability"], name="vex_statement_state")]

    def __str__(self) -> str:
        return f"{self.vulnerability} {self.product} {self.says}"
