from __future__ import annotations

import pytest

from medwarden.dissect.connection import Inbox
from medwarden.dissect.text_message import take_head
from medwarden.kernel.errors import MalformedInput


def test_a_head_and_what_follows_it() -> None:
    inbox = Inbox("sip")
    inbox.add(b"START LINE\r\nL: 3\r\nA: 1\r\na: 2\r\nno colon\r\n\r\nabcNEXT")
    head = take_head(inbox, {"l": "content-length"})
    assert head is not None
    assert head.start == "START LINE"
    assert head.fields == {"content-length": "3", "a": "1"}
    inbox.discard(head.length("sip"))
    assert bytes(inbox.data) == b"NEXT"
    assert take_head(inbox, {}) is None


def test_limits() -> None:
    inbox = Inbox("sip")
    inbox.add(b"x" * 9000)
    with pytest.raises(MalformedInput, match="within 8 KiB"):
        take_head(inbox, {})
    inbox = Inbox("sip")
    inbox.add(b"A\nContent-Length: -1\n\n")
    head = take_head(inbox, {})
    assert head is not None
    with pytest.raises(MalformedInput, match="no number"):
        head.length("sip")
