"""A policy as text that two people can read, discuss and sign."""

from __future__ import annotations

from medwarden.kernel.clock import iso
from medwarden.model.policy import Direction, Policy, PolicyRule

_HEADINGS = {
    Direction.TO_PEER: "May open connections to",
    Direction.FROM_PEER: "May be reached by",
}


def port_text(rule: PolicyRule) -> str:
    """Return transport and port of a rule: ``tcp/104``, ``udp/49152-65535``, ``icmp``."""
    if rule.port is None:
        return rule.transport
    last = "" if rule.port_to is None else f"-{rule.port_to}"
    return f"{rule.transport}/{rule.port}{last}"


def to_text(policy: Policy) -> str:
    """Return ``policy`` as plain text: head, rules by direction in columns, notes. Ends with a line break."""
    lines = [
        f"Policy {policy.id}: {_one_line(policy.title)} ({policy.subject_kind})",
        f"State {policy.state.value}, version {policy.version}, covers {_devices(len(policy.devices))}",
    ]
    if policy.observed_to:
        lines.append(f"Learnt from traffic of {iso(policy.observed_from)} to {iso(policy.observed_to)}")
    lines.append("What is not listed is not allowed.")
    for direction, heading in _HEADINGS.items():
        rules = [rule for rule in policy.rules if rule.direction is direction]
        lines += ["", heading, *(_table(rules) or ["  nobody"])]
    if policy.notes:
        lines += ["", "Notes", *(f"  - {_one_line(note)}" for note in policy.notes)]
    return "\n".join(lines) + "\n"


def _table(rules: list[PolicyRule]) -> list[str]:
    rows = [
        (
            _one_line(rule.peer.label),
            rule.peer.kind,
            port_text(rule),
            rule.application or "-",
            f"{rule.flows:,} flow{'' if rule.flows == 1 else 's'}",
            _devices(rule.devices),
            _one_line(rule.reason),
        )
        for rule in rules
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(6)] if rows else []
    return [
        "  "
        + "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[6]]).rstrip()
        for row in rows
    ]


def _devices(number: int) -> str:
    return f"{number} device{'' if number == 1 else 's'}"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
