"""Roles and what each may do; pages, API and commands ask the same table."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is to medwarden."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    NETWORK_ENGINEER = "network_engineer"
    BIOMEDICAL_ENGINEER = "biomedical_engineer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Permission(StrEnum):
    """One thing a role may be allowed to do."""

    SEE_INVENTORY = "see_inventory"
    SEE_STAFF_NAMES = "see_staff_names"
    CHANGE_FINDING = "change_finding"
    ACCEPT_RISK = "accept_risk"
    CORRECT_IDENTITY = "correct_identity"
    EDIT_PLACES = "edit_places"
    EDIT_BOOKS = "edit_books"  # bring lists of equipment in, say which row is which device
    LEARN_POLICY = "learn_policy"
    APPROVE_POLICY = "approve_policy"
    FEED_DATA = "feed_data"  # replay captures and logs
    EXPORT = "export"
    SEE_AUDIT = "see_audit"
    CHANGE_SETTINGS = "change_settings"
    MANAGE_USERS = "manage_users"
    BACKUP = "backup"
    ENABLE_PROBING = "enable_probing"  # switch active query on in a subnet, and run it
    PROTECT_DEVICE = "protect_device"  # enter a device in the do-not-probe registry
    OVERRIDE_INTERLOCK = "override_interlock"  # answer for an action on a protected device
    CAPTURE_DEVICE = "capture_device"  # record the packets of a device, fetch them without patients
    EXPORT_RAW_CAPTURE = "export_raw_capture"  # fetch packets as they are, patients and all


_READ = frozenset({Permission.SEE_INVENTORY, Permission.EXPORT})

GRANTS: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.SEE_INVENTORY}),
    Role.ANALYST: _READ | {Permission.CHANGE_FINDING, Permission.FEED_DATA, Permission.CAPTURE_DEVICE},
    Role.NETWORK_ENGINEER: _READ
    | {
        Permission.CHANGE_FINDING,
        Permission.EDIT_PLACES,
        Permission.EDIT_BOOKS,
        Permission.LEARN_POLICY,
        Permission.APPROVE_POLICY,
        Permission.FEED_DATA,
        Permission.ENABLE_PROBING,
        Permission.PROTECT_DEVICE,
        Permission.CAPTURE_DEVICE,
    },
    Role.BIOMEDICAL_ENGINEER: _READ
    | {
        Permission.CHANGE_FINDING,
        Permission.CORRECT_IDENTITY,
        Permission.EDIT_PLACES,
        Permission.EDIT_BOOKS,
        Permission.SEE_STAFF_NAMES,
        Permission.PROTECT_DEVICE,
        Permission.OVERRIDE_INTERLOCK,
    },
    Role.AUDITOR: _READ | {Permission.SEE_AUDIT},
    Role.ADMINISTRATOR: frozenset(Permission),
}


def may(role: Role, permission: Permission) -> bool:
    """Tell whether ``role`` carries ``permission``."""
    return permission in GRANTS[role]
