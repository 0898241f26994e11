"""A hospital, what the engines make of it, and the engines to run over others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from tests.assessment.construction import END, START
from tests.assessment.hospital import WINDOWS, build_hospital

from medwarden.assessment import Assessment, analyse
from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.accounting import InputReport, PacketCount
from medwarden.model.device import Device, DeviceClass
from medwarden.policy import learn_category, learn_device
from medwarden.risk import RiskContext, assess_device, without


def support_ends(os: str, version: str | None) -> date | None:
    """Stand in for the end-of-support table with a few real days."""
    if os != WINDOWS or version is None:
        return date(2024, 6, 30) if (os, version) == ("Linux", "3.10") else None
    ends = {
        "XP": date(2014, 4, 8),
        "7": date(2020, 1, 14),
        "Server 2012 R2": date(2023, 10, 10),
        "10 1607": date(2026, 10, 13),
        "10 1809": date(2029, 1, 9),
    }
    return ends.get(version)


def build_assessment(devices: list[Device]) -> Assessment:
    """Run all engines over ``devices``."""
    by_id = {d.id: d for d in devices}
    context = RiskContext.build(devices, END, support_ends=support_ends)
    judged = [assess_device(d, context) for d in devices]
    categories = sorted({d.category for d in devices if d.category and not d.category.startswith("unknown")})
    policies = [learn_category(c, by_id) for c in categories if sum(d.category == c for d in devices) > 1]
    policies += [
        learn_device(d, by_id) for d in devices if d.device_class is DeviceClass.IOMT and d.conversations
    ]
    inputs = [
        InputReport(
            "core-tap.pcapng",
            "pcapng",
            PacketCount(48_201_774, 48_201_770, 4, 0),
            bytes=31 * 10**9,
            first_ns=START,
            last_ns=END,
        ),
        InputReport(
            "dhcp.log", "dhcp", records=PacketCount(18_402, 18_400, 2, 0), first_ns=START, last_ns=END
        ),
        InputReport("ward-old.pcap", "pcap", error="ward-old.pcap, byte 0: not a capture file"),
    ]
    return analyse(
        devices,
        [score for score, _ in judged],
        [finding for _, found in judged for finding in found],
        policies,
        inputs,
        generated_ns=END + 3600 * NANOSECONDS,
        without=without,
        product_version="0.1",
    )


@pytest.fixture(scope="session")
def hospital() -> list[Device]:
    """The devices of the hospital."""
    return build_hospital()


@pytest.fixture(scope="session")
def assessment(hospital: list[Device]) -> Assessment:
    """The assessment of the hospital."""
    return build_assessment(hospital)


@pytest.fixture(scope="session")
def assessed() -> Callable[[list[Device]], Assessment]:
    """The engines, to run over other devices."""
    return build_assessment
