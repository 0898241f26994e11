"""Passwords that cross the network readable, and names and communities that need no guessing."""

from __future__ import annotations

import re
from typing import ClassVar

from medwarden.model.device import Device
from medwarden.model.finding import FindingEvidence, Severity
from medwarden.model.vulnerability import MatchState
from medwarden.risk.context import RiskContext
from medwarden.risk.factor import Advice, Basis, Group, Hit, RiskFactor
from medwarden.risk.facts import MOST, YES, from_ledger, from_talk, named, said, talk

CLEAR = YES | {"clear-text", "clear_text", "cleartext", "plain", "basic", "simple", "password"}
DEFAULT_COMMUNITIES = frozenset({"public", "private"})
DEFAULT_AE_TITLES = frozenset(
    {
        "any-scp", "any-scu", "anyscp", "orthanc", "dcm4chee", "dcmqrscp", "storescp", "storescu", "echoscu",
        "findscu", "movescu", "getscu", "echoscp", "findscp", "movescp", "pynetdicom", "conquestsrv1",
        "acme_store", "acme_ctn", "dcm4che", "ae_title", "aetitle", "common", "modality", "pacs", "default",
        "dicom", "test", "workstation", "horos", "osirix",
    }
)  # fmt: skip
DEFAULT_NAMES = re.compile(
    r"^(desktop-[0-9a-z]{7}|laptop-[0-9a-z]{8}|win-[0-9a-z]{11}|localhost|debian|ubuntu|raspberrypi|openwrt"
    r"|localhost\.localdomain|android-[0-9a-f]{8,}|iphone|ipad|espressif|esp[-_][0-9a-f]{6}|npi[0-9a-f]{6}"
    r"|brn[0-9a-f]{12}|brw[0-9a-f]{12}|camera|ipcam|nvr|switch|router|admin-pc|user-pc|pc|server|default|kali)$",
    re.IGNORECASE,
)
DEFAULT_FINDING = re.compile(r"(default|hard_?coded|shared)_(password|credential|account|login)")
DEFAULT_WEAKNESSES = frozenset({"CWE-259", "CWE-798", "CWE-1392", "CWE-1393"})
_LISTENED = ("T1040", "T1552")


