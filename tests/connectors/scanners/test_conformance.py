"""Every connector over HTTP against every case: whole, twice, and with every failure at every request.

The format of a case stands in ``cases/README.md``. Whatever fails, nothing half-read comes out, what is
remembered is what was taken in, and no message tells the secret.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.connectors.scanners.certificate import Certificate
from tests.connectors.scanners.contract import (
    CASES,
    SECRET,
    Contract,
    Fault,
    case_files,
    case_of,
    cut,
    endless,
    other_schema,
    serving,
    silent,
    status,
)
from tests.connectors.scanners.pulling import Pulled, expected, pulled

from medwarden.connectors.scanners.registry import connectors
from medwarden.kernel.errors import MedwardenError, RemoteServiceError
from medwarden.transport.http import Limits

OVER_HTTP = [path for path in case_files() if path.parent.name != "gmp"]
IDS = [f"{path.parent.name}-{path.name.partition('.')[0]}" for path in OVER_HTTP]
every_case = pytest.mark.parametrize("case", OVER_HTTP, ids=IDS)


def test_every_connector_has_a_case() -> None:
    assert {path.parent.name for path in case_files()} == {c.manifest.name for c in connectors()}


def test_every_folder_of_cases_is_a_connectors() -> None:
    names = {connector.manifest.name for connector in connectors()}
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == names


def check_silence(came: Pulled) -> None:
    """No sentence and no traceback tells the secret."""
    told = "".join([*came.failures, *map(str, came.state.items())])
    if came.error is not None:
        told += "".join(traceback.format_exception(came.error))
    assert SECRET not in told
    assert "QUstb2Y" not in told, "not in base64 either"


@every_case
def test_a_pull_brings_what_the_files_say_and_is_not_repeated(case: Path, tmp_path: Path) -> None:
    with serving(case) as server:
        came = pulled(case, server.url, tmp_path)
        assert came.error is None, came.error
        assert came.reports == expected(case)
        assert came.state == case_of(case)["leaves"]
        assert not came.failures
        first = len(server.asked)
        again = pulled(case, server.url, tmp_path, state=came.state)
        assert (again.reports, again.error) == ([], None)
        assert server.asked[first:] == case_of(case)["again"]


def requests_of(case: Path, folder: Path) -> int:
    with serving(case) as server:
        assert pulled(case, server.url, folder).error is None
        return len(server.asked)


def failing(case: Path, folder: Path, fault: Fault, **how: object) -> Iterator[tuple[Pulled, Contract]]:
    """Yield what a pull comes to with a fault once at each of its requests."""
    for number in range(requests_of(case, folder / "whole")):
        with serving(case) as server:
            server.faults[number] = fault
            came = pulled(case, server.url, folder / str(number), **how)  # type: ignore[arg-type]  # named as pulled names them
            check_silence(came)
            yield came, server


@every_case
@pytest.mark.parametrize(
    "fault",
    [status(429, Retry_After="7"), status(503), status(500), cut],
    ids=["429", "503", "500", "cut"],
)
def test_what_passes_by_itself_changes_nothing(case: Path, fault: Fault, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, fault):
        assert came.error is None, came.error
        assert came.reports == expected(case)
        assert came.state == case_of(case)["leaves"]


@every_case
def test_a_scanner_that_wants_to_be_left_alone_is(case: Path, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, status(429, Retry_After="61")):
        assert 61 in came.slept


@every_case
def test_one_that_falls_silent_is_asked_again(case: Path, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, silent, read_s=0.3):
        # The bound on a silence is short here, so that a loaded machine may run into it by itself.
        assert came.reports == expected(case) or isinstance(came.error, RemoteServiceError)


@every_case
def test_a_refused_key_ends_the_pull_with_a_word(case: Path, tmp_path: Path) -> None:
    with serving(case) as server:
        came = pulled(case, server.url, tmp_path, account="another")
        assert isinstance(came.error, RemoteServiceError)
        assert "does not accept these credentials" in str(came.error)
        assert len(server.asked) == 1, "a key that is refused is not tried again"
        assert came.state == case_of(case)["state"]
        check_silence(came)


@every_case
def test_a_missing_right_is_said(case: Path, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, status(403)):
        said = [str(came.error)] if came.error else came.failures
        assert said, "nothing is left out in silence"
        assert any("right" in sentence or "let" in sentence for sentence in said), said
        theirs = dict(expected(case))
        assert all(name in theirs for name, _ in came.reports)


@every_case
def test_another_schema_is_refused_whole(case: Path, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, other_schema):
        assert isinstance(came.error, MedwardenError), came.reports
        assert all(report in expected(case) for report in came.reports)
        assert came.state.items() <= {**case_of(case)["state"], **case_of(case)["leaves"]}.items()


@every_case
def test_an_answer_without_end_is_refused(case: Path, tmp_path: Path) -> None:
    for came, _ in failing(case, tmp_path, endless, limits=Limits(most_bytes=1 << 20)):
        assert isinstance(came.error, RemoteServiceError)
        assert "larger than" in str(came.error)


@every_case
def test_what_came_before_a_failure_is_not_asked_for_again(case: Path, tmp_path: Path) -> None:
    large = re.compile(r"download|chunks/|output|detection/$")
    for number in range(requests_of(case, tmp_path / "whole")):
        folder = tmp_path / str(number)
        with serving(case) as server:
            server.from_then_on = (number, status(503))
            first = pulled(case, server.url, folder)
            assert isinstance(first.error, RemoteServiceError)
            before = server.asked[:number]
            server.from_then_on = None
            server.begin_anew()
            second = pulled(case, server.url, folder, state=first.state)
            assert second.error is None, second.error
            assert first.reports + second.reports == expected(case)
            after = server.asked[number:]
            if case.parent.name != "qualys":  # its pages are one address, told apart by what is posted
                assert not [ask for ask in before if large.search(ask) and ask in after[5:]]


@every_case
def test_credentials_do_not_go_where_a_redirect_leads(case: Path, tmp_path: Path) -> None:
    with serving(case) as elsewhere, serving(case) as server:
        elsewhere.case = {**elsewhere.case, "headers": {}}
        seen: list[dict[str, str]] = []

        def lead_on(to: object) -> None:
            to.send(302, b"", Location=elsewhere.url + "/elsewhere")  # type: ignore[attr-defined]  # an Answering

        def note(to: object) -> None:
            seen.append({name.lower(): value for name, value in to.headers.items()})  # type: ignore[attr-defined]  # an Answering
            status(404)(to)  # type: ignore[arg-type]  # an Answering

        elsewhere.from_then_on = (0, note)
        server.faults[0] = lead_on
        came = pulled(case, server.url, tmp_path)
        assert isinstance(came.error, RemoteServiceError)
        for headers in seen:
            assert not {"x-apikeys", "authorization"} & set(headers)


@every_case
def test_a_certificate_is_believed_by_its_authority_or_its_fingerprint_alone(
    case: Path, tmp_path: Path
) -> None:
    certificate = Certificate(tmp_path)
    with serving(case, certificate.context) as server:
        wrong = pulled(case, server.url, tmp_path / "wrong")
        assert isinstance(wrong.error, RemoteServiceError)
        assert "certificate of localhost does not hold" in str(wrong.error)
        other = pulled(case, server.url, tmp_path / "other", fingerprint="00" * 32)
        assert isinstance(other.error, RemoteServiceError)
        assert "not the pinned one" in str(other.error)
        assert not server.asked, "nobody was told anything"
        pinned = pulled(case, server.url, tmp_path / "pinned", fingerprint=certificate.fingerprint)
        assert (pinned.error, pinned.reports) == (None, expected(case))
    with serving(case, certificate.context) as server:
        signed = pulled(case, server.url, tmp_path / "signed", authorities=certificate.path)
        assert (signed.error, signed.reports) == (None, expected(case))


@every_case
def test_errors_name_host_and_endpoint_and_no_number_name_or_token(case: Path, tmp_path: Path) -> None:
    for number in range(requests_of(case, tmp_path / "whole")):
        for fault in (status(404), status(502), other_schema):
            with serving(case) as server:
                server.from_then_on = (number, fault)
                came = pulled(case, server.url, tmp_path / f"{number}-{fault.__name__}")
                told = " ".join(map(str, (came.error, *came.failures)))
                asked = {ask.split(" ", 1)[-1].partition("?")[0] for ask in server.asked}
                for part in {part for path in asked for part in path.split("/")}:
                    if len(part) > 4 and any(c.isdigit() for c in part):
                        assert part not in told, told
                assert "?" not in told, told
                assert SECRET not in told
