"""A provider and a consumer of sdc11073 on the loopback, in a process of their own: ``sdc_stack.py MDIB``.

The stack leaves event loops and sockets to the garbage collector, which the test process does not forgive.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import uuid
from decimal import Decimal
from typing import Any

from sdc11073 import observableproperties
from sdc11073.consumer.consumerimpl import SdcConsumer
from sdc11073.definitions_sdc import SdcV1Definitions
from sdc11073.location import SdcLocation
from sdc11073.mdib.providermdib import ProviderMdib
from sdc11073.provider.providerimpl import SdcProvider
from sdc11073.wsdiscovery import WSDiscovery
from sdc11073.xml_types.dpws_types import ThisDeviceType, ThisModelType

PATIENCE = 100.0
REPORTS = ("episodic_metric_report", "episodic_alert_report", "episodic_context_report")
"""What the consumer is told, by a thread of the provider, after :func:`use`."""
PATIENT = ("Quintessa", "Abendroth")


def provider(discovery: WSDiscovery, mdib: str) -> SdcProvider:
    """Return a ventilator that offers its services on the loopback."""
    device = SdcProvider(
        discovery,
        ThisModelType(
            manufacturer="Exemplar Medical",
            manufacturer_url="http://www.example.org",
            model_name="Breather 5",
            model_number="5.1",
            model_url="http://www.example.org/model",
            presentation_url="http://www.example.org/model",
        ),
        ThisDeviceType(friendly_name="Ventilator ICU 3", firmware_version="2.04.1", serial_number="EX-0042"),
        ProviderMdib.from_mdib_file(mdib),
        epr=uuid.UUID(int=0x20701),
    )
    device.start_all(start_rtsample_loop=False)
    device.set_location(SdcLocation(fac="HOSP1", bldng="B", flr="3", poc="ICU", rm="312", bed="Bed4"))
    return device


def use(device: SdcProvider) -> None:
    """Let the device measure, raise an alarm and get a patient, as in a shift."""
    mdib = device.mdib
    with mdib.metric_state_transaction() as transaction:
        metric: Any = transaction.get_state("met0")
        if metric.MetricValue is None:
            metric.mk_metric_value()
        metric.MetricValue.Value = Decimal(5)
    with mdib.alert_state_transaction() as transaction:
        condition: Any = transaction.get_state("ac0")
        condition.Presence = True
    with mdib.context_state_transaction() as transaction:
        patient: Any = transaction.mk_context_state("pat0", set_associated=True)
        patient.CoreData.Givenname, patient.CoreData.Familyname = PATIENT


def main() -> None:
    """Talk once through everything, then leave without waiting for the stack's threads."""
    logging.getLogger("sdc").setLevel(logging.ERROR)
    discovery: Any = WSDiscovery("127.0.0.1")
    discovery.start()
    device = provider(discovery, sys.argv[1])
    consumer = SdcConsumer(
        device.get_xaddrs()[0], SdcV1Definitions, ssl_context_container=None, validate=False
    )
    consumer.start_all()
    client: Any = consumer.get_service_client
    client.get_mdib()
    arrived = {name: threading.Event() for name in REPORTS}
    heard = {name: lambda _report, name=name: arrived[name].set() for name in REPORTS}
    bind: Any = observableproperties.bind
    bind(consumer, **heard)
    use(device)
    missing = [name for name in REPORTS if not arrived[name].wait(PATIENCE)]
    sys.stdout.write("done\n" if not missing else f"never came: {missing}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
