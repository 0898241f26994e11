"""Books of equipment and what their reconciliation says; attributes of the hospital's own; components.

A row of a book is valid from one version of the book to another, so that an import is taken back by
moving these bounds. Times are nanoseconds since the Unix epoch (UTC).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Index, Q, UniqueConstraint

from medwarden.store.models.inventory import Device
from medwarden.store.models.tenancy import Scoped, TenantScoped


class Book(Scoped):
    """One list of equipment that somebody keeps: a CMMS, CMDB, ITSM or a spreadsheet.

    ``columns`` are pairs of the book's own headings and our fields, in its order; ``own`` holds the mappings
    that a person chose. ``version`` is the number of the version that counts, 0 before the first.
    """

    id = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=80)
    system = models.CharField(max_length=40, default="generic")
    columns = models.JSONField(default=list)
    own = models.JSONField(default=dict)
    version = models.IntegerField(default=0)
    created_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["site", "name"], name="book_name")]

    def __str__(self) -> str:
        return self.name


class BookVersion(Scoped):
    """One import of a book: from which file, by whom, and what it changed; ``undone_ns`` when taken back.

    ``problems`` names lines that could not be used, the first few hundred of them; ``rejected`` counts all.
    """

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="versions", db_index=False)
    number = models.IntegerField()
    at_ns = models.BigIntegerField()
    actor = models.CharField(max_length=150)
    source = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    columns = models.JSONField(default=list)
    before_columns = models.JSONField(default=list)
    rows = models.IntegerField()
    new = models.IntegerField()
    changed = models.IntegerField()
    gone = models.IntegerField()
    rejected = models.IntegerField()
    problems = models.JSONField(default=list)
    undone_ns = models.BigIntegerField(null=True)

    class Meta:
        constraints = [UniqueConstraint(fields=["book", "number"], name="book_version_number")]

    def __str__(self) -> str:
        return f"{self.book_id} {self.number}"


class BookRow(Scoped):
    """What one row says, by our field names; valid while ``since`` <= version < ``until``.

    ``status`` is that of ``said``; ``twins`` names, between blanks, what it shares with other rows that it
    should not (serial, mac, asset_tag).
    """

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="rows", db_index=False)
    key = models.CharField(max_length=200)
    line = models.IntegerField()
    since = models.IntegerField()
    until = models.IntegerField(null=True)
    since_ns = models.BigIntegerField()
    said = models.JSONField(default=dict)
    status = models.CharField(max_length=40, blank=True)
    twins = models.CharField(max_length=60, blank=True)

    class Meta:
        constraints = [
            UniqueConstraint(fields=["book", "key", "since"], name="book_row_key"),
            UniqueConstraint(fields=["book", "key"], condition=Q(until=None), name="book_row_current"),
        ]

    def __str__(self) -> str:
        return f"{self.book_id} {self.key}"


class BookMatch(Scoped):
    """A row and a device that belong together, or may: the latest reconciliation's word.

    ``state`` is matched, pinned, ambiguous or contradicted; ``evidence`` holds the terms whose sum is
    ``log_odds``; ``disagrees`` names, between blanks, the fields in which the two contradict.
    Devices are named by id without a constraint, because they merge and split.
    """

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=16)
    log_odds = models.FloatField()
    margin = models.FloatField()
    evidence = models.JSONField(default=list)
    disagrees = models.CharField(max_length=300, blank=True)
    since_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["book", "key", "device"], name="book_match_key")]
        indexes = [Index(fields=["device", "state"], name="book_match_device")]

    def __str__(self) -> str:
        return f"{self.book_id} {self.key} {self.device_id}"


class BookDecision(Scoped):
    """What a person decided of a row and a device: pin (they are one) or reject (they are not)."""

    book = models.ForeignKey(Book, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=200)
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    decision = models.CharField(max_length=8)
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["book", "key", "device"], name="book_decision_key")]

    def __str__(self) -> str:
        return f"{self.decision} {self.book_id} {self.key} {self.device_id}"


class AttributeDefinition(TenantScoped):
    """An attribute that the hospital defined; ``editors`` are roles, ``choices`` the values of a choice."""

    name = models.CharField(max_length=64)
    title = models.CharField(max_length=120)
    kind = models.CharField(max_length=8)
    choices = models.JSONField(default=list)
    editors = models.JSONField(default=list)
    position = models.IntegerField(default=0)
    created_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["tenant", "name"], name="attribute_name")]

    def __str__(self) -> str:
        return self.name


class AttributeRule(TenantScoped):
    """A rule that fills an attribute: conditions (model ``Conditions`` as JSON), tried by ``position``."""

    attribute = models.ForeignKey(
        AttributeDefinition, on_delete=models.CASCADE, related_name="rules", db_index=False
    )
    name = models.CharField(max_length=80)
    position = models.IntegerField()
    value = models.CharField(max_length=400)
    conditions = models.JSONField(default=dict)
    created_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["attribute", "name"], name="attribute_rule_name")]
        indexes = [Index(fields=["tenant", "attribute", "position"], name="attribute_rule_order")]

    def __str__(self) -> str:
        return self.name


class AttributeValue(Scoped):
    """The value of an attribute at a device. ``rule`` is empty where a person set it by hand.

    ``value`` is text in its type's one form (numbers without trailing zeros, dates ISO 8601, yes or no);
    ``number`` holds the number, or the date as days, to sort and compare by.
    """

    attribute = models.ForeignKey(
        AttributeDefinition, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    value = models.CharField(max_length=400)
    number = models.FloatField(null=True)
    rule = models.CharField(max_length=80, blank=True)
    why = models.TextField(blank=True)
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()

    class Meta:
        constraints = [UniqueConstraint(fields=["device", "attribute"], name="attribute_value_key")]
        indexes = [Index(fields=["attribute", "value", "device"], name="attribute_value_find")]

    def __str__(self) -> str:
        return f"{self.device_id} {self.attribute_id}={self.value}"


class ComponentList(TenantScoped):
    """A bill of software components, of one device or of a model (``firmware`` empty: of any)."""

    id = models.CharField(primary_key=True, max_length=40)
    device = models.ForeignKey(
        Device, on_delete=models.CASCADE, related_name="+", null=True, db_constraint=False
    )
    vendor = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=200, blank=True)
    firmware = models.CharField(max_length=200, blank=True)
    format = models.CharField(max_length=40)
    name = models.CharField(max_length=255)
    version = models.CharField(max_length=120, blank=True)
    source = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    said_at = models.CharField(max_length=40, blank=True)
    components = models.IntegerField()
    skipped = models.IntegerField(default=0)
    actor = models.CharField(max_length=150)
    at_ns = models.BigIntegerField()

    class Meta:
        indexes = [Index(fields=["tenant", "vendor", "model"], name="component_list_model")]

    def __str__(self) -> str:
        return self.name


class SoftwareComponent(TenantScoped):
    """One component of a list; ``depends`` are the references of what it needs."""

    bill = models.ForeignKey(ComponentList, on_delete=models.CASCADE, related_name="rows", db_index=False)
    position = models.IntegerField()
    ref = models.CharField(max_length=512)
    kind = models.CharField(max_length=40, blank=True)
    name = models.CharField(max_length=400)
    version = models.CharField(max_length=200, blank=True)
    supplier = models.CharField(max_length=255, blank=True)
    purl = models.CharField(max_length=700, blank=True)
    cpe = models.CharField(max_length=400, blank=True)
    licences = models.JSONField(default=list)
    hashes = models.JSONField(default=dict)
    depends = models.JSONField(default=list)

    class Meta:
        constraints = [UniqueConstraint(fields=["bill", "position"], name="software_component_key")]
        indexes = [Index(fields=["tenant", "name", "version"], name="software_component_name")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
