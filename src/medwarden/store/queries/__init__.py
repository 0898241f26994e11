"""Reading: every question pages, API, commands and engines ask of the relational state.

Each takes a :class:`~medwarden.store.queries.scope.Scope`, so nothing outside it can leak.
"""

from __future__ import annotations

from medwarden.store.queries.clinical import BatteryRow, battery_levels, clinical_peers
from medwarden.store.queries.device import (
    AddressHeld,
    HourOfActivity,
    activity,
    addresses,
    applications,
    complete_devices,
    conversations,
    device,
    evidence_fields,
    find_device,
    ids_over_time,
    peer_counts,
)
from medwarden.store.queries.devices import (
    DeviceRow,
    device_ids,
    devices,
    due_devices,
    each_device,
    facets,
    stale_devices,
    subnets,
)
from medwarden.store.queries.filters import UNKNOWN, DeviceFilter
from medwarden.store.queries.findings import (
    FindingFilter,
    FindingRow,
    FindingType,
    Step,
    finding,
    finding_counts,
    finding_types,
    findings,
)
from medwarden.store.queries.kinds import Kind, SubnetSureness, Sureness, kinds, sureness
from medwarden.store.queries.overview import (
    Action,
    AuditRow,
    Overview,
    Trend,
    history,
    overview,
    top_actions,
    trend,
)
from medwarden.store.queries.policies import PolicyRow, PolicyStep, policies, policy, policy_history
from medwarden.store.queries.scope import Page, Scope
from medwarden.store.queries.scores import risk, risk_history
from medwarden.store.queries.sensors import InputRow, SensorRow, forms_read, inputs, live_interfaces, sensors
from medwarden.store.queries.state import load_state
from medwarden.store.queries.traffic import Cell, Edge, edges, matrix
from medwarden.store.queries.visibility import heard_by_sensor, subnet_sights

__all__ = [
    "UNKNOWN",
    "Action",
    "AddressHeld",
    "AuditRow",
    "BatteryRow",
    "Cell",
    "DeviceFilter",
    "DeviceRow",
    "Edge",
    "FindingFilter",
    "FindingRow",
    "FindingType",
    "HourOfActivity",
    "InputRow",
    "Kind",
    "Overview",
    "Page",
    "PolicyRow",
    "PolicyStep",
    "Scope",
    "SensorRow",
    "Step",
    "SubnetSureness",
    "Sureness",
    "Trend",
    "activity",
    "addresses",
    "applications",
    "battery_levels",
    "clinical_peers",
    "complete_devices",
    "conversations",
    "device",
    "device_ids",
    "devices",
    "due_devices",
    "each_device",
    "edges",
    "evidence_fields",
    "facets",
    "find_device",
    "finding",
    "finding_counts",
    "finding_types",
    "findings",
    "forms_read",
    "heard_by_sensor",
    "history",
    "ids_over_time",
    "inputs",
    "kinds",
    "live_interfaces",
    "load_state",
    "matrix",
    "overview",
    "peer_counts",
    "policies",
    "policy",
    "policy_history",
    "risk",
    "risk_history",
    "sensors",
    "stale_devices",
    "subnet_sights",
    "subnets",
    "sureness",
    "top_actions",
    "trend",
]
