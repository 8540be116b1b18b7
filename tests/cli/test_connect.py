"""What `tieline connect` promises to a person at a terminal and to a pipe."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from queue import SimpleQueue

import pytest

from tests.cli.conftest import PATIENCE, Program, Terminal
from tieline.testing import EchoConnection, EchoServer

pytestmark = pytest.mark.slow

Run = Callable[..., subprocess.CompletedProcess[bytes]]

CTRL_C, CTRL_D = "\x03", "\x04"

#: A terminal that can edit lines, but does not answer where its cursor is.
PROMPTING = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}

#: What prompt_toolkit switches on when it begins to read: bracketed paste.
PROMPT = "\x1b[?2004h"


# --- at a terminal ------------------------------------------------------------------------------


def test_typed_lines_are_sent_and_answers_printed(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url)
    program.read_until(f"connected to {echo.url}")
    program.type("hello\n")
    program.read_until("< hello\n")
    program.type("wörld\n")
    program.read_until("< wörld\n")
    program.type(CTRL_D)

    assert program.end() == 0
    assert "closed: 1000 (normal closure), begun by the local side" in program.seen.decode()


def test_ctrl_c_closes_with_1001(terminal: Callable[..., Terminal], echo: EchoServer) -> None:
    program = terminal("connect", echo.url, measured=False)
    program.read_until("connected")
    (connection,) = echo.connections
    program.type(CTRL_C)

    assert program.end() == 130
    echo.close()  # which waits until the server has ended the connection as well
    assert connection.close_info is not None
    assert connection.close_info.code == 1001
    assert b"Traceback" not in program.seen


def test_ends_when_the_server_closes_though_nothing_is_typed(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url)
    program.read_until("connected")
    echo.close_connections(1001, "closing time")

    assert program.end() == 0
    assert b"closed: 1001 (going away) 'closing time', begun by the remote side" in program.seen


def test_control_characters_reach_no_terminal(terminal: Callable[..., Terminal]) -> None:
    evil = "\x1b]0;owned\x07 \x9b31m \u202egnp.exe a\nb\rc \u2066x \x00 \x7f é"
    with EchoServer(on_message=lambda connection, message: evil) as server:
        program = terminal("connect", server.url)
        program.read_until("connected")
        program.type("x\n")
        program.read_until("é\n")
        program.type(CTRL_D)
        program.end()

    shown = program.seen.decode()
    assert r"< \x1b]0;owned\x07 \x9b31m \u202egnp.exe a\nb\rc \u2066x \x00 \x7f é" in shown
    assert not set("\x1b\x9b\x07\u202e\u2066\x00\x7f") & set(shown)


def test_a_terminal_that_cannot_show_a_character_gets_its_code(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url, PYTHONIOENCODING="latin-1")
    program.read_until("connected")
    echo.connections[0].send("é €")
    program.read_until(b"< \xe9 \\u20ac\n")
    program.type(CTRL_D)

    assert program.end() == 0


def test_binary_messages_are_shown_in_hexadecimal(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url)
    program.read_until("connected")
    echo.connections[0].send(b"\x00\xff\x1b")
    program.read_until("< (binary, 3 bytes: 00 ff 1b)\n")
    program.type(CTRL_D)

    assert program.end() == 0


@pytest.fixture
def prompt_toolkit() -> None:
    pytest.importorskip("prompt_toolkit")


@pytest.mark.usefixtures("prompt_toolkit")
def test_with_the_extra_there_is_a_prompt_with_line_editing(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url, **PROMPTING)
    program.read_until(PROMPT)
    program.type("helo\x1b[Dl\r")  # cursor left, then the missing letter
    program.read_until("< hello")
    program.type(CTRL_D)

    assert program.end() == 0
    assert b"closed: 1000" in program.seen


@pytest.mark.usefixtures("prompt_toolkit")
def test_the_prompt_ends_when_the_server_closes(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url, **PROMPTING)
    program.read_until(PROMPT)
    program.type("unfinis")
    program.read_until("unfinis")
    echo.close_connections(1001, "closing time")

    assert program.end() == 0
    assert b"closing time" in program.seen


@pytest.mark.usefixtures("prompt_toolkit", "hang_ups_are_heard")
@pytest.mark.parametrize(
    ("how", "status"), [("Ctrl-C", 130), ("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)]
)
def test_an_interrupted_prompt_closes_with_1001(
    how: str, status: int, terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url, measured=False, **PROMPTING)
    program.read_until(PROMPT)
    (connection,) = echo.connections
    if how == "Ctrl-C":
        program.type(CTRL_C)
    else:
        program.signal(signal.Signals[how])

    assert program.end() == status
    echo.close()
    assert connection.close_info is not None
    assert connection.close_info.code == 1001
    assert b"Traceback" not in program.seen
    assert program.modes() == program.modes_before


@pytest.mark.usefixtures("prompt_toolkit")
def test_keys_are_taken_at_any_time_and_the_terminal_is_given_back(
    terminal: Callable[..., Terminal], echo: EchoServer
) -> None:
    program = terminal("connect", echo.url, **PROMPTING)
    program.read_until(PROMPT)
    program.type("one\rtwo\rthree\r" + CTRL_D)

    assert program.end() == 0
    for word in (b"one", b"two", b"three"):
        assert program.seen.count(b"< " + word) == 1
    assert program.modes() == program.modes_before


# --- in a pipe ----------------------------------------------------------------------------------


def test_each_line_of_a_pipe_is_a_message_and_answers_come_raw(
    tieline: Run, echo: EchoServer
) -> None:
    text = "one\n\nü \x1b[31m \u202e\ngo away"
    done = tieline("connect", echo.url, "--wait", "inf", input=text.encode())

    assert done.returncode == 0
    assert done.stdout.decode() == text.removesuffix("go away")
    assert done.stderr.startswith(b"closed: 1001 (going away)")


def test_at_the_end_of_a_pipe_answers_are_waited_for_until_it_is_quiet(
    start: Callable[..., Program],
) -> None:
    asked: SimpleQueue[EchoConnection] = SimpleQueue()
    with EchoServer(on_message=lambda connection, message: asked.put(connection)) as server:
        program = start("connect", server.url, "--wait", "0.2", stderr=subprocess.STDOUT)
        assert program.process.stdin is not None
        program.process.stdin.write(b"without line end")
        program.process.stdin.close()
        program.process.stdin = None
        asked.get(timeout=PATIENCE)

        assert program.end() == 0
    assert program.seen == b"closed: 1000 (normal closure), begun by the local side\n"


def test_no_input_at_all_is_an_end_of_input(
    start: Callable[..., Program], echo: EchoServer
) -> None:
    program = start("connect", echo.url, "--wait", "0", stdin=subprocess.DEVNULL)

    assert program.end() == 0
    assert program.seen == b""


def test_waits_for_answers_that_take_a_while(start: Callable[..., Program]) -> None:
    asked: SimpleQueue[EchoConnection] = SimpleQueue()
    with EchoServer(on_message=lambda connection, message: asked.put(connection)) as server:
        program = start("connect", server.url, "--wait", "inf")
        assert program.process.stdin is not None
        program.process.stdin.write(b"question\n")
        program.process.stdin.close()
        program.process.stdin = None
        connection = asked.get(timeout=PATIENCE)
        connection.send("answer")
        program.read_until("answer\n")
        connection.close(1000)

        assert program.end() == 0


def test_more_lines_than_any_buffer_holds_all_come_back(tieline: Run, echo: EchoServer) -> None:
    text = b"".join(b"line %d %s\n" % (number, b"x" * 100) for number in range(10_000))
    done = tieline("connect", echo.url, "--wait", "inf", input=text + b"go away")

    assert done.returncode == 0
    assert done.stdout == text


def test_binary_sends_lines_as_they_are(tieline: Run) -> None:
    def answer(connection: EchoConnection, message: str | bytes) -> None:
        connection.send(message)
        connection.close(1000)

    with EchoServer(on_message=answer) as server:
        done = tieline("connect", server.url, "--binary", "--wait", "inf", input=b"\xff\xfe\n")

    assert (done.returncode, done.stdout) == (0, b"\xff\xfe\n")


def test_a_line_that_is_no_text_is_refused_by_its_byte(tieline: Run, echo: EchoServer) -> None:
    done = tieline("connect", echo.url, input=b"caf\xe9\n")

    assert done.returncode == 1
    assert done.stderr == (
        b"tieline: a line of the input is not utf-8: byte 4 is 0xe9; "
        b"--binary sends bytes as they are\n"
    )


def test_ends_when_the_server_closes_though_the_pipe_is_open(
    start: Callable[..., Program], echo: EchoServer
) -> None:
    program = start("connect", echo.url, stderr=subprocess.STDOUT)
    assert program.process.stdin is not None
    program.process.stdin.write(b"go away\n")
    program.process.stdin.flush()

    assert program.end() == 0
    assert program.seen == b"closed: 1001 (going away) 'closing time', begun by the remote side\n"


def test_a_close_with_an_error_code_is_an_abnormal_end(tieline: Run, echo: EchoServer) -> None:
    done = tieline("connect", echo.url, input=b"misbehave\n")

    assert done.returncode == 3
    assert done.stderr == (
        b"tieline: closed: 1008 (policy violation) 'not here\\x1b[31m', begun by the remote side\n"
    )


def test_a_lost_link_is_an_abnormal_end(start: Callable[..., Program], echo: EchoServer) -> None:
    program = start("connect", echo.url, stderr=subprocess.STDOUT)
    assert program.process.stdin is not None
    program.process.stdin.write(b"hello\n")
    program.process.stdin.flush()
    program.read_until("hello\n")
    echo.connections[0].abort()

    assert program.end() == 3
    assert b"tieline: closed: 1006" in program.seen


def test_nobody_reads_the_output_any_more(start: Callable[..., Program], echo: EchoServer) -> None:
    program = start("connect", echo.url)
    assert program.process.stdin is not None
    assert program.process.stdout is not None
    program.process.stdin.write(b"hello\n")
    program.process.stdin.flush()
    program.read_until("hello\n")
    program.process.stdout.close()
    program.process.stdin.write(b"world\n")
    program.process.stdin.flush()

    assert program.process.wait(PATIENCE) == 0
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


def test_ctrl_c_while_dialling(start: Callable[..., Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
        program = start("connect", url, measured=False)
        silent.settimeout(PATIENCE)
        accepted, _ = silent.accept()
        with accepted:
            accepted.settimeout(PATIENCE)
            assert accepted.recv(4) == b"GET "
            program.signal(signal.SIGINT)
            assert program.end() == 130
    assert program.process.stderr is not None
    assert program.process.stderr.read() == b""


def test_ctrl_c_while_the_reader_of_the_output_does_not_read(
    start: Callable[..., Program], echo: EchoServer
) -> None:
    program = start("connect", echo.url, measured=False)
    assert program.process.stdin is not None
    program.process.stdin.write(b"hello\n")
    program.process.stdin.flush()
    program.read_until("hello\n")
    (connection,) = echo.connections
    # More than a pipe takes, and the test reads no further.
    connection.send("x" * 1_000_000)
    program.signal(signal.SIGINT)

    assert program.process.wait(PATIENCE) == 130
