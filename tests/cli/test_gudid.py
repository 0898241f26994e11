"""``gudid``: the register is taken in and asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Say

DEVICE = (
    "PrimaryDI|brandName|versionModelNumber|companyName\n"
    "04046963000011|Infusomat Space|8713050U|B. BRAUN MELSUNGEN AG\nbroken\n"
)
CODES = "PrimaryDI|productCode|productCodeName\n04046963000011|FRN|Pump, infusion\n"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "device.txt").write_text(DEVICE)
    (folder / "productCodes.txt").write_text(CODES)
    return folder


def test_the_register_is_taken_in_and_asked(say: Say, home: Path, release: Path) -> None:
    taken = say("gudid", "import", release, home=home)
    assert taken.status == 1  # a line of it could not be used
    assert taken.out.startswith("1 products and 0 product codes, 1 records left out")
    assert "device.txt, line 3: 1 cells, where the heading has 4" in taken.err
    found = say("gudid", "lookup", "(01)04046963000011(21)S1", "--json")
    assert json.loads(found.out)["hit"]["product"]["brand"] == "Infusomat Space"
    assert "infusion pump" in json.dumps(json.loads(found.out)["categories"]).lower()
    assert "B. BRAUN" in say("gudid", "lookup", "04046963000011").out
    absent = say("gudid", "lookup", "(01)00884838000018")
    assert (absent.status, absent.out) == (1, "")
    assert "not listed" in absent.err
    device = json.loads(say("devices", "--json").out.splitlines()[0])["id"]
    assert say("gudid", "lookup", "--device", device).status == 0
    assert json.loads(say("gudid", "lookup", "--device", device, "--json").out)["agrees"] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("lookup", "04046963000011"), "there is no GUDID index"),
        (("lookup", "--device", "nothing"), "no device is called 'nothing'"),
        (("lookup",), "either a UDI or --device"),
        (("lookup", "04046963000011", "--device", "x"), "either a UDI or --device"),
        (("import",), "Missing argument"),
        (("import", "/nowhere/at/all.zip"), "does not exist"),
        (("import", "NONSENSE"), "no table of AccessGUDID"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(
    say: Say, home: Path, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    nonsense = tmp_path / "nonsense.zip"
    nonsense.write_bytes(b"PK\x03\x04nonsense")
    said = say("gudid", *(nonsense if word == "NONSENSE" else word for word in words), home=home)
    assert said.status == (1 if "index" in sentence or "NONSENSE" in words else 2)
    assert sentence in said.err
    assert "Traceback" not in said.err


def test_a_wrong_check_digit_is_named(say: Say, home: Path, release: Path) -> None:
    say("gudid", "import", release, home=home)
    said = say("gudid", "lookup", "(01)04046963000012")
    assert said.status == 1
    assert "check digit" in said.err
