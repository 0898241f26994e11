"""Walk the tables of one SNMP agent: version 2c or 3 over UDP, GETBULK, with timeouts and a pace.

RFC 3416 (PDUs), RFC 3412 and 3414 (version 3, user-based security), RFC 7860 (HMAC-SHA-2), RFC 3826
(AES-128). Every answer is bounded; an agent that does not advance ends the walk.
"""

from __future__ import annotations

import errno
import hmac
import secrets
import socket
import time
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from medwarden.dissect import ber
from medwarden.kernel.errors import ConfigurationError, MalformedInput, RemoteServiceError
from medwarden.sensors.active.snmp_encoding import integer, octets, oid, sequence, tlv
from medwarden.sensors.active.snmp_user import (
    Engine,
    aes,
    password_key,
    read_message,
    scoped_pdu,
    version_3,
)

_SOURCE = "snmp_poll"
_GETBULK, _RESPONSE, _REPORT = 0xA5, 0xA2, 0xA8
_NO_OBJECT, _NO_INSTANCE, _END_OF_VIEW = 0x80, 0x81, 0x82
_AUTH, _PRIV, _REPORTABLE = 1, 2, 4
_MOST_SIZE = 65_507
_DIGESTS = {"sha": ("sha1", 12), "sha224": ("sha224", 16), "sha256": ("sha256", 24), "sha384": ("sha384", 32)}
_DIGESTS["sha512"] = ("sha512", 48)
_REFUSALS = frozenset({6, 16})  # noAccess, authorizationError (RFC 3416 section 3)
_INTEGERS = frozenset({0x02, 0x41, 0x42, 0x43, 0x46})
MOST_ROWS = 50_000
"""Rows of one column that are read; a switch with more is read so far."""

Value = bytes | int


class Credential(msgspec.Struct, frozen=True):
    """How an agent lets itself be read: a community (version 2c), or a user (version 3).

    ``auth`` is sha, sha224, sha256, sha384 or sha512, ``privacy`` aes, or both are empty.
    """

    community: str = ""
    user: str = ""
    auth: str = ""
    auth_password: str = ""
    privacy: str = ""
    privacy_password: str = ""

    def __repr__(self) -> str:
        return "Credential(...)"  # never a secret in a log or a traceback


