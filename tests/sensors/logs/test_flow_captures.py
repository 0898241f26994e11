"""Real labelled flow records: every record of theirs is understood, as a flow with both ends."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from medwarden.app.log_intake import setting_of, take_in_log
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch
from medwarden.sensors.log_files import form_of


def test_every_record_of_real_flow_logs_becomes_a_flow(shared: Path) -> None:
    files = sorted((shared / "captures" / "flows").iterdir())
    assert len(files) >= 7
    for path in files:
        form = form_of(path)
        assert form is not None, path
        assert form.manifest.name == "zeek"
        batches: list[Batch] = []

        def keep(batch: Batch, _: InputReport, kept: list[Batch] = batches) -> None:
            kept.append(batch)

        report = take_in_log(path, form, setting_of(b"k" * 32), keep)
        assert report.error is None
        assert report.format == "zeek:conn"
        with path.open("rb") as file:
            lines = sum(1 for line in file if line.strip() and not line.startswith((b"#", b"ts,")))
        assert report.records.read == report.records.parsed == lines
        assert sum(batch.flows.num_rows for batch in batches) == lines
        for batch in batches:
            assert batch.flows["client_ip"].null_count == batch.flows["server_ip"].null_count == 0
            assert pc.min(pc.subtract(batch.flows["end_ns"], batch.flows["start_ns"])).as_py() >= 0
