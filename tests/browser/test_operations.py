"""What people do on the pages of places, sensors and operations, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

Listener = Callable[[Page], list[str]]
Opener = Callable[..., Page]


def test_a_subnet_is_protected_listed_and_its_protection_ended(page: Page, complaints: Listener) -> None:
    heard = complaints(page)
    page.goto("/operations/protected/")
    page.get_by_label("What").select_option("subnet")
    page.get_by_label("Which").fill("10.66.7.0/24")
    page.get_by_label("Why", exact=True).fill("dialysis, the vendor warns of restarts")
    page.get_by_role("button", name="Protect", exact=True).click()
    expect(page.get_by_text("Subnet 10.66.7.0/24 is on the do-not-probe list.")).to_be_visible()
    page.get_by_role("searchbox", name="Search in this list").fill("10.66.7")
    page.keyboard.press("Enter")
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("user:admin")
    row.locator("summary").press("Enter")
    page.get_by_label("Why it may be probed again").fill("the ward is closed")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The entry is ended.")).to_be_visible()
    page.goto("/operations/protected/?q=10.66.7")
    expect(page.get_by_text("No entry contains that.")).to_be_visible()
    page.get_by_role("link", name="with ended").click()
    expect(page.locator("tbody tr")).to_contain_text("ended by user:admin")
    assert heard == []


def test_what_was_typed_stays_where_it_is_refused(page: Page, complaints: Listener) -> None:
    heard = complaints(page)
    page.goto("/operations/protected/")
    page.get_by_label("What").select_option("subnet")
    page.get_by_label("Which").fill("10.300.0.0/24")
    page.get_by_label("Why", exact=True).fill("dialysis, the vendor warns of restarts")
    page.get_by_role("button", name="Protect", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("is no subnet")
    expect(page.get_by_label("Which")).to_have_value("10.300.0.0/24")
    expect(page.get_by_label("Why", exact=True)).to_have_value("dialysis, the vendor warns of restarts")
    page.reload()
    expect(page.get_by_label("Which")).to_have_value("")
    assert heard == []


def test_a_refused_form_says_why_in_itself(page: Page, complaints: Listener) -> None:
    heard = complaints(page)
    page.goto("/risk/recalls/")
    page.get_by_text("Enter a notice by hand").click()
    page.locator("#new-title").fill("The door may open")
    page.locator("#new-maker").fill("Northwind")
    page.get_by_role("button", name="Keep and compare").click()
    form = page.locator("form:has(#new-title)")
    expect(form.get_by_role("alert")).to_contain_text("its name, a model number or a UDI-DI")
    expect(form.get_by_role("alert")).to_be_focused()
    expect(page.locator("#new-title")).to_have_value("The door may open")
    assert heard == []


def test_a_phone_lists_the_conversations_of_the_map(opened: Opener, complaints: Listener) -> None:
    phone = opened(viewport={"width": 390, "height": 844})
    heard = complaints(phone)
    phone.goto("/map/")
    talks = phone.locator("[data-graph] li")
    talks.first.wait_for()
    assert phone.locator("[data-graph] canvas").count() == 0
    talks.first.get_by_role("link").last.click()
    phone.wait_for_url("**/map/between/**")
    phone.locator("[data-graph] li").first.wait_for()
    assert heard == []


def test_sensors_load_what_is_seen_and_what_is_not(page: Page, complaints: Listener) -> None:
    heard = complaints(page)
    page.goto("/sensors/")
    expect(page.get_by_role("heading", name="What to connect next")).to_be_visible()
    seen = page.get_by_role("region", name="Subnets, scrolls")
    expect(seen.get_by_role("link").first).to_be_visible()
    expect(page.get_by_role("region", name="Protocols by sensor, scrolls")).to_contain_text("dicom")
    assert heard == []


def test_a_device_page_has_the_command_that_captures_it(page: Page) -> None:
    device = page.request.get("/api/v1/devices?category=ct").json()["items"][0]["id"]
    page.goto(f"/devices/{device}/?tab=packets")
    expect(page.locator("#capture-command")).to_contain_text(f"medwarden capture {device} --interface")
    rows = page.get_by_role("region", name="Table of captures, scrolls sideways").locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("its process is gone")
    page.get_by_role("link", name="Protect from probing").click()
    expect(page.get_by_label("Which")).to_have_value(device)
    expect(page.get_by_label("What")).to_have_value("device")


def test_a_list_is_sorted_filtered_and_taken_away(page: Page) -> None:
    page.goto("/operations/query/")
    page.get_by_role("link", name="Refused", exact=True).click()
    expect(page.get_by_text("1–20 of 20 questions")).to_be_visible()
    page.get_by_role("link", name="Device", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Device")
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as begun:
        page.get_by_role("link", name="JSON, all that match").click()
    rows = json.loads(begun.value.path().read_text())
    assert {row["outcome"] for row in rows} == {"refused"}
    assert len(rows) == 20
    assert rows == sorted(rows, key=lambda row: str(row["ip"]))


def test_the_keyboard_leads_to_the_new_pages_and_the_tab_is_in_sight(opened: Opener) -> None:
    page = opened(viewport={"width": 390, "height": 844})
    page.goto("/")
    for key, heading in (("l", "Places"), ("s", "Sensors"), ("w", "Operations")):
        page.keyboard.press("g")
        page.keyboard.press(key)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    page.keyboard.press("Control+k")
    page.keyboard.type("captures")
    page.get_by_role("option", name=re.compile("Operations: Captures")).click()
    expect(page.get_by_role("link", name="Captures", exact=True)).to_be_in_viewport(ratio=0.9)
