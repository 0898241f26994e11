"""What scripts of nmap found, as their readable output says it line by line."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from medwarden.model.log_source import LogSetting
from medwarden.sensors.logs.nmap_xml import NmapXml


def facts(script: str, output: str) -> dict[str, str]:
    """Return what is known of a host on which a script found this."""
    reader = NmapXml("scan.xml", LogSetting(b"only for the tests of logs......", now_ns=1))
    attribute = quoteattr(output, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
    reader.feed(
        f'<nmaprun start="1700000000"><host><status state="up"/><address addr="10.1.2.7" addrtype="ipv4"/>'
        f'<ports><port protocol="udp" portid="47808"><state state="open"/><script id="{script}"'
        f" output={attribute}/></port></ports></host></nmaprun>".encode(),
        0,
    )
    found = [fact.evidence for fact in reader.take(final=True).facts]
    return {one.field: one.value for one in found if not one.field.startswith("nmap.")}


def test_a_label_without_a_value_does_not_take_the_next_line() -> None:
    output = "\n  Vendor Name: Acme\n  Description: \n  Location: Ward 7\n  Firmware:\t1.2\n"
    assert facts("bacnet-info", output) == {
        "bacnet.vendor_name": "Acme",
        "bacnet.location": "Ward 7",
        "bacnet.firmware_revision": "1.2",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_value_may_hold_a_colon_and_blanks_around_it_do_not_count(end: str) -> None:
    output = end.join(["", "  Object Name :  AHU: 7  ", "Model Name: X1", "no label", ": no name", ""])
    assert facts("bacnet-info", output) == {"bacnet.object_name": "AHU: 7", "bacnet.model_name": "X1"}
