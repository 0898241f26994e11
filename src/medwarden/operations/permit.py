"""A permit: the only thing that lets an action reach a device, made by the interlock alone.

An action takes a :class:`Permit` and redeems it before it opens a socket. A permit cannot be made by
calling its class, changed, copied, pickled or used twice, and it is good for one action on one address
for a few seconds, because the answer it rests on ages.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from enum import StrEnum
from typing import Final, NoReturn, final

import msgspec

from medwarden.kernel.errors import InternalError, MedwardenError

PERMIT_S: Final = 5
"""Seconds for which a permit is good."""

_KEY = secrets.token_bytes(32)


class NotPermitted(MedwardenError):
    """An action was tried without a permit that covers it; nothing was sent."""


class ActionKind(StrEnum):
    """What an action does to a device."""

    PROBE = "probe"  # asks it something
    ENFORCE = "enforce"  # changes what it may reach, or what reaches it


class Action(msgspec.Struct, frozen=True, order=True):
    """One thing to do to a device, e.g. ``Action(ActionKind.PROBE, "snmp_get")``."""

    kind: ActionKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"


class Target(msgspec.Struct, frozen=True):
    """Where an action is aimed: one address of one site, and the port (0 where the action has none).

    ``ip`` has its canonical text form; :func:`target` brings it there.
    """

    site: str
    ip: str
    port: int = 0


def target(site: str, ip: str, port: int = 0) -> Target:
    """Return the target with its address in canonical form; raises NotPermitted for what is no address."""
    try:
        return Target(site, str(ipaddress.ip_address(ip)), port)
    except ValueError:
        raise NotPermitted(f"{ip[:60]!r} is no IP address") from None


@final
class Permit:
    """Leave to do one action on one target until ``expires_ns``, once.

    ``devices`` are who was found at the address; ``medical`` says that one of them is or may be a medical
    device, at which nothing is tried twice. ``grant`` and ``override`` name what allows it.
    """

    __slots__ = (
        "_seal",
        "_spent",
        "action",
        "devices",
        "expires_ns",
        "grant",
        "made_ns",
        "medical",
        "number",
        "override",
        "target",
    )

    action: Action
    devices: tuple[str, ...]
    expires_ns: int
    grant: str
    made_ns: int
    medical: bool
    number: str
    override: str
    target: Target
    _seal: bytes
    _spent: bool

    def __init__(self) -> None:
        raise InternalError("a permit is made by the interlock alone: call operations.interlock.decide")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise InternalError(f"a permit cannot be changed ({name} to {value!r})")

    def __delattr__(self, name: str) -> NoReturn:
        raise InternalError(f"a permit cannot be changed ({name})")

    def __reduce__(self) -> NoReturn:
        raise InternalError("a permit cannot be copied or stored")

    def __repr__(self) -> str:
        return f"<Permit {self.number} for {self.action} on {self.target.ip}>"

    def redeem(self, action: Action, aimed: Target, now_ns: int) -> None:
        """Use the permit for ``action`` on ``aimed``; it is good for nothing afterwards.

        Raises NotPermitted where it was made for something else, has expired, was used, is dated in the
        future or was not made by the interlock of this process. Call it before a socket is opened.
        """
        seal = getattr(self, "_seal", b"")
        if not isinstance(seal, bytes) or not hmac.compare_digest(seal, _seal_of(self)):
            raise NotPermitted("this permit was not made by the interlock")
        if self.action != action:
            raise NotPermitted(f"the permit is for {self.action}, not for {action}")
        if self.target != aimed:
            raise NotPermitted(f"the permit is for {_words(self.target)}, not for {_words(aimed)}")
        if not self.made_ns <= now_ns < self.expires_ns:
            raise NotPermitted(f"the permit for {_words(aimed)} has expired: ask the interlock again")
        if self._spent:
            raise NotPermitted(f"the permit for {_words(aimed)} was used before: ask the interlock again")
        object.__setattr__(self, "_spent", True)


def _words(aimed: Target) -> str:
    return f"{aimed.ip} port {aimed.port} at {aimed.site}"


def _seal_of(permit: Permit) -> bytes:
    try:
        parts = [
            permit.number,
            str(permit.action),
            permit.target.site,
            permit.target.ip,
            str(permit.target.port),
            *permit.devices,
            str(permit.made_ns),
            str(permit.expires_ns),
            str(permit.medical),
            permit.grant,
            permit.override,
        ]
    except AttributeError:  # made around __init__, nothing in it
        return b"-"
    return hmac.new(_KEY, "\x1f".join(parts).encode(), hashlib.sha256).digest()


def _issue(
    action: Action,
    aimed: Target,
    devices: tuple[str, ...],
    now_ns: int,
    *,
    medical: bool,
    grant: str,
    override: str,
) -> Permit:
    """Make a permit. Of the interlock alone; a test holds that nobody else names this function."""
    permit = object.__new__(Permit)
    values: dict[str, object] = {
        "action": action,
        "devices": devices,
        "expires_ns": now_ns + PERMIT_S * 1_000_000_000,
        "grant": grant,
        "made_ns": now_ns,
        "medical": medical,
        "number": secrets.token_hex(8),
        "override": override,
        "target": aimed,
    }
    for name, value in values.items():
        object.__setattr__(permit, name, value)
    object.__setattr__(permit, "_spent", False)
    object.__setattr__(permit, "_seal", _seal_of(permit))
    return permit
