from __future__ import annotations

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest
import zstandard
from tests.flowcore import packets as made
from tests.product.patients import hospital, invented
from tests.product.test_privacy import leaks

from medwarden.app.intake import take_in
from medwarden.app.sanitise import Sanitised, sanitise_capture, sanitise_captures
from medwarden.kernel.errors import ConfigurationError
from medwarden.model.accounting import InputReport
from medwarden.model.batch import Batch

MEDICAL = frozenset(
    (
        "dicom.ae_title", "dicom.called_ae_title", "dicom.modality", "dicom.manufacturer", "dicom.role",
        "dicom.implementation_class_uid", "dicom.implementation_version_name", "dicom.sop_class",
        "dicom.station_name",
        "hl7.sending_application", "hl7.sending_facility", "hl7.receiving_application", "hl7.message_type",
        "hl7.version", "hl7.ack_code", "astm.sender", "dhcp.host_name", "dns.query",
    )
)  # fmt: skip


def facts(path: Path) -> tuple[set[tuple[str | None, str, str]], InputReport]:
    found: set[tuple[str | None, str, str]] = set()

    def sink(batch: Batch) -> None:
        found.update((f.evidence.ip, f.evidence.field, f.evidence.value) for f in batch.facts)

    report = take_in(path, b"k" * 32, sink)
    return {fact for fact in found if fact[1] in MEDICAL}, report


def done(path: Path, out: Path) -> Sanitised:
    outcome = sanitise_capture(path, out)
    assert outcome.error is None, outcome.error
    return outcome


@pytest.mark.parametrize(("count", "loss"), [(1_000, 0.0), (200, 0.15)])
def test_a_thousand_patients_are_gone(tmp_path: Path, count: int, loss: float) -> None:
    patients = invented(count)
    source, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(hospital(patients, loss=loss))
    done(source, out)
    assert leaks([("out", out.read_bytes())], patients) == []
    assert out.stat().st_size == source.stat().st_size


def test_every_machine_is_still_known(tmp_path: Path) -> None:
    source, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    source.write_bytes(hospital(invented(60)))
    before, was = facts(source)
    done(source, out)
    after, now = facts(out)
    assert after == before
    assert len(before) > 10
    assert (now.packets, now.first_ns, now.last_ns) == (was.packets, was.first_ns, was.last_ns)


def captures(shared: Path) -> list[Path]:
    every = sorted(p for p in (shared / "captures").rglob("*") if p.suffix in (".pcap", ".pcapng", ".cap"))
    small = [p for p in every if p.stat().st_size < 1_500_000]
    aalto = [p for p in small if "device_aalto" in p.parts]
    return [p for p in small if "device_aalto" not in p.parts] + aalto[::40]


def test_every_capture_keeps_its_packets_and_times_and_medical_identities(
    shared: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.pcap"
    compared = 0
    for path in captures(shared):
        out.unlink(missing_ok=True)
        outcome = sanitise_capture(path, out)
        if not outcome.out:
            assert outcome.error
            continue
        before, was = facts(path)
        after, now = facts(out)
        assert now.packets.read == was.packets.read, path
        assert (now.first_ns, now.last_ns) == (was.first_ns, was.last_ns), path
        assert after <= before, path
        if "made" in path.parts:
            assert after == before, path
            compared += len(before)
    assert compared > 20


def test_tshark_finds_every_checksum_good_and_nothing_malformed_that_was_not(
    shared: Path, tmp_path: Path
) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")

    def asked(path: Path, wanted: str) -> list[str]:
        checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
        command = [tshark, "-n", "-r", str(path), *checks, "-Y", wanted, "-Tfields", "-eframe.number"]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().split()

    out = tmp_path / "out.pcap"
    bad = (
        "ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || icmp.checksum.status==0"
    )
    every = captures(shared)
    files = [path for part in ("made", "proto") for path in [p for p in every if part in p.parts][::5][:4]]
    for path in files:
        out.unlink(missing_ok=True)
        done(path, out)
        assert asked(out, bad) == [], path
        titles = "dicom.assoc.ae.calling || dicom.assoc.ae.called || hl7"
        assert asked(out, titles) == asked(path, titles)


def test_compressed_and_pcapng_in_and_out(tmp_path: Path) -> None:
    patients = invented(3)
    plain = hospital(patients)
    (tmp_path / "a.pcap.gz").write_bytes(gzip.compress(plain))
    (tmp_path / "b.pcap.zst").write_bytes(zstandard.compress(plain))
    frames = [made.udp_frame(b"<134>x zqxaeioun", dst=514), made.udp_frame(b"hello", dst=5)]
    comment = made.option(1, b"zqxaeioun was here") + made.option(0, b"")
    (tmp_path / "c.pcapng").write_bytes(
        made.section()
        + made.interface(options=made.option(2, b"eth0") + comment)
        + made.block(4, b"\x01\0\x08\0\x0a\0\0\1zqx\0\0\0\0\0")
        + b"".join(made.enhanced(1_000 * n, frame) for n, frame in enumerate(frames))
    )
    for name in ("a.pcap.gz", "b.pcap.zst", "c.pcapng"):
        done(tmp_path / name, tmp_path / "out" / name)
    out = tmp_path / "out"
    first = gzip.decompress((out / "a.pcap.gz").read_bytes())
    second = zstandard.ZstdDecompressor().decompressobj().decompress((out / "b.pcap.zst").read_bytes())
    assert len(first) == len(second) == len(plain)
    assert leaks([("a", first), ("b", second), ("c", (out / "c.pcapng").read_bytes())], patients) == []
    assert b"zqx" not in (out / "c.pcapng").read_bytes()
    assert b"eth0" in (out / "c.pcapng").read_bytes()
    assert facts(out / "c.pcapng")[1].packets.read == 2


def test_nothing_is_overwritten_and_no_half_is_left(tmp_path: Path) -> None:
    source = tmp_path / "in.pcap"
    source.write_bytes(hospital(invented(1)))
    for wrong in (source, tmp_path / "there.pcap"):
        wrong.exists() or wrong.write_bytes(b"mine")
        with pytest.raises(ConfigurationError):
            sanitise_captures([source], wrong)
    assert (tmp_path / "there.pcap").read_bytes() == b"mine"
    other = tmp_path / "x" / "in.pcap"
    other.parent.mkdir()
    shutil.copy(source, other)
    with pytest.raises(ConfigurationError, match="same name"):
        sanitise_captures([source, other], tmp_path / "out")
    (tmp_path / "no.pcap").write_bytes(b"no capture at all")
    outcome = sanitise_capture(tmp_path / "no.pcap", tmp_path / "no-out.pcap")
    assert outcome.error
    assert outcome.out == ""
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(source.read_bytes()[:-7])
    outcome = sanitise_capture(cut, tmp_path / "cut-out.pcap")
    assert outcome.error is not None
    assert "ends within a packet" in outcome.error
    assert facts(tmp_path / "cut-out.pcap")[1].packets.read == outcome.report.packets
    assert list(tmp_path.glob(".*.part")) == []
