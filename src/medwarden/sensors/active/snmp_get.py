"""One SNMP GET: what an agent says of its system and its chassis.

RFC 3416 (v2c PDU), RFC 3418 (system group), RFC 6933 (ENTITY-MIB, first physical entity); for version 3 see
:mod:`medwarden.sensors.active.snmp_user`. An object that an agent does not have comes back as such; the
request is never repeated for fewer objects.
"""

from __future__ import annotations

import secrets
from typing import ClassVar

from medwarden.dissect import ber
from medwarden.kernel.errors import MalformedInput
from medwarden.model.segment import Transport
from medwarden.sensors.active.exchange import Exchange
from medwarden.sensors.active.prober import ProbeManifest, ProbeSetting
from medwarden.sensors.active.snmp_encoding import integer, octets, oid, sequence, tlv

_GET, _RESPONSE = 0xA0, 0xA2
_CHASSIS = "1.3.6.1.2.1.47.1.1.1.1"
OBJECTS = (
    "1.3.6.1.2.1.1.1.0",  # sysDescr
    "1.3.6.1.2.1.1.2.0",  # sysObjectID
    "1.3.6.1.2.1.1.5.0",  # sysName
    "1.3.6.1.2.1.1.6.0",  # sysLocation
    *(f"{_CHASSIS}.{column}.1" for column in (2, 8, 9, 10, 11, 12, 13)),
)


class SnmpGet:
    """Ask an agent for its system group and chassis in one request."""

    manifest: ClassVar = ProbeManifest(
        name="snmp_get",
        title="SNMP GET",
        transport=Transport.UDP,
        port=161,
        dissector="snmp",
        reference="RFC 3416 section 4.2.1, RFC 3418, RFC 6933",
        asks="sysDescr, sysObjectID, sysName, sysLocation and the first chassis",
        # The community is ours: that the agent takes it is no news to us and no fact to be told.
        withheld=frozenset({"snmp.community", "snmp.version", "snmp.security_level"}),
    )

    def missing(self, setting: ProbeSetting) -> str:
        """Need a community or a user."""
        return "" if setting.community or setting.snmp_user else "a community or a user (secret file)"

    def converse(self, line: Exchange, setting: ProbeSetting) -> None:
        """Send the request of version 2c, or of version 3 where a user is set, and hear one response."""
        if setting.snmp_user is not None:
            from medwarden.sensors.active.snmp_user import ask

            ask(line, setting.snmp_user, get_request)
            return
        number = secrets.randbelow(2**31)
        line.say(sequence(integer(1), octets(setting.community.encode()), get_request(number)))

        def answers(heard: bytes) -> bool:
            message = ber.expect(heard, 0, len(heard), ber.SEQUENCE, "snmp_get")
            version = ber.expect(heard, message.start, message.end, ber.INTEGER, "snmp_get")
            community = ber.expect(heard, version.end, message.end, ber.OCTET_STRING, "snmp_get")
            check_response(heard, community.end, message.end, number)
            return True

        line.hear(answers)


def get_request(number: int) -> bytes:
    """Return the PDU that asks for all :data:`OBJECTS`."""
    bindings = sequence(*(sequence(oid(name), tlv(ber.NULL, b"")) for name in OBJECTS))
    return tlv(_GET, integer(number) + integer(0) + integer(0) + bindings)


def check_response(heard: bytes, offset: int, end: int, number: int) -> None:
    """Raise MalformedInput where no Response-PDU to request ``number`` stands at ``offset``."""
    pdu = ber.read_tlv(heard, offset, end, "snmp_get")
    if pdu.tag != _RESPONSE:
        raise MalformedInput("snmp_get", "the datagram is no response", offset)
    told = ber.expect(heard, pdu.start, pdu.end, ber.INTEGER, "snmp_get")
    if ber.read_integer(heard, told, "snmp_get") != number:
        raise MalformedInput("snmp_get", "the response is to another request", told.start)


PROBER = SnmpGet
