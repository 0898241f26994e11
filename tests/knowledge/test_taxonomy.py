"""The table of categories."""

from __future__ import annotations

import pytest

from medwarden.kernel.errors import InternalError
from medwarden.knowledge import taxonomy
from medwarden.model.device import DeviceClass


def test_every_category_is_complete() -> None:
    found = taxonomy.categories()
    assert len(found) == 151
    assert {"unknown", "unknown_medical", "infusion_pump", "ip_camera"} <= found.keys()
    for category in found.values():
        assert category.name
        assert 1 <= category.criticality <= 5
        assert category.phi in {"high", "medium", "low", "none"}
        for port in category.ports:
            transport, _, number = port.partition("/")
            assert transport in {"tcp", "udp"}
            first, _, last = number.partition("-")
            assert 0 < int(first) <= int(last or first) < 65536


def test_what_a_category_means() -> None:
    assert taxonomy.class_of("ct") is DeviceClass.IOMT
    assert taxonomy.class_of("plc") is DeviceClass.OT
    assert taxonomy.class_of(None) is DeviceClass.UNKNOWN
    assert taxonomy.medical("ventilator")
    assert not taxonomy.medical("printer")
    assert not taxonomy.medical(None)
    assert taxonomy.criticality("ventilator") == 5
    assert taxonomy.criticality(None) == 3
    assert "tcp/104" in taxonomy.category("ct").ports
    assert taxonomy.category("mri").dicom_modalities == ("MR",)
    assert taxonomy.name_of("ct") == "CT scanner"


def test_names_are_not_used_twice() -> None:
    names = [category.name for category in taxonomy.categories().values()]
    assert len(set(names)) == len(names)


def test_a_wrong_id_is_our_fault() -> None:
    with pytest.raises(InternalError, match="toaster"):
        taxonomy.category("toaster")
