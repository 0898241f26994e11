"""What a device is by the company it keeps: who else uses the server it uses, and whom it serves.

A pump that says nothing but TLS to a server of the house is told by the other clients of that server: makers
run one server for their pumps and one central station for their monitors, and nothing else connects there.
Such a server is told by its clients in the same way. Services that everybody uses, and those of a standard
that makers of many kinds speak, tell nothing. Only devices whose kind rests on evidence of their own are
counted, so that a mistake does not keep itself alive by being passed round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from medwarden.inventory.ballots import general_kinds
from medwarden.knowledge.fingerprints.rules import TRUST
from medwarden.knowledge.taxonomy import class_of
from medwarden.model.device import Ballot, Conversation, Device, DeviceClass, Verdict

COMPANY_RULE = "company:"
"""Start of the rule of every vote that rests on other devices."""

Service = tuple[str, str, int]
"""A service that devices use: the device that offers it (else its address), transport and port."""

MOST_CLIENTS = 400
"""A service with more clients is everybody's and is not looked at."""
MOST_SERVICES = 32
"""Services of one device that are looked at, the busiest first."""
FEWEST = 2
_FEWEST_OF_MAKER = 3
_SHARE = 0.8
_STATION_SHARE = 0.6
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
_RTSP = frozenset({554, 8554})
_MLLP = frozenset({2575, 2576, 6661})

_SERVERS = {
    "infusion_pump": "infusion_server",
    "patient_monitor": "central_station",
}
"""What serves devices of a kind over a protocol of its maker."""
_OF_ONE_MAKER = frozenset(_SERVERS.values())


class Member(msgspec.Struct, frozen=True):
    """A device as others are judged by it: its category and vendor as far as its own evidence bears them."""

    device: str
    device_class: DeviceClass
    category: str | None
    vendor: str | None


def member_of(device: Device) -> Member:
    """Return what others may conclude from a device that was identified."""
    return Member(
        device.id,
        device.device_class,
        _own(device.verdict("category")),
        _own(device.verdict("vendor")),
    )


def _own(verdict: Verdict | None) -> str | None:
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


def services_used(device: Device) -> dict[Service, Conversation]:
    """Return the services of others in the house that a device uses and that can tell what it is."""
    found: dict[Service, Conversation] = {}
    for talk in device.conversations:
        if talk.role == "client" and talk.established and talk.scope == "internal" and talk.port:
            server = talk.peer_device or talk.peer_ip
            if server and talk.port not in _EVERYBODYS | _OF_STANDARDS and server != device.id:
                found.setdefault((server, talk.transport, talk.port), talk)
                if len(found) >= MOST_SERVICES:
                    break
    return found


