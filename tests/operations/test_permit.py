from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path

import pytest

import medwarden
from medwarden.kernel.errors import InternalError
from medwarden.operations.interlock import decide
from medwarden.operations.permit import PERMIT_S, Action, ActionKind, NotPermitted, Permit, Target, target

from .wards import NOW, ON, SECOND, SNMP, device, idle, request

AIMED = Target("main", "10.0.0.7", 161)


def permit() -> Permit:
    made = decide(request(device()), ON, idle(device()), None, NOW)
    assert isinstance(made, Permit), made
    return made


def test_nobody_makes_one_but_the_interlock() -> None:
    with pytest.raises(InternalError, match="by the interlock alone"):
        Permit()
    hollow = object.__new__(Permit)
    with pytest.raises(NotPermitted, match="not made by the interlock"):
        hollow.redeem(SNMP, AIMED, NOW)
    source = Path(medwarden.__file__).parent
    naming = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if (isinstance(node, ast.alias | ast.FunctionDef) and node.name == "_issue")
        or (isinstance(node, ast.Name) and node.id == "_issue")
        or (isinstance(node, ast.Attribute) and node.attr == "_issue")
    }
    assert naming == {"operations/permit.py", "operations/interlock.py"}


def test_it_cannot_be_changed_copied_or_stored() -> None:
    made = permit()
    for name in ("target", "expires_ns", "action", "devices"):
        with pytest.raises(InternalError, match="cannot be changed"):
            setattr(made, name, None)
        with pytest.raises(InternalError, match="cannot be changed"):
            delattr(made, name)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(InternalError, match="cannot be copied"):
            attempt(made)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target", Target("main", "10.0.0.8", 161)),
        ("expires_ns", NOW + 10**15),
        ("made_ns", 0),
        ("action", Action(ActionKind.ENFORCE, "quarantine")),
        ("devices", ()),
        ("medical", True),
        ("override", "o-1"),
    ],
)
def test_one_that_was_tampered_with_is_worthless(field: str, value: object) -> None:
    made = permit()
    object.__setattr__(made, field, value)
    with pytest.raises(NotPermitted, match="not made by the interlock"):
        made.redeem(made.action, made.target, NOW)


def test_it_is_good_once_for_one_action_on_one_target_for_seconds() -> None:
    with pytest.raises(NotPermitted, match="not for probe:tls_hello"):
        permit().redeem(Action(ActionKind.PROBE, "tls_hello"), AIMED, NOW)
    for other in (
        Target("main", "10.0.0.8", 161),
        Target("main", "10.0.0.7", 162),
        Target("b", "10.0.0.7", 161),
    ):
        with pytest.raises(NotPermitted, match="the permit is for"):
            permit().redeem(SNMP, other, NOW)
    for late in (NOW + PERMIT_S * SECOND, NOW + 10**18, NOW - 1):
        with pytest.raises(NotPermitted, match="expired"):
            permit().redeem(SNMP, AIMED, late)
    made = permit()
    made.redeem(SNMP, AIMED, NOW + SECOND)
    with pytest.raises(NotPermitted, match="used before"):
        made.redeem(SNMP, AIMED, NOW + SECOND)


def test_a_target_is_an_address_in_one_form() -> None:
    assert target("main", "2001:DB8:0::1", 161).ip == "2001:db8::1"
    with pytest.raises(NotPermitted, match="no IP address"):
        target("main", "10.0.0.7.example", 161)
