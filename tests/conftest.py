"""Every test → the same test, failed if it leaks a thread or a descriptor or skips a needed peer.

Also: which build of tieline is under test (in pytest's head line), and that it is the one that
was asked for.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# This machine's speed is no property of the code, so no example has a deadline.
_UNHURRIED: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("tieline", **_UNHURRIED)
settings.register_profile("thorough", **_UNHURRIED, max_examples=2_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tieline"))

ROOT = Path(__file__).parent.parent

#: Seconds that a test's threads and descriptors get to go away after its end.
SETTLE_TIMEOUT = 10.0

_OPEN_DESCRIPTORS = Path("/proc/self/fd")


def _is_set(name: str) -> bool:
    return os.environ.get(name, "0") not in ("", "0")


def build_under_test() -> str:
    """ "compiled" or "pure", from where the decoder would be loaded."""
    spec = find_spec("tieline.protocol.decoder")
    assert spec is not None and spec.origin is not None
    return "pure" if spec.origin.endswith(".py") else "compiled"


def pytest_report_header() -> str:
    spec = find_spec("tieline")
    assert spec is not None and spec.origin is not None
    return f"tieline: {build_under_test()}, from {Path(spec.origin).parent}"


def pytest_sessionstart() -> None:
    stale = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "src").rglob("*.so"))
    if stale:
        pytest.exit(f"these hide later edits of the sources beside them; delete {stale}", 3)
    built = wanted = build_under_test()
    if _is_set("TIELINE_REQUIRE_COMPILED"):
        wanted = "compiled"
    elif _is_set("TIELINE_PURE"):
        wanted = "pure"
    if built != wanted:
        pytest.exit(f"expected a {wanted} build of tieline, found a {built} one", 3)


def _descriptors() -> dict[str, str]:
    """Open descriptors and what they lead to. Empty where the system does not tell."""
    found = {}
    try:
        # os.scandir would count its own descriptor; os.listdir has closed it before readlink.
        for number in os.listdir(_OPEN_DESCRIPTORS):
            try:
                found[number] = os.readlink(f"/proc/self/fd/{number}")
            except FileNotFoundError:
                continue  # it was the listing's own, or another thread closed it just now
    except FileNotFoundError:
        return {}
    return found


def _leaks(threads: set[threading.Thread], descriptors: dict[str, str]) -> list[str]:
    left = [f"thread {thread.name!r}" for thread in threading.enumerate() if thread not in threads]
    # A number that leads elsewhere than before is a leak too: a new one is open in its place.
    return left + [
        f"descriptor {number} -> {target}"
        for number, target in _descriptors().items()
        if descriptors.get(number) != target
    ]


@pytest.fixture
def unanswering_port() -> Iterator[int]:
    """A port whose queue is full, so that connecting to it takes until somebody gives up."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        queued = []
        for _ in range(3):
            connecting = socket.socket()
            connecting.setblocking(False)
            connecting.connect_ex(listener.getsockname())
            queued.append(connecting)
        yield listener.getsockname()[1]
        for connecting in queued:
            connecting.close()


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """Programs inherit that it is ignored, as it is in what a script runs in the background."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def patient_servers() -> Iterator[None]:
    """The seconds after which a server of `tieline.testing` complains suit a quiet machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tieline.testing.scripted_server._GRACE", 10.0)
        patch.setattr("tieline.testing.echo_server._HOOK_LIMIT", 20.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def no_lingering() -> None:
    """A thread that waits for more ends when it is not needed, or each test would wait for it."""
    from tieline.aio.diallers import DIALLERS
    from tieline.engine.prompting import PROMPTER
    from tieline.engine.receiving import CARETAKER

    CARETAKER.linger = DIALLERS.linger = 0.0
    PROMPTER._reactor.linger = 0.0


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail the test that leaves a thread or a descriptor behind.

    Being the first fixture of the test it is torn down last. What session and module fixtures
    opened was there before. Servers in the background get `SETTLE_TIMEOUT` to notice a close.
    """
    threads = set(threading.enumerate())
    descriptors = _descriptors()
    yield
    if not _leaks(threads, descriptors):
        return
    deadline = time.monotonic() + SETTLE_TIMEOUT
    pause = threading.Event()
    # Objects in cycles still hold theirs. That they were not closed is reported as ResourceWarning.
    gc.collect()
    while (left := _leaks(threads, descriptors)) and time.monotonic() < deadline:
        pause.wait(0.005)
    if left:
        pytest.fail(f"left open after the test: {'; '.join(left)}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With TIELINE_PEERS=required a peer that is not there is a failure, not a skip."""
    report = yield
    if (
        os.environ.get("TIELINE_PEERS") == "required"
        and report.skipped
        and not hasattr(report, "wasxfail")
        and item.get_closest_marker("peers")
    ):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"TIELINE_PEERS=required, but this test was skipped: {reason}"
    return report


def _measure_no_more() -> None:
    """In a forked child: tests/unmeasured.py says why. Its threads come from `threading`."""
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]


if hasattr(os, "register_at_fork"):
    # Before what tieline registers when it is imported, so that this is the first to run.
    os.register_at_fork(after_in_child=_measure_no_more)


def _folder_of(package: str) -> str:
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None
    return str(Path(spec.origin).parent.parent)


@pytest.fixture(scope="session")
def modules_loaded_by() -> Callable[[str], set[str]]:
    """``modules_loaded_by("import tieline")``: all that a new interpreter has loaded after it."""

    def run(statement: str) -> set[str]:
        # -S and a short environment: what the .pth files of this environment load (coverage's
        # does) is not the statement's doing.
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
            env={"PYTHONPATH": os.pathsep.join({_folder_of("tieline"), _folder_of("h11")})},
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    return run