class Company:
    """Who uses which service since when (nanoseconds), and what is known of them, by the ids of devices."""

    def __init__(
        self,
        members: Mapping[str, Member],
        clients: Mapping[Service, Mapping[str, int]],
        *,
        until: int | None = None,
    ) -> None:
        self._members = members
        self._clients = clients
        self._until = until

    def as_of(self, moment: int) -> Company:
        """Return the company as it was at a moment; what its members are stays as it is known."""
        return Company(self._members, self._clients, until=moment)

    def _users(self, service: Service) -> list[str]:
        users = self._clients.get(service, {})
        until = self._until
        return sorted(user for user, since in users.items() if until is None or since <= until)

    def votes(self, device: Device) -> list[Ballot]:
        """Return the votes of the company of a device; none where it is too small or too mixed."""
        votes = [*self._of_fellows(device), *self._of_clients(device), *self._of_watched(device)]
        best: dict[tuple[str, str, str, str], Ballot] = {}
        for vote in votes:
            best.setdefault((vote.level, vote.label, vote.rule, vote.evidence_field), vote)
        return list(best.values())

    def _of_fellows(self, device: Device) -> Iterator[Ballot]:
        for service in services_used(device):
            server, transport, port = service
            users = self._users(service)
            if len(users) > MOST_CLIENTS:
                continue
            said = f"{transport}/{port}"
            fellows = [self._members[user] for user in users if user != device.id and user in self._members]
            host = self._members.get(server)
            kind, count, of = _common_kind(fellows)
            if kind is None and host is not None:
                kind, count, of = _served_by(host.category), 1, 1
            if kind is None:
                continue
            words = f"{said} like {count} of {of} known clients"
            yield Ballot(
                "category", kind, TRUST["likely"], f"{COMPANY_RULE}fellow-clients", "flow.client_of", words
            )
            if kind not in _SERVERS:
                continue
            if host is not None and host.category in _OF_ONE_MAKER and host.vendor is not None:
                words = f"{said} of a server of {host.vendor}"
                yield Ballot(
                    "vendor", host.vendor, TRUST["likely"], f"{COMPANY_RULE}server", "flow.client_of", words
                )
            makers = Counter(fellow.vendor for fellow in fellows if fellow.vendor is not None)
            if len(makers) == 1 and makers.total() >= _FEWEST_OF_MAKER:
                (maker,) = makers
                words = f"{said} like {makers.total()} devices of {maker}"
                yield Ballot(
                    "vendor", maker, TRUST["likely"], f"{COMPANY_RULE}fellow-clients", "flow.client_of", words
                )

    def _of_clients(self, device: Device) -> Iterator[Ballot]:
        served: dict[Service, list[Member]] = {}
        for talk in device.conversations:
            if talk.role != "server" or not talk.established or talk.peer_device is None or not talk.port:
                continue
            if talk.port in _EVERYBODYS | _OF_STANDARDS or talk.peer_device not in self._members:
                continue
            served.setdefault((device.id, talk.transport, talk.port), []).append(
                self._members[talk.peer_device]
            )
        for (_, transport, port), clients in served.items():
            kind, count, of = _common_kind(clients)
            if kind not in _SERVERS or len(clients) > MOST_CLIENTS:
                continue
            words = f"{transport}/{port} to {count} of {of} known clients"
            rule = f"{COMPANY_RULE}clients"
            yield Ballot("category", _SERVERS[kind], TRUST["likely"], rule, "flow.serves", words)
            makers = Counter(client.vendor for client in clients if client.vendor is not None)
            if len(makers) == 1 and makers.total() >= FEWEST:
                (maker,) = makers
                words = f"{transport}/{port} to {makers.total()} devices of {maker}"
                yield Ballot("vendor", maker, TRUST["likely"], rule, "flow.serves", words)

    def _of_watched(self, device: Device) -> Iterator[Ballot]:
        """Vote by the monitors a device collects from, and by the cameras whose pictures it takes."""
        monitors: Counter[int] = Counter()
        cameras: Counter[int] = Counter()
        sends_hl7 = False
        told: set[str] = set()
        for talk in device.conversations:
            if talk.role != "client" or not talk.established or talk.peer_device is None:
                continue
            if talk.port in _MLLP:
                sends_hl7 = True
                told.add(talk.peer_device)
            peer = self._members.get(talk.peer_device)
            if peer is None or peer.category is None:
                continue
            if _general(peer.category) == "patient_monitor" and talk.port not in _EVERYBODYS:
                monitors[talk.port] += 1
            elif peer.category == "ip_camera" and talk.port in _RTSP:
                cameras[talk.port] += 1
        yield from _of_messages(device, told)
        rule = f"{COMPANY_RULE}watched"
        for port, count in monitors.items():
            if count >= FEWEST and port not in (80, 443):
                kind = "device_gateway" if sends_hl7 else "central_station"
                words = f"udp/{port} of {count} patient monitors"
                yield Ballot("category", kind, TRUST["likely"], rule, "flow.client_of", words)
        for port, count in cameras.items():
            if count > FEWEST:
                words = f"tcp/{port} of {count} cameras"
                yield Ballot("category", "nvr", TRUST["likely"], rule, "flow.client_of", words)


def _of_messages(device: Device, told: set[str]) -> Iterator[Ballot]:
    """Vote by HL7 (MLLP) of several senders that goes on to other receivers: engines alone stand between."""
    senders = {
        talk.peer_device
        for talk in device.conversations
        if talk.role == "server" and talk.established and talk.port in _MLLP and talk.peer_device
    }
    if len(senders) >= FEWEST and len(senders | told) > max(len(senders), FEWEST):
        words = f"tcp/2575 from {len(senders)} senders, on to {len(told)} others"
        rule = f"{COMPANY_RULE}messages"
        yield Ballot("category", "interface_engine", TRUST["likely"], rule, "flow.serves", words)


def _general(category: str) -> str:
    """Return the most general kind that looks like a category from outside and is of its class."""
    kinds = [k for k in general_kinds(category) if class_of(k) is class_of(category)]
    return kinds[-1] if kinds else category


def _served_by(category: str | None) -> str | None:
    return next((kind for kind, server in _SERVERS.items() if server == category), None)


def _common_kind(members: list[Member]) -> tuple[str | None, int, int]:
    """Return the kind that nearly all members are, how many, and of how many of known kind.

    One specific kind where all are it, else the general one. Computers and what connects networks are in
    every company and are not concluded.
    """
    known = [
        member for member in members if member.category is not None or member.device_class in _COMMONPLACE
    ]
    general = Counter(_general(m.category) for m in known if m.category is not None)
    if not general:
        return None, 0, 0
    kind, count = general.most_common(1)[0]
    if count < FEWEST or count < _SHARE * len(known) or class_of(kind) in _COMMONPLACE:
        return None, 0, 0
    return kind, count, len(known)


_COMMONPLACE = frozenset({DeviceClass.IT, DeviceClass.NET})


def company_of(devices: Iterable[Device]) -> Company:
    """Return the company of devices that are all at hand and identified."""
    members: dict[str, Member] = {}
    clients: dict[Service, dict[str, int]] = {}
    for device in devices:
        members[device.id] = member_of(device)
        for service, talk in services_used(device).items():
            clients.setdefault(service, {})[device.id] = talk.first_seen
    return Company(members, clients)
