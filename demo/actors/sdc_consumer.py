"""A device gateway: finds SDC devices, reads their data and sends vital signs to the engine as HL7."""

from __future__ import annotations

import sys
import time

from sdc11073.consumer.consumerimpl import SdcConsumer
from sdc11073.wsdiscovery import WSDiscovery

from actors.invented import PATIENTS
from actors.mllp import send, stamp


def vitals(turn: int) -> list[str]:
    """Return an unsolicited observation (IHE PCD-01) for one bed."""
    name, identifier, born, sex = PATIENTS[turn % len(PATIENTS)]
    return [
        f"MSH|^~\\&|DEVGATEWAY|ICU|INTEGRA|EGH|{stamp()}||ORU^R01^ORU_R01|GW{turn:05d}|P|2.6",
        f"PID|1||{identifier}^^^EGH^MR||{name}||{born}|{sex}",
        "PV1|1|I|ICU^BED3^1^EGH",
        f"OBR|1||GW{turn:05d}|69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC",
        f"OBX|1|NM|151562^MDC_RESP_RATE^MDC|1.1.1.1|{12 + turn % 4}|264928^MDC_DIM_RESP_PER_MIN^MDC|||||F",
    ]


def main(address: str) -> None:
    """Subscribe to the first SDC device found and forward for a minute."""
    discovery = WSDiscovery(address)
    discovery.start()
    found = []
    for _ in range(5):
        found = discovery.search_sdc_services(timeout=2)
        if found:
            break
    if found:
        consumer = SdcConsumer.from_wsd_service(found[0], ssl_context_container=None)
        consumer.start_all()
    for turn in range(6):
        send("10.20.0.12", 2575, [vitals(turn)])
        time.sleep(9)


if __name__ == "__main__":
    main(sys.argv[1])
