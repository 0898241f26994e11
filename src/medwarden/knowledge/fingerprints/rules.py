r"""What a fingerprint looks like.

A rule is a mapping in one of the YAML files of this package::

    - id: axis-camera
      when: {field: [ssdp.server, http.title], regex: '\bAXIS (M\d{4}\w*|P\d{4}\w*)'}
      says: {vendor: Axis, category: ip_camera, model: '{1}'}
      trust: declared
      source: Axis product naming
      matches: [{http.title: AXIS M3045-V Network Camera}]
      misses: [{http.title: axis of evil}]

``when`` is one test or a list of tests of which any suffices; with ``every: true`` all must hold (on any
entries of the same device). A test names one field or several (``@names`` and the like stand for groups)
and one of ``is``, ``starts``, ``has`` or ``regex``; letter case never matters. Labels may use ``{1}`` for
the groups of the regular expression of the first test that matched. ``trust`` is how often such a rule is
right: it becomes the weight of its vote, the logarithm of its odds.

Examples are mappings of field to value, seen together on one device; the rule must match each of
``matches`` and none of ``misses``. A string stands for a value of the first field of the first test.
"""

from __future__ import annotations

import math
import re
from functools import cache
from importlib import resources

import msgspec
import yaml

from medwarden.knowledge.packaged import load_yaml

LEVELS = ("class", "category", "vendor", "model", "os", "os_version", "firmware", "serial", "managed")
"""What a rule may speak about, from the general to the particular."""

TRUST = {
    "declared": math.log(0.985 / 0.015),  # the device names itself
    "strong": math.log(0.95 / 0.05),  # hardly anything else looks so
    "likely": math.log(0.85 / 0.15),
    "hint": math.log(0.7 / 0.3),
    "faint": math.log(0.58 / 0.42),
}
"""Weight of a vote by the share of cases in which such a rule is right."""

FIELD_GROUPS = {
    "@names": (
        "dhcp.host_name",
        "dhcp.fqdn",
        "dhcpv6.fqdn",
        "mdns.host_name",
        "mdns.instance",
        "nbns.name",
        "llmnr.host_name",
        "ntlmssp.workstation",
        "ntlmssp.computer",
        "dns.name",
        "snmp.sys_name",
        "lldp.system_name",
        "cdp.device_id",
        "kerberos.host",
    ),
    "@products": (
        "upnp.model_name",
        "upnp.model_number",
        "upnp.model_description",
        "upnp.friendly_name",
        "upnp.device_type",
        "mdns.txt.am",
        "mdns.txt.device",
        "mdns.txt.md",
        "mdns.txt.mdl",
        "mdns.txt.model",
        "mdns.txt.modelname",
        "mdns.txt.product",
        "mdns.txt.ty",
        "mdns.txt.usb_mdl",
        "mdns.instance",
        "hl7.equipment_namespace",
        "hl7.equipment_type",
        "dpws.model_name",
        "dpws.model_number",
        "dpws.friendly_name",
        "wsd.scopes",
        "http.title",
        "http.server",
        "http.www_authenticate",
        "ssdp.server",
        "ssdp.location",
        "ssdp.usn",
        "snmp.sys_descr",
        "lldp.model",
        "lldp.system_description",
        "cdp.platform",
        "cdp.version",
        "sip.user_agent",
        "sip.server",
        "telnet.banner",
        "ftp.banner",
        "dhcp.vendor_class",
        "dhcp.vendor_identifying_class",
        "rtsp.server",
        "tls.certificate_subject",
        "modbus.product_name",
        "enip.product_name",
        "intellivue.model_name",
        "pjl.info_id",
        "pjl.model",
        "poct1a.device_name",
        "poct1a.model_id",
        "addp.device_name",
        "edimax.model",
        "espax.client",
        "espax.server",
        "snpp.banner",
        "tap.terminal",
    ),
    "@makers": (
        "upnp.manufacturer",
        "lldp.manufacturer",
        "dpws.manufacturer",
        "phd.manufacturer",
        "ecg.manufacturer",
        "sdc.manufacturer",
        "mdns.txt.manufacturer",
        "mdns.txt.mfg",
        "mdns.txt.usb_mfg",
        "mdns.txt.vendor",
        "modbus.vendor_name",
        "bacnet.vendor_name",
    ),
    "@domains": ("dns.query", "tls.sni", "http.host", "quic.sni"),
    "@agents": ("http.user_agent", "sip.user_agent"),
    "@banners": (
        "ssh.identification",
        "ftp.banner",
        "telnet.banner",
        "smtp.banner",
        "http.server",
        "sip.server",
    ),
}
"""Names for fields in which the same kind of text appears."""

