"""From what a page shows down to packets: of facts that are concluded, by what the device sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.app.test_ingest import batches

from medwarden.app.ingest import Ingest
from medwarden.app.origin import origin
from medwarden.kernel.errors import ConfigurationError
from medwarden.store.open import Store


def test_an_interface_that_a_finding_names_leads_to_what_it_sent(store: Store, capture: Path) -> None:
    """One address at two sites is a finding, whose evidence is the interface: nothing said it in words."""
    from medwarden.store.models import Device
    from medwarden.store.queries import Scope

    ingest = Ingest(store, "capture", kind="capture")
    (batch,) = batches(capture, ingest.token_key)
    ingest.commit(ingest.writer.begin_input("file:1", "a.pcap", "pcap"), 0, batch)
    for device in Device.objects.exclude(macs=[]):
        told = origin(Scope(), store.home, device.pk, "interface.mac", f"{device.macs[0]} at main")
        assert told.total > 0, "also of one that only ever answered"
        assert {heard.mac for heard in told.heard} == {device.macs[0]}
    with pytest.raises(ConfigurationError, match="never said"):
        origin(Scope(), store.home, device.pk, "dhcp.host_name", "nobody")
