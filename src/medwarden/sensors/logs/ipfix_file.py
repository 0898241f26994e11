"""IPFIX files: messages one after another, as collectors and probes keep them (RFC 5655)."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from medwarden.model.log_source import Framing, LogManifest, LogSetting
from medwarden.sensors.logs.ipfix import Ipfix


class IpfixFile(Ipfix):
    """Flows of one IPFIX file; its templates hold until they are replaced."""

    manifest: ClassVar[LogManifest] = msgspec.structs.replace(
        Ipfix.manifest,
        name="ipfix_file",
        title="IPFIX file",
        reference="RFC 5655, RFC 7011",
        framing=Framing.DOCUMENT,
        ports=(),
    )

    def __init__(self, name: str, setting: LogSetting) -> None:
        super().__init__(name, setting)
        self.lasting = True


PARSER = IpfixFile
