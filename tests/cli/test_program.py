"""What every command has in common: one line for an error, and a status that means something."""

from __future__ import annotations

import logging
import signal
import socket
import ssl
import subprocess
from collections.abc import Callable

import pytest
import trustme

from tests.cli.conftest import PATIENCE, Program
from tieline.cli import main
from tieline.testing import EchoServer

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Capture = pytest.CaptureFixture[str]


def failure(capfd: Capture, *words: str) -> tuple[int, str]:
    """Status and the one line of a command that says nothing else."""
    status = main(words)
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1 and err.startswith("tieline: "), err
    return status, err.removeprefix("tieline: ").rstrip("\n")


@pytest.mark.parametrize("url", ["localhost", "ftp://localhost/", "ws://", "ws://host:99999/"])
def test_a_url_that_cannot_be_used(capfd: Capture, url: str) -> None:
    status, text = failure(capfd, "listen", url)

    assert status == 2
    assert "expected" in text


def test_an_unknown_host(capfd: Capture) -> None:
    status, text = failure(capfd, "listen", "ws://no-such-host.invalid/", "--no-proxy")

    assert status == 1
    assert "no-such-host.invalid" in text


def test_a_port_where_nobody_listens(capfd: Capture) -> None:
    with socket.socket() as taken:  # so that nobody else comes to listen there
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}/"
        status, text = failure(capfd, "send", url, "x", "--no-proxy")

    assert status == 1
    assert "refused" in text


@pytest.mark.slow
def test_a_server_that_does_not_answer(capfd: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"ws://127.0.0.1:{server.getsockname()[1]}/"
        status, text = failure(capfd, "listen", url, "--timeout", "1", "--no-proxy")

    assert status == 1
    assert "upgrade" in text


def test_a_certificate_that_nobody_vouches_for(capfd: Capture) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with EchoServer(ssl_context=context) as server:
        status, text = failure(capfd, "send", server.url, "x", "--no-proxy")
        assert status == 1
        assert "certificate" in text

        assert main(["send", server.url, "x", "--insecure", "--no-proxy"]) == 0
        with authority.cert_pem.tempfile() as ca:
            assert main(["send", server.url, "x", "--ca", ca, "--no-proxy"]) == 0


def test_no_secret_of_the_words_is_repeated(capfd: Capture) -> None:
    secrets = ["--token", "S3CR3T"], ["--user", "me:S3CR3T"], ["--header", "X-Api-Key: S3CR3T\x01"]
    for words in secrets:
        status, text = failure(capfd, "listen", "ws://127.0.0.1:1/?token=S3CR3T", *words)
        assert status in (1, 2)
        assert "S3CR3T" not in text
    for line in (["ws://me:S3CR3T@host/"], ["listen", "ws://host/", "--tokn=S3CR3T"]):
        status, text = failure(capfd, *line)
        assert status == 2
        assert "S3CR3T" not in text


def test_a_fault_of_tieline_itself_is_one_line_too(
    capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(arguments: object) -> int:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("tieline.cli.demo.run", fail)

    assert failure(capfd, "demo") == (
        1,
        "internal error: ZeroDivisionError: surprise; --debug shows where",
    )


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_debug_logs_each_step_and_shows_the_traceback(tieline: Run, before: bool) -> None:
    words = ["send", "ws://127.0.0.1:1/?token=S3CR3T", "x", "--no-proxy"]
    done = tieline(*(["--debug", *words] if before else [*words, "--debug"]))

    assert done.returncode == 1
    assert b"Traceback (most recent call last):" in done.stderr
    assert b"ConnectingEvent" in done.stderr
    assert b"S3CR3T" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(b"tieline: connecting to 127.0.0.1:1 failed")


@pytest.mark.slow
def test_help_says_what_the_statuses_mean(tieline: Run) -> None:
    done = tieline("--help")

    assert done.returncode == 0
    assert b"exit status:" in done.stdout
    assert b"{connect" not in done.stdout
    for command in (b"connect", b"listen", b"send", b"serve", b"demo"):
        assert command in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("word", ["--help", "--version", "demo"])
def test_what_nobody_reads_is_no_error(start: Callable[..., Program], word: str) -> None:
    program = start(word)
    assert program.process.stdout is not None
    program.process.stdout.close()

    assert program.process.wait(PATIENCE) == 0
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


@pytest.mark.slow
def test_signals_that_are_ignored_stay_so(start: Callable[..., Program], echo: EchoServer) -> None:
    """As under nohup."""
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        program = start("connect", echo.url, measured=False)
    finally:
        signal.signal(signal.SIGHUP, ignored)
    stdin = program.process.stdin
    assert stdin is not None
    stdin.write(b"one\n")
    stdin.flush()
    program.read_until("one\n")
    program.signal(signal.SIGHUP)
    stdin.write(b"two\n")
    stdin.flush()
    program.read_until("two\n")
    stdin.write(b"go away\n")
    stdin.flush()

    assert program.end() == 0


def test_the_command_is_loaded_only_when_it_runs(
    modules_loaded_by: Callable[[str], set[str]],
) -> None:
    loaded = modules_loaded_by("import tieline.cli")

    assert loaded & {"argparse", "ssl", "socket", "logging", "prompt_toolkit"} == set()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["send", "--help"]])
def test_what_needs_no_connection_loads_no_client(
    words: list[str], modules_loaded_by: Callable[[str], set[str]]
) -> None:
    asked = f"from tieline.cli import main; assert main({words}) == 0; print()"
    assert modules_loaded_by(asked) & {"logging", "tieline.client", "tieline.options"} == set()


def test_repeated_commands_add_no_more_to_the_logger(capfd: Capture) -> None:
    main(["listen", "localhost"])
    before = list(logging.getLogger("tieline").handlers)
    main(["listen", "localhost"])
    assert logging.getLogger("tieline").handlers == before
