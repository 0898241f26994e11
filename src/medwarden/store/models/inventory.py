"""The inventory: devices, their interfaces, addresses, evidence, services, peers and activity.

Times are nanoseconds since the Unix epoch (UTC), as in the model. Device ids are the inventory
engine's and unique in the whole folder. The rows are written in bulk by :mod:`medwarden.store.ingest`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.tenancy import Scoped


class Device(Scoped):
    """One device with all that lists show, sort and filter by, flat for speed.

    ``confidence`` maps a level (class, category, vendor, model ...) to its probability;
    ``address_order`` is the first IP address as hexadecimal digits, which sort as addresses do.
    ``added_ns`` is when medwarden first stored it (wall clock), ``first_seen`` when it was first heard.
    ``unsure`` is the most general level that is not sure ('' where all are), ``doubts`` why, words between
    blanks (:mod:`medwarden.inventory.doubt`).
    ``location`` is ``place`` (model ``Place`` as JSON) in one line.
    ``stale``: something was heard since the device was last identified and assessed; ``score_due_ns``: since
    when something else that counts for its score is different (null: the score is up to date); ``marks``:
    how often either was noted (:mod:`medwarden.store.marking`).
    ``support_ends`` is the first day (ISO 8601) on which support of its model, firmware or system ends or
    ended for sure, null where nobody says any; ``DeviceSupport`` tells who says so.
    """

    id = models.CharField(primary_key=True, max_length=40)
    kind = models.CharField(max_length=8, default="mac")
    gateway = models.BooleanField(default=False)
    name = models.CharField(max_length=512, null=True)
    macs = models.JSONField(default=list)
    ips = models.JSONField(default=list)
    vlans = models.JSONField(default=list)
    names = models.JSONField(default=list)
    address_order = models.CharField(max_length=33, null=True)
    device_class = models.CharField(max_length=16, default="unknown")
    category = models.CharField(max_length=64, null=True)
    vendor = models.CharField(max_length=200, null=True)
    model = models.CharField(max_length=200, null=True)
    os = models.CharField(max_length=120, null=True)
    os_version = models.CharField(max_length=120, null=True)
    firmware = models.CharField(max_length=200, null=True)
    serial = models.CharField(max_length=200, null=True)
    managed = models.BooleanField(null=True)
    location = models.CharField(max_length=200, null=True)
    place = models.JSONField(null=True)
    subnet = models.CharField(max_length=49, null=True)
    phi = models.BooleanField(null=True)
    confidence = models.JSONField(default=dict)
    unsure = models.CharField(max_length=8, default="", db_default="", blank=True)
    doubts = models.CharField(max_length=120, default="", db_default="", blank=True)
    risk_score = models.SmallIntegerField(default=0)
    risk_level = models.CharField(max_length=8, default="none")
    findings_open = models.IntegerField(default=0)
    first_seen = models.BigIntegerField()
    last_seen = models.BigIntegerField()
    added_ns = models.BigIntegerField()
    retired_at = models.BigIntegerField(null=True)
    stale = models.BooleanField(default=True)
    marks = models.BigIntegerField(default=0, db_default=0)
    score_due_ns = models.BigIntegerField(null=True)
    risk_likelihood = models.SmallIntegerField(default=0, db_default=0)
    risk_impact = models.SmallIntegerField(default=0, db_default=0)
    support_ends = models.CharField(max_length=10, null=True)

    class Meta:
        indexes = [
            Index(fields=["site", "id"], condition=Q(stale=True), name="device_stale"),
            Index(fields=["site", "id"], condition=Q(score_due_ns__isnull=False), name="device_score_due"),
            Index(fields=["tenant", "risk_score", "id"], name="device_risk"),
            Index(fields=["tenant", "findings_open", "id"], name="device_findings"),
            Index(fields=["tenant", "last_seen", "id"], name="device_last_seen"),
            Index(fields=["tenant", "first_seen", "id"], name="device_first_seen"),
            Index(fields=["tenant", "added_ns", "id"], name="device_added"),
            Index(fields=["tenant", "name", "id"], name="device_name"),
            Index(fields=["tenant", "address_order", "id"], name="device_address"),
            Index(fields=["tenant", "category", "id"], name="device_category"),
            Index(fields=["tenant", "vendor", "model", "id"], name="device_vendor"),
            Index(fields=["tenant", "subnet", "id"], name="device_subnet"),
            Index(fields=["tenant", "support_ends", "id"], name="device_support_ends"),
            Index(fields=["tenant", "unsure", "subnet", "doubts"], name="device_unsure"),
            Index(
                fields=[
                    "tenant",
                    "site",
                    "retired_at",
                    "device_class",
                    "category",
                    "vendor",
                    "risk_level",
                    "managed",
                    "phi",
                    "subnet",
                    "model",
                ],
                name="device_facets",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.id


class DeviceText(Scoped):
    """What full-text search looks through: names, addresses, serial, AE titles, vendor and model.

    A trigram index (SQLite FTS5) over ``text`` is kept by triggers; see the first migration.
    """

    number = models.BigAutoField(primary_key=True)
    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()

    def __str__(self) -> str:
        return self.device_id


class MergedDevice(Scoped):
    """A device id that turned out to be another device; links to it lead to ``kept``."""

    gone = models.CharField(primary_key=True, max_length=40)
    kept = models.CharField(max_length=40, db_index=True)
    at_ns = models.BigIntegerField()
    reason = models.TextField()

    def __str__(self) -> str:
        return f"{self.gone} is {self.kept}"


class Identification(Scoped):
    """The verdicts of a device at every level with their ballots (model ``Verdict`` as JSON)."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="+")
    verdicts = models.JSONField(default=list)
    model_version = models.CharField(max_length=80)
    updated_ns = models.BigIntegerField()

    def __str__(self) -> str:
        return self.device_id


