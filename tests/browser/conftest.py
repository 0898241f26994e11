"""A console over a made-up hospital, served by a process of its own, and a real browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, expect, sync_playwright
from tests.ports import reserved_port
from tests.programs import serving
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("MEDWARDEN_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENT_MS = 1_000 * PATIENCE
expect.set_options(timeout=PATIENT_MS)
NEW_PASSWORD = "seven-quiet-otters-swim"


class Console(NamedTuple):
    """A running console: where it is, where its data is, and the first password of its administrator."""

    address: str
    home: Path
    first_password: str


START = (
    "import django, runpy, sys; django.setup(); sys.argv = sys.argv[1:]; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)


def environment(home: Path) -> dict[str, str]:
    settings = {"DJANGO_SETTINGS_MODULE": "medwarden.app.django_settings", "MEDWARDEN_HOME": str(home)}
    return {**os.environ, **settings, "PYTHONPATH": str(ROOT / "src")}


def run_in(home: Path, script: str, *arguments: str) -> str:
    """Run a test's script on the folder, as another process of the product would."""
    done = subprocess.run(
        [sys.executable, "-c", START, str(ROOT / script), str(home), *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    if not (ROOT / "src/medwarden/web/static/vendor/htmx.js").is_file():
        pytest.skip("the browser libraries are not built: run `npm ci && npm run build`")
    home = tmp_path_factory.mktemp("console") / "home"
    password = run_in(home, "tests/web/hospital.py", "0.3")
    run_in(home, "tests/browser/furnish.py")
    run_in(home, "tests/browser/risk.py")
    port = reserved_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "medwarden.web.asgi:application", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--log-level", "warning", "--timeout-graceful-shutdown", "1"]
    with serving([*command, "--lifespan", "off"], home.parent, port, environment=environment(home)) as server:
        until(lambda: answers(address), "the console answers", shown=lambda: server.said)
        yield Console(address, home, password)


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/static/css/tokens.css", timeout=PATIENCE).close()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = CHROMIUM if CHROMIUM.is_file() else Path(shutil.which("chromium") or "")
    if not found.is_file():
        pytest.skip("no Chromium on this machine: install it or name it in MEDWARDEN_CHROMIUM")
    # Playwright keeps an event loop in this thread for as long as it lives, and Django then takes every
    # later test of this process for asynchronous code.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        started = playwright.chromium.launch(executable_path=str(found), args=FLAGS, timeout=PATIENT_MS)
        yield started
        started.close()


def totp(secret: str, moment: float) -> str:
    """Return the six digits of RFC 6238 for a base-32 secret."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(moment // 30)), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def listen(page: Page) -> list[str]:
    """Return a list that fills with what the browser complains about: policy, scripts, missing files."""
    heard: list[str] = []
    page.on("console", lambda m: heard.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: heard.append(str(e)))
    return heard


@pytest.fixture
def complaints() -> Callable[[Page], list[str]]:
    return listen


@pytest.fixture
def newcomer(console: Console) -> Callable[[str], str]:
    """Let one more device be heard by its MAC address; return its id."""
    return lambda mac: run_in(console.home, "tests/browser/newcomer.py", mac)


@pytest.fixture
def opened(browser: Browser, console: Console, session: StorageState) -> Iterator[Callable[..., Page]]:
    """Open a page of a signed-in browser of any shape."""
    contexts: list[BrowserContext] = []

    def make(**options: Any) -> Page:
        context = browser.new_context(base_url=console.address, storage_state=session, **options)
        context.set_default_timeout(PATIENT_MS)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def stranger(browser: Browser, console: Console) -> Iterator[Page]:
    page = browser.new_page(base_url=console.address)
    page.set_default_timeout(PATIENT_MS)
    yield page
    page.close()


@pytest.fixture(scope="session")
def session(console: Console, browser: Browser) -> StorageState:
    """Sign in for the first time as an administrator has to: new password, second factor."""
    context = browser.new_context(base_url=console.address)
    context.set_default_timeout(PATIENT_MS)
    page = context.new_page()
    heard = listen(page)
    page.goto("/devices/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(console.first_password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/password/**")
    page.get_by_label("Current Password").fill(console.first_password)
    page.get_by_label("New Password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New Password (again)").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/account/login/**")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/second-factor/**")
    page.get_by_role("link", name="Authenticator app").click()
    secret = page.locator("#totp-secret").inner_text()
    left = 30 - time.time() % 30
    if left < 15:  # a code holds for its half minute alone, and a loaded machine may take that long
        page.wait_for_timeout(1000 * left + 500)
    page.locator("input[name=code]").fill(totp(secret, time.time()))
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("heading", name="Overview").wait_for()
    assert heard == []
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(opened: Callable[..., Page]) -> Page:
    return opened(viewport={"width": 1440, "height": 900})
