"""Reports of the nmap scanner in XML: hosts, open ports, service versions, systems and what scripts found.

Format after nmap's ``docs/nmap.dtd`` and the manual, chapter "Nmap Output Formats". A report is read host by
host with expat; documents that declare entities, fetch anything or nest deeply are refused. What devices
answered stands under the names that dissectors use, the guesses of the scanner under ``nmap.``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import ClassVar
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from medwarden.kernel.errors import MalformedInput
from medwarden.model.batch import Batch
from medwarden.model.log_source import Framing, LogManifest, LogSetting, LogTally, Tells
from medwarden.sensors.logs import wording
from medwarden.sensors.logs.gathering import Gathering, ip_or_none, mac_or_none
from medwarden.transport.xml_pieces import XmlPieces

_START = re.compile(rb"<nmaprun[\s>]")
_MOST_PORTS = 4096
_MOST_DEPTH = 64
_MOST_ELEMENTS = 200_000
_CHUNK = 1 << 16
_ACCURATE = 90
_BANNERS = {"ssh": "ssh.identification", "http": "http.server", "ftp": "ftp.banner", "smtp": "smtp.banner"}
_MOST_OUTPUT = 8192
_NBSTAT = re.compile(r"NetBIOS name:\s*([^,]+)")

Statement = tuple[str, str | None]


class _RefusedError(Exception):
    """The document does what none of nmap's does."""


