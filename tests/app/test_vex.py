from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.app.test_vulnerabilities import DAY, states
from tests.app.test_work import prepared, queue, scope  # noqa: F401 - fixtures
from tests.store.conftest import migrated  # noqa: F401 - a fixture

from medwarden.app.knowledge_settings import SyncSettings, write_settings
from medwarden.app.vex import decide, reopen, take_back, weigh
from medwarden.app.vex import take_in as take_vex
from medwarden.app.vex_desk import declare_stored
from medwarden.app.vex_export import Chosen, set_publisher, write
from medwarden.app.vex_signature import check_beside, check_with
from medwarden.app.vulnerabilities import match_devices
from medwarden.app.work import refresh
from medwarden.kernel.clock import wall_clock
from medwarden.kernel.errors import ConfigurationError, MalformedInput
from medwarden.model.vulnerability import MatchState
from medwarden.risk.work.vex.reading import read_vex
from medwarden.store.open import Store

if TYPE_CHECKING:
    from medwarden.store.vex import StatementRow


def saying(
    author: str,
    status: str = "not_affected",
    product: str = "infusomat_space:2.0",
    cve: str = "CVE-2020-0001",
) -> bytes:
    statement: dict[str, object] = {
        "vulnerability": {"name": cve},
        "products": [{"@id": f"cpe:2.3:h:b_braun:{product}:*:*:*:*:*:*:*"}],
        "status": status,
    }
    if status == "not_affected":
        statement |= {"justification": "vulnerable_code_not_present", "impact_statement": "built without it"}
    return json.dumps(
        {
            "@context": "https://openvex.dev/ns/v0.2.0",
            "@id": f"https://vex.example/{author}/{status}/{product}",
            "author": author,
            "timestamp": "2026-01-01T00:00:00Z",
            "version": 1,
            "statements": [statement],
        }
    ).encode()


def taken(store: Store, document: bytes, author: str = "") -> str:
    done = take_vex(store.home, "default", document, "/tmp/vex/it.json", actor="user:anna", author=author)
    return next(iter(done.states))


def statement() -> StatementRow:
    from medwarden.store.vex import statements

    return statements("default").items[0]


def reason(cve: str = "CVE-2020-0001") -> str:
    from medwarden.store.queries import Scope
    from medwarden.store.queries.vulnerabilities import VerdictFilter, verdicts

    wanted = VerdictFilter(devices=("d-main-1",), vulnerability=cve)
    return next(verdicts(Scope(), wanted, at_ns=wall_clock())).reason


def test_the_makers_word_counts_and_says_whose_it_is(queue: Store) -> None:  # noqa: F811
    from medwarden.store.models import Finding, WorkAction

    assert taken(queue, saying("B. Braun Melsungen AG")) == "counts"
    assert states()["d-main-1"] is MatchState.NOT_AFFECTED
    assert "B. Braun Melsungen AG called it not affected" in reason()
    assert "before that: confirmed" in reason()
    finding = Finding.objects.get(device_id="d-main-1", title__contains="MADE-1")
    assert finding.state == "resolved"
    refresh(queue.home, "default")
    assert WorkAction.objects.get(kind="update").findings == 3


def test_anybody_elses_word_hides_nothing_until_a_person_believes_it(queue: Store) -> None:  # noqa: F811
    assert taken(queue, saying("Some Scanner Inc")) == "waiting"
    assert states()["d-main-1"] is MatchState.CONFIRMED
    row = statement()
    assert (row.author, row.devices, row.state) == ("Some Scanner Inc", 1, "waiting")
    with pytest.raises(ConfigurationError, match="say why"):
        decide(queue.home, "default", [row.id], accept=True, actor="user:anna", reason=" ")
    assert decide(queue.home, "default", [row.id], accept=True, actor="user:anna", reason="asked them") == 1
    assert states()["d-main-1"] is MatchState.NOT_AFFECTED
    with pytest.raises(ConfigurationError, match="already"):
        decide(queue.home, "default", [row.id], accept=False, actor="user:anna", reason="x")
    reopen("default", row.id, actor="user:bert", reason="not sure")
    assert states()["d-main-1"] is MatchState.CONFIRMED
    assert statement().state == "waiting"
    decide(queue.home, "default", [row.id], accept=False, actor="user:bert", reason="wrong device")
    weigh(queue.home, "default")
    assert statement().state == "refused"
    assert states()["d-main-1"] is MatchState.CONFIRMED


