from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from medwarden.knowledge.mds2_disclosure import disclosure_of, needs_of
from medwarden.model.device import Conversation, Device, DeviceClass, Service, Verdict
from medwarden.model.evidence import LedgerEntry
from medwarden.model.finding import FindingKind, Severity
from medwarden.model.mds2 import Answer, DeclaredPort, Disclosure, Edition, Form, Header, Stance
from medwarden.risk.assess import assess_device
from medwarden.risk.context import RiskContext
from medwarden.risk.mds2 import compare, differences_of, findings_of

DAY = 86_400 * 1_000_000_000
STANCES = {"Yes": Stance.YES, "No": Stance.NO, "N/A": Stance.NOT_APPLICABLE, "See note": Stance.NOTE}


def form(
    said: Mapping[str, str],
    edition: Edition = Edition.HN1_2019,
    ports: tuple[DeclaredPort, ...] = (),
    **notes: str,
) -> Disclosure:
    answers = tuple(
        Answer(key, STANCES.get(written, Stance.TEXT), written, notes.get(key.replace("-", "_"), ""))
        for key, written in said.items()
    )
    header = Header("Nordlicht", "Aurora", document="D-1", released="2024-05-17")
    return disclosure_of("m-1", Form(edition, header, answers, ports), imported_ns=5)


def entry(field: str, value: str, count: int = 3) -> LedgerEntry:
    return LedgerEntry("test", field, value, "eth0", DAY, 2 * DAY, count)


def call(
    application: str | None, role: str = "client", scope: str = "internal", port: int = 104
) -> Conversation:
    return Conversation(
        "d-1", role, None, "10.0.0.9" if scope == "internal" else "203.0.113.9", None, scope, "tcp", port,
        application, DAY, 2 * DAY, 4, 40, 1000, 1000, True,
    )  # fmt: skip


def device(**said: object) -> Device:
    values: dict[str, object] = {
        "id": "d-1", "site": "main", "names": ("pump-1",), "device_class": DeviceClass.IOMT,
        "category": "syringe_pump", "first_seen": DAY, "last_seen": 40 * DAY,
    }  # fmt: skip
    return Device(**(values | said))  # type: ignore[arg-type]  # fields of each test


def around(*devices: Device, **disclosed: Disclosure) -> RiskContext:
    return msgspec.structs.replace(
        RiskContext.build(devices), disclosures={key.replace("_", "-"): d for key, d in disclosed.items()}
    )


def types(of: Device, disclosure: Disclosure) -> dict[str, Severity]:
    return {d.type: d.severity for d in compare(of, disclosure, around(of))}


def test_said_to_encrypt_and_seen_in_clear() -> None:
    says = form({"TXCF-2": "Yes"}, TXCF_2="AES")
    clear = device(conversations=(call("dicom"),))
    assert types(clear, says) == {"declared_encrypted": Severity.MEDIUM}
    read = device(conversations=(call("dicom"),), ledger=(entry("dicom.patient_data", "yes"),))
    found = compare(read, says, around(read))
    assert [(d.type, d.severity, d.questions) for d in found] == [
        ("declared_encrypted", Severity.HIGH, ("TXCF-2",))
    ]
    fields = [e.field for e in found[0].evidence]
    assert fields == ["mds2.TXCF-2", "dicom.patient_data", "conversation"]
    assert "“Yes; AES”" in found[0].said and "MDS2 D-1 of 2024-05-17" in found[0].evidence[0].value
    old = form({"18-2": "Yes"}, Edition.HN1_2013)
    assert types(read, old) == {"declared_encrypted": Severity.HIGH}
    for other in ("No", "See note", "N/A"):
        assert types(read, form({"TXCF-2": other})) == {}
    assert types(device(conversations=(call("tls", port=2762),)), says) == {}


def test_said_to_have_no_service_from_afar_and_seen() -> None:
    says = form({"RMOT-1": "No"})
    assert types(device(conversations=(call("teamviewer", scope="internet"),)), says) == {
        "declared_no_remote_service": Severity.HIGH
    }
    assert types(device(conversations=(call("openvpn"),)), says) == {
        "declared_no_remote_service": Severity.MEDIUM
    }
    assert types(device(conversations=(call("rdp", role="server"),)), says) == {
        "declared_no_remote_service": Severity.LOW
    }
    assert types(device(conversations=(call("rdp", role="client"),)), says) == {}
    assert types(device(conversations=(call("openvpn"),)), form({"RMOT-1": "No", "RMOT-3": "Yes"})) == {}
    assert types(device(conversations=(call("openvpn"),)), form({"20-1": "No"}, Edition.HN1_2013))


