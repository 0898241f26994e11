"""The hospital information system: admissions and updates to the interface engine."""

from __future__ import annotations

import time

from actors.invented import PATIENTS
from actors.mllp import send, stamp


def admission(number: int, trigger: str) -> list[str]:
    """Return an ADT message (HL7 chapter 3)."""
    name, identifier, born, sex = PATIENTS[number % len(PATIENTS)]
    return [
        f"MSH|^~\\&|CARENET|EGH|INTEGRA|EGH|{stamp()}||ADT^{trigger}|HIS{number:05d}|P|2.5.1",
        f"EVN|{trigger}|{stamp()}",
        f"PID|1||{identifier}^^^EGH^MR||{name}||{born}|{sex}|||Musterweg 7^^Neustadt",
        f"PV1|1|I|WARD3^302^1^EGH||||1234^Nebelkraehe^Ottokar||||||||||||V{number:06d}",
    ]


if __name__ == "__main__":
    for turn in range(6):
        send("10.20.0.12", 2575, [admission(turn, "A01"), admission(turn + 1, "A08")])
        time.sleep(8)
