"""What every dissector of a byte stream keeps: two inboxes, and which facts it already told.

A dissector derives from :class:`Connection` and writes :meth:`Connection.parse` (TCP) or
:meth:`Connection.datagram` (UDP) or both. It reads whole messages from an :class:`Inbox` and says
facts with :meth:`Connection.said`; it never asks how the bytes were cut into segments, which is why
a stream fed byte by byte gives the facts of the stream fed whole.
"""

from __future__ import annotations

from medwarden.dissect._core import MAX_FACTS, Connection, Inbox

__all__ = ["MAX_FACTS", "Connection", "Inbox", "text"]


def text(data: bytes) -> str:
    """Return ``data`` as text: UTF-8 where it is, else ISO 8859-1, cut at the first NUL."""
    data = data.partition(b"\0")[0]
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
