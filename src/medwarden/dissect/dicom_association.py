"""Read the A-ASSOCIATE PDUs of the DICOM upper layer and name what its other PDUs refuse.

DICOM PS3.8 section 9.3 and annex D; negotiation of roles and identity in PS3.7 annex D.3.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from medwarden.dissect.octets import printable
from medwarden.kernel.errors import MalformedInput

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA_TF, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)

FIXED_BYTES = 68  # PS3.8 table 9-11: from the protocol version up to the variable items
MAX_ITEMS = 4096
"""Items read of one PDU; 128 presentation contexts are the most an association can have."""

_CONTEXT_RQ, _CONTEXT_AC, _USER_INFORMATION = 0x20, 0x21, 0x50
_ABSTRACT_SYNTAX, _TRANSFER_SYNTAX = 0x30, 0x40
_MAXIMUM_LENGTH, _IMPLEMENTATION_CLASS, _ASYNC_OPERATIONS, _ROLE_SELECTION = 0x51, 0x52, 0x53, 0x54
_IMPLEMENTATION_VERSION, _EXTENDED, _COMMON_EXTENDED, _IDENTITY_RQ = 0x55, 0x56, 0x57, 0x58

_IDENTITY_TYPES = {1: "username", 2: "username_and_passcode", 3: "kerberos", 4: "saml", 5: "jwt"}

# PS3.8 table 9-18: result/reason of a presentation context.
_CONTEXT_RESULTS = {
    0: "accepted",
    1: "refused by the user",
    2: "no reason given",
    3: "abstract syntax not supported",
    4: "transfer syntaxes not supported",
}
# PS3.8 table 9-21: (source, reason) -> words.
_REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognized",
    (1, 7): "called AE title not recognized",
    (2, 1): "no reason given (ACSE)",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
_REJECTING = {1: "service user", 2: "service provider (ACSE)", 3: "service provider (presentation)"}
_RESULTS = {1: "permanent", 2: "transient"}
# PS3.8 table 9-26.
_PROVIDER_ABORTS = {
    0: "reason not specified",
    1: "unrecognized PDU",
    2: "unexpected PDU",
    4: "unrecognized PDU parameter",
    5: "unexpected PDU parameter",
    6: "invalid PDU parameter value",
}


class Context(msgspec.Struct):
    """One presentation context: proposed by the requestor, decided by the acceptor.

    ``result`` is None until the acceptor answered, then 0 for acceptance (PS3.8 table 9-18).
    """

    identifier: int
    abstract_syntax: str = ""
    transfer_syntaxes: tuple[str, ...] = ()
    result: int | None = None


class Associate(msgspec.Struct):
    """What one A-ASSOCIATE-RQ or -AC says. ``roles`` maps SOP class to (SCU, SCP) of the requestor.

    ``extended`` are the SOP classes with extended negotiation (PS3.7 D.3.3.5 and D.3.3.6).
    """

    called: str
    calling: str
    contexts: list[Context]
    roles: dict[str, tuple[bool, bool]]
    implementation_class: str = ""
    implementation_version: str = ""
    max_length: int | None = None
    identity: str = ""
    async_operations: str = ""
    extended: list[str] = msgspec.field(default_factory=list)


def read_associate(body: bytes, offset: int) -> Associate:
    """Read the body (without the 6-byte PDU header) of an A-ASSOCIATE-RQ or -AC.

    ``offset`` is where the body stands in its stream, for errors. Raises MalformedInput.
    """
    if len(body) < FIXED_BYTES:
        raise MalformedInput("dicom", "A-ASSOCIATE shorter than its fixed fields", offset)
    if not body[1] & 1:
        raise MalformedInput("dicom", "A-ASSOCIATE without protocol version 1", offset)
    found = Associate(printable(body[4:20]), printable(body[20:36]), [], {})
    for kind, item in _items(body, FIXED_BYTES, len(body), offset):
        if kind in (_CONTEXT_RQ, _CONTEXT_AC):
            found.contexts.append(_context(kind, item, offset))
        elif kind == _USER_INFORMATION:
            _user_information(item, found, offset)
    return found


def _items(data: bytes, start: int, end: int, offset: int) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of the items that fill ``data[start:end]``."""
    count = 0
    while start < end:
        if end - start < 4:
            raise MalformedInput("dicom", "an item ends within its header", offset + start)
        kind, length = struct.unpack_from(">BxH", data, start)
        start += 4
        if length > end - start:
            raise MalformedInput("dicom", f"item 0x{kind:02x} is longer than its PDU", offset + start)
        count += 1
        if count > MAX_ITEMS:
            raise MalformedInput("dicom", f"more than {MAX_ITEMS} items in one PDU", offset + start)
        yield kind, data[start : start + length]
        start += length


def _context(kind: int, item: bytes, offset: int) -> Context:
    if len(item) < 4:
        raise MalformedInput("dicom", "a presentation context is too short", offset)
    context = Context(item[0])
    if kind == _CONTEXT_AC:
        context.result = item[2]
    syntaxes: list[str] = []
    for sub_kind, value in _items(item, 4, len(item), offset):
        if sub_kind == _ABSTRACT_SYNTAX:
            context.abstract_syntax = uid(value)
        elif sub_kind == _TRANSFER_SYNTAX:
            syntaxes.append(uid(value))
    context.transfer_syntaxes = tuple(syntaxes)
    return context


def _user_information(item: bytes, found: Associate, offset: int) -> None:
    for kind, value in _items(item, 0, len(item), offset):
        if kind == _MAXIMUM_LENGTH and len(value) == 4:
            (found.max_length,) = struct.unpack(">I", value)
        elif kind == _IMPLEMENTATION_CLASS:
            found.implementation_class = uid(value)
        elif kind == _IMPLEMENTATION_VERSION:
            found.implementation_version = printable(value)
        elif kind == _ROLE_SELECTION and len(value) > 4:
            sop_class = uid(value[2:-2])
            found.roles[sop_class] = (value[-2] == 1, value[-1] == 1)
        elif kind == _ASYNC_OPERATIONS and len(value) == 4:
            invoked, performed = struct.unpack(">HH", value)
            # Zero stands for any number (PS3.7 D.3.3.3.1).
            found.async_operations = f"invoked={invoked or 'any'} performed={performed or 'any'}"
        elif kind in (_EXTENDED, _COMMON_EXTENDED) and len(value) > 2:
            found.extended.append(uid(value[2 : 2 + int.from_bytes(value[:2], "big")]))
        elif kind == _IDENTITY_RQ and value:
            found.identity = _IDENTITY_TYPES.get(value[0], f"type {value[0]}")


def uid(value: bytes) -> str:
    """Return a UID of the wire as text, without its padding (PS3.5 section 9.1)."""
    return printable(value.rstrip(b"\0 ")[:64])


def context_result(result: int) -> str:
    """Return the result of a presentation context in the words of the standard."""
    return _CONTEXT_RESULTS.get(result, f"result {result}")


def rejection(body: bytes) -> tuple[str, str, str]:
    """Return result, source and reason of an A-ASSOCIATE-RJ in the words of the standard."""
    _, result, source, reason = body
    return (
        _RESULTS.get(result, f"result {result}"),
        _REJECTING.get(source, f"source {source}"),
        _REJECTIONS.get((source, reason), f"source {source} reason {reason}"),
    )


def abort_reason(body: bytes) -> str:
    """Return who aborted and why (A-ABORT)."""
    _, _, source, reason = body
    if source == 0:
        return "service user"
    return f"service provider: {_PROVIDER_ABORTS.get(reason, f'reason {reason}')}"
