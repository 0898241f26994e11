"""The console in a real browser: what a person does in it, and that everybody can use it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
Listener = Callable[[Page], list[str]]
Opener = Callable[..., Page]
PATHS = (
    "/",
    "/devices/",
    "/devices/?class=IoMT&columns=category,mac,risk",
    "/devices/kinds/",
    "/devices/sureness/",
    "/devices/unknown/",
    "/devices/answers/",
    "/devices/books/",
    "/devices/identities/",
    "/map/",
    "/map/?by=subnet",
    "/findings/",
    "/places/",
    "/risk/",
    "/risk/actions/",
    "/risk/vulnerabilities/",
    "/risk/recalls/",
    "/risk/recalls/devices/",
    "/risk/letters/",
    "/risk/replacement/",
    "/risk/mds2/",
    "/risk/scans/",
    "/risk/knowledge/",
    "/risk/plan/",
    "/risk/vex/",
    "/risk/support/",
    "/risk/groups/category/",
    "/risk/replacement/budget/",
    "/sensors/sight/",
    "/policies/",
    "/operations/names/",
    "/operations/batteries/",
    "/operations/protected/?ended=yes",
    "/operations/query/",
    "/operations/captures/",
    "/sensors/",
    "/settings/people/",
    "/settings/sites/",
    "/settings/audit/?check=yes",
    "/settings/about/",
    "/account/",
    "/api/",
    "/nothing/",
)
LEADING = {
    "/risk/actions/": "tbody a[href*='/risk/actions/']",
    "/risk/vulnerabilities/": "a[href*='/risk/vulnerabilities/CVE-']",
    "/risk/recalls/": "a[href*='/risk/recalls/notice/']",
    "/risk/mds2/": "a[href*='/risk/mds2/mf-']",
    "/risk/scans/": "a[href*='/risk/scans/sc-']",
}
"""Lists whose first entry is a page of its own, and what leads there."""
RULES = """axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
})"""
TABS = ("identity", "records", "risk", "findings", "traffic", "flows", "policy", "packets", "history")


def first_device(page: Page, query: str = "category=ct") -> str:
    found = page.request.get(f"/api/v1/devices?{query}").json()["items"]
    return str(found[0]["id"])


def all_paths(page: Page) -> list[str]:
    device = first_device(page)
    finding = page.request.get("/api/v1/findings").json()["items"][0]["id"]
    tabs = [f"/devices/{device}/?tab={tab}" for tab in TABS]
    entries = []
    for path, selector in LEADING.items():
        page.goto(path)
        entries.append(str(page.locator(f"main {selector}").first.get_attribute("href")))
    between = "/map/between/?by=category&client=ct&server=pacs"
    return [*PATHS, *tabs, *entries, f"/findings/{finding}/", between]


def settle(page: Page) -> None:
    """Wait until drawings stand; live pages never fall silent, so the network cannot be waited for."""
    page.wait_for_load_state("load")
    page.locator("[hx-trigger=load]").wait_for(state="detached")
    for drawing in page.locator("[data-chart], [data-graph]").all():
        drawing.locator("svg, canvas").first.wait_for(state="attached")


def test_search_leads_to_the_device_and_its_evidence(page: Page) -> None:
    page.goto("/")
    page.get_by_role("searchbox", name="Search MAC").fill("CT1_SOM")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/devices/dev-"))
    expect(page.get_by_role("heading", level=1)).to_have_text("CT1")
    page.locator("summary", has_text="Category").first.click()
    expect(page.locator("details[open]").get_by_text("CT1_SOM").first).to_be_visible()


def test_typing_in_the_list_narrows_it_and_the_url_keeps_it(page: Page, complaints: Listener) -> None:
    heard = complaints(page)
    page.goto("/devices/")
    everything = page.locator("tbody tr").count()
    box = page.get_by_role("searchbox", name="Search in devices")
    box.click()
    page.keyboard.type("somatom", delay=20)
    page.wait_for_url(re.compile(r"q=somatom"))
    expect(page.locator("tbody tr")).to_have_count(1)
    assert everything > 1
    expect(page.get_by_role("searchbox", name="Search in devices")).to_be_focused()
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert heard == []


def test_filter_sort_and_columns_are_links(page: Page) -> None:
    page.goto("/devices/")
    page.locator("summary", has_text="Class").click()
    page.get_by_role("link", name=re.compile(r"^OT")).click()
    expect(page.get_by_role("link", name="Remove filter Class: OT")).to_be_visible()
    page.get_by_role("link", name="Last seen").click()
    expect(page.locator("th[aria-sort]")).to_contain_text("Last seen")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("link", name="MAC", exact=True).click()
    expect(page.get_by_role("columnheader", name="MAC")).to_be_visible()


def test_a_finding_is_acknowledged_with_a_reason(page: Page) -> None:
    page.goto("/findings/?severity=critical&severity=high")
    page.locator("td.cell-main a").first.click()
    page.get_by_role("radio", name="Acknowledge").check()
    page.get_by_label("Reason").fill("Seen on the ward, the vendor is informed")
    page.get_by_role("button", name="Take the step").click()
    expect(page.get_by_text("Acknowledge: done.")).to_be_visible()
    expect(page.locator(".timeline").get_by_text("the vendor is informed")).to_be_visible()
    expect(page.locator(".timeline").get_by_text("user:admin")).to_be_visible()


def test_selected_findings_move_together(page: Page) -> None:
    page.goto("/findings/?severity=medium&state=open")
    boxes = page.locator("tbody input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_label("Reason").fill("Triaged in the morning round")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Acknowledge: 2 of 2 findings.")).to_be_visible()


def test_the_palette_goes_anywhere_by_keyboard(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Command palette")).to_be_visible()
    page.keyboard.type("zzz")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Command palette")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("ct1")
    expect(page.get_by_role("option", name="CT1 10.40.0.11")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("CT1")
    page.keyboard.press("g")
    page.keyboard.press("f")
    expect(page.get_by_role("heading", level=1)).to_have_text("Findings")


def test_a_new_device_appears_on_the_open_page(
    page: Page, complaints: Listener, newcomer: Callable[[str], str]
) -> None:
    heard = complaints(page)
    page.goto("/devices/?sort=-added")
    expect(page.locator("[data-live]")).to_have_text("Live")
    device = newcomer("00:1e:c0:77:00:01")
    row = page.locator(f'tr[data-id="{device}"]')
    expect(row).to_be_visible()
    expect(row).to_have_class(re.compile("is-new"))
    assert heard == []


def test_theme_and_density_are_kept(page: Page) -> None:
    page.goto("/devices/")
    page.locator("summary[aria-label^='admin']").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.locator("summary[aria-label^='admin']").click()
    page.get_by_role("button", name="Compact").click()
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    page.goto("/findings/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("width", "zoom"), [(1440, 1), (390, 1), (1280, 2)])
def test_no_page_scrolls_sideways_or_complains(
    opened: Opener, complaints: Listener, width: int, zoom: int
) -> None:
    """At 200 % zoom the browser lays out in half the pixels (WCAG 2.2, 1.4.4 and 1.4.10)."""
    page = opened(
        viewport={"width": width // zoom, "height": 900 // zoom},
        device_scale_factor=zoom,
    )
    heard = complaints(page)
    for path in all_paths(page):
        answer = page.goto(path)
        assert answer is not None and answer.status < 500, path
        settle(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path} is {wide} pixels too wide at {width} pixels, {zoom} x"
    expected = "Failed to load resource: the server responded with a status of 404 (Not Found)"
    assert [c for c in heard if c != expected] == []


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_every_page_passes_the_accessibility_rules(opened: Opener, scheme: str, width: int) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci`")
    page = opened(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
    )
    source = AXE.read_text()
    broken: dict[str, list[str]] = {}
    for path in all_paths(page):
        page.goto(path)
        settle(page)
        page.evaluate(source)
        found = page.evaluate(RULES)
        faults = [
            f"{v['id']}: {n['target']} {n['failureSummary'][:200]}"
            for v in found["violations"]
            for n in v["nodes"][:3]
        ]
        if faults:
            broken[path] = faults
    assert broken == {}, json.dumps(broken, indent=1)


def test_the_entrance_passes_the_accessibility_rules(stranger: Page) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: run `npm ci`")
    page = stranger
    page.goto("/account/login/")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    assert [v["id"] for v in found["violations"]] == []


def test_navigation_opens_on_a_phone(opened: Opener) -> None:
    page = opened(
        viewport={"width": 390, "height": 844},
        has_touch=True,
    )
    page.goto("/")
    link = page.get_by_role("navigation", name="Main").get_by_role("link", name="Devices")
    expect(link).to_be_hidden()
    page.get_by_role("button", name="Navigation", exact=True).click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Devices")


def test_pages_work_without_script(opened: Opener) -> None:
    page = opened(java_script_enabled=False)
    page.goto("/devices/")
    page.get_by_role("searchbox", name="Search in devices").fill("somatom")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("td.cell-main a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("CT1")


@pytest.mark.usefixtures("session")
def test_the_login_asks_for_the_second_factor(stranger: Page) -> None:
    page = stranger
    page.goto("/account/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill("seven-quiet-otters-swim")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    page.goto("/devices/")
    expect(page).to_have_url(re.compile("/account/"))


def test_pictures_of_the_pages(page: Page, tmp_path: Path) -> None:
    """Every page can be drawn; the pictures are what a person looks at before a release."""
    for number, path in enumerate(all_paths(page)):
        page.goto(path)
        settle(page)
        picture = tmp_path / f"{number:02d}.png"
        page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size > 10_000, path