class DevicePart(Scoped):
    """A row that belongs to a device and is written in bulk: its unique key begins with the device."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    first_seen = models.BigIntegerField()
    last_seen = models.BigIntegerField()

    class Meta:
        abstract = True


class Interface(DevicePart):
    """A network interface; a MAC address belongs to one device of a site at a time."""

    mac = models.CharField(max_length=17)
    randomised = models.BooleanField(default=False)
    virtual = models.BooleanField(default=False)

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "mac"], name="interface_key")]
        indexes = [Index(fields=["mac"], name="interface_mac")]

    def __str__(self) -> str:
        return self.mac


class Address(DevicePart):
    """An IP address a device has or had on an interface, from ``first_seen`` to ``last_seen``.

    ``mac`` is the empty string where the device is known by its address alone; ``source`` says who
    bound it (arp, ndp, dhcp, seen).
    """

    mac = models.CharField(max_length=17, blank=True)
    ip = models.CharField(max_length=45)
    address_order = models.CharField(max_length=33)
    source = models.CharField(max_length=8)
    current = models.BooleanField(default=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "ip", "mac"], name="address_key")]
        indexes = [Index(fields=["address_order"], name="address_order")]

    def __str__(self) -> str:
        return self.ip


class EvidenceEntry(DevicePart):
    """The ledger: one fact of a device by one source and sensor, with first, last and count."""

    source = models.CharField(max_length=40)
    field = models.CharField(max_length=80)
    value = models.CharField(max_length=512)
    sensor = models.CharField(max_length=80)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            UniqueConstraint(fields=["device", "field", "value", "source", "sensor"], name="evidence_key")
        ]
        indexes = [Index(fields=["field", "device"], name="evidence_field")]

    def __str__(self) -> str:
        return f"{self.field}={self.value}"


class Service(DevicePart):
    """A port of a device that was seen to answer; ``clients`` counts distinct ones up to 1,000."""

    transport = models.CharField(max_length=8)
    port = models.IntegerField()
    application = models.CharField(max_length=80, null=True)
    clients = models.IntegerField(default=0)
    flows = models.BigIntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "transport", "port"], name="service_key")]

    def __str__(self) -> str:
        return f"{self.transport}/{self.port}"


class Conversation(DevicePart):
    """Traffic of a device with one peer over one service.

    The peer is a device of ours (``peer_device``) or an address (``peer_ip``); the one that does not
    apply is the empty string, because NULLs would not be equal in the unique key.
    """

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
                name="conversation_key",
            )
        ]
        indexes = [Index(fields=["peer_device"], name="conversation_peer")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.role} {self.peer_device or self.peer_ip}:{self.port}"


class ActivityHour(Scoped):
    """What a device sent and received in one clock hour; ``hour`` is its start in nanoseconds."""

    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.BigIntegerField()
    flows = models.BigIntegerField()
    packets = models.BigIntegerField()
    bytes_sent = models.BigIntegerField()
    bytes_received = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "hour"], name="activity_key")]
        indexes = [Index(fields=["tenant", "hour"], name="activity_hour")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.hour}"