class SnmpSession:
    """One agent at ``address``:``port``; :meth:`walk` reads the columns below an object identifier.

    At most ``per_second`` requests are sent in a second; one that is not answered within ``timeout_s``
    is sent ``tries`` times in all.
    """

    def __init__(
        self,
        address: str,
        port: int,
        credential: Credential,
        *,
        timeout_s: float = 2.0,
        tries: int = 3,
        per_second: float = 50.0,
        rows: int = 25,
    ) -> None:
        """Raise ConfigurationError for a credential that cannot be."""
        if bool(credential.community) == bool(credential.user):
            raise ConfigurationError(f"{address}: give either a community or a user")
        if credential.user and (
            credential.auth not in ("", *_DIGESTS)
            or credential.privacy not in ("", "aes")
            or (credential.privacy and not credential.auth)
        ):
            raise ConfigurationError(f"{address}: auth is one of {', '.join(_DIGESTS)}, privacy is aes")
        for password in (credential.auth and credential.auth_password, credential.privacy_password):
            if password and len(password) < 8:
                raise ConfigurationError(f"{address}: an SNMP password has at least 8 characters (RFC 3414)")
        self._where = f"{address}:{port}"
        self._credential = credential
        self._timeout = timeout_s
        self._tries = tries
        self._interval = 1.0 / per_second
        self._rows = rows
        self._next = 0.0
        self._engine: Engine | None = None
        self._engine_at = 0.0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            self._peer = socket.getaddrinfo(address, port, family, socket.SOCK_DGRAM)[0][4]
        except UnicodeError as error:
            raise OSError(errno.EINVAL, "no name that a host can have") from error
        # A connected datagram socket hears nobody but this agent, and hears that its port is closed.
        self._socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.connect(self._peer)
        self.requests = 0

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def __enter__(self) -> SnmpSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def walk(self, column: str) -> Iterator[tuple[tuple[int, ...], Value]]:
        """Yield the rows of ``column`` as (index, value), in the agent's order.

        Raises RemoteServiceError where the agent does not answer or refuses the credential.
        """
        base = tuple(map(int, column.split(".")))
        last = base
        for _ in range(MOST_ROWS // self._rows + 1):
            rows = self._bulk(".".join(map(str, last)))
            if not rows:
                return
            for name, tag, value in rows:
                if name[: len(base)] != base or tag in (_END_OF_VIEW, _NO_OBJECT, _NO_INSTANCE):
                    return
                if name <= last:
                    raise RemoteServiceError(f"{self._where}: the agent goes round in circles at {column}")
                last = name
                if value is not None:
                    yield name[len(base) :], value

    def _bulk(self, after: str) -> list[tuple[tuple[int, ...], int, Value | None]]:
        number = secrets.randbelow(2**31)
        bindings = sequence(sequence(oid(after), tlv(ber.NULL, b"")))
        pdu = tlv(_GETBULK, integer(number) + integer(0) + integer(self._rows) + bindings)
        return self._ask(number, pdu)

    def _ask(self, number: int, pdu: bytes) -> list[tuple[tuple[int, ...], int, Value | None]]:
        for attempt in range(self._tries):
            self._pace()
            try:
                # Addressed each time: an administrator who kills sockets (ss --kill) ends the connection of
                # a datagram socket too, and it would not send again.
                self._socket.sendto(self._message(number, pdu), self._peer)
                self.requests += 1
                answer = self._answer(number)
            except TimeoutError:
                continue
            except OSError as error:
                raise RemoteServiceError(f"{self._where}: {error.strerror}") from error
            if answer is not None:
                return answer
            if attempt + 1 == self._tries:
                raise RemoteServiceError(f"{self._where}: the agent does not accept the user or its keys")
        raise RemoteServiceError(
            f"{self._where}: no answer to SNMP; look at address, access list and community or user"
        )

    def _pace(self) -> None:
        now = time.monotonic()
        if self._next > now:
            time.sleep(self._next - now)
        self._next = max(now, self._next) + self._interval

    def _answer(self, number: int) -> list[tuple[tuple[int, ...], int, Value | None]] | None:
        """Return the bindings of the answer to ``number``; None where the engine wants to be asked anew."""
        deadline = time.monotonic() + self._timeout
        while (left := deadline - time.monotonic()) > 0:
            self._socket.settimeout(left)
            datagram, sender = self._socket.recvfrom(65_535)
            if sender[:2] != self._peer[:2]:
                continue
            try:
                found = self._read(datagram, number)
            except MalformedInput:
                continue  # not ours, or broken: the right answer may still come
            except RemoteServiceError as error:
                raise RemoteServiceError(f"{self._where}: {error}") from error
            if found is not False:
                return None if found is None else list(_bindings(found))
        raise TimeoutError

    # -- messages

    def _message(self, number: int, pdu: bytes) -> bytes:
        credential = self._credential
        if credential.community:
            return sequence(integer(1), octets(credential.community.encode()), pdu)
        engine = self._engine
        if engine is None:  # discovery: RFC 3414 section 4
            return _wrapped(number, _REPORTABLE, Engine(b"", 0, 0), b"", b"", b"", scoped_pdu(b"", pdu))
        now = engine.time + int(time.monotonic() - self._engine_at)
        engine = Engine(engine.identifier, engine.boots, now)
        flags = _REPORTABLE | (_AUTH if credential.auth else 0) | (_PRIV if credential.privacy else 0)
        scoped, salt = scoped_pdu(engine.identifier, pdu), b""
        if credential.privacy:
            salt = secrets.token_bytes(8)
            key = _key(credential.auth, credential.privacy_password, engine.identifier)
            scoped = octets(aes(key, engine, salt, scoped, decrypt=False))
        name = credential.user.encode()
        if not credential.auth:
            return _wrapped(number, flags, engine, name, b"", b"", scoped)
        digest, length = _DIGESTS[credential.auth]
        blank = _wrapped(number, flags, engine, name, bytes(length), salt, scoped)
        key = _key(credential.auth, credential.auth_password, engine.identifier)
        code = hmac.new(key, blank, digest).digest()[:length]
        return _wrapped(number, flags, engine, name, code, salt, scoped)

    def _read(self, datagram: bytes, number: int) -> bytes | bool | None:
        """Return the PDU of the answer to ``number``, None for a report of the engine, False if not ours."""
        if self._credential.community:
            outer = ber.expect(datagram, 0, len(datagram), ber.SEQUENCE, _SOURCE)
            version = ber.expect(datagram, outer.start, outer.end, ber.INTEGER, _SOURCE)
            community = ber.expect(datagram, version.end, outer.end, ber.OCTET_STRING, _SOURCE)
            return _response(datagram[community.end : outer.end], number)
        message = read_message(datagram)
        if message.number != number:
            return False
        credential = self._credential
        secured = bool(message.flags & _AUTH)
        if secured and not (
            credential.auth and self._verified(datagram, message.auth_at, message.auth, message.engine)
        ):
            return False
        scoped = message.scoped
        if message.flags & _PRIV:
            key = _key(credential.auth, credential.privacy_password, message.engine.identifier)
            scoped = aes(key, message.engine, message.privacy, scoped, decrypt=True)
        outer = ber.expect(scoped, 0, len(scoped), ber.SEQUENCE, _SOURCE)
        context = ber.expect(scoped, outer.start, outer.end, ber.OCTET_STRING, _SOURCE)
        name = ber.expect(scoped, context.end, outer.end, ber.OCTET_STRING, _SOURCE)
        pdu = scoped[name.end : outer.end]
        if ber.read_tlv(pdu, 0, len(pdu), _SOURCE).tag == _REPORT:
            if 5 <= len(message.engine.identifier) <= 32:
                self._engine, self._engine_at = message.engine, time.monotonic()
            return None
        if credential.auth and not secured:
            return False  # an answer that nobody signed
        return _response(pdu, number)

    def _verified(self, datagram: bytes, at: int, code: bytes, engine: Engine) -> bool:
        digest, length = _DIGESTS[self._credential.auth]
        blank = datagram[:at] + bytes(len(code)) + datagram[at + len(code) :]
        key = _key(self._credential.auth, self._credential.auth_password, engine.identifier)
        return hmac.compare_digest(hmac.new(key, blank, digest).digest()[:length], code)


@lru_cache(maxsize=1024)
def _key(auth: str, password: str, engine: bytes) -> bytes:
    """Return the localised key of a password; a mebibyte is hashed for it, so it is kept."""
    return password_key(_DIGESTS[auth][0], password, engine)


def _wrapped(
    number: int, flags: int, engine: Engine, name: bytes, auth: bytes, privacy: bytes, scoped: bytes
) -> bytes:
    return version_3(number, flags, engine, name, auth, privacy, scoped, _MOST_SIZE)


def _response(pdu: bytes, number: int) -> bytes | bool:
    """Return a response's bindings if it answers ``number``, none of them after an error, else False.

    Raises RemoteServiceError where the agent says that this may not be read.
    """
    outer = ber.expect(pdu, 0, len(pdu), _RESPONSE, _SOURCE)
    answered = ber.expect(pdu, outer.start, outer.end, ber.INTEGER, _SOURCE)
    status = ber.expect(pdu, answered.end, outer.end, ber.INTEGER, _SOURCE)
    index = ber.expect(pdu, status.end, outer.end, ber.INTEGER, _SOURCE)
    if ber.read_integer(pdu, answered, _SOURCE) != number:
        return False
    told = ber.read_integer(pdu, status, _SOURCE)
    if told in _REFUSALS:
        raise RemoteServiceError("the agent knows the user but lets it read nothing at this security level")
    if told:
        return sequence()  # an agent that cannot read this column: the others may still be there
    return pdu[index.end : outer.end]


def _bindings(octets_: bytes | bool) -> Iterator[tuple[tuple[int, ...], int, Value | None]]:
    assert isinstance(octets_, bytes)
    outer = ber.expect(octets_, 0, len(octets_), ber.SEQUENCE, _SOURCE)
    for binding in ber.children(octets_, outer.start, outer.end, _SOURCE):
        name = ber.expect(octets_, binding.start, binding.end, ber.OBJECT_IDENTIFIER, _SOURCE)
        value = ber.read_tlv(octets_, name.end, binding.end, _SOURCE)
        arcs = tuple(map(int, ber.read_oid(octets_, name, _SOURCE).split(".")))
        held: Value | None = None
        if value.tag in _INTEGERS:
            held = ber.read_integer(octets_, value, _SOURCE)
        elif value.tag not in (_NO_OBJECT, _NO_INSTANCE, _END_OF_VIEW, ber.NULL):
            held = octets_[value.start : value.end]
        yield arcs, value.tag, held
