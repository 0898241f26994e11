"""Operations on identity over time: what is one device, what was it before, where else is it."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from ninja import Field, Router, Schema

from medwarden.app import identity
from medwarden.model.role import Permission
from medwarden.store import queries
from medwarden.store.queries import ageing
from medwarden.store.queries import identity as stored
from medwarden.web.api.access import needs
from medwarden.web.api.schemas import list_of, page_of, page_schema, plain
from medwarden.web.decisions import LONGEST_REASON
from medwarden.web.scope import actor_of, scope_of

router = Router(tags=["Identity"])
SEE = needs(Permission.SEE_INVENTORY)
CORRECT = needs(Permission.CORRECT_IDENTITY)


class Reason(Schema):
    """Why, for the audit."""

    reason: str = Field(..., min_length=1, max_length=LONGEST_REASON)


class NewMerge(Reason):
    """Two devices that are one; it keeps the id of the first."""

    kept: str
    gone: str


class NewSplit(Reason):
    """What to take out of a device: interfaces, addresses, or both."""

    interfaces: list[str] = []
    addresses: list[str] = []


class Decided(Schema):
    """The number under which a decision can be undone."""

    decision: int


def _device(request: HttpRequest, device_id: str) -> str:
    row = queries.find_device(scope_of(request).store, device_id)
    if row is None:
        raise Http404("There is no such device in what you may see.")
    return row.pk


@router.get(
    "/devices/{device_id}/identities",
    response=list_of(stored.IdentityRow),
    auth=SEE,
    summary="What a device is made of",
)
def identities(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return the interfaces and addresses that make one device; empty where it has but one."""
    return plain(stored.identities(scope_of(request).store, _device(request, device_id)))


@router.get(
    "/devices/{device_id}/changes",
    response=list_of(stored.VerdictChangeRow),
    auth=SEE,
    summary="What a device was held to be",
)
def changes(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return how the answers about a device changed, with the votes that came and went, newest first."""
    return plain(stored.verdict_history(scope_of(request).store, _device(request, device_id)))


@router.get(
    "/devices/{device_id}/elsewhere",
    response=list_of(stored.ElsewhereRow),
    auth=SEE,
    summary="Other sites a device was at",
)
def elsewhere(request: HttpRequest, device_id: str) -> Any:  # noqa: ANN401
    """Return the rows of the same device at other sites you may see."""
    return plain(stored.elsewhere(scope_of(request).store, _device(request, device_id)))


@router.get(
    "/identity/decisions",
    response=page_schema(stored.DecisionRow),
    auth=SEE,
    summary="Decisions on identities",
)
def decisions(request: HttpRequest, device: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return what was joined and split, by whom, why, and what was undone, newest first."""
    page, per = max(1, page), min(max(1, per), 1000)
    scope = scope_of(request).store
    of = _device(request, device) if device else ""
    found = stored.decisions(scope, device_id=of, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get(
    "/identity/proposals",
    response=page_schema(stored.ProposalRow),
    auth=SEE,
    url_name="identity_proposals",
    summary="Devices that may be one",
)
def proposals(request: HttpRequest, device: str = "", page: int = 1, per: int = 100) -> dict[str, Any]:
    """Return open proposals, the likeliest first, with what speaks for and against each."""
    page, per = max(1, page), min(max(1, per), 1000)
    scope = scope_of(request).store
    of = _device(request, device) if device else ""
    found = stored.proposals(scope, device_id=of, offset=(page - 1) * per, limit=per)
    return page_of(found, page, per)


@router.get("/identity/silent", response=list_of(ageing.Silent), auth=SEE, summary="Devices that fell silent")
def silent(request: HttpRequest) -> Any:  # noqa: ANN401
    """Return devices that are proposed for retirement, the longest silent first."""
    return plain(ageing.silent_devices(scope_of(request).store))


@router.post("/identity/merges", response=Decided, auth=CORRECT, summary="Make two devices one")
def merge(request: HttpRequest, body: NewMerge) -> dict[str, int]:
    """Join two devices of a site. All that is heard of either goes to the one that is kept."""
    number = identity.merge_stored(
        body.kept, body.gone, reason=body.reason, actor=actor_of(request), scope=scope_of(request).store
    )
    return {"decision": number}


@router.post("/devices/{device_id}/splits", response=Decided, auth=CORRECT, summary="Split a device")
def split(request: HttpRequest, device_id: str, body: NewSplit) -> dict[str, int]:
    """Take interfaces or addresses out of a device. They never come back by themselves."""
    number = identity.split_stored(
        _device(request, device_id),
        macs=body.interfaces,
        ips=body.addresses,
        reason=body.reason,
        actor=actor_of(request),
        scope=scope_of(request).store,
    )
    return {"decision": number}


@router.post("/identity/decisions/{number}/undo", response=Decided, auth=CORRECT, summary="Undo a decision")
def undo(request: HttpRequest, number: int, body: Reason) -> dict[str, int]:
    """Take a decision back: the devices are as if it had never been made."""
    identity.undo_stored(number, reason=body.reason, actor=actor_of(request), scope=scope_of(request).store)
    return {"decision": number}


@router.post(
    "/identity/proposals/{proposal}/accept", response=Decided, auth=CORRECT, summary="Accept a proposal"
)
def accept(request: HttpRequest, proposal: str, body: Reason) -> dict[str, int]:
    """Make the two devices of a proposal one."""
    number = identity.decide_stored(
        proposal, accepted=True, reason=body.reason, actor=actor_of(request), scope=scope_of(request).store
    )
    assert number is not None
    return {"decision": number}


@router.post(
    "/identity/proposals/{proposal}/reject", response=Reason, auth=CORRECT, summary="Reject a proposal"
)
def reject(request: HttpRequest, proposal: str, body: Reason) -> Reason:
    """Say that the devices of a proposal are two; it is not made again."""
    identity.decide_stored(
        proposal, accepted=False, reason=body.reason, actor=actor_of(request), scope=scope_of(request).store
    )
    return body
