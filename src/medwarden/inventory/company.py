"""What a device is by the company it keeps: who else uses the server it uses, and whom it serves.

A pump that says nothing but TLS to a server of the house is told by the other clients of that server: makers
run one server for their pumps and one central station for their monitors, and nothing else connects there.
Such a server is told by its clients in the same way. Services that everybody uses, and those of a standard
that makers of many kinds speak, tell nothing.

Others count by what their own evidence says of them, never by what company told of them: a mistake does not
keep itself alive by being passed round, and what company says of a device follows from evidence alone, in
whatever order the devices came. Numbers in the words of a vote are rounded down, so that one pump more does
not change what is told of three hundred others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from copy import copy
from functools import cached_property

import msgspec

from medwarden.inventory.ballots import general_kinds
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import Ballot, Device, DeviceClass, Verdict

COMPANY_RULE = "company:"
"""Start of the rule of every vote that rests on other devices."""

Service = tuple[str, str, int]
"""A service that devices use: the device that offers it (else its address), transport and port."""

MOST_CLIENTS = 400
"""A service with more clients is everybody's and is not looked at."""
MOST_SERVICES = 32
"""Services of one device that are looked at, in the order in which it was first heard to use them."""
FEWEST = 2
_FEWEST_OF_MAKER = 3
_SHARE = 0.8
_FOUNDED = TRUST["likely"]

_EVERYBODYS = frozenset(
    {20, 21, 22, 23, 25, 53, 67, 68, 69, 88, 110, 111, 123, 135, 137, 138, 139, 143, 161, 162, 389, 427}
    | {445, 464, 500, 514, 515, 546, 547, 587, 631, 636, 853, 993, 1812, 1813, 1900, 2049, 3128, 3268, 3269}
    | {3389, 3702, 4500, 5353, 5355, 5357, 5985, 5986, 8530, 8531, 9100}
)
_OF_STANDARDS = frozenset(
    {102, 104, 502, 554, 1433, 1521, 1883, 2404, 2575, 2576, 2761, 2762, 3306, 3671, 4010, 4840, 5060, 5061}
    | {5432, 5671, 5672, 6661, 8042, 8554, 8883, 11_112, 20_000, 24_105, 44_818, 47_808}
)
"""IHE, HL7 over MLLP, DICOM, POCT1-A, plant, telephony, video, message brokers and data bases."""
TELL_NOTHING = _EVERYBODYS | _OF_STANDARDS
"""Ports of services that do not tell what their users are."""
_WEB = frozenset({80, 443})
_RTSP = frozenset({554, 8554})
_MLLP = frozenset({2575, 2576, 6661})

_SERVERS = {
    "infusion_pump": "infusion_server",
    "patient_monitor": "central_station",
}
"""What serves devices of a kind over a protocol of its maker."""
_OF_ONE_MAKER = frozenset(_SERVERS.values())


_COMMONPLACE = frozenset({DeviceClass.IT, DeviceClass.NET})
"""Classes whose devices are clients and servers of everything."""
_ROUND = (200, 100, 50, 20, 10, 5, 3, 2, 1)


class Member(msgspec.Struct, frozen=True):
    """A device as others are judged by it: class, category and vendor as its own evidence bears them."""

    device_class: DeviceClass
    category: str | None
    vendor: str | None

    @property
    def asks(self) -> bool:
        """Tell whether the device may be told by others: what computers and networks are, they say alone."""
        return self.device_class not in _COMMONPLACE

    @property
    def watched_as(self) -> str | None:
        """Return as what a device is looked at by those who collect from many of its kind, if it is."""
        if self.category is None:
            return None
        kind = _general(self.category)
        return kind if kind == _MONITOR else _CAMERA if self.category == _CAMERA else None


_MONITOR, _CAMERA = "patient_monitor", "ip_camera"


def member_of(device: Device) -> Member:
    """Return what others may conclude from a device that was identified by itself, without company."""
    return member_by(device.device_class, device.verdict("category"), device.verdict("vendor"))


