"""Programs, builds and updates of a device from what was heard of it and what scanners report.

Server banners, agents, DICOM implementations, bills of scanners: each becomes a component with the field it
stands in and, where it is not to be trusted fully, a doubt in words, which keeps a verdict from being sure.
Forms: RFC 9110 section 10 (Server, User-Agent), RFC 4253 section 4.2 (SSH), DICOM PS3.7 annex D.3.3.2
(implementation version name), NISTIR 7695 (CPE).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import msgspec

from medwarden.model.scan import SCANNERS, ScanSoftware
from medwarden.risk.matching.profile import Software
from medwarden.risk.matching.software import cpe_parts, cpe_version

DISTRIBUTION = "its distributor mends faults without raising the number"
"""The doubt about versions of packages that a distribution maintains."""

OUTSIDE = "a scanner read it from outside"
"""The doubt about what a scanner that was not logged in says."""

_MOST = 400
_PACKAGED = re.compile(
    r"ubuntu|debian|\bdeb\d|\.el\d|\.fc\d|\.amzn|\braspbian|\bcentos|\bred ?hat|\bfedora|\bsuse|\+deb|~bpo",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]{1,40}?)[/ _]v?(\d[\w.+~-]{0,40})")
_DISTRO_IN_BRACKETS = re.compile(
    r"\((?:ubuntu|debian|centos|red ?hat|fedora|suse|raspbian)[^)]*\)", re.IGNORECASE
)

KNOWN: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        # Names as banners write them: product and maker as vulnerability records do (NVD's CPE dictionary).
        "apache": ("http_server", "apache"), "apache-coyote": ("tomcat", "apache"),
        "tomcat": ("tomcat", "apache"), "nginx": ("nginx", "f5"), "lighttpd": ("lighttpd", "lighttpd"),
        "microsoft-iis": ("internet_information_services", "microsoft"), "openssl": ("openssl", "openssl"),
        "php": ("php", "php"), "jetty": ("jetty", "eclipse"), "goahead": ("goahead", "embedthis"),
        "goahead-webs": ("goahead", "embedthis"), "appweb": ("appweb", "embedthis"),
        "mbedthis-appweb": ("appweb", "embedthis"), "boa": ("boa", "boa"), "thttpd": ("thttpd", "acme"),
        "mini_httpd": ("mini_httpd", "acme"), "rompager": ("rompager", "allegrosoft"),
        "virata-emweb": ("emweb", "virata"), "werkzeug": ("werkzeug", "palletsprojects"),
        "gsoap": ("gsoap", "genivia"), "cups": ("cups", "apple"), "ipp": ("cups", "apple"),
        "samba": ("samba", "samba"), "openssh": ("openssh", "openbsd"),
        "dropbear": ("dropbear_ssh", "dropbear_ssh_project"), "libssh": ("libssh", "libssh"),
        "vsftpd": ("vsftpd", "vsftpd_project"), "proftpd": ("proftpd", "proftpd"),
        "pure-ftpd": ("pure-ftpd", "pureftpd"), "filezilla": ("filezilla_server", "filezilla-project"),
        "exim": ("exim", "exim"), "postfix": ("postfix", "postfix"), "sendmail": ("sendmail", "sendmail"),
        "minidlna": ("readymedia", "readymedia_project"), "miniupnpd": ("miniupnpd", "miniupnp_project"),
        "libupnp": ("libupnp", "libupnp_project"), "portable": ("portable_sdk_for_upnp", "libupnp_project"),
        "curl": ("curl", "haxx"), "wget": ("wget", "gnu"), "java": ("jre", "oracle"),
        "python": ("python", "python"), "mosquitto": ("mosquitto", "eclipse"),
        "asterisk": ("asterisk", "digium"),
        "dcmtk": ("dcmtk", "offis"), "dcm4che": ("dcm4che", "dcm4che"),
        "orthanc": ("orthanc", "orthanc-server"),
        "pynetdicom": ("pynetdicom", "pydicom"), "fo-dicom": ("fo-dicom", "fo-dicom"),
        "conquest": ("conquest_dicom_server", "conquest"), "clearcanvas": ("clearcanvas", "synaptive"),
        "gdcm": ("grassroots_dicom", "malaterre"), "mirth": ("mirth_connect", "nextgen"),
        "hapi": ("hapi_fhir", "hapifhir"), "ntpd": ("ntp", "ntp"),
    }
)  # fmt: skip
"""Programs by the name that a banner gives them; what is not listed makes no component: it may be anything.

