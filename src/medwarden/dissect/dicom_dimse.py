"""DIMSE: names of commands and statuses, and which elements of each message's data set are wanted.

DICOM PS3.7 annexes C (statuses) and E (command fields); PS3.4 annexes B (storage), C (query/retrieve), F
(performed procedure step), J (storage commitment), K (worklist); PS3.6 (dictionary).
"""

from __future__ import annotations

import struct

import msgspec

from medwarden.dissect.dicom_association import uid
from medwarden.dissect.dicom_dataset import Element, Wanted
from medwarden.dissect.dicom_uids import MODALITY_WORKLIST, service
from medwarden.dissect.octets import printable

# PS3.7 table E.1-1: command field -> name; bit 0x8000 marks a response.
COMMANDS = {
    0x0001: "C-STORE",
    0x0010: "C-GET",
    0x0020: "C-FIND",
    0x0021: "C-MOVE",
    0x0030: "C-ECHO",
    0x0100: "N-EVENT-REPORT",
    0x0110: "N-GET",
    0x0120: "N-SET",
    0x0130: "N-ACTION",
    0x0140: "N-CREATE",
    0x0150: "N-DELETE",
    0x0FFF: "C-CANCEL",
}
RESPONSE = 0x8000
STORE_RQ, STORE_RSP, GET_RQ, FIND_RQ, MOVE_RQ = 0x0001, 0x8001, 0x0010, 0x0020, 0x0021
GET_RSP, FIND_RSP, MOVE_RSP = 0x8010, 0x8020, 0x8021
EVENT_REPORT_RQ, SET_RQ, ACTION_RQ, CREATE_RQ = 0x0100, 0x0120, 0x0130, 0x0140

CHARACTER_SET, QUERY_LEVEL, MODALITY, OPERATORS = 0x00080005, 0x00080052, 0x00080060, 0x00081070
STUDY_DESCRIPTION, SERIES_DESCRIPTION, BODY_PART = 0x00081030, 0x0008103E, 0x00180015
MANUFACTURER, SERIAL_NUMBER = 0x00080070, 0x00181000
PATIENT = frozenset({0x00100010, 0x00100020})
INSTITUTION = {0x00080080: "institution_name", 0x00081040: "institutional_department"}
EQUIPMENT = {
    0x00080064: "conversion_type",
    MANUFACTURER: "manufacturer",
    0x00081010: "station_name",
    0x00081090: "model_name",
    SERIAL_NUMBER: "device_serial_number",
    0x00181016: "secondary_capture_manufacturer",
    0x00181018: "secondary_capture_model",
    0x00181020: "software_versions",
}
"""Elements of the equipment modules (PS3.3 C.7.5.1, C.8.6.1) -> name of the fact."""
RETRIEVE_AE = 0x00080054
SCHEDULED_STEP, SCHEDULED_STATION_AE = 0x00400100, 0x00400001
PERFORMED_STATION_AE, PERFORMED_STATION_NAME, PERFORMED_LOCATION = 0x00400241, 0x00400242, 0x00400243
PERFORMED_STATUS, PERFORMED_SERIES, REFERENCED_IMAGES = 0x00400252, 0x00400340, 0x00081140

# PS3.6 table 6-1: the value representation of what is read, where it is not LO. Another one means that
# the bytes are not what they seem, and then they could be anybody's name.
REPRESENTATIONS = {
    **dict.fromkeys(
        (CHARACTER_SET, QUERY_LEVEL, MODALITY, 0x00080064, BODY_PART, PERFORMED_STATUS),
        b"CS",
    ),
    **dict.fromkeys((0x00081010, PERFORMED_STATION_NAME, PERFORMED_LOCATION), b"SH"),
    **dict.fromkeys((RETRIEVE_AE, SCHEDULED_STATION_AE, PERFORMED_STATION_AE), b"AE"),
    **dict.fromkeys((0x00100010, OPERATORS), b"PN"),
}

COMMAND_SET = Wanted(
    frozenset(
        {
            *(0x00000002, 0x00000003, 0x00000100, 0x00000600, 0x00000900, 0x00001002),
            *(0x00001021, 0x00001022, 0x00001023, 0x00001030),
        }
    ),
    0x0000FFFF,
)
STORED = Wanted(
    frozenset(
        {
            *(CHARACTER_SET, MODALITY, OPERATORS, STUDY_DESCRIPTION, SERIES_DESCRIPTION, BODY_PART),
            *PATIENT,
            *INSTITUTION,
            *EQUIPMENT,
        }
    ),
    0x00181020,
)
WORKLIST_KEYS = Wanted(
    frozenset({CHARACTER_SET, MODALITY, *PATIENT, SCHEDULED_STATION_AE}),
    0x00400100,
    frozenset({SCHEDULED_STEP}),
)
QUERY_KEYS = Wanted(frozenset({CHARACTER_SET, QUERY_LEVEL, *PATIENT}), 0x00100020)
MATCHES = Wanted(frozenset({CHARACTER_SET, RETRIEVE_AE, *INSTITUTION, *PATIENT}), 0x00100020)
PERFORMED_STEP = Wanted(
    frozenset(
        {
            *(CHARACTER_SET, MODALITY, PERFORMED_STATION_AE, PERFORMED_STATION_NAME, PERFORMED_LOCATION),
            PERFORMED_STATUS,
            *PATIENT,
            *EQUIPMENT,
        }
    ),
    PERFORMED_STATUS,
)
PERFORMED_RESULT = Wanted(
    frozenset({CHARACTER_SET, PERFORMED_STATUS}),
    PERFORMED_SERIES,
    frozenset({PERFORMED_SERIES}),
    frozenset({REFERENCED_IMAGES}),
)