DERIVED_FIELDS = {
    "oui.vendor": "maker of the MAC prefix, where it makes whole devices",
    "oui.registered": "holder of the MAC prefix as registered",
    "mac.hypervisor": "hypervisor that gives out addresses of this prefix",
    "mac.private": "all its addresses are made up by software (IEEE 802-2014 8.4), as phones do",
    "mac.virtual_router": "address of a virtual router (RFC 5798 and the like)",
    "flow.serves": "transport and port on which it answered, as tcp/104",
    "flow.talks_to": "transport and port that it sent to",
    "flow.client_of": "transport and port that answered it",
    "tcp.stack": "how its TCP handshakes look: hop limit, window, options",
    "flow.behaviour": "amounts of its traffic that a trained model looked at",
    "flow.gateway": "it forwards for addresses that are not its own",
}
"""Fields that no dissector tells: what the inventory makes of addresses and traffic."""


Example = dict[str, str | tuple[str, ...]] | str
"""Fields and the values seen in them on one device, or a value of the first field a rule looks at."""


class Look(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One look at a field: exactly one of the four operators is given."""

    field: str | tuple[str, ...]
    equals: str | None = msgspec.field(default=None, name="is")
    starts: str | None = None
    has: str | None = None
    regex: str | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the fields looked at, groups spelt out."""
        named = (self.field,) if isinstance(self.field, str) else self.field
        return tuple(
            dict.fromkeys(f for name in named for f in (FIELD_GROUPS[name] if name[0] == "@" else (name,)))
        )


class Fingerprint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule; see the module for its form. ``matches`` and ``misses`` are its examples."""

    id: str
    when: Look | tuple[Look, ...]
    says: dict[str, str]
    trust: str
    source: str
    matches: tuple[Example, ...]
    misses: tuple[Example, ...] = ()
    every: bool = False

    @property
    def tests(self) -> tuple[Look, ...]:
        """Return the tests of the rule, also where there is one."""
        return (self.when,) if isinstance(self.when, Look) else self.when

    @property
    def weight(self) -> float:
        """Return the weight of the rule's vote (log-odds)."""
        return TRUST[self.trust]

    def example(self, example: Example) -> list[tuple[str, str]]:
        """Return an example as pairs of field and value."""
        if isinstance(example, str):
            return [(self.tests[0].fields[0], example)]
        return [
            (field, value)
            for field, values in example.items()
            for value in ((values,) if isinstance(values, str) else values)
        ]


def files() -> list[str]:
    """Return the names of the rule files of this package, sorted."""
    folder = resources.files("medwarden.knowledge") / "fingerprints"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))


@cache
def packaged() -> tuple[Fingerprint, ...]:
    """Return all packaged rules in the order of files and lines."""
    return tuple(
        rule for name in files() for rule in load_yaml(f"fingerprints/{name}", tuple[Fingerprint, ...])
    )


class _InUse:
    """The rules this process labels by: the packaged ones and a hospital's own."""

    def __init__(self) -> None:
        self.own: tuple[Fingerprint, ...] = ()
        self.generation = 0


_in_use = _InUse()


def use_own(rules: tuple[Fingerprint, ...]) -> bool:
    """Label by ``rules`` beside the packaged ones from now on; tell whether that changes anything.

    A rule with the id of a packaged one takes its place.
    """
    if rules == _in_use.own:
        return False
    _in_use.own = rules
    _in_use.generation += 1
    return True


def generation() -> int:
    """Return a number that changes whenever the rules in use do."""
    return _in_use.generation


def own_rules() -> tuple[Fingerprint, ...]:
    """Return the hospital's own rules in use."""
    return _in_use.own


def fingerprints() -> tuple[Fingerprint, ...]:
    """Return all rules in use: the packaged ones in the order of files and lines, then the own ones."""
    own = _in_use.own
    if not own:
        return packaged()
    replaced = {rule.id for rule in own}
    return (*(rule for rule in packaged() if rule.id not in replaced), *own)


def lines_of(name: str) -> dict[str, int]:
    """Return the line on which each rule of a packaged file begins, by rule id."""
    return line_numbers(
        (resources.files("medwarden.knowledge") / "fingerprints" / name).read_text(encoding="utf-8")
    )


def line_numbers(text: str) -> dict[str, int]:
    """Return the line on which each rule begins, by rule id (the linter's way to point).

    Raises yaml.YAMLError for text that is no YAML.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    lines: dict[str, int] = {}
    for item in root.value if isinstance(root, yaml.SequenceNode) else ():
        for key, value in item.value if isinstance(item, yaml.MappingNode) else ():
            if key.value == "id" and isinstance(value, yaml.ScalarNode):
                lines[value.value] = value.start_mark.line + 1
    return lines


def compile_regex(pattern: str) -> re.Pattern[str]:
    """Return the pattern as rules mean it: letter case does not matter, ASCII classes."""
    return re.compile(pattern, re.IGNORECASE | re.ASCII)
