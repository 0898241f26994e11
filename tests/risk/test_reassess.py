"""What is judged again alone gives the score that a full assessment gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.risk.test_counterfactual import NOW, as_device, context_of, devices, weaknesses

from medwarden.kernel.errors import ConfigurationError
from medwarden.model.device import Device
from medwarden.model.finding import FindingKind, Severity
from medwarden.risk.assess import assess_device, reassess_device
from medwarden.risk.context import DeviceRecord, KnownVulnerability, LiveFinding, RiskContext
from medwarden.risk.factor import Basis, Resting, RiskFactor
from medwarden.risk.factors.live import OpenRecall
from medwarden.risk.registry import all_factors, check, resting_on
from medwarden.risk.weights import default_weights

Value = TypeVar("Value")

live = st.lists(
    st.builds(
        LiveFinding,
        st.sampled_from(["f1", "f2", "f3"]),
        st.sampled_from([FindingKind.RECALL, FindingKind.THREAT, FindingKind.ANOMALY]),
        st.sampled_from(["recall", "default_password", "beacon"]),
        st.sampled_from(list(Severity)),
        st.just("something"),
        st.just(NOW - 10**9),
        st.just(NOW - 10**9),
    ),
    max_size=3,
    unique_by=lambda one: one.id,
).map(lambda found: DeviceRecord(findings=tuple(found)))


def row_of(device: Device) -> Device:
    """Return what the row of a device says of it."""
    return msgspec.structs.replace(device, ledger=(), services=(), conversations=())


def touched(context: RiskContext) -> RiskContext:
    """Return no more of a context than vulnerabilities, findings and rules."""
    records = {key: DeviceRecord(findings=record.findings) for key, record in context.records.items()}
    known = context.vulnerabilities
    return RiskContext(NOW, {}, {}, {}, {}, vulnerabilities=known, records=records, rules=context.rules)


@settings(deadline=None, max_examples=60)
@given(devices, weaknesses, weaknesses, live)
def test_a_change_of_vulnerabilities_alone(
    made: tuple[list[int], list[int], bool],
    before: tuple[KnownVulnerability, ...],
    after: tuple[KnownVulnerability, ...],
    record: DeviceRecord,
) -> None:
    device = as_device(*made)
    stood, _ = assess_device(device, context_of(device, before, record))
    now = context_of(device, after, record)
    whole, _ = assess_device(device, now)
    again = reassess_device(row_of(device), touched(now), stood.factors, Basis.VULNERABILITIES)
    assert again == whole


@settings(deadline=None, max_examples=60)
@given(devices, weaknesses, live, live)
def test_a_change_of_findings_alone(
    made: tuple[list[int], list[int], bool],
    known: tuple[KnownVulnerability, ...],
    before: DeviceRecord,
    after: DeviceRecord,
) -> None:
    device = as_device(*made)
    stood, _ = assess_device(device, context_of(device, known, before))
    now = context_of(device, known, after)
    whole, _ = assess_device(device, now)
    again = reassess_device(row_of(device), touched(now), stood.factors, Basis.FINDINGS)
    assert again == whole


class Watched(Mapping[str, Value]):
    """A mapping that must not be looked at."""

    def __getitem__(self, key: str) -> Value:
        raise AssertionError("a factor that rests on nothing of the kind looked at it")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("a factor that rests on nothing of the kind looked at it")

    def __len__(self) -> int:
        return 1


class Unread(tuple[LiveFinding, ...]):
    """Findings that must not be looked at."""

    __slots__ = ()

    def __iter__(self) -> Iterator[LiveFinding]:
        raise AssertionError("a factor that rests on nothing of the kind looked at it")


@settings(deadline=None, max_examples=30)
@given(devices)
def test_no_other_factor_looks_at_what_changes_alone(made: tuple[list[int], list[int], bool]) -> None:
    device = as_device(*made)
    plain = context_of(device)
    for basis, context in (
        (
            Basis.VULNERABILITIES,
            msgspec.structs.replace(plain, vulnerabilities=Watched[tuple[KnownVulnerability, ...]]()),
        ),
        (Basis.FINDINGS, msgspec.structs.replace(plain, records={"d1": DeviceRecord(findings=Unread())})),
    ):
        resting = {factor.id for factor in resting_on(basis)}
        for factor in all_factors():
            if factor.id not in resting:
                factor.judge(device, context)
        with pytest.raises(AssertionError, match="looked at it"):
            assess_device(device, context)


class Superseding(OpenRecall):
    """A factor that is judged by itself and yet supersedes another one."""

    supersedes: ClassVar[tuple[str, ...]] = ("smbv1",)


def test_what_is_judged_by_itself_neither_advises_nor_supersedes() -> None:
    wrong: RiskFactor = Superseding()
    factors = tuple(wrong if factor.id == wrong.id else factor for factor in all_factors())
    assert any(isinstance(factor, Resting) for factor in all_factors())
    with pytest.raises(ConfigurationError, match="judged by itself"):
        check(factors, default_weights())
