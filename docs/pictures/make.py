"""Take the pictures of the README from the real product: the demo, a real browser, real pages.

Usage: ``.venv/bin/python docs/pictures/make.py [FOLDER [NAME ...]]`` after ``./dev setup``; Chromium is
needed. Names such as ``device-wide-dark`` choose some of the pictures. The console runs on a data folder of
its own and is ended again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, Page, StorageState, sync_playwright

HERE = Path(__file__).resolve().parent
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "four-calm-herons-wade"
SHAPES = {"wide": (1440, 900), "phone": (390, 844)}


def code(secret: str) -> str:
    """Return the present one-time code of a base-32 secret (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time() // 30)), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def sign_in(browser: Browser, address: str, first: str) -> StorageState:
    """Go the way of the first administrator and return the session."""
    context = browser.new_context(base_url=address, ignore_https_errors=True)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(first)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/password/**")
    page.get_by_label("Current Password").fill(first)
    page.get_by_label("New Password", exact=True).fill(PASSWORD)
    page.get_by_label("New Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.wait_for_url("**/account/login/**")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/account/second-factor/**")
    page.get_by_role("link", name="Authenticator app").click()
    page.locator("input[name=code]").fill(code(page.locator("#totp-secret").inner_text()))
    page.get_by_role("button", name="Activate").click()
    page.get_by_role("link", name="Done").click()
    page.get_by_role("heading", name="Overview").wait_for()
    state = context.storage_state()
    context.close()
    return state


def pages(page: Page) -> dict[str, str]:
    """Return what to show: name to path; the device is a modality that is known down to its model."""
    found = page.request.get("/api/v1/devices?class=IoMT&sort=-risk&per=200").json()["items"]
    found.sort(key=lambda row: (row["category"] not in ("ct", "mri", "ultrasound"), row["model"] is None))
    device = f"/devices/{found[0]['id']}/"
    page.goto("/findings/")
    finding = page.locator("a[href*='/findings/f-']").first.get_attribute("href") or "/findings/"
    return {
        "overview": "/", "devices": "/devices/", "device": device, "device-risk": f"{device}?tab=risk",
        "device-traffic": f"{device}?tab=traffic", "device-policy": f"{device}?tab=policy",
        "map": "/map/", "findings": "/findings/", "finding": finding, "policies": "/policies/",
        "places": "/places/", "names": "/operations/names/", "protected": "/operations/protected/",
        "query": "/operations/query/", "captures": "/operations/captures/",
        "device-packets": f"{device}?tab=packets", "sensors": "/sensors/", "audit": "/settings/audit/",
        "people": "/settings/people/",
    }  # fmt: skip


def start(home: Path) -> tuple[subprocess.Popen[str], str, str]:
    """Start the product with its demo; return process, address and first password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "medwarden", "up", "--demo", "--home", str(home), "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"medwarden up ended: {said}")
        said += line
    found = re.search(r"password\s+(\S+)", said)
    assert found, said
    address = f"https://127.0.0.1:{port}"
    for _ in range(120):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, address, found.group(1)
        time.sleep(0.5)
    raise SystemExit("the console did not come up within a minute")


def main(target: Path, chosen: frozenset[str]) -> None:
    """Take every page, or those that are ``chosen``, in both shapes and both themes."""
    target.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="medwarden-pictures-"))
    process, address, first = start(work / "home")
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
            state = sign_in(browser, address, first)
            for shape, (width, height) in SHAPES.items():
                for theme in ("light", "dark"):
                    context = browser.new_context(
                        base_url=address,
                        storage_state=state,
                        ignore_https_errors=True,
                        viewport={"width": width, "height": height},
                        color_scheme=theme,
                    )
                    page = context.new_page()
                    for name, path in pages(page).items():
                        picture = f"{name}-{shape}-{theme}"
                        if chosen and picture not in chosen:
                            continue
                        page.goto(path)
                        page.locator("[hx-trigger=load]").wait_for(state="detached")
                        page.wait_for_timeout(1200)
                        page.screenshot(path=target / f"{picture}.png")
                    context.close()
            browser.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE, frozenset(sys.argv[2:]))
