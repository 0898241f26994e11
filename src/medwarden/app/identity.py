"""Identity over time: devices joined, split, undone, linked, and told when they fall silent."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from medwarden.app.inventory import one_device
from medwarden.inventory.linking import links
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.store.open import open_store

if TYPE_CHECKING:
    from medwarden.store.changes import Change
    from medwarden.store.queries import Scope
    from medwarden.store.queries.identity import DecisionRow, ProposalRow, VerdictChangeRow

_MOST_SHOWN = 1000
_PAUSE_S, _SHARE = 60.0, 20.0
_NOT_HEX = re.compile(r"[:.-]")


class Linked(msgspec.Struct, frozen=True):
    """What a round of the linker came to: joins made for certain, proposals that wait for a person."""

    joined: int
    proposed: int


def merge(home: Path, kept: str, gone: str, *, reason: str, actor: str) -> int:
    """Make device ``gone`` part of ``kept`` (ids, MAC or IP addresses); return the decision's number.

    Raises ConfigurationError where one is not known, they are at different sites, or no reason is given.
    """
    with open_store(home, writer=True, role="identity"):
        return merge_stored(kept, gone, reason=reason, actor=actor)


def merge_stored(kept: str, gone: str, *, reason: str, actor: str, scope: Scope | None = None) -> int:
    """Do the same on a store that is open already (the console), within what ``scope`` lets a person see."""
    from medwarden.store.joining import join

    one, other = _found(kept, scope), _found(gone, scope)
    with _change(actor, reason, one.site, scope) as change:
        number = join(change, one.id, other.id)
    _judge(one.site)
    return number


def split(
    home: Path, device: str, *, macs: Sequence[str] = (), ips: Sequence[str] = (), reason: str, actor: str
) -> int:
    """Take interfaces or addresses out of a device, to be one of their own; return the decision's number.

    Raises ConfigurationError where they are none of the device's, or nothing would be left of it.
    """
    with open_store(home, writer=True, role="identity"):
        return split_stored(device, macs=macs, ips=ips, reason=reason, actor=actor)


def split_stored(
    device: str,
    *,
    macs: Sequence[str] = (),
    ips: Sequence[str] = (),
    reason: str,
    actor: str,
    scope: Scope | None = None,
) -> int:
    """Do the same on a store that is open already (the console), within what ``scope`` lets a person see."""
    from medwarden.store.joining import identities_of, part

    if not macs and not ips:
        raise ConfigurationError("say what to split off: an interface or an address")
    found = _found(device, scope)
    taken = identities_of(found.id, macs, ips)
    with _change(actor, reason, found.site, scope) as change:
        number = part(change, found.id, taken)
    _judge(found.site)
    return number


def undo(home: Path, number: int, *, reason: str, actor: str) -> None:
    """Take a decision back, so that the devices are as if it had never been made.

    Raises ConfigurationError for an unknown decision, or one that is undone already.
    """
    with open_store(home, writer=True, role="identity"):
        undo_stored(number, reason=reason, actor=actor)


def undo_stored(number: int, *, reason: str, actor: str, scope: Scope | None = None) -> None:
    """Do the same on a store that is open already (the console), within what ``scope`` lets a person see."""
    from medwarden.store.joining import site_of_decision
    from medwarden.store.joining import undo as take_back
    from medwarden.store.proposals import reject_undone

    site = _seen(site_of_decision(number), scope, f"decision {number}")
    with _change(actor, reason, site, scope) as change:
        undone = take_back(change, number)
        reject_undone(change, undone.identities)
    _judge(undone.site)


def decide_proposal(home: Path, proposal: str, *, accepted: bool, reason: str, actor: str) -> int | None:
    """Accept or reject that two devices are one; return the number of the decision that follows, if any.

    Raises ConfigurationError where the proposal is not open.
    """
    with open_store(home, writer=True, role="identity"):
        return decide_stored(proposal, accepted=accepted, reason=reason, actor=actor)


def decide_stored(
    proposal: str, *, accepted: bool, reason: str, actor: str, scope: Scope | None = None
) -> int | None:
    """Do the same on a store that is open already (the console), within what ``scope`` lets a person see."""
    from medwarden.store.proposals import accept, reject, site_of

    site = _seen(site_of(proposal), scope, f"proposal {proposal[:40]!r}")
    number = None
    with _change(actor, reason, site, scope) as change:
        if accepted:
            number = accept(change, proposal)
        else:
            reject(change, proposal)
    if accepted:
        _judge(site)
    return number


def decision_rows(home: Path, *, device: str = "") -> list[DecisionRow]:
    """Return the decisions on identities, the latest first; of one device where it is named."""
    with open_store(home, writer=False):
        from medwarden.store import queries
        from medwarden.store.queries.identity import decisions

        of = one_device(device).id if device else ""
        return list(decisions(queries.Scope(), device_id=of, limit=_MOST_SHOWN).items)


def proposal_rows(home: Path) -> list[ProposalRow]:
    """Return the open proposals, the likeliest first."""
    with open_store(home, writer=False):
        from medwarden.store import queries
        from medwarden.store.queries.identity import proposals

        return list(proposals(queries.Scope(), limit=_MOST_SHOWN).items)


def history_rows(home: Path, device: str) -> list[VerdictChangeRow]:
    """Return what a device was held to be, the latest change first."""
    with open_store(home, writer=False):
        from medwarden.store import queries
        from medwarden.store.queries.identity import verdict_history

        return verdict_history(queries.Scope(), one_device(device).id)


def link(home: Path, site: str | None = None) -> Linked:
    """Look for devices of a site that are one: join the certain ones, propose the others."""
    with open_store(home, writer=True, role="identity"):
        from medwarden.store.open import ensure_site

        tenant, place = ensure_site(None, site)
        return link_site(tenant, place)


def link_site(tenant: str, site: str) -> Linked:
    """Do the same on a store that is open already."""
    from medwarden.store.changes import Change
    from medwarden.store.joining import Joining, join_certain
    from medwarden.store.proposals import identifying_devices, renew_proposals

    devices, gateways = identifying_devices(tenant, site)
    found = links(devices, gateways)
    certain = [each for each in found if each.certain]
    with Change("rule:linking", "they state the same identifier", tenant=tenant, site=site) as change:
        joined = join_certain(
            change, site, [Joining(each.left, each.right, each.supporting) for each in certain]
        )
        proposed = renew_proposals(change, site, [each for each in found if not each.certain])
    if joined:
        _judge(site)
    return Linked(joined, proposed)


def settle(tenant: str) -> Linked:
    """Do what identities need now and then, on an open store: link, follow moves, retire who fell silent."""
    from medwarden.app.ageing import retire_silent
    from medwarden.app.spoofing import find_moves
    from medwarden.store.models import Site

    joined = proposed = 0
    for site in Site.objects.filter(tenant_id=tenant).order_by("pk").values_list("pk", flat=True):
        linked = link_site(tenant, site)
        joined, proposed = joined + linked.joined, proposed + linked.proposed
        retire_silent(tenant, site)
    find_moves(tenant)
    return Linked(joined, proposed)


class Settling:
    """When identities are settled: after something was judged, for a twentieth of the time at most.

    ``clock`` gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._judged = True
        self._next = 0.0

    def after(self, judged: int) -> bool:
        """Settle all tenants where it is due; tell whether it was."""
        from medwarden.store.models import Tenant

        self._judged |= judged > 0
        begun = self._clock()
        if not self._judged or begun < self._next:
            return False
        for tenant in Tenant.objects.order_by("pk").values_list("pk", flat=True):
            settle(tenant)
        ended = self._clock()
        self._judged, self._next = False, ended + max(_PAUSE_S, _SHARE * (ended - begun))
        return True