def test_a_word_ends_and_the_verdict_is_back(queue: Store) -> None:  # noqa: F811
    taken(queue, saying("B. Braun"))
    later = wall_clock() + 366 * DAY
    assert states(wall_clock())["d-main-1"] is MatchState.NOT_AFFECTED
    assert states(later)["d-main-1"] is MatchState.CONFIRMED


def test_a_document_is_taken_back_with_what_it_changed(queue: Store) -> None:  # noqa: F811
    from medwarden.store.vex import documents

    document = saying("B. Braun", "fixed")
    assert taken(queue, document) == "counts"
    assert states()["d-main-1"] is MatchState.FIXED
    with pytest.raises(ConfigurationError, match="imported already"):
        taken(queue, document)
    key = documents("default")[0].id
    assert take_back("default", key, actor="user:anna", reason="forged") == 1
    assert states()["d-main-1"] is MatchState.CONFIRMED
    with pytest.raises(ConfigurationError, match="already"):
        take_back("default", key, actor="user:anna", reason="forged")
    assert taken(queue, document) == "counts", "it may be brought again"


@pytest.mark.parametrize(
    ("document", "state"),
    [
        (saying("B. Braun", product="infusomat_space:9.9"), "unmatched"),
        (saying("B. Braun", product="perfusor:2.0"), "unmatched"),
        (saying("B. Braun", cve="CVE-2001-9999"), "agrees"),
        (saying("B. Braun", "under_investigation"), "noted"),
        (saying("B. Braun", "affected"), "agrees"),
        (saying("B. Braun", "affected", "infusomat_space:3.0"), "conflict"),
    ],
)
def test_what_changes_nothing_says_why(queue: Store, document: bytes, state: str) -> None:  # noqa: F811
    before = states()
    assert taken(queue, document) == state
    assert states() == before


def test_a_makers_word_counts_for_devices_that_come_later(queue: Store) -> None:  # noqa: F811
    from medwarden.store.models import Device

    taken(queue, saying("B. Braun"))
    Device.objects.filter(pk="d-main-3").update(firmware="2.0", category="infusion_pump")
    match_devices(queue.home, "default", "main", ["d-main-3"])
    assert states()["d-main-3"] is MatchState.CONFIRMED
    weigh(queue.home, "default")
    assert states()["d-main-3"] is MatchState.NOT_AFFECTED


def test_a_document_without_an_author_needs_one_and_is_no_makers(queue: Store) -> None:  # noqa: F811
    document = json.dumps(
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "metadata": {"component": {"name": "x", "bom-ref": "x"}},
            "components": [
                {"bom-ref": "p", "name": "Infusomat Space", "version": "2.0", "group": "B. Braun"}
            ],
            "vulnerabilities": [
                {"id": "CVE-2020-0001", "analysis": {"state": "resolved"}, "affects": [{"ref": "p"}]}
            ],
        }
    ).encode()
    with pytest.raises(ConfigurationError, match="names no author"):
        taken(queue, document)
    with pytest.raises(ConfigurationError, match="names no author"):
        taken(queue, document, author="\u200b\u00a0")
    assert taken(queue, document, author=" B.\u00a0Braun\n\u202e") == "waiting", (
        "nobody but the importer says it is the maker"
    )
    assert statement().author == "B. Braun", "cleaned as what documents say is"


# ---------------------------------------------------------------- out


