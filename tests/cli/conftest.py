"""The `tieline` command → a running program, with pipes or at a terminal, ended with the test."""

from __future__ import annotations

import gc
import logging
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from tests.unmeasured import unmeasured
from tieline.testing import EchoServer

#: Seconds for anything that a program is expected to do.
PATIENCE = 30.0

COMMAND = (sys.executable, "-m", "tieline")

#: A terminal is a program's own only after the program has taken it; then Ctrl-C reaches it.
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)


def environment(**changes: str) -> dict[str, str]:
    """This process's, without what would send a dial elsewhere."""
    kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return kept | {"PYTHONUNBUFFERED": "", "PYTHONIOENCODING": ""} | changes


class Program:
    """A running `tieline` whose output can be waited for."""

    def __init__(self, process: subprocess.Popen[bytes], output: int, measured: bool) -> None:
        self.process = process
        self._output = output
        self._measured = measured
        self.seen = b""

    def read_until(self, text: str | bytes) -> bytes:
        """All that came so far, once it holds `text`."""
        wanted = text.encode() if isinstance(text, str) else text
        self._read(lambda: wanted in self.seen, f"{wanted!r}")
        return self.seen

    def end(self) -> int:
        """The exit status, once the program has ended and all of its output is in `seen`."""
        self._read(lambda: False, "the program's end", until_end=True)
        return self.process.wait(PATIENCE)

    def _read(self, enough: Callable[[], bool], what: str, until_end: bool = False) -> None:
        deadline = time.monotonic() + PATIENCE
        while not enough():
            ready, _, _ = select.select([self._output], [], [], deadline - time.monotonic())
            assert ready, f"{what} did not come, only {self.seen!r}"
            try:
                chunk = os.read(self._output, 65536)
            except OSError:
                chunk = b""  # EIO: how Linux says that a terminal's last program has gone
            if not chunk:
                assert until_end, f"the program ended without {what}, only {self.seen!r}"
                return
            self.seen += chunk

    def signal(self, number: int = signal.SIGINT) -> None:
        self.expect_no_measuring()
        self.process.send_signal(number)

    def expect_no_measuring(self) -> None:
        assert not self._measured, "coverage may hang what gets a signal: start(measured=False)"


class Terminal(Program):
    """A program at a terminal of its own."""

    def __init__(
        self, process: subprocess.Popen[bytes], master: int, modes: list[Any], measured: bool
    ) -> None:
        super().__init__(process, master, measured)
        self._master = master
        #: How the terminal was set up before the program began.
        self.modes_before = modes

    def type(self, text: str | bytes) -> None:
        """Press these keys: ``\\x03`` is Ctrl-C, ``\\x04`` is Ctrl-D."""
        if "\x03" in text if isinstance(text, str) else b"\x03" in text:
            self.expect_no_measuring()
        os.write(self._master, text.encode() if isinstance(text, str) else text)

    def modes(self) -> list[Any]:
        """How the terminal is set up now."""
        return termios.tcgetattr(self._master)


@pytest.fixture
def tieline() -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """``tieline("send", url, "hello", input=b"")``: run to the end, with pipes."""

    def run(
        *words: str | bytes, input: bytes = b"", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*COMMAND, *words],
            input=input,
            capture_output=True,
            timeout=PATIENCE,
            env=environment(**(env or {})),
        )

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """``start("listen", url)``: a program in the background, with pipes; killed at the end.

    ``measured=False`` for a program that gets a signal: tests/unmeasured.py says why.
    """
    running: list[subprocess.Popen[bytes]] = []

    def run(*words: str, measured: bool = True, **changes: Any) -> Program:
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*COMMAND, *words],
            stdout=subprocess.PIPE,
            env=environment() if measured else unmeasured(environment()),
            **(streams | changes),
        )
        running.append(process)
        assert process.stdout is not None
        return Program(process, process.stdout.fileno(), measured)

    yield run
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=PATIENCE)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """``terminal("connect", url)``: a program at a terminal without cursor keys (TERM=dumb).

    ``measured=False`` for a program that gets a signal: tests/unmeasured.py says why.
    """
    running: list[tuple[subprocess.Popen[bytes], int]] = []

    def run(*words: str, measured: bool = True, **changes: str) -> Terminal:
        master, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.ONLCR  # line ends as the program writes them
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        modes = termios.tcgetattr(slave)
        surroundings = environment(**({"TERM": "dumb", "PYTHONIOENCODING": "utf-8"} | changes))
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *COMMAND, *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=surroundings if measured else unmeasured(surroundings),
        )
        os.close(slave)
        running.append((process, master))
        return Terminal(process, master, modes, measured)

    yield run
    for process, master in running:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        os.close(master)


@pytest.fixture
def hang_ups_are_heard() -> Iterator[None]:
    """A program inherits that they are ignored, as they are where the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    """A server that sends everything back; it closes with 1008 when it is told "misbehave"."""

    def answer(connection: Any, message: str | bytes) -> str | bytes | None:
        if isinstance(message, bytes):
            return message
        if message == "misbehave":
            connection.close(1008, "not here\x1b[31m")
            return None
        if message == "go away":
            connection.close(1001, "closing time")
            return None
        return message

    with EchoServer(on_message=answer) as server:
        yield server


@pytest.fixture
def prompt(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[bytes], Any]]:
    """``prompt(keys)``: a new one in place of the one before. Nothing may be logged or shown."""
    pytest.importorskip("prompt_toolkit")
    from tests.cli.prompts import Prompt

    with ExitStack() as stack:

        def make(keys: bytes) -> Any:
            stack.close()
            return Prompt(stack, stack.enter_context(pytest.MonkeyPatch.context()), keys)

        yield make
    gc.collect()  # asyncio logs the errors that nobody asked for when it forgets them
    records = [*caplog.get_records("call"), *caplog.records]
    assert [record for record in records if record.levelno >= logging.WARNING] == []
