"""Let people decide and devices say what the pages of Operations show: ``python furnish.py HOME``."""

from __future__ import annotations

import sys
from pathlib import Path

from medwarden.kernel.clock import NANOSECONDS, wall_clock
from medwarden.operations.interlock import EntryKind
from medwarden.store.open import open_store

HOUR = 3600 * NANOSECONDS


def decide(now: int) -> None:
    from medwarden.store.changes import Change
    from medwarden.store.models import Device, ProbeLog
    from medwarden.store.probing import protect, switch_on

    with Change("user:berta", "the vendor warns of restarts", site="main") as change:
        protect(change, EntryKind.VENDOR, "Baxter", site=None)
        protect(change, EntryKind.DEVICE, Device.objects.order_by("pk")[0].pk, site="main")
    with Change("user:nora", "printers of the administration", site="main") as change:
        switch_on(
            change,
            "10.20.40.0/24",
            probers=["snmp_get", "http_head"],
            known_probers=("snmp_get", "http_head"),
            site="main",
            per_minute=10,
        )
    for number, device in enumerate(Device.objects.order_by("pk")[:60]):
        ProbeLog.objects.create(
            tenant_id="default",
            site_id="main",
            at_ns=now - number * NANOSECONDS,
            run="run-1",
            device=device.pk,
            label=device.name or device.pk,
            ip=(device.ips or ["10.0.0.1"])[0],
            port=161,
            prober="snmp_get",
            outcome=("answered", "refused", "silent")[number % 3],
            protects="in use" if number % 3 == 1 else "",
            reason="it works on a patient: dicom with PACS1" if number % 3 == 1 else "",
            actor="user:nora",
            facts=number % 3 == 0,
        )


def capture(home: Path) -> None:
    from medwarden.store.captures import NewCapture, begin_capture, end_capture
    from medwarden.store.changes import Change
    from medwarden.store.models import Device

    device = Device.objects.filter(category="ct").order_by("pk")[0]
    base = home / "captures"
    for files in (["1.pcapng"], []):
        wanted = NewCapture(
            device.pk,
            device.name or "CT",
            "eth1",
            tuple(device.macs),
            (),
            60,
            100,
            None,
            str(base),
            2**22 + 1,
        )
        with Change("user:nora", "alarms arrive late", site="main") as change:
            number = begin_capture(change, wanted)
            for name in files:
                (base / number).mkdir(parents=True)
                (base / number / name).write_bytes(b"")
                end_capture(
                    change,
                    number,
                    ended_by="time",
                    error="",
                    packets=18_231,
                    dropped=0,
                    size=9_120_034,
                    files=files,
                )


def say(now: int) -> None:
    from medwarden.store.models import Device, EvidenceEntry

    monitors = Device.objects.filter(category__in=("patient_monitor", "infusion_pump")).order_by("pk")
    for number, device in enumerate(monitors[:8]):
        said = [("hl7", "hl7.battery_percent", str(number * 10))]
        if number < 2:
            said.append(("dicom", "dicom.ae_title", "ONE_FOR_TWO"))
        for source, field, value in said:
            EvidenceEntry.objects.create(
                tenant_id="default",
                site_id=device.site_id,
                device=device,
                source=source,
                field=field,
                value=value,
                sensor="span-core",
                count=1,
                first_seen=now - HOUR,
                last_seen=now,
            )


def main(home: Path) -> None:
    now = wall_clock()
    with open_store(home, writer=True, role="test"):
        decide(now)
        capture(home)
        say(now)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
