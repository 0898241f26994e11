"""Keep what devices tell of each other in step with what is known of them.

A device is *due* where its company tells something else of it than when it was last identified. That is
decided in the transaction that changes what company rests on: a member's own identity, who uses a service,
devices that become one or are taken apart. Whoever identifies a due device and stores it ends that; its
company is asked once more while the answer is stored, so that what changed in between is not lost. It does
not matter who was identified first, nor where a process was killed.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from django.db import connection

from medwarden.inventory.company import (
    MOST_SERVICES,
    TELL_NOTHING,
    Circle,
    Member,
    Service,
    services_used,
    told_otherwise,
)
from medwarden.inventory.labelling import Judged
from medwarden.model.device import DeviceClass
from medwarden.store.marking import MARKED
from medwarden.store.models import CompanyMember, Device
from medwarden.store.queries.company import (
    circles_of,
    company_around,
    members_of,
    services_of,
    stored_uses,
    words_of,
)

_AMONG = "IN (SELECT value FROM json_each(%s))"
_ALONE = (DeviceClass.IT.value, DeviceClass.NET.value)
"""Classes that say alone what they are, see :attr:`~medwarden.inventory.company.Member.asks`."""

_MEMBER = """
INSERT INTO store_companymember
    (device_id, tenant_id, site_id, device_class, category, vendor, due, unmatched)
SELECT id, tenant_id, site_id, %s, %s, %s, %s, %s FROM store_device WHERE id = %s
ON CONFLICT (device_id) DO UPDATE SET device_class = excluded.device_class, category = excluded.category,
    vendor = excluded.vendor, due = excluded.due, unmatched = excluded.unmatched
"""
_USE = """
INSERT INTO store_serviceuse (device_id, tenant_id, site_id, server, service)
SELECT id, tenant_id, site_id, %s, %s FROM store_device WHERE id = %s ON CONFLICT DO NOTHING
"""
_USE_NO_MORE = "DELETE FROM store_serviceuse WHERE device_id = %s AND server = %s AND service = %s"
_DUE = f"UPDATE store_companymember SET due = %s WHERE device_id {_AMONG} AND device_class NOT IN (%s, %s)"  # noqa: S608
# By name: where most peers are outside, SQLite takes the index for useless and reads every conversation.
_COLLECTORS = (
    "SELECT device_id FROM store_conversation INDEXED BY conversation_peer"  # noqa: S608
    f" WHERE peer_device {_AMONG} AND role = 'client' AND established"
)
_USES_OF_SERVERS = f"""
INSERT INTO store_serviceuse (device_id, tenant_id, site_id, server, service)
SELECT DISTINCT c.device_id, c.tenant_id, c.site_id, c.peer_device, c.transport || '/' || c.port
FROM store_conversation c JOIN store_companymember m ON m.device_id = c.device_id
WHERE c.peer_device {_AMONG} AND c.role = 'client' AND c.established AND c.scope = 'internal'
    AND c.device_id <> c.peer_device AND c.port <> 0 AND c.port NOT {_AMONG}
ON CONFLICT DO NOTHING
"""  # noqa: S608
_CROWDED = f"""
UPDATE store_device SET {MARKED} WHERE id IN (
    SELECT device_id FROM store_serviceuse
    WHERE device_id IN (SELECT device_id FROM store_serviceuse WHERE server {_AMONG})
    GROUP BY device_id HAVING count(*) >= %s)
