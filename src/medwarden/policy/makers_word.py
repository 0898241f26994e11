"""What makers' disclosure forms say of the network, held against the rules that were learnt.

ANSI/NEMA HN 1 (MDS2): a form names ports, and says whether service from afar, the internet or systems outside
are needed. Traffic of some weeks shows neither what is used once a year nor what should not be there, so a
person who approves rules is told where the two differ. No rule is written or taken away by it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from medwarden.model.mds2 import DeclaredPort, NetworkNeeds
from medwarden.model.policy import Direction, PolicyRule
from medwarden.policy.peers import NAMELESS_OUTSIDE

_SHOWN = 4


def notes_of_makers(
    rules: Sequence[PolicyRule], members: Iterable[str], needs: Mapping[str, NetworkNeeds]
) -> tuple[str, ...]:
    """Return a sentence for each difference between forms and rules, by form.

    ``members`` are the ids of the devices that the rules cover, ``needs`` what the forms say, by device.
    """
    forms: dict[str, NetworkNeeds] = {}
    counts: dict[str, int] = defaultdict(int)
    for device in members:
        if (need := needs.get(device)) is not None:
            forms[need.form] = need
            counts[need.form] += 1
    return tuple(
        f"{forms[form].title}, {_devices(count)}: {sentence}"
        for form, count in counts.items()
        for sentence in _differences(rules, forms[form])
    )


def _differences(rules: Sequence[PolicyRule], need: NetworkNeeds) -> list[str]:
    found = []
    outside = sorted({rule.peer.label for rule in rules if _is_outside(rule)})
    if outside and need.internet is False:
        found.append(
            f"it needs no internet by its maker's word, yet rules lead there ({_some(outside)}). "
            "Find out why before they are approved."
        )
    if not outside and need.internet is True:
        found.append("it needs the internet by its maker's word; none was seen to be used.")
    if need.remote_service or need.remote_monitoring:
        what = "serves" if need.remote_service else "watches"
        found.append(
            f"its maker {what} it from afar. What comes in from outside is never learnt: broker it by name "
            "and time."
        )
    unused = [port for port in need.ports if not any(_allows(rule, port) for rule in rules)]
    if unused:
        found.append(
            f"services that the form names and no rule allows: {_some([_port(port) for port in unused])}. "
            "Add those that are used before it is enforced."
        )
    if need.ports_listed and need.ports:
        unnamed = sorted(
            {_service(rule) for rule in rules if _is_offered(rule) and not _is_named(rule, need.ports)}
        )
        if unnamed:
            found.append(f"services that it was seen to offer and the form does not name: {_some(unnamed)}.")
    return found


def _is_outside(rule: PolicyRule) -> bool:
    return rule.peer.kind in ("domain", "internet") or NAMELESS_OUTSIDE in rule.reason


def _is_offered(rule: PolicyRule) -> bool:
    return rule.direction is Direction.FROM_PEER and rule.port is not None


def _allows(rule: PolicyRule, port: DeclaredPort) -> bool:
    if rule.port is None or port.transport not in ("", rule.transport):
        return False
    return rule.port <= (port.port_to or port.port) and port.port <= (rule.port_to or rule.port)


def _is_named(rule: PolicyRule, ports: Iterable[DeclaredPort]) -> bool:
    return any(_allows(rule, port) for port in ports)


def _port(port: DeclaredPort) -> str:
    span = f"{port.port}-{port.port_to}" if port.port_to else f"{port.port}"
    return f"{port.transport}/{span}" if port.transport else f"port {span}"


def _service(rule: PolicyRule) -> str:
    span = f"{rule.port}-{rule.port_to}" if rule.port_to else f"{rule.port}"
    return f"{rule.transport}/{span}"


def _devices(count: int) -> str:
    return f"{count} device{'' if count == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