def written(form: str = "csaf", **chosen: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(write(scope(), form, Chosen(**chosen), actor="user:anna").document)
    return document


@pytest.fixture
def told(queue: Store) -> Store:  # noqa: F811
    """Verdicts of every kind: confirmed, fixed, not affected by its maker, irrelevant by a person."""
    from medwarden.store.models import Device

    Device.objects.filter(pk="d-main-1").update(serial="SN-4711")
    taken(queue, saying("B. Braun", cve="CVE-2020-0002"))
    declare_stored(
        "default", "main", "d-main-3", "CVE-2020-0001", "irrelevant", until_ns=wall_clock() + DAY,
        justification="inline_mitigations_already_exist", alike=False, actor="user:anna",
        reason="port closed",
    )  # fmt: skip
    set_publisher("default", "St. Elsewhere", "https://elsewhere.example", actor="user:anna")
    return queue


def by_product(document: dict[str, Any], cve: str) -> dict[str, str]:
    names = {}
    for vendor in document["product_tree"]["branches"]:
        for product in vendor["branches"]:
            for version in product["branches"]:
                names[version["product"]["product_id"]] = version["name"]
    vulnerability = next(v for v in document["vulnerabilities"] if v["cve"] == cve)
    return {names[id]: status for status, ids in vulnerability["product_status"].items() for id in ids}


def test_every_verdict_has_its_status_and_grounds(told: Store) -> None:
    document = written()
    assert by_product(document, "CVE-2020-0001") == {
        "2.0": "known_affected", "3.0": "fixed", "unknown version": "known_not_affected",
    }  # fmt: skip
    assert by_product(document, "CVE-2020-0002")["2.0"] == "known_not_affected"
    first = next(v for v in document["vulnerabilities"] if v["cve"] == "CVE-2020-0001")
    assert first["remediations"][0]["details"].startswith("Update B. Braun Infusomat Space to 2.5")
    assert first["flags"][0]["label"] == "inline_mitigations_already_exist"
    assert first["threats"][0]["details"] == "port closed"


def test_serials_and_addresses_only_when_asked(told: Store) -> None:
    quiet = json.dumps(written()) + json.dumps(written("openvex"))
    assert "SN-4711" not in quiet
    assert not re.search(r"02[:-]?00[:-]?00", quiet)
    loud = json.dumps(written(devices=True))
    assert "SN-4711" in loud
    assert "urn:dev:mac:020000fffe000001" in loud


def test_the_same_verdicts_are_the_same_version_and_others_the_next(told: Store) -> None:
    one, again = written(), written()
    assert one == again
    assert one["document"]["tracking"]["version"] == "1"
    take_back_all()
    after = written()
    assert after["document"]["tracking"]["version"] == "2"
    assert after["document"]["tracking"]["id"] == one["document"]["tracking"]["id"]
    dates = [r["date"] for r in after["document"]["tracking"]["revision_history"]]
    assert dates == sorted(dates)
    assert after["document"]["tracking"]["current_release_date"] == dates[-1]


def take_back_all() -> None:
    from medwarden.store.vex import documents

    for row in documents("default"):
        take_back("default", row.id, actor="user:anna", reason="x")


def test_csaf_follows_the_published_schema_and_the_rules_of_the_profile(told: Store, shared: Path) -> None:
    validator = csaf_validator(shared)
    for chosen in ({}, {"devices": True}, {"status": ("fixed",)}):
        document = written(**chosen)
        assert not list(validator.iter_errors(document))
        check_profile(document)


def csaf_validator(shared: Path) -> Any:
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    folder = shared / "knowledge" / "standards" / "csaf" / "csaf_2.0"
    schema = json.loads((folder / "json_schema" / "csaf_json_schema.json").read_text())
    registry: Registry[Any] = Registry()
    for path in (folder / "referenced_schema" / "first").glob("*.json"):
        resource = Resource.from_contents(json.loads(path.read_text()))
        for address in (f"https://www.first.org/cvss/{path.name}", resource.id() or path.name):
            registry = registry.with_resource(address, resource)
    return Draft202012Validator(schema, registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def check_profile(document: dict[str, Any]) -> None:
    """Check the rules of CSAF 2.0 that no schema can: profile 5 (4.5) and mandatory tests of 6.1."""
    assert document["document"]["category"] == "csaf_vex"
    ids = re.findall(r'"product_id": "([^"]+)"', json.dumps(document))
    assert len(ids) == len(set(ids)), "6.1.2: defined once"
    tracking = document["document"]["tracking"]
    history = tracking["revision_history"]
    assert [r["number"] for r in history] == [str(n) for n in range(1, len(history) + 1)], "6.1.14, 6.1.22"
    assert history[-1]["number"] == tracking["version"], "6.1.16"
    assert document["vulnerabilities"], "6.1.27.11"
    for each in document["vulnerabilities"]:
        assert each.get("cve") or each.get("ids"), "6.1.27.7"
        assert each["notes"], "6.1.27.6"
        status = each["product_status"]
        assert set(status) <= {"fixed", "known_affected", "known_not_affected", "under_investigation"}, (
            "6.1.27.8"
        )
        listed = [id for group in status.values() for id in group]
        assert len(listed) == len(set(listed)), "6.1.6: no contradiction"
        assert set(listed) <= set(ids), "6.1.1"
        flagged = {id for flag in each.get("flags", ()) for id in flag["product_ids"]}
        impacted = {
            id for t in each.get("threats", ()) if t["category"] == "impact" for id in t["product_ids"]
        }
        assert set(status.get("known_not_affected", ())) <= flagged | impacted, "6.1.27.9"
        done = {id for r in each.get("remediations", ()) for id in r["product_ids"]}
        assert set(status.get("known_affected", ())) <= done, "6.1.27.10"


OPENVEX = {
    "type": "object",
    "required": ["@context", "@id", "author", "timestamp", "version", "statements"],
    "properties": {
        "@context": {"const": "https://openvex.dev/ns/v0.2.0"},
        "@id": {"type": "string", "format": "iri"},
        "author": {"type": "string", "minLength": 1},
        "role": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "last_updated": {"type": "string", "format": "date-time"},
        "version": {"type": "integer", "minimum": 1},
        "tooling": {"type": "string"},
        "statements": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["vulnerability", "products", "status"],
                "properties": {
                    "vulnerability": {"type": "object", "required": ["name"]},
                    "timestamp": {"type": "string", "format": "date-time"},
                    "products": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "anyOf": [{"required": ["@id"]}, {"required": ["identifiers"]}],
                            "properties": {
                                "@id": {"type": "string", "format": "iri"},
                                "supplier": {"type": "string"},
                                "identifiers": {
                                    "type": "object",
                                    "minProperties": 1,
                                    "propertyNames": {"enum": ["purl", "cpe22", "cpe23"]},
                                },
                            },
                        },
                    },
                    "status": {"enum": ["not_affected", "affected", "fixed", "under_investigation"]},
                    "status_notes": {"type": "string"},
                    "justification": {
                        "enum": [
                            "component_not_present",
                            "vulnerable_code_not_present",
                            "vulnerable_code_not_in_execute_path",
                            "vulnerable_code_cannot_be_controlled_by_adversary",
                            "inline_mitigations_already_exist",
                        ]
                    },
                    "impact_statement": {"type": "string"},
                    "action_statement": {"type": "string"},
                },
                "additionalProperties": False,
                "allOf": [
                    {
                        "if": {"properties": {"status": {"const": "not_affected"}}},
                        "then": {
                            "anyOf": [{"required": ["justification"]}, {"required": ["impact_statement"]}]
                        },
                    },
                    {
                        "if": {"properties": {"status": {"const": "affected"}}},
                        "then": {"required": ["action_statement"]},
                    },
                ],
            },
        },
    },
    "additionalProperties": False,
}
"""The rules of OpenVEX 0.2.0 (openvex.dev/ns/v0.2.0) as a schema, in our own words."""