class DefaultCredentials:
    """A password that opens every device of its kind."""

    id: ClassVar[str] = "default_credentials"
    title: ClassVar[str] = "Default password"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = None  # who found it has raised a finding
    rests_on: ClassVar[frozenset[Basis]] = frozenset({Basis.VULNERABILITIES, Basis.FINDINGS})

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a finding says that a default password works or cannot be changed.

        That is one of a kind of ours whose type names default or hard-coded credentials (a scanner that tried
        them, the maker's MDS2), or a vulnerability whose weakness is one (CWE-259, 798, 1392, 1393).
        """
        tried = [f for f in context.record(device).findings if DEFAULT_FINDING.search(f.type)]
        known = [
            one
            for one in context.vulnerabilities.get(device.id, ())
            if one.state is MatchState.CONFIRMED and DEFAULT_WEAKNESSES & set(one.weaknesses)
        ]
        if not tried and not known:
            return None
        named_by = [f.title for f in tried] + [one.vulnerability for one in known]
        evidence = [
            FindingEvidence(f"finding {f.type}", f.title[:300], f.opened_ns, f.last_seen) for f in tried
        ]
        evidence += [
            FindingEvidence(one.vulnerability, one.reason[:300], one.since_ns, device.last_seen)
            for one in known
        ]
        return Hit(
            f"A password that is the same on every device of its kind opens it ({named(named_by)}).",
            tuple(evidence[:MOST]),
            strength=1.0 if tried else 0.8,
        )


class FtpLogin:
    """FTP with user and password."""

    id: ClassVar[str] = "ftp_login"
    title: ClassVar[str] = "FTP log-in in clear"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="FTP password in clear",
        fix="Move the transfer to SFTP or FTPS and change the password.",
        meanwhile="give the transfer a password used nowhere else, restrict it to one folder, and "
        "allow tcp/21 "
        "between these two addresses only.",
        mitre=_LISTENED,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a USER/PASS log-in (RFC 959) was read; anonymous sessions do not count."""
        entries = said(device, "ftp.login", where=CLEAR.__contains__)
        if not entries:
            return None
        calls = talk(device, "ftp", port=21)
        with_whom = f" with {named(context.peer(c) for c in calls)}" if calls else ""
        return Hit(
            f"An FTP log-in{with_whom} showed its password on the network.",
            from_ledger(entries) + from_talk(calls, context),
        )


class HttpLogin:
    """HTTP basic authentication or a log-in form without TLS."""

    id: ClassVar[str] = "http_login"
    title: ClassVar[str] = "Web log-in in clear"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="Web log-in without encryption",
        fix="Serve the page over HTTPS only and redirect port 80; change the passwords that were used.",
        meanwhile="reach the page only from a management network or through an HTTPS proxy.",
        mitre=_LISTENED,
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where basic authentication (RFC 7617) or a submitted password field was seen in clear."""
        entries = said(device, "http.auth_scheme", where=lambda v: v.split(" ")[0] == "basic") + said(
            device, "http.login_form", where=lambda v: v not in {"no", "false", "0", ""}
        )
        if not entries:
            return None
        return Hit(
            "A web log-in went over HTTP: its password can be read on the network.", from_ledger(entries)
        )


class LdapSimpleBind:
    """A directory password in clear."""

    id: ClassVar[str] = "ldap_simple_bind"
    title: ClassVar[str] = "Directory password in clear"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="LDAP simple bind in clear",
        fix="Use LDAPS (636) or StartTLS, require LDAP signing on domain controllers, and change "
        "the account's "
        "password.",
        meanwhile="use an account for this one purpose with read rights only, so that its password "
        "opens nothing else.",
        mitre=_LISTENED,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a simple bind (RFC 4513 5.1) with a password was read."""
        entries = said(device, "ldap.bind", where=CLEAR.__contains__)
        if not entries:
            return None
        return Hit(
            "The password of a directory account was sent in clear; it often opens more than this device.",
            from_ledger(entries) + from_talk(talk(device, "ldap", port=389), context),
        )


class MqttLogin:
    """A broker password in clear."""

    id: ClassVar[str] = "mqtt_login"
    title: ClassVar[str] = "MQTT log-in in clear"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.MEDIUM,
        title="MQTT password in clear",
        fix="Use MQTT over TLS (8883) with one credential per device.",
        meanwhile="keep the broker reachable from this device's segment only.",
        mitre=_LISTENED,
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where a CONNECT packet (MQTT 3.1.1, 3.1) carried a password in clear."""
        entries = said(device, "mqtt.login", where=CLEAR.__contains__)
        if not entries:
            return None
        return Hit(
            "The password for the message broker was sent in clear.",
            from_ledger(entries) + from_talk(talk(device, "mqtt", port=1883), context),
        )


class SnmpDefaultCommunity:
    """SNMP with a community that everybody knows."""

    id: ClassVar[str] = "snmp_default_community"
    title: ClassVar[str] = "Default SNMP community"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ("snmp_v1_v2c",)
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.HIGH,
        title="SNMP with a default community",
        fix="Use SNMPv3 with authentication and privacy, or switch SNMP off where nobody reads it.",
        meanwhile="set a community of your own, read-only, and answer only to the monitoring "
        "server's address.",
        mitre=("T1602.001", "T1078.001", "T0812"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where public or private was used (RFC 1157, RFC 1901)."""
        entries = said(
            device, "snmp.community", "snmp.request_community", where=DEFAULT_COMMUNITIES.__contains__
        )
        if not entries:
            return None
        writable = any(e.value.lower() == "private" for e in entries)
        return Hit(
            f"SNMP is used with the community {named(e.value.lower() for e in entries)}, which "
            "everybody knows"
            f"{'; private usually allows changes' if writable else ''}.",
            from_ledger(entries) + from_talk(talk(device, "snmp", port=161), context),
            strength=1.0 if writable else 0.7,
            severity=Severity.HIGH if writable else Severity.MEDIUM,
        )


class SnmpOld:
    """SNMP version 1 or 2c, whatever the community."""

    id: ClassVar[str] = "snmp_v1_v2c"
    title: ClassVar[str] = "SNMP version 1 or 2c"
    group: ClassVar[Group] = Group.PROTOCOL
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="SNMP without authentication",
        fix="Use SNMPv3 with authentication and privacy.",
        meanwhile="answer only to the monitoring server's address.",
        mitre=("T1602.001", "T1040"),
    )

    def judge(self, device: Device, context: RiskContext) -> Hit | None:
        """Apply where version 1 or 2c messages were read."""
        old = {"1", "2c", "v1", "v2c", "snmpv1", "snmpv2c", "2"}
        entries = said(device, "snmp.version", where=old.__contains__)
        if not entries:
            return None
        return Hit(
            "SNMP runs in a version whose community string is readable in every message.",
            from_ledger(entries) + from_talk(talk(device, "snmp", port=161), context),
        )


