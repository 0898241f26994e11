from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.ja4 import ClientHello, ja4, parse_client_hello
from medwarden.kernel.errors import MalformedInput

# The worked example of the published description: a Chromium hello.
CIPHERS = (
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D,
    0x002F, 0x0035,
)  # fmt: skip
EXTENSIONS = (
    0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01,
    0x000B, 0x000A, 0x0015,
)  # fmt: skip
ALGORITHMS = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)


def hello(**changes: object) -> ClientHello:
    values: dict[str, object] = {
        "legacy_version": 0x0303,
        "ciphers": CIPHERS,
        "extensions": EXTENSIONS,
        "server_name": "example.org",
        "alpn": (b"h2", b"http/1.1"),
        "versions": (0x0304, 0x0303),
        "signature_algorithms": ALGORITHMS,
    }
    return ClientHello(**{**values, **changes})  # type: ignore[arg-type]


def test_the_worked_example() -> None:
    assert ja4(hello()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


def test_order_of_suites_and_extensions_does_not_matter() -> None:
    assert ja4(hello(ciphers=CIPHERS[::-1], extensions=EXTENSIONS[::-1])) == ja4(hello())
    assert ja4(hello(signature_algorithms=ALGORITHMS[::-1])) != ja4(hello())


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"versions": (), "legacy_version": 0x0301}, "t10d1516h2_"),
        ({"extensions": EXTENSIONS[2:]}, "t13i1514h2_"),
        ({"alpn": ()}, "t13d151600_"),
        ({"alpn": (b"\xab\xcd",)}, "t13d1516ad_"),
        ({"ciphers": ()}, "t13d0016h2_000000000000_"),
        ({"ciphers": tuple(range(150))}, "t13d9916h2_"),
    ],
)
def test_the_readable_part(changes: dict[str, object], start: str) -> None:
    assert ja4(hello(**changes)).startswith(start)


def test_nothing_to_hash() -> None:
    assert ja4(hello(extensions=(), signature_algorithms=(), alpn=())).endswith("_000000000000")


def test_quic_is_told_by_its_first_letter() -> None:
    assert ja4(hello(), "q") == "q13d1516h2_8daaf6152771_e5627efa2ab1"


def test_grease_is_left_out() -> None:
    body = (
        struct.pack(">H32xB", 0x0303, 0)
        + struct.pack(">HHH", 4, 0x3A3A, 0x1301)
        + b"\x01\x00"
        + struct.pack(">H", 17)
        + struct.pack(">HH", 0xDADA, 0)
        + struct.pack(">HHBHH", 43, 5, 4, 0x4A4A, 0x0304)
        + b"\0\0\0\0"
    )
    parsed = parse_client_hello(body)
    assert (parsed.ciphers, parsed.extensions, parsed.versions) == ((0x1301,), (43, 0), (0x0304,))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_hello_or_malformed_input(data: bytes) -> None:
    try:
        parsed = parse_client_hello(data)
    except MalformedInput:
        return
    assert len(ja4(parsed)) == 36
