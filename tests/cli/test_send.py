"""What `tieline send` promises to scripts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tieline.cli import main
from tieline.testing import EchoServer

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[bytes]]
Capture = pytest.CaptureFixture[bytes]


def test_sends_every_message_and_closes_with_1000(capfdbinary: Capture) -> None:
    got: list[str | bytes] = []
    ends: list[int] = []
    with EchoServer(
        on_message=lambda _, message: got.append(message),
        on_close=lambda _, info: ends.append(info.code),
    ) as server:
        assert main(["send", server.url, "one", "zwei ü", "--", "--three"]) == 0

    assert (got, ends) == (["one", "zwei ü", "--three"], [1000])
    assert capfdbinary.readouterr() == (b"", b"")


def test_prints_the_answers_that_it_expects(capfdbinary: Capture, echo: EchoServer) -> None:
    assert main(["send", echo.url, "a", "b", "c", "--expect", "2"]) == 0

    assert capfdbinary.readouterr() == (b"a\nb\n", b"")


def test_binary_sends_the_bytes_of_the_words(tieline: Run, echo: EchoServer) -> None:
    done = tieline("send", echo.url, b"\xff\xfe", "--binary", "--expect", "1")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff\xfe\n", b"")


def test_a_word_that_is_no_text_is_refused_before_dialling(tieline: Run, echo: EchoServer) -> None:
    done = tieline("send", echo.url, b"\xff\xfe")

    assert done.returncode == 2
    assert done.stderr == (b"tieline: a message is not UTF-8; --binary sends bytes as they are\n")


def test_answers_that_do_not_come_are_counted(capfdbinary: Capture, echo: EchoServer) -> None:
    for wait in ("0.1", "1", "10"):  # until the one that comes is in time, on a busy machine
        assert main(["send", echo.url, "a", "--expect", "2", "--wait", wait]) == 3
        out, err = capfdbinary.readouterr()
        count = out.count(b"a\n")
        assert err.decode() == f"tieline: expected 2 answers, got {count} in {wait} s\n"
        if count:
            break
    assert out == b"a\n"


def test_a_server_that_leaves_early_is_told(capfdbinary: Capture, echo: EchoServer) -> None:
    assert main(["send", echo.url, "a", "go away", "--expect", "2"]) == 3

    out, err = capfdbinary.readouterr()
    assert out == b"a\n"
    assert err == b"tieline: expected 2 answers, got 1 before the server closed\n"


def test_an_error_code_is_an_abnormal_end(capfdbinary: Capture, echo: EchoServer) -> None:
    assert main(["send", echo.url, "misbehave", "--expect", "1"]) == 3

    assert b"tieline: closed: 1008 (policy violation)" in capfdbinary.readouterr().err