class _Hosts:
    """Builds the elements of one host after the other."""

    def __init__(self, begun: int) -> None:
        self.hosts: list[tuple[Element, int]] = []
        self._at = 0
        self.begun = begun
        self._builder: TreeBuilder | None = None
        self._depth = 0
        self._inside = 0
        parser = self.parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._refuse
        parser.ExternalEntityRefHandler = self._refuse

    def _refuse(self, *_: object) -> int:
        raise _RefusedError("declares entities, which no report of nmap does")

    def _doctype(self, _name: str, _system: str | None, _public: str | None, internal: int) -> None:
        if internal:
            self._refuse()

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _RefusedError(f"elements more than {_MOST_DEPTH} deep")
        if tag == "nmaprun":
            self.begun = _seconds(attributes.get("start")) or self.begun
        if self._builder is None and tag == "host" and self._depth == 2:
            self._builder, self._inside, self._at = TreeBuilder(), 0, self.parser.CurrentByteIndex
        if self._builder is not None:
            self._inside += 1
            if self._inside > _MOST_ELEMENTS:
                raise _RefusedError(f"a host of more than {_MOST_ELEMENTS} elements")
            self._builder.start(tag, attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._builder is None:
            return
        self._builder.end(tag)
        if self._depth == 1:
            self.hosts.append((self._builder.close(), self._at))
            self._builder = None

    def _text(self, data: str) -> None:
        if self._builder is not None:
            self._builder.data(data)


class NmapXml:
    """Read reports made with ``nmap -oX``."""

    manifest: ClassVar[LogManifest] = LogManifest(
        name="nmap_xml",
        title="nmap report",
        reference="nmap.dtd; Nmap Network Scanning, chapter 13",
        framing=Framing.DOCUMENT,
        fields=(
            "bacnet.application_software", "bacnet.description", "bacnet.device_instance",
            "bacnet.firmware_revision", "bacnet.location", "bacnet.model_name", "bacnet.object_name",
            "bacnet.vendor_name",   "dns.name",
             "enip.product_code", "enip.product_name", "enip.revision",
            "enip.serial_number", "ftp.banner", "http.server", "http.title",
            "nbns.name", "nmap.cpe", "nmap.device_type", "nmap.host", "nmap.maker", "nmap.os",
            "nmap.os_accuracy", "nmap.os_version", "nmap.port", "nmap.product", "ntlmssp.computer",
            "ntlmssp.dns_computer", "ntlmssp.dns_domain", "ntlmssp.domain", "ntlmssp.os_version",
             "s7.module_name", "s7.order_number", "s7.plant_id", "s7.serial_number",
            "smb.native_os", "smb.netbios_name", "snmp.engine_id", "snmp.sys_descr", "smtp.banner",
            "ssh.identification", "tls.certificate_issuer", "tls.certificate_not_after",
            "tls.certificate_subject", "upnp.manufacturer", "upnp.model_name", "upnp.model_number",
        ),
        tells=frozenset(
            {
                Tells.HARDWARE_ADDRESS,
                Tells.NAME,
                Tells.MAKE_AND_MODEL,
                Tells.OPERATING_SYSTEM,
                Tells.FIRMWARE,
                Tells.SERVICES,
            }
        ),
    )  # fmt: skip

    def __init__(self, name: str, setting: LogSetting) -> None:
        self._gathering = Gathering(self.manifest.name, name)
        self.tally: LogTally = self._gathering.tally
        self._now = setting.now_ns

    @staticmethod
    def recognises(head: bytes) -> bool:
        """Tell whether a document begins with nmap's root element."""
        text = head.lstrip(b"\xef\xbb\xbf\r\n\t ")
        return text.startswith((b"<?xml", b"<!DOCTYPE nmaprun", b"<nmaprun")) and bool(
            _START.search(head[:8192])
        )

    def feed(self, piece: bytes | memoryview, offset: int) -> None:
        """Take the whole report; what stands before a fault in it has been taken."""
        reader = _Hosts(self._now)
        parser = reader.parser
        document, pieces = bytes(piece), XmlPieces(parser, "nmap")
        try:
            for at in range(0, len(document), _CHUNK):
                pieces.feed(document[at : at + _CHUNK])
                self._hosts(reader, offset)
            pieces.feed(b"", final=True)
        except expat.ExpatError as error:
            self._hosts(reader, offset)
            where = offset + max(0, parser.ErrorByteIndex)
            self._gathering.reject(where, f"no well-formed XML ({expat.errors.messages[error.code]})")
        except MalformedInput as error:
            self._hosts(reader, offset)
            self._gathering.reject(offset + (error.offset or 0), error.reason)
        except _RefusedError as error:
            self._hosts(reader, offset)
            self._gathering.reject(offset + max(0, parser.CurrentByteIndex), str(error))
        except (ValueError, LookupError) as error:  # an encoding that nobody knows
            self._gathering.reject(offset, f"text in an unknown encoding ({type(error).__name__})")
        else:
            self._hosts(reader, offset)

    def _hosts(self, reader: _Hosts, offset: int) -> None:
        hosts, reader.hosts = reader.hosts, []
        for host, at in hosts:
            self._host(host, reader.begun, offset + at)

    def take(self, *, final: bool = False) -> Batch:
        """Return what has gathered since the last call."""
        del final
        return self._gathering.take()

    def _host(self, host: Element, begun: int, offset: int) -> None:
        status = host.find("status")
        if status is not None and status.get("state") not in (None, "up"):
            self._gathering.accept()
            return
        addresses = {a.get("addrtype"): a.get("addr") or "" for a in host.iterfind("address")}
        mac = mac_or_none(addresses.get("mac") or "")
        ip = ip_or_none(addresses.get("ipv4") or addresses.get("ipv6") or "")
        if ip is None and mac is None:
            self._gathering.reject(offset, "a host without a sound address")
            return
        seen = _seconds(host.get("endtime")) or _seconds(host.get("starttime")) or begun
        vendor = next((a.get("vendor") for a in host.iterfind("address") if a.get("vendor")), None)
        said: list[Statement] = [("nmap.host", "up"), ("nmap.maker", vendor)]
        said += [
            ("dns.name", n.get("name"))
            for n in host.iterfind("hostnames/hostname")
            if n.get("type") != "user"
        ]
        said += _system(host)
        for port in list(host.iterfind("ports/port"))[:_MOST_PORTS]:
            said += _port(port)
        for script in host.iterfind("hostscript/script"):
            said += _script(script)
        for field, value in said:
            if value and value.strip():
                self._gathering.facts.add(seen, mac, ip, field, value)
        self._gathering.accept()
        self._gathering.span(seen, seen)


def _seconds(text: str | None) -> int | None:
    return (
        int(text) * 1_000_000_000 if text and text.isascii() and text.isdigit() and len(text) < 11 else None
    )


def _system(host: Element) -> Iterator[Statement]:
    """Yield the best match of the system, where the scanner is sure enough of it."""
    best = max(host.iterfind("os/osmatch"), key=_accuracy, default=None)
    if best is None or _accuracy(best) < _ACCURATE:
        return
    yield "nmap.os", best.get("name")
    yield "nmap.os_accuracy", best.get("accuracy")
    of_class = max(best.iterfind("osclass"), key=_accuracy, default=None)
    if of_class is not None:
        yield "nmap.device_type", of_class.get("type")
        yield "nmap.os_version", " ".join(filter(None, (of_class.get("osfamily"), of_class.get("osgen"))))
        for cpe in of_class.iterfind("cpe"):
            yield "nmap.cpe", cpe.text


def _accuracy(match: Element) -> int:
    text = match.get("accuracy") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _port(port: Element) -> Iterator[Statement]:
    state = port.find("state")
    if state is None or state.get("state") != "open":
        return
    protocol, number = port.get("protocol") or "tcp", port.get("portid")
    yield "nmap.port", f"{protocol}/{number}"
    service = port.find("service")
    if service is not None:
        product, version = service.get("product"), service.get("version")
        if product:
            yield "nmap.product", f"{protocol}/{number} {' '.join(filter(None, (product, version)))}"
            name = service.get("name") or ""
            field = _BANNERS.get(name)
            if field is not None and service.get("tunnel") != "ssl":
                yield field, _banner(name, product, version or "")
        yield "nmap.device_type", service.get("devicetype")
        for cpe in service.iterfind("cpe"):
            yield "nmap.cpe", cpe.text
    for script in port.iterfind("script"):
        yield from _script(script)


def _banner(service: str, product: str, version: str) -> str | None:
    """Return how a service would have called itself, as far as the scanner says."""
    if service == "http":
        return f"{product}/{version}" if version else product
    if service == "ssh":
        return wording.ssh_identification(f"{product}_{version}".rstrip("_").replace(" ", "_"))
    return f"{product} {version}".strip()


_ELEMENTS: Mapping[str, Mapping[str, str]] = {
    "smb-os-discovery": {
        "os": "smb.native_os", "server": "smb.netbios_name", "fqdn": "ntlmssp.dns_computer",
        "domain_dns": "ntlmssp.dns_domain",
    },
    "http-title": {"title": "http.title"},
    "snmp-info": {"engineIDData": "snmp.engine_id"},
    "rdp-ntlm-info": {
        "NetBIOS_Computer_Name": "ntlmssp.computer", "DNS_Computer_Name": "ntlmssp.dns_computer",
        "DNS_Domain_Name": "ntlmssp.dns_domain", "Product_Version": "ntlmssp.os_version",
        "NetBIOS_Domain_Name": "ntlmssp.domain",
    },
}  # fmt: skip
"""Elements of the structured output of scripts, by their key, and our fields for them."""

_OUTPUT: Mapping[str, Mapping[str, str]] = {
    "bacnet-info": {
        "Vendor Name": "bacnet.vendor_name", "Object-identifier": "bacnet.device_instance",
        "Instance Number": "bacnet.device_instance", "Firmware": "bacnet.firmware_revision",
        "Application Software": "bacnet.application_software", "Object Name": "bacnet.object_name",
        "Model Name": "bacnet.model_name", "Description": "bacnet.description",
        "Location": "bacnet.location",
    },
    "enip-info": {
        "Product Name": "enip.product_name", "Serial Number": "enip.serial_number",
        "Product Code": "enip.product_code", "Revision": "enip.revision",
    },
    "s7-info": {
        "Module": "s7.order_number", "System Name": "s7.module_name", "Plant Identification": "s7.plant_id",
        "Serial Number": "s7.serial_number",
    },
    "upnp-info": {
        "Manufacturer": "upnp.manufacturer", "Model Name": "upnp.model_name",
        "Model Version": "upnp.model_number", "Model Descr": "upnp.model_name",
    },
}  # fmt: skip
"""Labels of the readable output of scripts, and our fields for them."""


def _script(script: Element) -> Iterator[Statement]:
    """Yield what a script found."""
    name, output = script.get("id") or "", script.get("output") or ""
    keys = _ELEMENTS.get(name, {})
    for element in script.iter("elem"):
        field = keys.get(element.get("key") or "")
        if field is not None:
            yield field, (element.text or "").replace("\\x00", "").strip() or None
    labels = _OUTPUT.get(name)
    if labels:
        for line in output[:_MOST_OUTPUT].splitlines():
            label, _, value = map(str.strip, line.partition(":"))
            field = labels.get(label)
            if field is not None and value:
                yield field, value.lower().removeprefix("0x") if field == "enip.serial_number" else value
    if name == "snmp-sysdescr":
        yield "snmp.sys_descr", " ".join(output.partition("System uptime")[0].split())
    elif name == "http-server-header":
        yield "http.server", next((e.text for e in script.iter("elem")), None) or output.strip()
    elif name == "nbstat":
        found = _NBSTAT.search(output)
        yield "nbns.name", found[1].strip() if found else None
    elif name == "dicom-ping" and "DICOM Service Provider discovered" in output:
        yield "nmap.product", "DICOM service provider"
    elif name == "ssl-cert":
        yield from _certificate(script)


def _certificate(script: Element) -> Iterator[Statement]:
    for table in script.iterfind("table"):
        names = {e.get("key"): e.text for e in table.iterfind("elem")}
        if table.get("key") in ("subject", "issuer"):
            parts = (("CN", "commonName"), ("O", "organizationName"), ("OU", "organizationalUnitName"))
            text = ", ".join(f"{short}={names[key]}" for short, key in parts if names.get(key))
            yield f"tls.certificate_{table.get('key')}", text or None
        elif table.get("key") == "validity" and names.get("notAfter"):
            yield (
                "tls.certificate_not_after",
                (names["notAfter"] or "").partition("+")[0].removesuffix("Z") + "Z",
            )


PARSER = NmapXml
