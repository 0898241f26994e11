"""Identity over time: what makes one device up, who decided so, what was proposed, how labels changed.

An *identity* is what the resolver tells apart by itself: an interface, or an address where no interface
can be seen. Most devices have one and need no row here. Where a device is made of several, the rows of
each are kept apart in the tables of this module as they would be had nobody joined them, and the tables
of the inventory hold their sum. Splitting or undoing therefore brings back the very rows.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped


class Identity(Scoped):
    """One identity of a device that has several; ``device`` is the id it is shown under.

    ``kind``, ``gateway``, ``vlans`` and the times are the resolver's. ``parked`` holds what belonged to
    the device row of this identity while it is part of another (JSON of :mod:`medwarden.store.parking`).
    """

    id = models.CharField(primary_key=True, max_length=40)
    device = models.CharField(max_length=40, db_column="device_id")
    kind = models.CharField(max_length=8)
    gateway = models.BooleanField()
    vlans = models.JSONField(default=list)
    first_seen = models.BigIntegerField()
    last_seen = models.BigIntegerField()
    parked = models.JSONField(null=True)

    class Meta:
        indexes = [Index(fields=["site", "device"], name="identity_device")]

    def __str__(self) -> str:
        return f"{self.id} of {self.device}"


class IdentityDecision(Scoped):
    """That two identities are one device (``join``), or that some are none of theirs (``part``).

    ``left`` and ``right`` are lists of identities: a join has one in each, and the device keeps the id of
    the left one's; a parting has those taken out in ``left`` and those left behind in ``right``. A decision
    holds until ``undone_ns``. ``automatic``: the linker decided, being certain.
    """

    number = models.BigAutoField(primary_key=True)
    action = models.CharField(max_length=8)
    left = models.JSONField(default=list)
    right = models.JSONField(default=list)
    shown = models.JSONField(default=list)
    automatic = models.BooleanField(default=False)
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    reason = models.TextField()
    evidence = models.JSONField(default=list)
    undone_ns = models.BigIntegerField(null=True)
    undone_by = models.CharField(max_length=150, blank=True)
    undone_why = models.TextField(blank=True)

    class Meta:
        indexes = [Index(fields=["tenant", "site", "number"], name="identity_decision_site")]

    def __str__(self) -> str:
        return f"{self.number}: {self.action} {self.left} {self.right}"


class IdentityProposal(Scoped):
    """That two devices may be one: what speaks for and against it, and what became of it.

    ``state`` is open, accepted, rejected, or withdrawn (what it rested on no longer holds).
    """

    id = models.CharField(primary_key=True, max_length=40)
    kind = models.CharField(max_length=16)
    left = models.CharField(max_length=40)
    right = models.CharField(max_length=40)
    odds = models.FloatField()
    supporting = models.JSONField(default=list)
    against = models.JSONField(default=list)
    state = models.CharField(max_length=10, default="open")
    at_ns = models.BigIntegerField()
    decided_ns = models.BigIntegerField(null=True)
    decided_by = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [
            Index(fields=["tenant", "state", "odds"], name="identity_proposal_state"),
            Index(fields=["site", "state"], name="identity_proposal_site"),
        ]

    def __str__(self) -> str:
        return f"{self.left} = {self.right} ({self.state})"


class DeviceElsewhere(Scoped):
    """A device of this site that is at another site of the tenant too, or was: the same thing moved.

    Rows come in pairs, one of each side. ``since_ns`` is when it was first heard at the other site, and
    ``until_ns`` when it was last.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    other = models.CharField(max_length=40)
    other_site = models.CharField(max_length=64)
    because = models.JSONField(default=list)
    since_ns = models.BigIntegerField()
    until_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "other"], name="device_elsewhere_key")]
        indexes = [Index(fields=["other"], name="device_elsewhere_other")]

    def __str__(self) -> str:
        return f"{self.device_id} is {self.other} at {self.other_site}"


class VerdictChange(Scoped):
    """That a device was believed to be something else from ``at_ns`` on, and why.

    ``old`` and ``new`` are labels at ``level`` ('' where there was or is no answer); ``because`` lists what
    came or went among the votes, as (said, field, value).
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    level = models.CharField(max_length=16)
    old = models.CharField(max_length=200, blank=True)
    new = models.CharField(max_length=200, blank=True)
    confidence = models.FloatField()
    at_ns = models.BigIntegerField()
    heard_ns = models.BigIntegerField()
    because = models.JSONField(default=list)
    version = models.CharField(max_length=120, blank=True)

    class Meta:
        indexes = [Index(fields=["device", "at_ns"], name="verdict_change_device")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.level}: {self.old} -> {self.new}"


class IdentityPart(Scoped):
    """A row of one identity, kept apart; its columns are those of the table of the inventory."""

    device = models.CharField(max_length=40, db_column="device_id")
    first_seen = models.BigIntegerField()
    last_seen = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.device} {self.pk}"


class IdentityInterface(IdentityPart):
    """The interface of an identity."""

    mac = models.CharField(max_length=17)
    randomised = models.BooleanField()
    virtual = models.BooleanField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "mac"], name="identity_interface_key")]


class IdentityAddress(IdentityPart):
    """An address of an identity."""

    mac = models.CharField(max_length=17, blank=True)
    ip = models.CharField(max_length=45)
    address_order = models.CharField(max_length=33)
    source = models.CharField(max_length=8)
    current = models.BooleanField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "ip", "mac"], name="identity_address_key")]


class IdentityEvidence(IdentityPart):
    """A fact of an identity."""

    source = models.CharField(max_length=40)
    field = models.CharField(max_length=80)
    value = models.CharField(max_length=512)
    sensor = models.CharField(max_length=80)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["device", "field", "value", "source", "sensor"], name="identity_evidence_key"
            )
        ]


class IdentityService(IdentityPart):
    """A port of an identity that answered."""

    transport = models.CharField(max_length=8)
    port = models.IntegerField()
    application = models.CharField(max_length=80, null=True)
    clients = models.IntegerField()
    flows = models.BigIntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "transport", "port"], name="identity_service_key")]


class IdentityConversation(IdentityPart):
    """Traffic of an identity, or of any device with an identity as its peer."""

    role = models.CharField(max_length=8)
    peer_device = models.CharField(max_length=40, blank=True)
    peer_ip = models.CharField(max_length=45, blank=True)
    peer_name = models.CharField(max_length=255, null=True)
    scope = models.CharField(max_length=16)
    transport = models.CharField(max_length=8)
    port = models.IntegerField()
    application = models.CharField(max_length=80, null=True)
    flows = models.BigIntegerField()
    packets = models.BigIntegerField()
    bytes_sent = models.BigIntegerField()
    bytes_received = models.BigIntegerField()
    established = models.BooleanField()

    class Meta:
        constraints = [
            UniqueConstraint(
                fields=["device", "role", "peer_device", "peer_ip", "transport", "port"],
                name="identity_conversation_key",
            )
        ]
        indexes = [Index(fields=["peer_device"], name="identity_conversation_peer")]


class IdentityActivity(Scoped):
    """An hour of an identity."""

    device = models.CharField(max_length=40, db_column="device_id")
    hour = models.BigIntegerField()
    flows = models.BigIntegerField()
    packets = models.BigIntegerField()
    bytes_sent = models.BigIntegerField()
    bytes_received = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "hour"], name="identity_activity_key")]

    def __str__(self) -> str:
        return f"{self.device} {self.hour}"
