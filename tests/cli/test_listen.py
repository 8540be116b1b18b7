"""What `tieline listen` promises to the programs that read its lines."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND, PATIENCE, Program, Terminal, environment
from tieline.testing import EchoConnection, EchoServer

pytestmark = pytest.mark.slow

#: A disk without room.
FULL = Path("/dev/full")

Run = Callable[..., subprocess.CompletedProcess[bytes]]


def greet(connection: EchoConnection) -> None:
    for message in ("first", "second\x1b[31m", b"\x00\xffthird"):
        connection.send(message)


def test_each_message_is_a_line_at_once_and_ctrl_c_closes_with_1001(
    start: Callable[..., Program],
) -> None:
    with EchoServer(on_open=greet) as server:
        program = start("listen", server.url, measured=False)
        assert program.read_until(b"third\n") == b"first\nsecond\x1b[31m\n\x00\xffthird\n"
        (connection,) = server.connections
        program.signal(signal.SIGINT)

        assert program.end() == 130
    assert connection.close_info is not None
    assert connection.close_info.code == 1001
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


@pytest.mark.usefixtures("hang_ups_are_heard")
@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_to_end_close_with_1001(
    number: int, status: int, start: Callable[..., Program]
) -> None:
    with EchoServer(on_open=greet) as server:
        program = start("listen", server.url, measured=False)
        program.read_until("first\n")
        (connection,) = server.connections
        program.signal(number)

        assert program.end() == status
    assert connection.close_info is not None
    assert connection.close_info.code == 1001


def test_json_lines_hold_type_data_and_time(tieline: Run) -> None:
    with EchoServer(on_open=greet) as server:
        before = time.time()
        done = tieline("listen", server.url, "--json", "--count", "3")

    entries = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [entry["type"] for entry in entries] == ["text", "text", "binary"]
    assert [entry["data"] for entry in entries[:2]] == ["first", "second\x1b[31m"]
    assert base64.b64decode(entries[2]["data"]) == b"\x00\xffthird"
    assert all(before - 1 < entry["time"] < time.time() + 1 for entry in entries)


def test_json_on_a_terminal_is_still_json_and_cannot_hurt_it(
    terminal: Callable[..., Terminal],
) -> None:
    evil = "\x1b[31m \x9b \x7f \u202e \U000e0041 ü"
    with EchoServer(on_open=lambda connection: connection.send(evil)) as server:
        program = terminal("listen", server.url, "--json", "--count", "1")
        assert program.end() == 0

    line = program.seen.decode()
    assert json.loads(line)["data"] == evil
    assert "ü" in line
    assert not set(evil) - {" ", "[", "3", "1", "m", "ü"} & set(line)


def test_count_prints_that_many_and_closes_with_1000(tieline: Run) -> None:
    ends: list[int] = []
    with EchoServer(on_open=greet, on_close=lambda _, info: ends.append(info.code)) as server:
        done = tieline("listen", server.url, "--count", "1")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"first\n", b"")
    assert ends == [1000]


def test_duration_ends_the_listening(tieline: Run, echo: EchoServer) -> None:
    done = tieline("listen", echo.url, "--duration", "0.05")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_says_how_the_server_ended_it(start: Callable[..., Program]) -> None:
    def close(connection: EchoConnection) -> None:
        connection.send("only")
        connection.close(1000, "that was all")

    with EchoServer(on_open=close) as server:
        program = start("listen", server.url, stderr=subprocess.STDOUT)
        assert program.end() == 0

    assert program.seen == (
        b"only\nclosed: 1000 (normal closure) 'that was all', begun by the remote side\n"
    )


def test_ends_quietly_when_its_reader_has_gone(start: Callable[..., Program]) -> None:
    with EchoServer(on_open=greet) as server:
        program = start("listen", server.url)
        program.read_until("third\n")  # all of them: what nobody reads would end the program
        assert program.process.stdout is not None
        program.process.stdout.close()
        server.connections[0].send("one more")

        assert program.process.wait(PATIENCE) == 0
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


@pytest.mark.skipif(not FULL.exists(), reason=f"no {FULL} to stand for a full disk")
def test_output_that_cannot_be_written_is_a_failure() -> None:
    with EchoServer(on_open=greet) as server, FULL.open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "listen", server.url],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            env=environment(),
        )

    assert done.returncode == 1
    assert done.stderr == b"tieline: cannot write to standard output: No space left on device\n"