def test_openvex_follows_the_rules_of_its_specification(told: Store) -> None:
    from jsonschema import Draft202012Validator

    document = written("openvex")
    validator = Draft202012Validator(OPENVEX, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert not list(validator.iter_errors(document))
    assert {s["status"] for s in document["statements"]} == {
        "affected", "fixed", "not_affected", "under_investigation",
    }  # fmt: skip
    assert document["author"] == "St. Elsewhere"


@pytest.mark.parametrize("form", ["csaf", "openvex"])
def test_what_goes_out_comes_back_as_the_same_statements(told: Store, form: str) -> None:
    out = write(scope(), form, Chosen(), actor="user:anna")
    reading = read_vex(out.document, out.name)
    assert not reading.problems
    assert reading.author == "St. Elsewhere"
    assert len(reading.statements) == out.statements
    done = take_vex(told.home, "default", out.document, out.name, actor="user:anna")
    assert set(done.states) <= {"agrees", "noted", "unmatched"}, "our own words change nothing of ours"


def test_a_document_names_its_choice_and_refuses_what_is_nothing(told: Store) -> None:
    everything, braun = written(), written(vendor="braun")
    assert everything["document"]["tracking"]["id"] != braun["document"]["tracking"]["id"]
    for chosen in (Chosen(vendor="nobody"), Chosen(vulnerability="CVE-1999-0001")):
        with pytest.raises(ConfigurationError, match="nothing to tell"):
            write(scope(), "csaf", chosen, actor="user:anna")
    with pytest.raises(ConfigurationError, match="no form"):
        write(scope(), "spdx", Chosen(), actor="user:anna")
    with pytest.raises(ConfigurationError, match="https"):
        set_publisher("default", "x", "elsewhere", actor="user:anna")


def test_a_persons_word_needs_words_that_exist(queue: Store) -> None:  # noqa: F811
    for says, justification, said in (("safe", "", "not 'safe'"), ("fixed", "because", "no justification")):
        with pytest.raises(ConfigurationError, match=said):
            declare_stored(
                "default", "main", "d-main-1", "CVE-2020-0001", says, until_ns=wall_clock() + DAY,
                justification=justification, alike=False, actor="user:anna", reason="x",
            )  # fmt: skip
    declare_stored(
        "default", "main", "d-main-1", "CVE-2020-0001", "fixed", until_ns=wall_clock() + DAY,
        justification="", alike=False, actor="user:anna", reason="patched by hand",
    )  # fmt: skip
    assert states()["d-main-1"] is MatchState.FIXED


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_a_digest_beside_a_document_is_held_against_it(tmp_path: Path, name: str) -> None:
    home, document = tmp_path / "home", tmp_path / "in" / "it.json"
    document.parent.mkdir()
    document.write_bytes(saying("Acme"))
    (tmp_path / "in" / f"it.json.{name}").write_text(
        f"{hashlib.new(name, saying('Acme')).hexdigest()}  it.json\n"
    )
    assert (
        check_beside(home, document, document.read_bytes()).sentence
        == "its digest holds, no signature lies beside it"
    )
    (tmp_path / "in" / f"it.json.{name}").write_text("00  it.json\n")
    with pytest.raises(MalformedInput, match=f"its {name} is not the one in it.json.{name}"):
        check_beside(home, document, document.read_bytes())


def test_a_signature_beside_a_document_counts_with_a_key_that_was_named(tmp_path: Path) -> None:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key, home, document = (
        sequoia.Tsk.generate("Acme <acme@acme.example>"),
        tmp_path / "home",
        tmp_path / "it.json",
    )
    certificate = key.extract_certificate()
    document.write_bytes(saying("Acme"))
    assert check_beside(home, document, document.read_bytes()).sentence == "no signature lies beside it"
    signed = bytes(sequoia.sign(key.signer(), saying("Acme"), mode=sequoia.SignatureMode.DETACHED))
    (tmp_path / "it.json.asc").write_bytes(signed)
    (tmp_path / "acme.asc").write_text(str(certificate))
    assert "it is signed with the key" in check_beside(home, document, document.read_bytes()).sentence
    fingerprint = str(certificate.fingerprint).upper()
    write_settings(home, SyncSettings(openpgp=(fingerprint,), vouches={fingerprint: ("Acme",)}))
    found = check_beside(home, document, document.read_bytes())
    assert found.said_of("ACME ") == "the signature of its publisher holds"
    assert "trusted for Acme, not for Mallory" in found.said_of("Mallory")
    # What was read is what is checked: the file may be another one by now.
    read = document.read_bytes()
    document.write_bytes(saying("Mallory"))
    assert check_beside(home, document, read).publishers == ("Acme",)
    document.write_bytes(saying("Mallory"))
    with pytest.raises(MalformedInput, match="none of the keys"):
        check_beside(home, document, document.read_bytes())


def test_companions_of_an_upload_are_told_by_their_content(tmp_path: Path) -> None:
    home, document = tmp_path / "home", saying("Acme")
    assert check_with(home, document, "it.json", ()).sentence == "no signature came with it"
    for name in ("sha256", "sha512"):
        digest = f"{hashlib.new(name, document).hexdigest()} *it.json\n".encode()
        held = check_with(home, document, "it.json", [("digest.txt", digest)])
        assert held.sentence == "its digest holds, no signature came with it"
        wrong = digest[:3].translate(bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0")) + digest[3:]
        with pytest.raises(MalformedInput, match=f"it.json: its {name} is not the one in its {name}"):
            check_with(home, document, "it.json", [("digest.txt", wrong)])
        with pytest.raises(ConfigurationError, match="not two"):
            check_with(home, document, "it.json", [("a", digest), ("b", digest)])
    with pytest.raises(ConfigurationError, match="no digest"):
        check_with(home, document, "it.json", [("notes.txt", b"hello")])
    with pytest.raises(ConfigurationError, match="at most 1 MiB"):
        check_with(home, document, "it.json", [("it.json.asc", b"-" * (1 << 21))])
    with pytest.raises(ConfigurationError, match="at most 12"):
        check_with(home, document, "it.json", [("it.json.asc", b"-")] * 13)


def test_an_uploaded_signature_says_who_signed(tmp_path: Path) -> None:
    sequoia = pytest.importorskip("pysequoia", reason="the extra medwarden[openpgp] is not installed")
    key, home, document = sequoia.Tsk.generate("Acme <acme@acme.example>"), tmp_path / "home", saying("Acme")
    certificate = key.extract_certificate()
    fingerprint = str(certificate.fingerprint).upper()
    signed = bytes(sequoia.sign(key.signer(), document, mode=sequoia.SignatureMode.DETACHED))
    alone = check_with(home, document, "it.json", [("it.json.asc", signed)])
    assert alone.sentence == "its signature was not checked: no public key came with it"
    both = [("it.json.asc", signed), ("acme.asc", str(certificate).encode())]
    found = check_with(home, document, "it.json", both)
    assert (found.fingerprint, found.signer) == (fingerprint, "Acme <acme@acme.example>")
    assert not found.publishers
    write_settings(home, SyncSettings(openpgp=(fingerprint,)))
    assert "trusted without saying for whom" in check_with(home, document, "it.json", both).sentence
    write_settings(home, SyncSettings(openpgp=(fingerprint,), vouches={fingerprint.lower(): ("Acme",)}))
    assert check_with(home, document, "it.json", both).publishers == ("Acme",)
    with pytest.raises(MalformedInput, match=r"it\.json: its asc is of none of the keys"):
        check_with(home, saying("Mallory"), "it.json", both)
    other = sequoia.Tsk.generate("Acme <acme@acme.example>").extract_certificate()
    with pytest.raises(MalformedInput, match="none of the keys"):
        check_with(home, document, "it.json", [both[0], ("acme.asc", str(other).encode())])
