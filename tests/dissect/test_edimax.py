"""Edimax plugs: their own report is read whichever way it is turned; nothing else is claimed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.dissect.edimax import Edimax, plain

Datagram = Callable[..., set[tuple[str, str, str]]]

REPORT = b'<param>\n<code value="1010" />\n<model value="SP-1101W" />\n<type value="SmartPlug" />\n</param>'


def turned(text: bytes, bits: int) -> bytes:
    """Return a document as plugs send it: the first octet raised, the others rotated right."""
    rest = bytes((octet >> bits | octet << 8 - bits) & 0xFF for octet in text[1:])
    return bytes((text[0] + bits,)) + rest


@pytest.mark.parametrize("bits", range(8))
def test_a_document_is_read_however_it_was_turned(bits: int) -> None:
    assert plain(turned(REPORT, bits)) == REPORT


def test_plain_xml_of_others_is_not_claimed() -> None:
    assert not Edimax.recognises(b'<?xml version="1.0"?><param><code value="1" /></param>', True)
    assert not Edimax.recognises(b"<params><code>1010</code></params>", True)


@given(st.binary(max_size=400))
def test_anything_else_is_no_document(payload: bytes) -> None:
    text = plain(payload)
    assert text is None or text.startswith(b"<param>")
