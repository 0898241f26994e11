from __future__ import annotations

import struct
import uuid
from collections.abc import Callable

import pytest

from medwarden.dissect.smb import SmbDissector
from medwarden.kernel.errors import MalformedInput

Converse = Callable[..., set[tuple[str, str, str]]]

GUID = uuid.UUID("0d1996a4-6dbe-4522-ba90-2e8c14c306ca")
NEGOTIATE, SESSION_SETUP = 0x72, 0x73


def framed(message: bytes) -> bytes:
    return struct.pack(">I", len(message)) + message


def smb1(command: int, words: bytes, data: bytes, flags2: int = 0xC001) -> bytes:
    header = struct.pack("<4sBIBHH8sHHHHH", b"\xffSMB", command, 0, 0x18, flags2, 0, b"", 0, 0, 0, 0, 0)
    return framed(header + bytes([len(words) // 2]) + words + struct.pack("<H", len(data)) + data)


def smb2(command: int, body: bytes, status: int = 0, response: bool = False) -> bytes:
    header = struct.pack(
        "<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, status, command, 1, int(response), 0, 0, 0, 0, 0, b""
    )
    return framed(header + body)


def unicode(*names: str) -> bytes:
    return b"".join(name.encode("utf-16-le") + b"\0\0" for name in names)


def ntlm_negotiate(workstation: bytes) -> bytes:
    names = struct.pack("<HHIHHI", 0, 0, 32, len(workstation), len(workstation), 32)
    return struct.pack("<8sII", b"NTLMSSP\0", 1, 0) + names + workstation


def dialects(*names: bytes) -> bytes:
    return b"".join(b"\x02" + name + b"\0" for name in names)


def negotiated_1(mode: int, capabilities: int, data: bytes) -> bytes:
    words = struct.pack("<HBHHIIIIQhB", 1, mode, 1, 1, 4356, 65536, 0, capabilities, 0, 0, 8)
    return smb1(NEGOTIATE, words, data)


def test_an_smb_1_session_without_extended_security(converse: Converse) -> None:
    setup = struct.pack("<BBHHHHIHHII", 0xFF, 0, 0, 4356, 2, 1, 0, 3, 4, 0, 0xD4)
    names = unicode("jane.doe", "RADIOLOGY", "Windows 2000 2195", "W2K 5.0")
    answer = unicode("Windows 5.1", "Windows 2000 LAN Manager", "RADIOLOGY")
    told = converse(
        SmbDissector,
        ("client", smb1(NEGOTIATE, b"", dialects(b"LANMAN1.0", b"NT LM 0.12"))),
        ("server", negotiated_1(0x03, 0xD4, b"challeng" + unicode("RADIOLOGY", "CT-CONSOLE"))),
        # 13 words: the data begin at 61, 7 bytes of passwords follow, so the names are aligned at 68.
        ("client", smb1(SESSION_SETUP, setup, b"secret!" + names)),
        ("server", smb1(SESSION_SETUP, struct.pack("<BBHH", 0xFF, 0, 0, 0), b"\0" + answer)),
    )
    assert told == {
        ("smb.dialects", "LANMAN1.0, NT LM 0.12", "client"),
        ("smb.dialect", "NT LM 0.12", "server"),
        ("smb.signing", "disabled", "server"),
        ("smb.domain", "RADIOLOGY", "server"),
        ("smb.server_name", "CT-CONSOLE", "server"),
        ("smb.version", "1", "client"),
        ("smb.domain", "RADIOLOGY", "client"),
        ("smb.native_os", "Windows 2000 2195", "client"),
        ("smb.native_lanman", "W2K 5.0", "client"),
        ("smb.version", "1", "server"),
        ("smb.native_os", "Windows 5.1", "server"),
        ("smb.native_lanman", "Windows 2000 LAN Manager", "server"),
    }


def test_an_smb_1_session_with_extended_security(converse: Converse) -> None:
    token = ntlm_negotiate(b"MRI-HOST")
    setup = struct.pack("<BBHHHHIHII", 0xFF, 0, 0, 4356, 2, 1, 0, len(token), 0, 0x80000000)
    names = unicode("Windows 7 Professional 7601 Service Pack 1", "Windows 7 Professional 6.1")
    told = converse(
        SmbDissector,
        ("server", negotiated_1(0x0F, 0x80000000, GUID.bytes_le)),
        ("client", smb1(SESSION_SETUP, setup, token + (b"" if len(token) % 2 else b"\0") + names)),
    )
    assert told == {
        ("smb.dialect", "NT LM 0.12", "server"),
        ("smb.signing", "required", "server"),
        ("smb.server_guid", str(GUID), "server"),
        ("smb.version", "1", "client"),
        ("ntlmssp.workstation", "MRI-HOST", "client"),
        ("smb.native_os", "Windows 7 Professional 7601 Service Pack 1", "client"),
        ("smb.native_lanman", "Windows 7 Professional 6.1", "client"),
    }


def smb2_negotiate_request() -> bytes:
    body = struct.pack("<HHHHI16sQ", 36, 3, 1, 0, 0, GUID.bytes_le, 0) + struct.pack(
        "<HHH", 0x0202, 0x0300, 0x0311
    )
    return smb2(0, body)


def smb2_negotiate_response(dialect: int = 0x0311, mode: int = 3) -> bytes:
    body = struct.pack("<HHHH16sIIIIQQHHI", 65, mode, dialect, 0, GUID.bytes_le, 0, 0, 0, 0, 0, 0, 128, 0, 0)
    return smb2(0, body, response=True)


def tree_connect(path: str) -> bytes:
    encoded = path.encode("utf-16-le")
    return smb2(3, struct.pack("<HHHH", 9, 0, 72, len(encoded)) + encoded)


def test_a_share_of_smb_1(converse: Converse) -> None:
    words = struct.pack("<BBHHH", 0xFF, 0, 0, 0, 1)
    # 4 words: the data begin at 43, one byte of password, so the path is aligned at 44.
    data = b"\0" + unicode(r"\\CT-CONSOLE\ADMIN$") + b"?????\0"
    told = converse(SmbDissector, ("client", smb1(0x75, words, data)))
    assert told == {("smb.version", "1", "client"), ("smb.share", "ADMIN$", "client")}


def test_an_smb_3_session(converse: Converse) -> None:
    token = ntlm_negotiate(b"PACS-WS")
    setup = struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, len(token), 0) + token
    told = converse(
        SmbDissector,
        ("client", smb2_negotiate_request()),
        ("server", smb2_negotiate_response()),
        ("client", smb2(1, setup)),
        ("server", smb2(1, struct.pack("<HHHH", 9, 0, 72, 0), response=True)),
        ("client", tree_connect(r"\\DC01\SYSVOL") + tree_connect(r"\\FS\jane.doe") + smb2(5, bytes(57))),
        ("client", b"\0\0\0\x10garbage after it"),
    )
    assert told == {
        ("smb.version", "2", "client"),
        ("smb.dialects", "SMB 2.0.2, SMB 3.0, SMB 3.1.1", "client"),
        ("smb.client_guid", str(GUID), "client"),
        ("ntlmssp.workstation", "PACS-WS", "client"),
        ("smb.share", "SYSVOL", "client"),
        ("smb.version", "2", "server"),
        ("smb.dialect", "SMB 3.1.1", "server"),
        ("smb.signing", "required", "server"),
        ("smb.server_guid", str(GUID), "server"),
    }


def test_signing_that_is_only_possible_is_enabled(converse: Converse) -> None:
    told = converse(SmbDissector, ("server", smb2_negotiate_response(0x0210, 1)))
    assert {("smb.signing", "enabled", "server"), ("smb.dialect", "SMB 2.1", "server")} <= told


def half_ascii(name: str, suffix: int = 0x20) -> bytes:
    octets = name.ljust(15).encode() + bytes([suffix])
    return b"\x20" + b"".join(bytes([(o >> 4) + 0x41, (o & 15) + 0x41]) for o in octets) + b"\0"


def test_netbios_names_of_both_sides(converse: Converse) -> None:
    names = half_ascii("FILESERVER") + half_ascii("ULTRASOUND2", 0)
    told = converse(
        SmbDissector, ("client", b"\x81\0\0" + bytes([len(names)]) + names), ("server", b"\x82\0\0\0")
    )
    assert told == {
        ("smb.netbios_name", "FILESERVER", "server"),
        ("smb.netbios_name", "ULTRASOUND2", "client"),
    }


def test_a_session_that_was_joined_late_still_shows_its_generation(converse: Converse) -> None:
    assert converse(SmbDissector, ("client", smb1(0x2E, b"\0" * 24, b""))) == {("smb.version", "1", "client")}
    assert converse(SmbDissector, ("client", smb2(8, b"\0" * 49))) == {("smb.version", "2", "client")}


def test_a_large_message_is_passed_over(converse: Converse) -> None:
    big = b"\0\x02\0\0" + b"x" * 0x20000
    told = converse(SmbDissector, ("client", big + smb1(0x2E, b"\0" * 24, b"")))
    assert told == {("smb.version", "1", "client")}


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\0\0\0\x08notSMB!!",
        framed(b"\xffSMB\x72"),
        smb1(NEGOTIATE, b"", b"\x02a\0")[:-1].replace(b"\0\0\0\x26", b"\0\0\0\x25"),
    ],
)
def test_broken_messages_are_malformed(converse: Converse, data: bytes) -> None:
    with pytest.raises(MalformedInput):
        converse(SmbDissector, ("client", data))


def test_recognition() -> None:
    assert SmbDissector.recognises(smb2_negotiate_request(), True)
    assert SmbDissector.recognises(b"\x81\0\0\x44" + half_ascii("X"), True)
    assert not SmbDissector.recognises(b"\0\0\0\x10" + b"x" * 16, True)
