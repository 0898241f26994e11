"""The relational state. Each file holds the tables of one subject."""

from __future__ import annotations

from medwarden.store.models.accounts import SavedView, Setting, User
from medwarden.store.models.answers import Answer, AnsweredDevice, LocalModel
from medwarden.store.models.audit import AuditEntry
from medwarden.store.models.books import (
    AttributeDefinition,
    AttributeRule,
    AttributeValue,
    Book,
    BookDecision,
    BookMatch,
    BookRow,
    BookVersion,
    ComponentList,
    SoftwareComponent,
)
from medwarden.store.models.findings import Finding, FindingEvent
from medwarden.store.models.identity import (
    DeviceElsewhere,
    Identity,
    IdentityActivity,
    IdentityAddress,
    IdentityConversation,
    IdentityDecision,
    IdentityEvidence,
    IdentityInterface,
    IdentityProposal,
    IdentityService,
    VerdictChange,
)
from medwarden.store.models.ingest import InputLedger, Sensor
from medwarden.store.models.inventory import (
    ActivityHour,
    Address,
    Conversation,
    Device,
    DeviceText,
    EvidenceEntry,
    Identification,
    Interface,
    MergedDevice,
    Service,
)
from medwarden.store.models.places import FloorPlanRow
from medwarden.store.models.policy import Policy, PolicyVersion
from medwarden.store.models.probing import CaptureJob, DoNotProbe, Override, ProbeLog, ProbeSubnet
from medwarden.store.models.risk import RiskFactor, RiskScore
from medwarden.store.models.tenancy import DEFAULT_SITE, DEFAULT_TENANT, Site, Tenant
from medwarden.store.models.vulnerabilities import (
    Irrelevance,
    MatchProfile,
    ProfileMember,
    VulnerabilityVerdict,
    VulnerabilityWeight,
)

__all__ = [
    "DEFAULT_SITE",
    "DEFAULT_TENANT",
    "ActivityHour",
    "Address",
    "Answer",
    "AnsweredDevice",
    "AttributeDefinition",
    "AttributeRule",
    "AttributeValue",
    "AuditEntry",
    "Book",
    "BookDecision",
    "BookMatch",
    "BookRow",
    "BookVersion",
    "CaptureJob",
    "ComponentList",
    "Conversation",
    "Device",
    "DeviceElsewhere",
    "DeviceText",
    "DoNotProbe",
    "EvidenceEntry",
    "Finding",
    "FindingEvent",
    "FloorPlanRow",
    "Identification",
    "Identity",
    "IdentityActivity",
    "IdentityAddress",
    "IdentityConversation",
    "IdentityDecision",
    "IdentityEvidence",
    "IdentityInterface",
    "IdentityProposal",
    "IdentityService",
    "InputLedger",
    "Interface",
    "Irrelevance",
    "LocalModel",
    "MatchProfile",
    "MergedDevice",
    "Override",
    "Policy",
    "PolicyVersion",
    "ProbeLog",
    "ProbeSubnet",
    "ProfileMember",
    "RiskFactor",
    "RiskScore",
    "SavedView",
    "Sensor",
    "Service",
    "Setting",
    "Site",
    "SoftwareComponent",
    "Tenant",
    "User",
    "VerdictChange",
    "VulnerabilityVerdict",
    "VulnerabilityWeight",
]