def test_said_to_handle_no_patient_data_and_seen() -> None:
    seen = device(ledger=(entry("hl7.patient_data", "yes"),))
    assert types(seen, form({"MPII-1": "No"})) == {"declared_no_patient_data": Severity.HIGH}
    assert types(seen, form({"A": "No"}, Edition.HN1_2013)) == {"declared_no_patient_data": Severity.HIGH}
    assert types(seen, form({"MPII-1": "Yes", "MPII-3.5": "No"})) == {
        "declared_no_patient_data": Severity.HIGH
    }
    assert types(device(ledger=(entry("hl7.patient_data", "no"),)), form({"MPII-1": "No"})) == {}


def test_said_to_have_no_radio_and_seen_in_a_wireless_network() -> None:
    seen = device(ledger=(entry("radius.ssid", "ward-iot"),))
    found = compare(seen, form({"CONN-1.1": "No"}), around(seen))
    assert [d.type for d in found] == ["declared_no_wireless"] and "ward-iot" in found[0].seen
    wired = device(ledger=(entry("radius.nas_port_type", "Ethernet"),))
    assert types(wired, form({"CONN-1.1": "No"})) == {}
    assert types(
        device(ledger=(entry("radius.nas_port_type", "Wireless-802.11"),)), form({"CONN-1.1.1": "No"})
    )


def test_said_to_talk_to_nobody_outside_and_seen() -> None:
    says = form({"CONN-4": "No"})
    assert types(device(conversations=(call("tls", scope="internet"),)), says) == {
        "declared_no_outside": Severity.MEDIUM
    }
    assert types(device(conversations=(call("ntp", scope="internet"),)), says) == {
        "declared_no_outside": Severity.LOW
    }
    assert types(device(conversations=(call("tls"),)), says) == {}


def test_said_to_keep_patient_data_inside_and_seen_outside() -> None:
    sent = device(
        conversations=(call("dicom", scope="internet"),), ledger=(entry("dicom.patient_data", "yes"),)
    )
    for said in ({"TXCF-3": "Yes"}, {"MPII-3.7": "No"}):
        assert types(sent, form(said))["declared_patient_data_inside"] is Severity.HIGH
    assert "declared_patient_data_inside" not in types(sent, form({"TXCF-3": "No"}))


def test_anti_malware_without_updates_is_said_after_a_long_time_alone() -> None:
    says = form({"CSUP-4": "Yes"})
    names = (entry("dns.query", "pacs.hospital.example"),)
    assert types(device(ledger=names), says) == {"declared_anti_malware": Severity.LOW}
    assert types(device(ledger=names, last_seen=5 * DAY), says) == {}
    assert types(device(), says) == {}  # it asked for no name at all: nothing can be told
    updated = device(ledger=(*names, entry("dns.query", "liveupdate.symantecliveupdate.com")))
    assert types(updated, says) == {}
    assert types(updated, form({"MLDP-2": "No"})) == {"declared_no_anti_malware": Severity.LOW}


def windows(version: str, confidence: float = 0.95) -> Device:
    return device(
        os="Windows",
        os_version=version,
        verdicts=(Verdict("os", "Windows", confidence), Verdict("os_version", version, confidence)),
    )


def test_another_operating_system_than_declared() -> None:
    says = form({"CSUP-2": "Yes"}, CSUP_2="Windows 10 IoT")
    assert types(windows("10"), says) == {}
    assert types(windows("7"), says) == {"declared_operating_system": Severity.LOW}
    assert types(windows("7", 0.5), says) == {}
    linux = device(os="Linux", verdicts=(Verdict("os", "Linux", 0.9),))
    assert types(linux, says) == {"declared_operating_system": Severity.MEDIUM}
    assert types(linux, form({"14-1": "Ubuntu Linux 20.04"}, Edition.HN1_2013)) == {}
    assert types(linux, form({"CSUP-2": "Yes"})) == {}
    server = device(os="Windows Server", os_version="2016", verdicts=())
    assert types(server, form({"CSUP-2": "Yes"}, CSUP_2="Windows Server 2016")) == {}


