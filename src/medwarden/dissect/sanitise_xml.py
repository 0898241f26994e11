"""Take people out of XML: names of elements and namespaces stay, texts and attributes go but a few.

XML 1.0, section 3.1 (tags). What stays of texts are the elements of WS-Discovery, DPWS and SOAP that tell
what a device is and where its description lies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from medwarden.dissect.sanitise_draft import Draft

_TOKEN = re.compile(
    rb"<(!--.*?--|!\[CDATA\[.*?\]\]|[!?][^>]*|/?[A-Za-z_][\w.:-]*+(?:[^>\"']|\"[^\"]*\"|'[^']*')*+)>",
    re.DOTALL,
)
_MOST_BROKEN = 64
"""Tags, comments and sections without an end, each of which is looked for in all that follows."""
_NAME = re.compile(rb"/?([A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)")
_ATTRIBUTE = re.compile(rb"\s([A-Za-z_][\w.:-]*)\s*=\s*(\"[^\"]*\"|'[^']*')")
_KEPT = frozenset(
    b"Action To MessageID RelatesTo Types XAddrs Address Manufacturer ManufacturerUrl ModelName ModelNumber "
    b"FriendlyName FirmwareVersion SerialNumber MetadataVersion Dialect ModelUrl".split()
)
_NAMESPACE = re.compile(rb"[A-Za-z0-9:/._#?=-]{0,200}\Z")


def clean_xml(draft: Draft, start: int, end: int) -> None:
    """Write what may stay of the document in ``data[start:end]`` into the draft."""
    data = draft.data
    at, element = start, b""
    for token in _tokens(data, start, end):
        _text(draft, at, token.start(), element)
        body = token[1]
        element = b""
        if body[:1] == b"?" and body.startswith(b"?xml "):
            draft.keep(token.start(), token.end())
        elif body[:1] not in b"!?":
            name = _NAME.match(body)
            if name is not None:
                draft.keep(token.start(), token.start() + 1 + name.end())
                draft.keep(token.end() - (2 if body.endswith(b"/") else 1), token.end())
                _attributes(draft, token.start() + 1 + name.end(), token.end() - 1)
                element = b"" if body.startswith(b"/") else name[2]
        at = token.end()


def _tokens(data: bytes, start: int, end: int) -> Iterator[re.Match[bytes]]:
    """Yield tags, comments and sections; none behind too many without an end, and so nothing stays there."""
    at, broken = start, 0
    while broken < _MOST_BROKEN and (at := data.find(b"<", at, end)) >= 0:
        token = _TOKEN.match(data, at, end)
        if token is None:
            broken, at = broken + 1, at + 1
            continue
        body = token[1]
        broken += (body.startswith(b"!--") and not body.endswith(b"--")) or (
            body.startswith(b"![CDATA[") and not body.endswith(b"]]")
        )
        yield token
        at = token.end()


def _text(draft: Draft, start: int, end: int, element: bytes) -> None:
    text = draft.data[start:end]
    if not text.strip() or (element in _KEPT and len(text) <= 512):
        draft.keep(start, end)
    else:
        draft.fill(start, end, "xml text")


def _attributes(draft: Draft, start: int, end: int) -> None:
    for match in _ATTRIBUTE.finditer(draft.data, start, end):
        name, value = match[1], match[2][1:-1]
        draft.keep(match.start(), match.start(2) + 1)
        draft.keep(match.end(2) - 1, match.end(2))
        inside = (match.start(2) + 1, match.end(2) - 1)
        if name.startswith(b"xmlns") and _NAMESPACE.match(value):
            draft.keep(*inside)
        else:
            draft.fill(*inside, "xml attribute")
