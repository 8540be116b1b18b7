"""What `tieline demo` shows, and that it notices what is not as it should be."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

import tieline
import tieline.cli.demo
from tieline.cli import main
from tieline.implementation import implementation

Run = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.mark.slow
def test_shows_the_life_of_a_client_and_ends_by_itself(tieline: Run) -> None:
    done = tieline("demo", env={"PYTHONIOENCODING": "utf-8", "HTTP_PROXY": "http://127.0.0.1:1"})

    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    lines = done.stdout.decode().splitlines()
    steps = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert steps == [
        *["version", "server", "connect", "text", "binary", "fragments", "Unicode", "large"],
        *["ping", "stats", "closed", "reconnect", "text", "disconnect", "done"],
    ]
    shown = "\n".join(lines)
    assert f"({implementation()})" in lines[0]
    assert "101 Switching Protocols" in shown
    assert "round trip" in shown
    assert "1000 (normal closure) 'as you asked', begun by the remote side" in shown
    assert "callback(None) was called" in shown


def test_a_wrong_answer_ends_it_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tieline.cli.demo, "_answer", lambda connection, message: "wrong")

    assert main(["demo"]) == 3

    error = capfd.readouterr().err
    assert error == "tieline: demo: the answer to 'hello': expected 'hello', got 'wrong'\n"


@pytest.mark.slow
def test_an_answer_that_does_not_come_ends_it_too(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tieline.cli.demo, "_answer", lambda connection, message: None)
    monkeypatch.setattr(tieline.cli.demo, "_PATIENCE", 1.0)  # the dial has it too

    assert main(["demo"]) == 3

    error = capfd.readouterr().err
    assert error == "tieline: demo: the answer to 'hello' did not come within 1 s\n"
