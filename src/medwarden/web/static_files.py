"""Serve the console's own assets from memory, named by content so that browsers may keep them.

The files are few and small (about 2 MB), so they are read once, compressed once and handed out
without touching the disk; a URL carries the digest of the content, which makes it immutable
(RFC 8246). Nothing is fetched from anywhere else.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent / "static"
PREFIX = "/static/"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

# What ASGI passes around (asgi.readthedocs.io, HTTP connection scope) is as loose as this.
Message = MutableMapping[str, object]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Asset(NamedTuple):
    """One file, ready to send."""

    body: bytes
    zipped: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """Return every asset by its path below ``static/``."""
    found = {}
    for path in sorted(ROOT.rglob("*")):
        media_type = MEDIA_TYPES.get(path.suffix)
        if media_type is None or not path.is_file():
            continue
        body = path.read_bytes()
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        found[path.relative_to(ROOT).as_posix()] = Asset(
            body, gzip.compress(body, 6, mtime=0), media_type, digest
        )
    return found


def url_of(name: str) -> str:
    """Return the URL of an asset, or raise KeyError with the command that builds missing ones."""
    asset = assets().get(name)
    if asset is None:
        raise KeyError(f"no asset {name!r}: run `npm ci && npm run build` in the checkout")
    return f"{PREFIX}{name}?v={asset.digest}"


def with_static_files(application: Application) -> Application:
    """Return ``application`` with ``/static/`` answered from memory before it."""

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if scope["type"] != "http" or not isinstance(path, str) or not path.startswith(PREFIX):
            await application(scope, receive, send)
            return
        status, headers, body = _answer(path.removeprefix(PREFIX), scope)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return serve


def _answer(name: str, scope: Message) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    if scope["method"] not in ("GET", "HEAD"):
        return 405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0")], b""
    asset = assets().get(name)
    if asset is None:
        return (
            404,
            [(b"content-type", b"text/plain"), (b"x-content-type-options", b"nosniff")],
            b"Not found.\n",
        )
    asked = _headers(scope)
    tag = f'"{asset.digest}"'.encode()
    versioned = f"v={asset.digest}".encode() == scope.get("query_string")
    headers = [
        (b"etag", tag),
        (b"cache-control", b"public, max-age=31536000, immutable" if versioned else b"no-cache"),
        (b"x-content-type-options", b"nosniff"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"vary", b"accept-encoding"),
    ]
    if asked.get(b"if-none-match") == tag:
        return 304, headers, b""
    body = asset.body
    if b"gzip" in asked.get(b"accept-encoding", b""):
        body = asset.zipped
        headers.append((b"content-encoding", b"gzip"))
    headers += [
        (b"content-type", asset.media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    return 200, headers, body


def _headers(scope: Message) -> dict[bytes, bytes]:
    headers = scope["headers"]
    return dict(headers) if isinstance(headers, list | tuple) else {}
