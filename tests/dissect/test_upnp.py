from __future__ import annotations

import pytest

from medwarden.dissect.upnp import FIELDS, facts_of_description, is_description
from medwarden.kernel.errors import MalformedInput

# Written by hand after the template of UPnP Device Architecture 2.0, section 2.3.
DESCRIPTION = b"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1">
  <specVersion><major>2</major><minor>0</minor></specVersion>
  <URLBase>http://192.0.2.7:80/</URLBase>
  <device>
    <deviceType>urn:schemas-upnp-org:device:Basic:1</deviceType>
    <friendlyName>Ward 3 lights &amp; blinds</friendlyName>
    <manufacturer>Lumen Works</manufacturer>
    <modelName>Bridge</modelName>
    <modelNumber>BR-2000</modelNumber>
    <serialNumber>0017000001</serialNumber>
    <UDN>uuid:2f402f80-da50-11e1-9b23-001700000001</UDN>
    <deviceList><device><modelName>Inner</modelName><serialNumber>1</serialNumber></device></deviceList>
  </device>
</root>\r\n\0"""


def test_the_root_device_says_what_it_is() -> None:
    assert is_description(DESCRIPTION)
    assert facts_of_description(DESCRIPTION) == [
        ("upnp.device_type", "urn:schemas-upnp-org:device:Basic:1"),
        ("upnp.friendly_name", "Ward 3 lights & blinds"),
        ("upnp.manufacturer", "Lumen Works"),
        ("upnp.model_name", "Bridge"),
        ("upnp.model_number", "BR-2000"),
        ("upnp.serial_number", "0017000001"),
        ("upnp.udn", "uuid:2f402f80-da50-11e1-9b23-001700000001"),
    ]
    assert {field for field, _ in facts_of_description(DESCRIPTION)} <= set(FIELDS)


def test_other_documents_say_nothing() -> None:
    assert not is_description(b"<html><body>hello</body></html>")
    assert facts_of_description(b"<html><body>hello</body></html>") == []


def test_empty_elements_are_no_facts() -> None:
    xml = b"<root><device><modelName> </modelName><serialNumber/></device></root>"
    assert facts_of_description(xml) == []


def test_a_description_cut_short_is_malformed() -> None:
    with pytest.raises(MalformedInput, match="upnp"):
        facts_of_description(DESCRIPTION[:400])