Browsers are left out: their versions change weekly, and every computer would be one of its own.
"""

FIELDS = frozenset(
    {
        "http.server", "http.user_agent", "rtsp.server", "sip.server", "ssdp.server",
        "ssh.identification", "ftp.banner", "smtp.banner", "tds.server_version", "smb.native_lanman",
        "dicom.implementation_version_name", "dicomweb.source_implementation", "fhir.software_name",
        "fhir.software_version", "hl7.software_product", "hl7.software_vendor", "hl7.software_version",
        "nmap.cpe", "nmap.product", "ntlmssp.os_version", "nmap.os_version", "opcua.product_uri",
        "browser.os_version", "dhcp.parameter_request_list",
    }
)  # fmt: skip
"""Evidence in which programs and builds stand."""

_LISTED = frozenset(
    {
        "http.server",
        "http.user_agent",
        "rtsp.server",
        "sip.server",
        "ssdp.server",
        "nmap.product",
    }
)
_GREETINGS = frozenset({"ftp.banner", "smtp.banner", "smb.native_lanman"})
_BUILD_FIELDS = frozenset({"ntlmssp.os_version", "nmap.os_version"})
_AGENT_BUILD = re.compile(r"\bWindows-Update-Agent/(10\.0\.\d{5})\b")
"""Since Windows 10 the update agent bears the build of the system."""
_STATED = re.compile(r"(?:5\.[012]|6\.[0-3]|10\.0)")
_AGENT_STATED = re.compile(r"\((?:Windows) (10\.0)\)|\bMicrosoft-Delivery-Optimization/(10\.0)\b")
_DHCP_OF_WINDOWS_10 = "1,3,6,15,31,33,43,44,46,47,119,121,249,252"
"""What Windows 10 and later ask a DHCP server for, in this order; 119 was not asked for before."""
_BUILD = re.compile(r"(?<![\d.])(\d{1,2}\.\d\.\d{4,5}(?:\.\d{1,5})?)(?![\d.])")
_PAIRS = (("fhir.software_name", "fhir.software_version"), ("hl7.software_product", "hl7.software_version"))


class Heard(msgspec.Struct, frozen=True):
    """What runs on a device: programs, the fullest build of its system, and updates that are installed.

    Where no build was heard, ``build`` is the version that a Windows states of itself (6.1, 10.0).
    """

    software: tuple[Software, ...] = ()
    build: str = ""
    updates: frozenset[str] = frozenset()


class Report(msgspec.Struct, frozen=True):
    """What one scanner says runs on a device."""

    scanner: str
    credentialed: bool | None
    software: tuple[ScanSoftware, ...]
    updates: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()


def heard_of(evidence: Iterable[tuple[str, str]], reports: Iterable[Report] = ()) -> Heard:
    """Return what evidence (field and value) and scanners' reports say runs on a device."""
    facts = sorted(set(evidence))
    found: dict[tuple[str, str, str], Software] = {}
    builds: list[str] = []
    for field, value in facts:
        for software in _of_field(field, value):
            found.setdefault((software.name, software.version, software.vendor), software)
        if field in _BUILD_FIELDS:
            builds += _BUILD.findall(value)
        elif field == "http.user_agent":
            builds += _AGENT_BUILD.findall(value)
    for software in _pairs(facts):
        found.setdefault((software.name, software.version, software.vendor), software)
    updates: set[str] = set()
    for report in reports:
        updates.update(report.updates)
        builds += [build for said in report.builds for build in _BUILD.findall(said)]
        for software in _reported(report):
            key = (software.name, software.version, software.vendor)
            if key not in found or (found[key].doubt and not software.doubt):
                found[key] = software
    kept = sorted(found.values(), key=lambda each: (each.name, each.version, each.vendor, each.field))[:_MOST]
    return Heard(tuple(kept), _fullest(builds) or _stated(facts), frozenset(updates))


def _stated(facts: Iterable[tuple[str, str]]) -> str:
    """Return the version that a Windows states: in its announcements, by agents that come with it, by DHCP.

    An announcement (MS-BRWS 2.2.1) counts before the rest; two that contradict each other say nothing.
    """
    announced: set[str] = set()
    told: set[str] = set()
    for field, value in facts:
        if field == "browser.os_version" and _STATED.fullmatch(value.strip()):
            announced.add(value.strip())
        elif field == "http.user_agent":
            told.update(one or other for one, other in _AGENT_STATED.findall(value))
        elif field == "dhcp.parameter_request_list" and value.replace(" ", "") == _DHCP_OF_WINDOWS_10:
            told.add("10.0")
    said = announced or told
    return said.pop() if len(said) == 1 else ""


