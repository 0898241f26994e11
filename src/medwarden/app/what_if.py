"""What devices would be called if something else were said or known of some of them, without storing it.

It is what judging comes to once the change is made: devices are told by the company they keep, whose
members may be others by the change, and so may devices that the change does not name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import msgspec

from medwarden.inventory.company import Company, Member
from medwarden.inventory.labelling import judge
from medwarden.model.device import Device

_MOST_ROUNDS = 3


class Turn(msgspec.Struct, frozen=True):
    """A device as judging comes to it now, and as it would come to it."""

    before: Device
    after: Device


def turns(
    devices: Sequence[Device],
    supposed: Callable[[Device], Device],
    trying: Callable[[], AbstractContextManager[None]],
) -> list[Turn]:
    """Return what becomes of devices if each were as ``supposed``, and of those whom they tell otherwise.

    ``trying`` lets other rules or another model be in use while it lasts. Uses an open store.
    """
    from medwarden.store.company import would_tell

    concerned = list(devices)
    with trying():
        then = [supposed(device) for device in devices]
        members = {device.id: judge(device).member for device in then}
        for _ in range(_MOST_ROUNDS):  # who is told otherwise is judged by what is tried, and may tell others
            told = _complete(sorted(would_tell(members)))
            if not told:
                break
            concerned += told
            then += told
            members |= {device.id: judge(device).member for device in told}
        after = list(judged_if(then, members))
    return [Turn(*turn) for turn in zip(judged_here(concerned), after, strict=True)]


def judged_here(devices: Sequence[Device]) -> Iterator[Device]:
    """Yield devices as judging comes to them now, by the company that is stored."""
    return judged_if(devices, {})


def judged_if(devices: Sequence[Device], members: Mapping[str, Member]) -> Iterator[Device]:
    """Yield devices as judging comes to them in company of which some are ``members``."""
    company = _around(devices).supposing(members)
    for device in devices:
        yield judge(device, None, company).device


def judged_beside(devices: Sequence[Device], others: Iterable[Device]) -> Iterator[Device]:
    """Yield devices as judging comes to them in company in which they and ``others`` are as given."""
    known = _around(devices).known
    supposed = (device for device in (*devices, *others) if device.id in known)
    return judged_if(devices, {device.id: judge(device).member for device in supposed})


def _around(devices: Sequence[Device]) -> Company:
    from medwarden.store.queries.company import company_around

    return company_around(devices)


def _complete(ids: Sequence[str]) -> list[Device]:
    from medwarden.store.queries import complete_devices

    return complete_devices(ids)
