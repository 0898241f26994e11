"""SNMP version 3 with the user-based security model: discover the engine, then ask once.

RFC 3412 section 6 (message), RFC 3414 (USM; sections 2.6 and A.2 for keys, 4 for discovery), RFC 7860
(HMAC-SHA-256), RFC 3826 (AES-128 in CFB mode). Discovery is one small datagram without user or objects.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable

import msgspec
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from medwarden.dissect import ber
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.sensors.active.exchange import Exchange, Piece
from medwarden.sensors.active.prober import SnmpUser
from medwarden.sensors.active.snmp_encoding import integer, octets, sequence, tlv

_SOURCE = "snmp_get"
_AUTH, _PRIV, _REPORTABLE = 1, 2, 4
_DIGESTS = {"sha": ("sha1", 12), "sha256": ("sha256", 24)}
_MOST_SIZE = 32_768
_GET = 0xA0


class Engine(msgspec.Struct, frozen=True):
    """An authoritative engine: its id, how often it booted and for how many seconds it has run."""

    identifier: bytes
    boots: int
    time: int


class Message(msgspec.Struct, frozen=True):
    """A message of version 3, taken apart; ``parameters_at`` is where its authentication parameters lie."""

    number: int
    flags: int
    engine: Engine
    auth: bytes
    auth_at: int
    privacy: bytes
    scoped: bytes
    scoped_at: int


def ask(line: Exchange, user: SnmpUser, request: Callable[[int], bytes]) -> None:
    """Discover the engine, send ``request(number)`` in the user's name and hear the response.

    What is heard encrypted is replaced by what it said, so that a dissector can read it. Raises
    ConfigurationError for a user that cannot be, MalformedInput for an answer that is not the engine's.
    """
    if (
        user.auth not in ("", *_DIGESTS)
        or user.privacy not in ("", "aes")
        or (user.privacy and not user.auth)
    ):
        raise ConfigurationError("an SNMP user has auth sha or sha256 and privacy aes, or less of both")
    number = secrets.randbelow(2**31)
    empty = tlv(_GET, integer(number) + integer(0) + integer(0) + sequence())
    line.say(version_3(number, _REPORTABLE, Engine(b"", 0, 0), b"", b"", b"", scoped_pdu(b"", empty)))
    engine = read_message(line.hear(lambda heard: read_message(heard).number == number)).engine
    if not 5 <= len(engine.identifier) <= 32:
        raise MalformedInput(_SOURCE, "the engine has no identifier")
    if not (0 <= engine.boots < 2**31 and 0 <= engine.time < 2**31):
        raise MalformedInput(_SOURCE, "the engine's clock lies outside what RFC 3414 section 2.2 allows")
    number = secrets.randbelow(2**31)
    line.say(_secured(number, user, engine, scoped_pdu(engine.identifier, request(number))))
    heard: list[Message] = []

    def answers(datagram: bytes) -> bool:
        heard.append(read_message(datagram))
        return heard[-1].number == number

    datagram = line.hear(answers)
    answer = heard[-1]
    if user.auth and answer.flags & _AUTH:
        _verify(datagram, answer, user)
    elif user.auth:
        raise MalformedInput(_SOURCE, "the agent does not know the user, or its key: it answered unsecured")
    if answer.flags & _PRIV:
        plain = _crypted(user, answer.engine, answer.privacy, answer.scoped, decrypt=True)
        clear = datagram[: answer.scoped_at] + plain
        last = line.pieces[-1]
        line.pieces[-1] = Piece(last.ts_ns, ours=False, data=_unsecured(read_message(clear, plain=True)))


def read_message(datagram: bytes, *, plain: bool = False) -> Message:
    """Take a message of version 3 apart; ``plain`` says that its scoped PDU was decrypted.

    Raises MalformedInput for anything else.
    """
    end = len(datagram)
    outer = (
        ber.expect(datagram, 0, end, ber.SEQUENCE, _SOURCE) if not plain else ber.Tlv(0, _head(datagram), end)
    )
    version = ber.expect(datagram, outer.start, outer.end, ber.INTEGER, _SOURCE)
    if ber.read_integer(datagram, version, _SOURCE) != 3:
        raise MalformedInput(_SOURCE, "the answer is not of version 3", version.start)
    header = ber.expect(datagram, version.end, outer.end, ber.SEQUENCE, _SOURCE)
    number = ber.expect(datagram, header.start, header.end, ber.INTEGER, _SOURCE)
    size = ber.expect(datagram, number.end, header.end, ber.INTEGER, _SOURCE)
    flags = ber.expect(datagram, size.end, header.end, ber.OCTET_STRING, _SOURCE)
    wrapped = ber.expect(datagram, header.end, outer.end, ber.OCTET_STRING, _SOURCE)
    usm = ber.expect(datagram, wrapped.start, wrapped.end, ber.SEQUENCE, _SOURCE)
    engine = ber.expect(datagram, usm.start, usm.end, ber.OCTET_STRING, _SOURCE)
    boots = ber.expect(datagram, engine.end, usm.end, ber.INTEGER, _SOURCE)
    running = ber.expect(datagram, boots.end, usm.end, ber.INTEGER, _SOURCE)
    name = ber.expect(datagram, running.end, usm.end, ber.OCTET_STRING, _SOURCE)
    auth = ber.expect(datagram, name.end, usm.end, ber.OCTET_STRING, _SOURCE)
    privacy = ber.expect(datagram, auth.end, usm.end, ber.OCTET_STRING, _SOURCE)
    if flags.end - flags.start != 1:
        raise MalformedInput(_SOURCE, "the message has no flags", flags.start)
    bits = datagram[flags.start]
    scoped_at = wrapped.end
    if bits & _PRIV and not plain:
        secret = ber.expect(datagram, wrapped.end, outer.end, ber.OCTET_STRING, _SOURCE)
        scoped, scoped_at = datagram[secret.start : secret.end], wrapped.end
    else:
        scoped = datagram[wrapped.end : outer.end]
    return Message(
        ber.read_integer(datagram, number, _SOURCE),
        bits,
        Engine(
            datagram[engine.start : engine.end],
            ber.read_integer(datagram, boots, _SOURCE),
            ber.read_integer(datagram, running, _SOURCE),
        ),
        datagram[auth.start : auth.end],
        auth.start,
        datagram[privacy.start : privacy.end],
        scoped,
        scoped_at,
    )


def _head(datagram: bytes) -> int:
    """Return where the contents of the outer sequence begin, whatever length it states."""
    if len(datagram) < 2:
        raise MalformedInput(_SOURCE, "the message is cut short", 0)
    return 2 + (datagram[1] & 0x7F if datagram[1] & 0x80 else 0)


def localised_key(user: SnmpUser, password: str, engine: bytes) -> bytes:
    """Return the key of a password for one engine (RFC 3414 A.2: a mebibyte of it, hashed, localised)."""
    if len(password) < 8:
        raise ConfigurationError("an SNMP password has at least 8 characters (RFC 3414 section 11.2)")
    return password_key(_DIGESTS[user.auth][0], password, engine)


def password_key(digest: str, password: str, engine: bytes) -> bytes:
    """Return the key that a password stands for at one engine; ``digest`` is a name that hashlib knows."""
    text = password.encode()
    whole = hashlib.new(digest, (text * (1_048_576 // len(text) + 1))[:1_048_576]).digest()
    return hashlib.new(digest, whole + engine + whole).digest()


def scoped_pdu(engine: bytes, pdu: bytes) -> bytes:
    """Return a PDU for the default context of an engine (RFC 3412 section 6.8)."""
    return sequence(octets(engine), octets(b""), pdu)


def version_3(
    number: int,
    flags: int,
    engine: Engine,
    name: bytes,
    auth: bytes,
    privacy: bytes,
    scoped: bytes,
    most_size: int = _MOST_SIZE,
) -> bytes:
    """Return a message of the user-based security model (RFC 3412 section 6, RFC 3414 section 2.4).

    ``scoped`` is the scoped PDU, as an octet string where it is encrypted; ``most_size`` is how many bytes
    an answer may have.
    """
    usm = sequence(
        octets(engine.identifier),
        integer(engine.boots),
        integer(engine.time),
        octets(name),
        octets(auth),
        octets(privacy),
    )
    header = sequence(integer(number), integer(most_size), octets(bytes((flags,))), integer(3))
    return sequence(integer(3), header, octets(usm), scoped)


def _secured(number: int, user: SnmpUser, engine: Engine, scoped: bytes) -> bytes:
    flags = _REPORTABLE | (_AUTH if user.auth else 0) | (_PRIV if user.privacy else 0)
    salt = secrets.token_bytes(8) if user.privacy else b""
    if user.privacy:
        scoped = octets(_crypted(user, engine, salt, scoped, decrypt=False))
    name = user.name.encode()
    if not user.auth:
        return version_3(number, flags, engine, name, b"", b"", scoped)
    digest, length = _DIGESTS[user.auth]
    blank = version_3(number, flags, engine, name, bytes(length), salt, scoped)
    key = localised_key(user, user.auth_password, engine.identifier)
    code = hmac.new(key, blank, digest).digest()[:length]
    return version_3(number, flags, engine, name, code, salt, scoped)


def _verify(datagram: bytes, answer: Message, user: SnmpUser) -> None:
    digest, length = _DIGESTS[user.auth]
    blank = (
        datagram[: answer.auth_at] + bytes(len(answer.auth)) + datagram[answer.auth_at + len(answer.auth) :]
    )
    key = localised_key(user, user.auth_password, answer.engine.identifier)
    if not hmac.compare_digest(hmac.new(key, blank, digest).digest()[:length], answer.auth):
        raise MalformedInput(_SOURCE, "the answer is not signed with the user's key")


def _crypted(user: SnmpUser, engine: Engine, salt: bytes, data: bytes, *, decrypt: bool) -> bytes:
    key = localised_key(user, user.privacy_password, engine.identifier)
    return aes(key, engine, salt, data, decrypt=decrypt)


def aes(key: bytes, engine: Engine, salt: bytes, data: bytes, *, decrypt: bool) -> bytes:
    """Encrypt or decrypt with AES-128-CFB (RFC 3826 section 3.1.2.1: boots, time and salt are the vector).

    Raises MalformedInput where the salt, which the other side gives, is none.
    """
    if len(salt) != 8:
        raise MalformedInput(_SOURCE, "the privacy parameters are no salt")
    vector = struct.pack(">II", engine.boots & 0xFFFFFFFF, engine.time & 0xFFFFFFFF) + salt
    cipher = Cipher(AES(key[:16]), CFB(vector))
    worker = cipher.decryptor() if decrypt else cipher.encryptor()
    return worker.update(data) + worker.finalize()


def _unsecured(message: Message) -> bytes:
    """Return a decrypted message as it would have been without security."""
    return version_3(message.number, 0, message.engine, b"", b"", b"", message.scoped)
