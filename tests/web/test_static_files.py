"""Assets come from memory, named by content, and nothing else comes from there."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import pytest

from medwarden.web import static_files

TEMPLATES = Path(static_files.__file__).parent / "templates"


def ask(
    path: str, query: bytes = b"", method: str = "GET", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, object]] = []

    async def application(
        _scope: static_files.Message, _receive: static_files.Receive, send: static_files.Send
    ) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"django"})

    async def send(message: static_files.Message) -> None:
        sent.append(dict(message))

    async def receive() -> dict[str, object]:
        return {"type": "http.request"}

    scope: dict[str, object] = {
        "type": "http",
        "path": path,
        "method": method,
        "query_string": query,
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }

    async def call() -> None:
        await static_files.with_static_files(application)(scope, receive, send)

    asyncio.run(call())
    status, pairs, body = sent[0]["status"], sent[0]["headers"], sent[1]["body"]
    assert isinstance(status, int)
    assert isinstance(pairs, list)
    assert isinstance(body, bytes)
    return status, {k.decode(): v.decode() for k, v in pairs}, body


def test_a_versioned_asset_may_be_kept_for_ever() -> None:
    url = static_files.url_of("css/tokens.css")
    path, _, query = url.partition("?")
    status, headers, body = ask(path, query.encode())
    assert status == 200
    assert "immutable" in headers["cache-control"]
    assert headers["content-type"] == "text/css; charset=utf-8"
    assert body == (static_files.ROOT / "css/tokens.css").read_bytes()
    assert int(headers["content-length"]) == len(body)


def test_without_the_right_version_it_is_asked_for_again() -> None:
    status, headers, _ = ask("/static/css/tokens.css", b"v=old")
    assert (status, headers["cache-control"]) == (200, "no-cache")
    status, _, body = ask("/static/css/tokens.css", if_none_match=headers["etag"])
    assert (status, body) == (304, b"")


def test_it_is_compressed_for_who_can_read_that() -> None:
    _, headers, body = ask("/static/css/components.css", accept_encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (static_files.ROOT / "css/components.css").read_bytes()


@pytest.mark.parametrize(
    "path",
    ["/static/../asgi.py", "/static/css/../../asgi.py", "/static/", "/static/css", "/static/%2e%2e/asgi.py"],
)
def test_nothing_outside_is_served(path: str) -> None:
    assert ask(path)[0] == 404


def test_only_reading_is_answered() -> None:
    assert ask("/static/css/tokens.css", method="POST")[0] == 405
    status, headers, body = ask("/static/css/tokens.css", method="HEAD")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_everything_else_goes_to_the_application() -> None:
    assert ask("/devices/")[0] == 299


def test_a_missing_asset_says_how_to_build_it() -> None:
    with pytest.raises(KeyError, match="npm run build"):
        static_files.url_of("vendor/nothing.js")


def test_every_asset_a_template_names_exists() -> None:
    named = {
        name
        for t in TEMPLATES.rglob("*.html")
        for name in re.findall(r"{% asset '([^']+)' %}", t.read_text())
    }
    assert named
    own = {name for name in named if not name.startswith("vendor/")}
    assert own <= set(static_files.assets())


def test_the_styles_and_scripts_load_nothing_from_elsewhere() -> None:
    for path in [*static_files.ROOT.glob("css/*.css"), *static_files.ROOT.glob("js/*.js")]:
        text = path.read_text()
        assert not re.search(r"url\(|@import|https?://", text), path.name
