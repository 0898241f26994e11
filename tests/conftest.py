"""What every test stands on: a data folder of its own, loopback only, and the record of what ran."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests import telling

ROOT = Path(__file__).resolve().parent.parent

# Django reads the data folder when its settings are first imported, so it is set before anything else.
_HOME = tempfile.mkdtemp(prefix="medwarden-tests-")
os.environ["MEDWARDEN_HOME"] = _HOME
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)

# Two processors run everything: fewer examples than Hypothesis would take, no clock, and the way back to a
# failure in the output. HYPOTHESIS_PROFILE=thorough looks longer.
_STEADY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("house", _STEADY, max_examples=60)
settings.register_profile("thorough", _STEADY, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

_outcomes: dict[str, str] = {}
_RANK = {"passed": 0, "skipped": 1, "failed": 2}


def pytest_configure(config: pytest.Config) -> None:
    """Limit sockets to loopback for every test, also those that never ask for it."""
    config.option.allow_hosts = "127.0.0.1,::1,localhost"
    config.option.allow_unix_socket = True


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst outcome of each test (set-up, call and tear-down count)."""
    if report.when == "call" or report.outcome != "passed":
        known = _outcomes.get(report.nodeid, "passed")
        _outcomes[report.nodeid] = max(known, report.outcome, key=lambda o: _RANK[o])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what its programs printed and what was heard of them."""
    report = yield
    if report.failed:
        report.sections += telling.told()
    if call.when == "teardown":
        telling.forget()
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the outcomes where the capability check reads them (the controller only)."""
    target = os.environ.get("MEDWARDEN_TEST_RESULTS")
    if target and not hasattr(session.config, "workerinput"):
        Path(target).write_text(json.dumps(_outcomes, indent=0, sort_keys=True))


@pytest.fixture(autouse=True)
def no_loop_of_a_browser(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hide the event loop that a browser keeps in this thread from tests that do not drive it.

    Playwright's loop counts as running for as long as the browser lives; a later test of the same
    process could neither run a coroutine nor use Django's synchronous calls.
    """
    loop = None if "browser" in request.fixturenames else asyncio._get_running_loop()
    if loop is None:
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of shared real captures and feeds, or skip where it is absent."""
    named = os.environ.get("MEDWARDEN_SHARED")
    folder = Path(named) if named else ROOT.parent / "shared"
    if not (folder / "captures").is_dir():
        pytest.skip(f"real captures are absent: {folder}/captures (set MEDWARDEN_SHARED)")
    return folder
