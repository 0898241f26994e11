"""A chemistry analyser: results as HL7 ORU to the laboratory system behind the engine."""

from __future__ import annotations

import time

from actors.invented import PATIENTS
from actors.mllp import send, stamp


def result(number: int) -> list[str]:
    """Return an ORU message with three observations (HL7 chapter 7)."""
    name, identifier, born, sex = PATIENTS[number % len(PATIENTS)]
    instrument = "c503^Roche cobas pro^SN2207341"
    return [
        f"MSH|^~\\&|COBASPRO|LAB|LIS|EGH|{stamp()}||ORU^R01|LAB{number:05d}|P|2.5.1",
        f"PID|1||{identifier}^^^EGH^MR||{name}||{born}|{sex}",
        f"OBR|1||S{number:06d}|BMP^Basic metabolic panel",
        f"OBX|1|NM|2345-7^Glucose^LN||5.{number}|mmol/L|3.9-6.1|N|||F|||||||{instrument}",
        f"OBX|2|NM|2951-2^Sodium^LN||14{number}|mmol/L|135-145|N|||F|||||||{instrument}",
        f"OBX|3|NM|2823-3^Potassium^LN||4.{number}|mmol/L|3.5-5.1|N|||F|||||||{instrument}",
    ]


if __name__ == "__main__":
    for turn in range(6):
        send("10.20.0.12", 2575, [result(turn), result(turn + 1)])
        time.sleep(9)