"""  # noqa: S608


def record_company(judged: Sequence[Judged]) -> None:
    """Store what devices that were identified are to others, and mark those told otherwise by it as due.

    Within the change that stores the identities. Devices that are gone (merged) are left out.
    """
    there = set(Device.objects.filter(pk__in=[j.device.id for j in judged]).values_list("pk", flat=True))
    fresh = {j.device.id: j for j in judged if j.device.id in there}
    before, used = members_of(fresh), stored_uses(fresh)
    uses = {i: set(services_used(j.device)) for i, j in fresh.items()}
    changed = {i for i, j in fresh.items() if before.get(i) != j.member}
    touched = services_of(changed)
    for i in fresh:
        old = used.get(i, set())
        touched |= old | uses[i] if i in changed else old ^ uses[i]
    circles = circles_of(touched)
    _write(fresh, used, uses)
    told = _told_otherwise(circles, touched)
    told |= _collectors(i for i in changed if _watched(before.get(i)) != _watched(fresh[i].member))
    _mark(told - fresh.keys())
    asking = [j.device for j in fresh.values() if j.member.asks]
    company = company_around(asking)
    _mark({device.id for device in asking if tuple(company.votes(device)) != fresh[device.id].told})


def would_tell(members: Mapping[str, Member]) -> set[str]:
    """Return the other devices that would be told something else if some devices were others."""
    before = members_of(members)
    changed = {device for device, member in members.items() if before.get(device) != member}
    if not changed:
        return set()
    touched = services_of(changed).union(*stored_uses(changed).values())
    told: set[str] = set()
    for circle in circles_of(touched).values():
        told |= told_otherwise(circle, circle.supposing(members))
    told |= _collectors(i for i in changed if _watched(before.get(i)) != _watched(members[i]))
    return told - members.keys()


def note_matched(ids: Iterable[str]) -> None:
    """Note that what follows from the identity of devices was looked for, and told. Within a change."""
    _set_unmatched(ids, False)


def note_unmatched(ids: Iterable[str]) -> None:
    """Note of devices that findings on them are to be told: who judges next does it. Within a change."""
    _set_unmatched(ids, True)


def _set_unmatched(ids: Iterable[str], unmatched: bool) -> None:
    with connection.cursor() as cursor:
        statement = f"UPDATE store_companymember SET unmatched = %s WHERE device_id {_AMONG}"  # noqa: S608
        cursor.execute(statement, [unmatched, json.dumps(sorted(ids))])


@contextmanager
def rearranged(devices: Collection[str], gone: str | None = None) -> Iterator[None]:
    """Keep company in step while devices become one or are taken apart inside.

    Conversations with one of ``devices`` may be with another of them afterwards; the devices themselves are
    identified anew by whoever moves them. ``gone``: only this one's are, and become those of the others.
    """
    if not _known(devices):
        yield
        return
    served = services_of(devices)
    moved = set(devices) if gone is None or any(server == gone for server, _, _ in served) else set()
    touched = served.union(*stored_uses(devices).values())
    circles = circles_of(touched)
    watched = any(member.watched_as is not None for member in members_of(devices).values())
    told = _collectors(devices) if watched else set()
    yield
    there = set(Device.objects.filter(pk__in=list(devices)).values_list("pk", flat=True))
    _forget(set(devices) - there)
    if moved:
        _use_anew(moved)
    told |= _told_otherwise(circles, touched | services_of(moved))
    _mark(told | _collectors(devices) if watched else told)


def _known(devices: Collection[str]) -> bool:
    """Tell whether anything is told of, or by, some devices as yet."""
    chosen = json.dumps(sorted(devices))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM store_companymember WHERE device_id {_AMONG}"  # noqa: S608
            f" UNION ALL SELECT 1 FROM store_serviceuse WHERE server {_AMONG} LIMIT 1",
            [chosen, chosen],
        )
        return cursor.fetchone() is not None


def _write(fresh: dict[str, Judged], used: dict[str, set[Service]], uses: dict[str, set[Service]]) -> None:
    members = [
        (j.member.device_class.value, j.member.category, j.member.vendor, False, True, i)
        for i, j in fresh.items()
    ]
    begun = [(s[0], words_of(s), i) for i in fresh for s in sorted(uses[i] - used.get(i, set()))]
    ended = [(i, s[0], words_of(s)) for i in fresh for s in sorted(used.get(i, set()) - uses[i])]
    with connection.cursor() as cursor:
        for statement, rows in ((_MEMBER, members), (_USE, begun), (_USE_NO_MORE, ended)):
            if rows:
                cursor.executemany(statement, rows)


def _told_otherwise(before: dict[Service, Circle], touched: Collection[Service]) -> set[str]:
    """Return whom services tell something else than before, now that the rows have changed."""
    found: set[str] = set()
    for service, circle in circles_of(touched).items():
        found |= told_otherwise(before.get(service) or Circle(service, {}, None), circle)
    return found


def _watched(member: Member | None) -> str | None:
    return None if member is None else member.watched_as


def _collectors(watched: Iterable[str]) -> set[str]:
    """Return the devices that connect to some, whatever the port."""
    chosen = sorted(watched)
    if not chosen:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_COLLECTORS, [json.dumps(chosen)])
        return {device for (device,) in cursor.fetchall()}


def _mark(told: Collection[str]) -> None:
    if told:
        with connection.cursor() as cursor:
            cursor.execute(_DUE, [True, json.dumps(sorted(told)), *_ALONE])


def _forget(gone: Collection[str]) -> None:
    chosen = json.dumps(sorted(gone))
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM store_serviceuse WHERE device_id {_AMONG}", [chosen])  # noqa: S608
    CompanyMember.objects.filter(device_id__in=list(gone)).delete()


def _use_anew(servers: Collection[str]) -> None:
    """Note who uses the services of some devices by the conversations there are.

    Who uses as many services as are looked at may use another of them instead: it is identified anew.
    """
    chosen = json.dumps(sorted(servers))
    with connection.cursor() as cursor:
        cursor.execute(_CROWDED, [chosen, MOST_SERVICES])
        cursor.execute(f"DELETE FROM store_serviceuse WHERE server {_AMONG}", [chosen])  # noqa: S608
        cursor.execute(_USES_OF_SERVERS, [chosen, json.dumps(sorted(TELL_NOTHING))])
        cursor.execute(_CROWDED, [chosen, MOST_SERVICES])
