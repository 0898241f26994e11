"""The registry finds every factor and refuses weights that do not fit."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from medwarden.kernel.errors import ConfigurationError
from medwarden.risk.registry import all_factors, check
from medwarden.risk.weights import default_weights, parse_weights, rules_version

SHARED = Path(os.environ.get("MEDWARDEN_SHARED", Path(__file__).parents[3] / "shared"))


def test_every_factor_has_a_weight_words_and_a_remedy() -> None:
    factors = all_factors()
    assert len(factors) >= 30
    for factor in factors:
        assert re.fullmatch(r"[a-z0-9_]+", factor.id)
        assert factor.title[0].isupper()
        if factor.advice is not None:
            assert factor.advice.fix.endswith(".")
            assert factor.advice.meanwhile.endswith(".")
            assert factor.advice.mitre


def test_a_weight_too_few_too_many_or_of_the_wrong_sign_is_refused() -> None:
    weights = default_weights()
    for points in (
        {k: v for k, v in weights.points.items() if k != "smbv1"},
        {**weights.points, "no_such_factor": 3.0},
        {**weights.points, "smbv1": -3.0},
        {**weights.points, "own_segment": 3.0},
        {**weights.points, "clinical_impact": 0.9},
    ):
        with pytest.raises(ConfigurationError):
            check(all_factors(), msgspec.structs.replace(weights, points=points))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "number: one",
        "number: 1\nshape: {saturation: 0, base_impact: 0.5, control_limit: 0.5}\npoints: {}",
        "number: 1\nshape: {saturation: 9, base_impact: 1.5, control_limit: 0.5}\npoints: {}",
        "points: [",
        "number: 2001-99-99",
        "number: 1\nshape: {saturation: 9, base_impact: 0.5, control_limit: 0.5}\npoints:",
        f"number: {'9' * 5000}",
        "[" * 3000,
    ],
    ids=lambda text: text[:20],
)
def test_unreadable_weights_say_so(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"weights\.yaml"):
        parse_weights(text)


def test_the_version_names_number_and_content() -> None:
    assert re.fullmatch(rf"{default_weights().number}-[0-9a-f]{{10}}", rules_version())


def test_every_mitre_id_exists_in_attack() -> None:
    packed = SHARED / "knowledge/threat/attack/ics-attack-18.1.json.zst"
    enterprise = SHARED / "knowledge/threat/attack/enterprise_attack-pattern_tactic_coa.tar.zst"
    if not packed.exists() or not enterprise.exists():
        pytest.skip("the ATT&CK snapshots are not beside this checkout")
    import io
    import tarfile

    import zstandard

    known = set()
    for thing in json.loads(zstandard.ZstdDecompressor().stream_reader(packed.read_bytes()).read())[
        "objects"
    ]:
        known |= {r["external_id"] for r in thing.get("external_references", ()) if "external_id" in r}
    plain = io.BytesIO(zstandard.ZstdDecompressor().stream_reader(enterprise.read_bytes()).read())
    with tarfile.open(fileobj=plain) as archive:
        for member in archive:
            handle = archive.extractfile(member)
            if handle is not None and member.name.endswith(".json"):
                for thing in json.load(handle)["objects"]:
                    known |= {
                        r["external_id"]
                        for r in thing.get("external_references", ())
                        if r["source_name"] == "mitre-attack" and not thing.get("revoked")
                    }
    used = {mitre for factor in all_factors() if factor.advice for mitre in factor.advice.mitre}
    assert used <= known, sorted(used - known)
