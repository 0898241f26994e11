"""The A-ASSOCIATE PDUs and the words of refusals."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.dicom_association import MAX_ITEMS, abort_reason, read_associate, rejection, uid
from medwarden.kernel.errors import MalformedInput


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def body(*items: bytes) -> bytes:
    return b"\0\1\0\0" + b"CALLED  ".ljust(16) + b"CALLING".ljust(16) + bytes(32) + b"".join(items)


def test_everything_negotiated_is_read() -> None:
    storage = "1.2.840.10008.5.1.4.1.1.2"
    user = item(
        0x50,
        item(0x51, struct.pack(">I", 65536))
        + item(0x52, b"1.2.3\0")
        + item(0x54, struct.pack(">H", len(storage)) + storage.encode() + b"\0\1")
        + item(0x55, b"NAME_1")
        + item(0x58, b"\1\0\0\4user\0\0")
        + item(0x99, b"unknown"),
    )
    context = item(0x20, b"\5\0\0\0" + item(0x30, storage.encode()) + item(0x40, b"1.2") + item(0x40, b"1.3"))
    found = read_associate(body(item(0x10, b"1.2.840.10008.3.1.1.1"), context, user), 6)
    assert (found.called, found.calling) == ("CALLED", "CALLING")
    assert (found.implementation_class, found.implementation_version) == ("1.2.3", "NAME_1")
    assert (found.max_length, found.identity) == (65536, "username")
    assert found.roles == {storage: (False, True)}
    (only,) = found.contexts
    assert (only.identifier, only.abstract_syntax, only.transfer_syntaxes) == (5, storage, ("1.2", "1.3"))
    assert only.result is None


def test_answer_has_results() -> None:
    answer = item(0x21, b"\3\0\4\0" + item(0x40, b"1.2"))
    assert [c.result for c in read_associate(body(answer), 6).contexts] == [4]


def test_items_are_bounded() -> None:
    with pytest.raises(MalformedInput, match=f"more than {MAX_ITEMS} items"):
        read_associate(body(item(0x99, b"") * (MAX_ITEMS + 1)), 6)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"\0\1\1\7", ("permanent", "service user", "called AE title not recognized")),
        (b"\0\2\3\1", ("transient", "service provider (presentation)", "temporary congestion")),
        (b"\0\1\2\2", ("permanent", "service provider (ACSE)", "protocol version not supported")),
        (b"\0\3\x09\x09", ("result 3", "source 9", "source 9 reason 9")),
    ],
)
def test_rejection_in_the_words_of_the_standard(octets: bytes, words: tuple[str, str, str]) -> None:
    assert rejection(octets) == words


def test_abort_says_who_and_why() -> None:
    assert abort_reason(b"\0\0\0\0") == "service user"
    assert abort_reason(b"\0\0\2\6") == "service provider: invalid PDU parameter value"
    assert abort_reason(b"\0\0\2\x63") == "service provider: reason 99"


def test_padding_is_no_part_of_an_identifier() -> None:
    assert uid(b"1.2.840.10008.1.2\0") == "1.2.840.10008.1.2"
    assert len(uid(b"1." * 200)) == 64


@given(st.binary(max_size=300))
def test_any_body_is_read_or_refused(data: bytes) -> None:
    for candidate in (data, body(data)):
        try:
            read_associate(candidate, 6)
        except MalformedInput as error:
            assert error.offset is not None