def _fullest(builds: Iterable[str]) -> str:
    """Return the highest build of the system, the one with four parts before the one with three."""
    numbered = [(tuple(int(part) for part in build.split(".")), build) for build in builds]
    return max(numbered, key=lambda pair: (pair[0][:3], len(pair[0]), pair[0]), default=((), ""))[1]


def _of_field(field: str, value: str) -> Iterator[Software]:
    text = value[:512]
    if field in _LISTED:
        packaged = bool(_DISTRO_IN_BRACKETS.search(text) or _PACKAGED.search(text))
        for name, version in _TOKEN.findall(text):
            yield from _known(name, version, field, packaged)
    elif field == "ssh.identification":
        program = text.partition("-")[2].partition("-")[2]
        for name, version in _TOKEN.findall(program)[:1]:
            yield from _known(name, version, field, bool(_PACKAGED.search(program)))
    elif field in _GREETINGS:
        for name, version in _TOKEN.findall(text):
            yield from _known(name, version, field, bool(_PACKAGED.search(text)))
    elif field == "tds.server_version":
        yield Software("sql_server", text.strip(), "microsoft", field=field)
    elif field in ("dicom.implementation_version_name", "dicomweb.source_implementation"):
        yield from _dicom(text, field)
    elif field == "nmap.cpe":
        yield from _cpe(text, field, "")


def _known(name: str, version: str, field: str, packaged: bool) -> Iterator[Software]:
    entry = KNOWN.get(name.lower().rstrip("-_."))
    if entry is not None:
        product, vendor = entry
        yield Software(
            product, version.rstrip(".-_"), vendor, field=field, doubt=DISTRIBUTION if packaged else ""
        )


def _dicom(text: str, field: str) -> Iterator[Software]:
    """Read OFFIS_DCMTK_365, dcm4che-2.0 and PYNETDICOM_152: digits glued together are a version."""
    name = text.strip()
    glued = re.fullmatch(r"(?:OFFIS_)?(DCMTK|PYNETDICOM)_(\d)(\d)(\d{1,2})", name, re.IGNORECASE)
    if glued is not None:
        version = ".".join(glued.groups()[1:])
        yield from _known(glued.group(1), version, field, False)
        return
    plain = re.match(r"([A-Za-z][A-Za-z-]*[A-Za-z]|dcm4che)[ _-]?v?(\d+(?:\.\d+)+)", name)
    if plain is not None:
        yield from _known(plain.group(1), plain.group(2), field, False)


def _pairs(facts: Iterable[tuple[str, str]]) -> Iterator[Software]:
    """Join names and versions that a protocol states apart, where a device states one of each."""
    said: dict[str, list[str]] = {}
    for field, value in facts:
        said.setdefault(field, []).append(value.strip())
    for name_field, version_field in _PAIRS:
        names, versions = said.get(name_field, []), said.get(version_field, [])
        if len(names) == 1 and len(versions) == 1 and names[0]:
            first = re.split(r"[\s/]", names[0].lower())[0]
            product, vendor = KNOWN.get(first, (names[0], ""))
            makers = said.get("hl7.software_vendor", []) if name_field.startswith("hl7") else []
            vendor = vendor or (makers[0] if len(makers) == 1 else "")
            yield Software(product[:120], versions[0][:60], vendor[:120], field=name_field)


def _cpe(text: str, field: str, doubt: str, name: str = "", version: str = "") -> Iterator[Software]:
    part, vendor, product = cpe_parts(text)
    number = version or cpe_version(text)
    if part == "a" and product:
        yield Software(name or product, number, vendor, cpe=text, field=field, doubt=doubt)


def _reported(report: Report) -> Iterator[Software]:
    field = f"scan:{report.scanner}"
    outside = "" if report.credentialed is True else OUTSIDE
    if report.scanner not in SCANNERS:
        return
    for each in report.software:
        doubt = outside or (DISTRIBUTION if _PACKAGED.search(each.version) else "")
        if each.cpe:
            yield from _cpe(each.cpe, field, doubt, each.name, each.version)
        elif each.name:
            yield Software(each.name, each.version, each.vendor, field=field, doubt=doubt)