QUERY_LEVELS = frozenset({"PATIENT", "STUDY", "SERIES", "IMAGE"})
STEP_STATUSES = frozenset({"IN PROGRESS", "COMPLETED", "DISCONTINUED"})
COMMITMENT_RESULTS = {1: "committed", 2: "failed"}
"""Event type of a storage commitment report (PS3.4 table J.3-4) -> what it says."""

_SUCCESS, _PENDING = 0x0000, (0xFF00, 0xFF01)
# PS3.7 annex C: statuses of every service.
_STATUS_WORDS = {
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0107: "attribute list error",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0112: "no such SOP instance",
    0x0113: "no such event type",
    0x0114: "no such argument",
    0x0115: "invalid argument value",
    0x0116: "attribute value out of range",
    0x0117: "invalid SOP instance",
    0x0118: "no such SOP class",
    0x0119: "class-instance conflict",
    0x0120: "missing attribute",
    0x0121: "missing attribute value",
    0x0122: "SOP class not supported",
    0x0123: "no such action type",
    0x0124: "not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xA701: "out of resources: matches not counted",
    0xA702: "out of resources: sub-operations not performed",
    0xA801: "move destination unknown",
    0xB006: "warning: elements discarded",
    0xB007: "warning: data set does not match SOP class",
    0xFE00: "cancelled",
}
# PS3.4 tables B.2-1 and C.4-1 to C.4-3: ranges of statuses by their first hexadecimal digits.
_STATUS_RANGES = (
    (0xFF00, 0xA700, "out of resources"),
    (0xFF00, 0xA800, "refused"),
    (0xFF00, 0xA900, "data set does not match SOP class"),
    (0xF000, 0xC000, "unable to process"),
)


class Command(msgspec.Struct):
    """The command set that a data set belongs to. ``completed`` and ``failed`` count sub-operations."""

    field: int = 0
    sop_class: str = ""
    move_originator: str = ""
    destination: str = ""
    status: int | None = None
    event_type: int = 0
    completed: int = 0
    failed: int = 0
    warned: int = 0

    @property
    def name(self) -> str:
        """Return the command's name, of a response that of its request; "" for unknown ones."""
        return COMMANDS.get(self.field & ~RESPONSE, "")

    @property
    def succeeded(self) -> bool:
        """Tell whether a response says success, if with a warning."""
        return self.status is not None and (self.status == _SUCCESS or self.status >> 12 == 0xB)

    def read(self, element: Element) -> None:
        """Take over one element of the command set."""
        tag, value = element.tag, element.value
        if tag in (0x00000002, 0x00000003):
            self.sop_class = uid(value)
        elif tag == 0x00000600:
            self.destination = printable(value)
        elif tag == 0x00001030:
            self.move_originator = printable(value)
        elif len(value) == 2:
            (number,) = struct.unpack("<H", value)
            if tag == 0x00000100:
                self.field = number
            elif tag == 0x00000900:
                self.status = number
            elif tag == 0x00001002:
                self.event_type = number
            elif tag == 0x00001021:
                self.completed = number
            elif tag == 0x00001022:
                self.failed = number
            elif tag == 0x00001023:
                self.warned = number

    def complaint(self) -> str:
        """Return name, words and number of a status other than success and pending, else ""."""
        status = self.status
        if not self.field & RESPONSE or status is None or status == _SUCCESS or status in _PENDING:
            return ""
        if not self.name:
            return ""
        return f"{self.name}: {_words_of(status, self.field)} (0x{status:04X})"


def _words_of(status: int, field: int) -> str:
    if status == 0xB000:
        moving = field in (MOVE_RSP, GET_RSP)
        return "warning: sub-operations failed" if moving else "warning: elements coerced"
    if status in _STATUS_WORDS:
        return _STATUS_WORDS[status]
    for mask, pattern, words in _STATUS_RANGES:
        if status & mask == pattern:
            return words
    return "warning" if status >> 12 == 0xB or status == 1 else "failure"


def wanted(command: Command) -> Wanted | None:
    """Return what to read of the data set that follows ``command``, or None for nothing."""
    field = command.field
    if field == STORE_RQ:
        return STORED
    if field == FIND_RQ:
        return WORKLIST_KEYS if command.sop_class == MODALITY_WORKLIST else QUERY_KEYS
    if field in (MOVE_RQ, GET_RQ):
        return QUERY_KEYS
    if field == FIND_RSP:
        return MATCHES
    if field in (CREATE_RQ, SET_RQ) and service(command.sop_class) == "mpps":
        return PERFORMED_STEP if field == CREATE_RQ else PERFORMED_RESULT
    return None