def member_by(device_class: DeviceClass, category: Verdict | None, vendor: Verdict | None) -> Member:
    """Return what others may conclude from a device of which its own evidence says so much."""
    return Member(device_class, _founded(category), _founded(vendor))


def _founded(verdict: Verdict | None) -> str | None:
    """Return the label of a verdict where evidence of the device itself would carry it."""
    if verdict is None or verdict.label is None:
        return None
    rules = {
        b.rule: b.weight
        for b in verdict.ballots
        if b.label == verdict.label and not b.rule.startswith(COMPANY_RULE)
    }
    return verdict.label if sum(rules.values()) >= _FOUNDED else None


def tells(port: int) -> bool:
    """Tell whether who uses a port says something: those of everybody's services do not."""
    return bool(port) and port not in _EVERYBODYS


def told_by_its_users(port: int) -> bool:
    """Tell whether a service on a port is of one kind of devices: no standard's and not everybody's."""
    return bool(port) and port not in TELL_NOTHING


def services_used(device: Device) -> dict[Service, int]:
    """Return the services of others in the house that can tell what a device is, and since when it uses them.

    At most 32, those that it used first: new ones do not change who counts as a client of the others.
    """
    found: dict[Service, int] = {}
    for talk in device.conversations:
        if talk.role != "client" or not talk.established or talk.scope != "internal":
            continue
        server = talk.peer_device or talk.peer_ip
        if server and server != device.id and told_by_its_users(talk.port):
            service = server, talk.transport, talk.port
            found[service] = min(talk.first_seen, found.get(service, talk.first_seen))
    if len(found) <= MOST_SERVICES:
        return found
    first = sorted(found, key=lambda service: (found[service], service))
    return {service: found[service] for service in first[:MOST_SERVICES]}


class Circle:
    """Who uses one service, and what they tell each other and the server.

    ``users`` is None where they are too many to be told by; ``host`` is what is known of the server.
    """

    def __init__(self, service: Service, users: Mapping[str, Member] | None, host: Member | None) -> None:
        many = users is None or len(users) > MOST_CLIENTS
        self.service = service
        self.users = {} if many or users is None else users
        self._many = many
        self._host = host
        self._told: dict[Member | None, tuple[Ballot, ...]] = {}

    def supposing(self, members: Mapping[str, Member]) -> Circle:
        """Return the circle as it would be if some devices were others."""
        users = None if self._many else {user: members.get(user, own) for user, own in self.users.items()}
        return Circle(self.service, users, members.get(self.service[0], self._host))

    @cached_property
    def _counts(self) -> Counter[Member]:
        return Counter(self.users.values())

    def told_client(self, user: str) -> tuple[Ballot, ...]:
        """Return what the other clients and the server say of a client."""
        if self._many:
            return ()
        own = self.users.get(user)
        told = self._told.get(own)
        if told is None:
            fellows = self._counts.copy()
            if own is not None:
                fellows[own] -= 1
            told = self._told[own] = tuple(_of_fellows(self.service, self._host, +fellows))
        return told

    @cached_property
    def told_server(self) -> tuple[Ballot, ...]:
        """Return what the clients say of the server."""
        return () if self._many else tuple(_of_clients(self.service, self._counts))


def told_otherwise(before: Circle, after: Circle) -> set[str]:
    """Return the devices that a service tells something else than before; both are of one service.

    Who does not use it is told nothing by it.
    """
    users = before.users.keys() | after.users.keys()
    found = {user for user in users if _told(before, user) != _told(after, user)}
    if before.told_server != after.told_server:
        found.add(before.service[0])
    return found


def _told(circle: Circle, user: str) -> tuple[Ballot, ...]:
    return circle.told_client(user) if user in circle.users else ()


