"""What pages and searches of the console take at the server in a large house, through Django itself.

Every address is asked for several times by somebody who is signed in; printed are the first answer, the 95th
percentile of those that follow by the clock, and their processor time, which counts on a shared machine.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from identity_throughput import cpu_seconds
from risk_house import House

TIMES = 12
PAGE_MS, SEARCH_MS = 200.0, 100.0


def addresses() -> Iterator[tuple[str, float]]:
    """Yield addresses of pages and searches, with the milliseconds that are asked for."""
    from medwarden.store.models import Device, Finding, MakerLetter, RecallNotice, WorkAction

    device = Device.objects.filter(vendor="Philips").order_by("pk")[
        50_000 % Device.objects.filter(vendor="Philips").count()
    ]
    finding = Finding.objects.order_by("pk")[0]
    for path in (
        "/",
        "/devices/", "/devices/?page=900", "/devices/?sort=risk", "/devices/?sort=-last_seen",
        "/devices/?category=patient_monitor", "/devices/?vendor=Philips&sort=name", "/devices/kinds/",
        "/devices/unknown/", f"/devices/{device.pk}/", f"/devices/{device.pk}/?tab=risk",
        "/findings/", "/findings/?severity=high", f"/findings/{finding.pk}/",
        "/risk/", "/risk/groups/category/", "/risk/groups/model/",
        "/risk/vulnerabilities/", "/risk/vulnerabilities/?state=confirmed",
        "/risk/vulnerabilities/?q=CVE-2099-0042", "/risk/vulnerabilities/?page=20",
        "/risk/vulnerabilities/CVE-2099-0042/",
        "/risk/recalls/", "/risk/recalls/devices/", "/risk/actions/", "/risk/actions/?page=3",
        "/risk/letters/", "/risk/replacement/", "/risk/mds2/", "/risk/knowledge/",
        "/risk/scans/", "/risk/vex/",
        "/map/", "/sensors/", "/places/", "/policies/",
    ):  # fmt: skip
        yield path, PAGE_MS
    for row, path in (
        (
            RecallNotice.objects.order_by("pk").values_list("number", flat=True).first(),
            "/risk/recalls/notice/{}/",
        ),
        (WorkAction.objects.order_by("pk").values_list("pk", flat=True).first(), "/risk/actions/{}/"),
        (MakerLetter.objects.order_by("pk").values_list("pk", flat=True).first(), "/risk/letters/{}/"),
    ):
        if row is not None:
            yield path.format(row), PAGE_MS
    for text in (
        device.macs[0],
        device.ips[0],
        device.name or "philips",
        "intellivue mx800",
        "philips",
        "pump",
        "zz9x",
    ):
        yield f"/search/?q={text}", SEARCH_MS
        yield f"/devices/?q={text}", PAGE_MS
        yield f"/palette/?q={text}", SEARCH_MS
    for path in ("/api/v1/devices?limit=50", "/api/v1/vulnerabilities?limit=50", "/api/v1/findings?limit=50"):
        yield path, PAGE_MS


def measure(house: House) -> None:
    """Print what each address takes."""
    from django.test import Client

    from medwarden.model.role import Role
    from medwarden.store.accounts import create_user
    from medwarden.store.changes import Change
    from medwarden.store.models import User
    from medwarden.web.warming import warm

    del house
    person = User.objects.filter(username="bench").first()
    if person is None:
        with Change("bench", "bench") as change:
            person = create_user(change, "bench", "bench-bench-bench-1", Role.ANALYST, sites=())
    client = Client(headers={"host": "localhost"})
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    began = time.perf_counter()
    warm()
    print(f"counts taken ahead, as the server does when it starts: {time.perf_counter() - began:.1f} s")
    slow = 0
    print(f"{'':52}{'first':>8}{'p95':>8}{'CPU p95':>9}  ms")
    for path, wanted in addresses():
        times, works = [], []
        for _ in range(TIMES):
            start, worked = time.perf_counter(), cpu_seconds()
            answer = client.get(path)
            times.append((time.perf_counter() - start) * 1000)
            works.append((cpu_seconds() - worked) * 1000)
        status = "" if answer.status_code in (200, 302) else f"  STATUS {answer.status_code}"
        late, busy = (statistics.quantiles(each[1:], n=20)[-1] for each in (times, works))
        if status:
            busy = PAGE_MS  # an address that does not answer is none that is fast
        told = "reached" if late < wanted else "by CPU reached" if busy < wanted else "NOT REACHED"
        slow += busy >= wanted
        print(
            f"{path:52.52}{times[0]:8.0f}{late:8.0f}{busy:9.0f}  < {wanted:.0f}: {told}{status}", flush=True
        )
    print(f"{slow} addresses above what is asked for")