def _found(identifier: str, scope: Scope | None) -> Device:
    """Return the device that is meant, named whole: half an address that fits one device may mean another.

    Raises ConfigurationError where there is none, several or only one of which it is a part.
    """
    found = one_device(identifier, scope)
    asked = identifier.strip().casefold()
    # one_device has made sure that no other device has the first part of this one's name in its own
    hosts = {name.partition(".")[0] for name in found.names}
    hosts = {host for host in hosts if not host.isdigit()}  # an address that serves as a name
    named = {name.casefold() for name in (found.id, *found.ips, *found.macs, *found.names, *hosts)}
    named |= {found.serial.casefold()} if found.serial else set()
    digits = {mac.replace(":", "") for mac in found.macs}
    known = bool(asked) and (asked in named or _NOT_HEX.sub("", asked) in digits)
    if not known and identifier not in _ids_of(found, scope):
        raise ConfigurationError(
            f"{identifier[:80]!r} is only a part of what {found.label} is known by: "
            "name it by its id, its whole MAC or IP address, its name or its serial number"
        )
    return found


def _ids_of(device: Device, scope: Scope | None) -> list[str]:
    """Return the ids that a device has and had."""
    from medwarden.store import queries

    return queries.ids_over_time(scope or queries.Scope(), device.id)


def _seen(site: str, scope: Scope | None, what: str) -> str:
    if scope is not None and scope.sites is not None and site not in scope.sites:
        raise ConfigurationError(f"there is no {what}")
    return site


def _change(actor: str, reason: str, site: str, scope: Scope | None) -> Change:
    from medwarden.store.changes import Change
    from medwarden.store.models import DEFAULT_TENANT

    return Change(actor, reason, tenant=DEFAULT_TENANT if scope is None else scope.tenant, site=site)


def _judge(site: str) -> None:
    from medwarden.app.judge import judge_stale
    from medwarden.app.reconcile import soon
    from medwarden.store.models import Site

    tenant = Site.objects.values_list("tenant_id", flat=True).get(pk=site)
    soon(tenant, site)
    judge_stale(tenant, site)