class Company:
    """Who uses which service since when (nanoseconds), and what is known of them, by the ids of devices.

    Of a service that has too many clients to be looked at, None may stand for them.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        clients: Mapping[Service, Mapping[str, int] | None],
    ) -> None:
        self._members = members
        self._clients = clients
        self._until: int | None = None
        self._circles: dict[Service, Circle] = {}
        self._served: dict[str, list[Service]] = {}
        for service in clients:
            self._served.setdefault(service[0], []).append(service)

    @property
    def known(self) -> Set[str]:
        """Return the ids of the devices of which anything is known."""
        return self._members.keys()

    def as_of(self, moment: int) -> Company:
        """Return the company as it was at a moment; what its members are stays as it is known."""
        earlier = copy(self)
        earlier._until, earlier._circles = moment, {}
        return earlier

    def supposing(self, members: Mapping[str, Member]) -> Company:
        """Return the company as it would be if some devices were others."""
        other = copy(self)
        other._members, other._circles = {**self._members, **members}, {}
        return other

    def votes(self, device: Device) -> list[Ballot]:
        """Return the votes of the company of a device, in a fixed order; none where it is small or mixed."""
        found = [*_of_messages(device), *self._of_watched(device)]
        for service in services_used(device):
            found += self._circle(service).told_client(device.id)
        for service in self._served.get(device.id, ()):
            found += self._circle(service).told_server
        best: dict[tuple[str, str, str, str], Ballot] = {}
        for vote in sorted(
            found, key=lambda b: (b.level, b.label, b.rule, b.evidence_field, b.evidence_value)
        ):
            best.setdefault((vote.level, vote.label, vote.rule, vote.evidence_field), vote)
        return list(best.values())

    def _circle(self, service: Service) -> Circle:
        circle = self._circles.get(service)
        if circle is None:
            since, until = self._clients.get(service, {}), self._until
            users: dict[str, Member] | None = None
            if since is not None:
                present = (user for user, first in since.items() if until is None or first <= until)
                users = {user: self._members.get(user, _NOBODY) for user in present}
            circle = self._circles[service] = Circle(service, users, self._members.get(service[0]))
        return circle

    def _of_watched(self, device: Device) -> Iterator[Ballot]:
        """Vote by the monitors a device collects from, and by the cameras whose pictures it takes."""
        watched: dict[tuple[str, str, int], set[str]] = {}
        sends_hl7 = False
        for talk in device.conversations:
            if talk.role != "client" or not talk.established or talk.peer_device is None:
                continue
            sends_hl7 |= talk.port in _MLLP
            peer = self._members.get(talk.peer_device)
            kind = None if peer is None else peer.watched_as
            if kind is not None and _collected(kind, talk.port):
                watched.setdefault((kind, talk.transport, talk.port), set()).add(talk.peer_device)
        for (kind, transport, port), peers in watched.items():
            said = f"{transport}/{port} of at least {_about(len(peers))}"
            if kind == _MONITOR and len(peers) >= FEWEST:
                collector = "device_gateway" if sends_hl7 else "central_station"
                yield _vote("category", collector, "watched", "flow.client_of", f"{said} patient monitors")
            elif kind == _CAMERA and len(peers) > FEWEST:
                yield _vote("category", "nvr", "watched", "flow.client_of", f"{said} cameras")


_NOBODY = Member(DeviceClass.UNKNOWN, None, None)


def _vote(level: str, label: str, rule: str, field: str, words: str) -> Ballot:
    return Ballot(level, label, TRUST["likely"], f"{COMPANY_RULE}{rule}", field, words)


def _about(count: int) -> int:
    """Return a number rounded down so far that it seldom changes."""
    return next((step for step in _ROUND if step <= count), 0)


def _collected(kind: str, port: int) -> bool:
    return port in _RTSP if kind == _CAMERA else tells(port) and port not in _WEB


def _of_fellows(service: Service, host: Member | None, fellows: Counter[Member]) -> Iterator[Ballot]:
    """Vote for a client of a service by its other clients, or by a server that serves one kind only."""
    _, transport, port = service
    said = f"{transport}/{port}"
    kind, count = _common_kind(fellows)
    words = f"{said} like at least {_about(count)} known clients"
    if kind is None and host is not None:
        kind, words = _served_by(host.category), f"{said} of a server that serves such devices"
    if kind is None:
        return
    yield _vote("category", kind, "fellow-clients", "flow.client_of", words)
    if kind not in _SERVERS:
        return
    if host is not None and host.category in _OF_ONE_MAKER and host.vendor is not None:
        words = f"{said} of a server of {host.vendor}"
        yield _vote("vendor", host.vendor, "server", "flow.client_of", words)
    maker, makes = _only_maker(fellows)
    if maker is not None and makes >= _FEWEST_OF_MAKER:
        words = f"{said} like at least {_about(makes)} devices of {maker}"
        yield _vote("vendor", maker, "fellow-clients", "flow.client_of", words)


def _of_clients(service: Service, clients: Counter[Member]) -> Iterator[Ballot]:
    """Vote for the server of a service by its clients."""
    _, transport, port = service
    kind, count = _common_kind(clients)
    if kind not in _SERVERS:
        return
    said = f"{transport}/{port} to at least"
    yield _vote("category", _SERVERS[kind], "clients", "flow.serves", f"{said} {_about(count)} known clients")
    maker, makes = _only_maker(clients)
    if maker is not None and makes >= FEWEST:
        yield _vote("vendor", maker, "clients", "flow.serves", f"{said} {_about(makes)} devices of {maker}")


def _of_messages(device: Device) -> Iterator[Ballot]:
    """Vote by HL7 (MLLP) of several senders that goes on to other receivers: engines alone stand between."""
    senders: set[str] = set()
    told: set[str] = set()
    ports: set[tuple[str, int]] = set()
    for talk in device.conversations:
        if talk.port not in _MLLP or not talk.established or talk.peer_device is None:
            continue
        if talk.role == "client":
            told.add(talk.peer_device)
        elif talk.role == "server":
            senders.add(talk.peer_device)
            ports.add((talk.transport, talk.port))
    if len(senders) >= FEWEST and len(senders | told) > max(len(senders), FEWEST):
        transport, port = min(ports)
        words = f"{transport}/{port} from {len(senders)} senders, on to {len(told)} others"
        yield _vote("category", "interface_engine", "messages", "flow.serves", words)


def _general(category: str) -> str:
    """Return the most general kind that looks like a category from outside and is of its class."""
    kinds = [k for k in general_kinds(category) if class_of(k) is class_of(category)]
    return kinds[-1] if kinds else category


def _served_by(category: str | None) -> str | None:
    return next((kind for kind, server in _SERVERS.items() if server == category), None)


def _only_maker(members: Counter[Member]) -> tuple[str | None, int]:
    """Return the one maker of all members whose maker is known, and how many those are."""
    makers: Counter[str] = Counter()
    for member, count in members.items():
        if member.vendor is not None:
            makers[member.vendor] += count
    return next(iter(makers.items())) if len(makers) == 1 else (None, 0)


def _common_kind(members: Counter[Member]) -> tuple[str | None, int]:
    """Return the kind that nearly all members are, and how many are it.

    One specific kind where all are it, else the general one. Computers and what connects networks are in
    every company and are not concluded.
    """
    known = 0
    general: Counter[str] = Counter()
    for member, count in members.items():
        if member.category is not None:
            general[_general(member.category)] += count
        if member.category is not None or not member.asks:
            known += count
    if not general:
        return None, 0
    kind, count = max(general.items(), key=lambda item: (item[1], item[0]))
    if count < FEWEST or count < _SHARE * known or class_of(kind) in _COMMONPLACE:
        return None, 0
    return kind, count


def company_of(devices: Iterable[Device]) -> Company:
    """Return the company of devices that are all at hand and identified by themselves."""
    members: dict[str, Member] = {}
    clients: dict[Service, dict[str, int]] = {}
    for device in devices:
        members[device.id] = member_of(device)
        for service, since in services_used(device).items():
            clients.setdefault(service, {})[device.id] = since
    return Company(members, clients)