class DefaultAeTitle:
    """An application entity title as it comes out of the box."""

    id: ClassVar[str] = "default_ae_title"
    title: ClassVar[str] = "Default AE title"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.LOW,
        title="AE title as shipped",
        fix="Give every application entity a title of its own and let servers accept known titles from known "
        "addresses only.",
        meanwhile="restrict the DICOM port to the addresses of the learnt policy.",
        mitre=("T1078.001", "T0812"),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where an AE title of a toolkit or a factory setting was heard."""
        entries = said(
            device,
            "dicom.ae_title",
            where=lambda v: v.strip() in DEFAULT_AE_TITLES,
        )
        if not entries:
            return None
        titles = {e.value.strip() for e in entries}
        are = "AE titles {} are factory settings" if len(titles) > 1 else "AE title {} is a factory setting"
        return Hit(
            f"The {are.format(named(titles))}; anybody can guess it, and the AE title is the only "
            "password plain "
            "DICOM has.",
            from_ledger(entries),
        )


class DefaultName:
    """A host name as it comes out of the box."""

    id: ClassVar[str] = "default_name"
    title: ClassVar[str] = "Default host name"
    group: ClassVar[Group] = Group.CREDENTIALS
    supersedes: ClassVar[tuple[str, ...]] = ()
    advice: ClassVar[Advice | None] = Advice(
        severity=Severity.INFO,
        title="Host name as shipped",
        fix="Name the device by the hospital's scheme and check that its other factory settings, "
        "passwords first, "
        "were changed too.",
        meanwhile="record the device with its owner under its MAC address.",
        mitre=("T1078.001",),
    )

    def judge(self, device: Device, _context: RiskContext) -> Hit | None:
        """Apply where a name the device gave itself has the form of a factory setting."""
        entries = said(
            device,
            "dhcp.host_name",
            "ntlmssp.workstation",
            "nbns.name",
            "lldp.system_name",
            "snmp.sys_name",
            where=lambda v: bool(DEFAULT_NAMES.match(v)),
        )
        if not entries:
            return None
        return Hit(
            f"The name {named(e.value for e in entries)} is a factory setting: perhaps nothing else was "
            "changed either.",
            from_ledger(entries),
        )


FACTORS: tuple[RiskFactor, ...] = (
    DefaultCredentials(),
    FtpLogin(),
    HttpLogin(),
    LdapSimpleBind(),
    MqttLogin(),
    SnmpDefaultCommunity(),
    SnmpOld(),
    DefaultAeTitle(),
    DefaultName(),
)