def test_ports_that_the_maker_does_not_list() -> None:
    ports = (DeclaredPort("tcp", 104), DeclaredPort("", 8000, 8010), DeclaredPort("udp", 123))
    says = form({"CONN-2": "Yes"}, ports=ports)
    fine = tuple(Service("tcp", port, None, DAY, DAY, 1, 3, 9) for port in (104, 8005))
    assert types(device(services=fine), says) == {}
    more = (*fine, Service("tcp", 3389, "rdp", DAY, DAY, 1, 3, 9))
    assert types(device(services=more), says) == {"declared_ports": Severity.MEDIUM}
    assert types(device(services=more), form({"CONN-2": "Yes"})) == {}


def test_needless_services_that_answer() -> None:
    services = (Service("tcp", 23, "telnet", DAY, DAY, 1, 3, 9),)
    assert types(device(services=services), form({"SAHD-9": "Yes"})) == {
        "declared_services_closed": Severity.MEDIUM
    }
    assert types(device(services=services), form({"15-8": "No"}, Edition.HN1_2013)) == {}


def test_findings_say_both_sides_and_that_the_form_may_be_wrong() -> None:
    seen = device(ledger=(entry("hl7.patient_data", "yes"),))
    says = form({"MPII-1": "No"})
    found = findings_of(seen, says, compare(seen, says, around(seen)))
    assert [f.kind for f in found] == [FindingKind.DECLARATION]
    assert found[0].first_seen == DAY and found[0].last_seen == 2 * DAY
    assert "Either the form is of another version" in found[0].detail and found[0].fix
    assert found == findings_of(seen, says, compare(seen, says, around(seen)))


def test_without_a_form_nothing_is_compared() -> None:
    seen = device(ledger=(entry("hl7.patient_data", "yes"),))
    assert differences_of(seen, around(seen)) == ()


def points(of: Device, disclosure: Disclosure | None) -> dict[str, float]:
    context = around(of) if disclosure is None else around(of, d_1=disclosure)
    score, _ = assess_device(of, context)
    assert sum(f.points for f in score.factors) == score.score
    return {f.id: f.raw_points for f in score.factors if f.id.startswith("mds2_")}


@pytest.mark.parametrize(
    ("said", "factor"),
    [
        ({"CSUP-2.1": "No"}, "mds2_unpatched"),
        ({"PAUT-5": "No"}, "mds2_accounts"),
        ({"PAUT-1": "No"}, "mds2_accounts"),
        ({"MPII-2.2": "Yes", "STCF-1": "No"}, "mds2_unencrypted_data"),
        ({"MLDP-2": "No", "MLDP-4": "No"}, "mds2_no_malware_control"),
        ({"RMOT-1": "Yes", "RMOT-1.1": "No"}, "mds2_remote_service"),
        ({"MLDP-4": "Yes"}, "mds2_application_control"),
        ({"NAUT-2": "Yes"}, "mds2_host_firewall"),
    ],
)
def test_what_is_disclosed_counts(said: dict[str, str], factor: str) -> None:
    assert points(device(), None) == {}
    counted = points(device(), form(said))
    assert set(counted) == {factor}
    assert (counted[factor] < 0) == (factor in ("mds2_application_control", "mds2_host_firewall"))
    assert points(device(), form(dict.fromkeys(said, "See note"))) == {}


def test_a_contradicted_form_counts_against_the_device_and_lowers_nothing() -> None:
    seen = device(ledger=(entry("hl7.patient_data", "yes"),))
    assert set(points(seen, form({"MPII-1": "No", "MLDP-4": "Yes"}))) == {"mds2_contradicted"}
    assert points(device(), form({"CSUP-2.1": "No", "CSUP-8": "Yes"})) == {}


def test_needs_of_the_network_are_data_for_a_policy() -> None:
    says = form({"RMOT-1": "Yes", "CONN-6": "No", "TXCF-3": "Yes"}, ports=(DeclaredPort("tcp", 104),))
    needs = needs_of(says)
    assert (needs.remote_service, needs.internet, needs.fixed_destinations) == (True, False, True)
    assert needs.external_communication is None and needs.ports[0].port == 104


def test_patient_data_that_the_maker_declares_raise_the_impact() -> None:
    def share(said: dict[str, str]) -> float:
        score, _ = assess_device(device(category=None), around(device(category=None), d_1=form(said)))
        return next((f.raw_points for f in score.factors if f.id == "patient_data"), 0.0)

    assert share({"MPII-2.2": "Yes"}) > share({"MPII-1": "Yes"}) > share({"MPII-1": "No"}) == 0
