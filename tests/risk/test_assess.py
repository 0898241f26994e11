"""Assessment of devices: which factor applies to what, and the findings it raises."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medwarden.kernel.clock import NANOSECONDS
from medwarden.model.device import Conversation, Device, DeviceClass, Service, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import Severity
from medwarden.risk import RiskContext, assess_device
from medwarden.risk.registry import all_factors

NOW = 1_750_000_000 * NANOSECONDS  # 2025-06-15


def heard(field: str, value: str, count: int = 3) -> LedgerEntry:
    return LedgerEntry("test", field, value, "s1", NOW - 1000, NOW, count)


def service(application: str | None, port: int, transport: str = "tcp") -> Service:
    return Service(transport, port, application, NOW - 1000, NOW, 2, 9, 1000)


def call(
    application: str | None,
    port: int,
    role: str = "client",
    scope: str = "internal",
    peer: str | None = None,
    ip: str = "10.0.0.9",
    name: str | None = None,
    established: bool = True,
) -> Conversation:
    return Conversation(
        "d1",
        role,
        peer,
        ip,
        name,
        scope,
        "tcp",
        port,
        application,
        NOW - 1000,
        NOW,
        4,
        40,
        10,
        20,
        established,
    )


def device(**facts: object) -> Device:
    base = Device(
        id="d1", site="main", names=("ct-1",), device_class=DeviceClass.IOMT, category="ct", last_seen=NOW
    )
    return msgspec.structs.replace(base, **facts)


def ended(_os: str, version: str | None) -> date | None:
    return date(2020, 1, 14) if version == "7" else date(2030, 1, 1)


def factors_of(subject: Device, *others: Device) -> dict[str, int]:
    context = RiskContext.build([subject, *others], NOW, support_ends=ended)
    score, _ = assess_device(subject, context)
    return {f.id: f.points for f in score.factors}


CASES: dict[str, Device] = {
    "cleartext_dicom_phi": device(
        ledger=(heard("dicom.patient_data", "yes"),), conversations=(call("dicom", 104),)
    ),
    "cleartext_dicom": device(ledger=(heard("dicom.ae_title", "CT1"),)),
    "cleartext_hl7_phi": device(ledger=(heard("hl7.patient_data", "yes"),)),
    "cleartext_hl7": device(conversations=(call("hl7", 2575),)),
    "cleartext_sdc_phi": device(ledger=(heard("sdc.patient_data", "yes"),)),
    "telnet_server": device(services=(service("telnet", 23),)),
    "telnet_client": device(conversations=(call("telnet", 23),)),
    "weak_rdp": device(ledger=(heard("rdp.security", "rdp"),)),
    "smbv1": device(ledger=(heard("smb.dialect", "NT LM 0.12"),)),
    "smb_unsigned": device(ledger=(heard("smb.signing", "disabled"),)),
    "legacy_names": device(ledger=(heard("llmnr.query", "fileserver"),)),
    "old_tls": device(ledger=(heard("tls.version", "TLS 1.0"),)),
    "weak_tls_cipher": device(ledger=(heard("tls.cipher", "TLS_RSA_WITH_RC4_128_SHA"),)),
    "certificate_expired": device(ledger=(heard("tls.certificate_not_after", "2024-02-01T00:00:00Z"),)),
    "certificate_self_signed": device(ledger=(heard("tls.certificate_self_signed", "yes"),)),
    "snmp_v1_v2c": device(ledger=(heard("snmp.version", "2c"), heard("snmp.community", "set"))),
    "snmp_default_community": device(ledger=(heard("snmp.version", "2c"), heard("snmp.community", "public"))),
    "ftp_login": device(ledger=(heard("ftp.login", "clear-text"),)),
    "http_login": device(ledger=(heard("http.auth_scheme", "basic"),)),
    "ldap_simple_bind": device(ledger=(heard("ldap.bind", "simple"),)),
    "cleartext_web_phi": device(ledger=(heard("fhir.patient_data", "yes"),)),
    "cleartext_bedside_phi": device(ledger=(heard("astm.patient_data", "yes"),)),
    "clinical_login": device(ledger=(heard("tap.password", "in clear"),)),
    "mqtt_login": device(ledger=(heard("mqtt.login", "clear-text"),)),
    "default_ae_title": device(ledger=(heard("dicom.ae_title", "ORTHANC"),)),
    "default_name": device(ledger=(heard("dhcp.host_name", "DESKTOP-4F7K2LQ"),)),
    "inbound_internet": device(conversations=(call("http", 80, "server", "internet", ip="203.0.113.9"),)),
    "internet_cleartext": device(conversations=(call("http", 80, scope="internet", ip="203.0.113.9"),)),
    "many_internet_peers": device(
        conversations=tuple(call("tls", 443, scope="internet", ip=f"203.0.113.{i}") for i in range(12))
    ),
    "remote_access_service": device(services=(service("vnc", 5900),)),
    "unsupported_os": device(os="Windows", os_version="7"),
    "unmanaged": device(managed=False),
    "unknown_identity": device(device_class=DeviceClass.UNKNOWN, category=None),
}


@pytest.mark.parametrize("factor", sorted(CASES))
def test_a_factor_applies_to_its_case_and_not_to_a_quiet_device(factor: str) -> None:
    assert factor in factors_of(CASES[factor])
    assert factor not in factors_of(device())


def test_every_factor_that_raises_likelihood_has_a_case() -> None:
    needs_context = {
        "mixed_subnet", "reachable", "exploited_vulnerabilities", "exploitable_vulnerabilities",
        "known_vulnerabilities", "unsupported_device", "open_recall", "live_threat", "live_anomaly",
        "policy_violation", "default_credentials",
    }  # fmt: skip
    needs_context |= {f.id for f in all_factors() if f.id.startswith("mds2_") and f.group != "control"}
    likely = {f.id for f in all_factors() if f.group not in ("impact", "control")}
    assert likely == set(CASES) | needs_context


QUIET: dict[str, Device] = {
    "smbv1": device(ledger=(heard("smb.dialect", "SMB 3.1.1"),)),
    "old_tls": device(ledger=(heard("tls.version", "TLS 1.3"),)),
    "weak_tls_cipher": device(ledger=(heard("tls.cipher", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),)),
    "snmp_default_community": device(ledger=(heard("snmp.community", "set"),)),
    "http_login": device(ledger=(heard("http.auth_scheme", "negotiate"),)),
    "certificate_expired": device(
        ledger=(
            heard("tls.certificate_not_after", "2024-02-01"),
            heard("tls.certificate_not_after", "2027-02-01"),
        )
    ),
    "inbound_internet": device(conversations=(call("http", 80, "server", "internet", established=False),)),
    "telnet_client": device(conversations=(call("telnet", 23, established=False),)),
    "internet_cleartext": device(conversations=(call("tls", 443, scope="internet"),)),
    "many_internet_peers": device(
        device_class=DeviceClass.IT,
        category="workstation",
        conversations=tuple(call("tls", 443, scope="internet", ip=f"203.0.113.{i}") for i in range(60)),
    ),
    "unsupported_os": device(os="Windows", os_version="11"),
    "unmanaged": device(managed=None),
    "unknown_identity": device(verdicts=(Verdict("category", "ct", 0.93),)),
    "default_ae_title": device(ledger=(heard("dicom.ae_title", "RAD_CT_02"),)),
    "remote_access_service": device(
        device_class=DeviceClass.NET, category="network_switch", services=(service("ssh", 22),)
    ),
}


@pytest.mark.parametrize("factor", sorted(QUIET))
def test_a_factor_stays_silent_where_the_device_behaves(factor: str) -> None:
    assert factor not in factors_of(QUIET[factor])


def test_the_stronger_form_takes_the_place_of_the_weaker() -> None:
    both = factors_of(device(ledger=(heard("dicom.patient_data", "yes"), heard("dicom.ae_title", "CT1"))))
    assert "cleartext_dicom_phi" in both
    assert "cleartext_dicom" not in both


def test_a_medical_device_among_office_computers() -> None:
    here = device(subnet="10.1.2.0/24")
    office = [
        Device(
            id=f"pc{i}",
            site="main",
            device_class=DeviceClass.IT,
            category="workstation",
            subnet="10.1.2.0/24",
        )
        for i in range(3)
    ]
    elsewhere = [msgspec.structs.replace(d, site="other") for d in office]
    assert "mixed_subnet" in factors_of(here, *office)
    assert "mixed_subnet" not in factors_of(here, *elsewhere)
    like = [msgspec.structs.replace(here, id=f"ct{i}") for i in range(3)]
    assert "own_segment" not in factors_of(here, *office, *like)
    risky = msgspec.structs.replace(here, ledger=(heard("smb.dialect", "NT LM 0.12"),))
    assert factors_of(risky, *like)["own_segment"] < 0


def test_the_manager_that_asks_with_a_default_community_counts_too() -> None:
    assert "snmp_default_community" in factors_of(device(ledger=(heard("snmp.request_community", "public"),)))


def test_remote_desktop_over_tls_without_network_level_authentication_counts_less() -> None:
    late, never = (factors_of(device(ledger=(heard("rdp.security", v),)))["weak_rdp"] for v in ("tls", "rdp"))
    assert 0 < late < never
    assert "weak_rdp" not in factors_of(device(ledger=(heard("rdp.security", "credssp"),)))


def test_controls_lower_the_score() -> None:
    bare = device(ledger=(heard("smb.dialect", "NT LM 0.12"),))
    signed = device(ledger=(heard("smb.dialect", "NT LM 0.12"), heard("smb.signing", "required")))
    assert sum(factors_of(signed).values()) < sum(factors_of(bare).values())


def test_clinical_importance_weighs() -> None:
    facts = (heard("smb.dialect", "NT LM 0.12"),)
    pump = device(category="infusion_pump", ledger=facts)
    printer = device(category="printer", device_class=DeviceClass.IOT, ledger=facts)
    assert sum(factors_of(pump).values()) > sum(factors_of(printer).values())


def test_findings_are_stable_explained_and_graver_where_a_life_depends_on_it() -> None:
    pump = device(category="infusion_pump", services=(service("telnet", 23),), macs=("00:11:22:33:44:55",))
    context = RiskContext.build([pump], NOW)
    score, findings = assess_device(pump, context)
    again, findings_again = assess_device(pump, context)
    assert (score, findings) == (again, findings_again)
    telnet = next(f for f in findings if f.type == "telnet_server")
    assert telnet.severity is Severity.CRITICAL
    assert telnet.device == "d1"
    assert telnet.evidence
    assert "Until then" in telnet.fix
    assert telnet.rule_version == score.rules_version
    assert [f.severity.rank for f in findings] == sorted((f.severity.rank for f in findings), reverse=True)


def test_end_of_support_depends_on_the_day() -> None:
    old = device(os="Windows", os_version="7")
    before = RiskContext.build([old], 1_500_000_000 * NANOSECONDS, support_ends=ended)
    assert "unsupported_os" not in {f.id for f in assess_device(old, before)[0].factors}
    assert "unsupported_os" in factors_of(old)


FIELDS = sorted({e.field for case in CASES.values() for e in case.ledger})
VALUES = [*sorted({e.value for case in CASES.values() for e in case.ledger}), "no", "", "x", "99999999999"]


@given(
    st.lists(st.tuples(st.sampled_from(FIELDS), st.sampled_from(VALUES) | st.text(max_size=20)), max_size=30),
    st.sampled_from(["infusion_pump", "ct", "printer", "workstation", "unknown", "no_such_category"]),
    st.sampled_from(list(DeviceClass)),
    st.none() | st.booleans(),
)
def test_any_device_has_a_score_that_its_points_add_up_to(
    facts: list[tuple[str, str]], category: str, kind: DeviceClass, managed: bool | None
) -> None:
    subject = device(
        ledger=tuple(heard(field, value) for field, value in facts),
        category=category,
        device_class=kind,
        managed=managed,
    )
    score, findings = assess_device(subject, RiskContext.build([subject], NOW, support_ends=ended))
    assert sum(f.points for f in score.factors) == score.score
    assert {f.type for f in findings} <= {f.id for f in score.factors}
    assert len({f.id for f in findings}) == len(findings)


def test_a_certificate_counts_as_expired_only_when_it_was_shown_after_its_end() -> None:
    shown = heard("tls.certificate_not_after", "2024-02-01T00:00:00Z")
    in_time = msgspec.structs.replace(shown, last_seen=1_700_000_000 * NANOSECONDS)  # 2023-11-14
    assert "certificate_expired" in factors_of(device(ledger=(shown,)))
    assert "certificate_expired" not in factors_of(device(ledger=(in_time,)))
