"""Standard input as lines, whatever pieces it comes in, until it ends or nobody wants more."""

from __future__ import annotations

import gc
import logging
import os
import pty
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.conftest import PATIENCE
from tieline.cli.signals import Signalled, signals_taken
from tieline.cli.typed import PipedLines, PromptedLines, lines_of

TEXT = b"one\ntwo\r\n\n\xc3\xbc\nlast"
LINES = [b"one", b"two", b"", b"\xc3\xbc", b"last"]


def lines_from(chunks: list[bytes]) -> list[bytes]:
    """What is read when each chunk is written after the one before was taken."""
    reading, writing = os.pipe()

    def write() -> None:
        for chunk in chunks:
            os.write(writing, chunk)
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    found = list(PipedLines(reading, "utf-8"))
    writer.join(10)
    os.close(reading)
    return found


@pytest.mark.parametrize("cut", range(len(TEXT) + 1))
def test_lines_do_not_depend_on_how_they_are_cut(cut: int) -> None:
    assert lines_from([TEXT[:cut], TEXT[cut:]]) == LINES


def test_lines_come_byte_by_byte_too() -> None:
    assert lines_from([bytes([byte]) for byte in TEXT]) == LINES


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=8))
def test_every_line_comes_once_and_in_order(lines: list[bytes]) -> None:
    given_lines = [line.removesuffix(b"\r") for line in lines]

    assert lines_from([line + b"\n" for line in lines]) == given_lines


def test_stop_ends_a_wait_for_input() -> None:
    reading, writing = os.pipe()
    lines = PipedLines(reading, "utf-8")
    threading.Timer(0.01, lines.stop).start()

    assert list(lines) == []
    os.close(writing)  # lets the reading thread end
    for thread in threading.enumerate():
        if thread.name == "tieline-input":
            thread.join(10)
    os.close(reading)


def test_stop_holds_for_lines_that_were_read_already() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\n")
    lines = PipedLines(reading, "utf-8")
    iterator: Iterator[bytes] = iter(lines)
    assert next(iterator) == b"one"
    lines.stop()

    assert list(iterator) == []
    os.close(writing)
    os.close(reading)


def test_a_closed_standard_input_has_no_lines() -> None:
    assert list(lines_of(None, interactive=False)) == []


# --- at a prompt --------------------------------------------------------------------------------


class Prompt:
    """`PromptedLines` at a terminal of this process's own, where someone types."""

    def __init__(self, stack: ExitStack, patch: pytest.MonkeyPatch, keys: bytes) -> None:
        from prompt_toolkit.application import create_app_session

        self._master, self._slave = pty.openpty()
        stack.callback(self._close)
        modes = termios.tcgetattr(self._slave)
        modes[3] &= ~termios.ICANON  # Ctrl-D is a key from the start
        termios.tcsetattr(self._slave, termios.TCSANOW, modes)
        self._modes = termios.tcgetattr(self._slave)
        patch.setenv("TERM", "xterm")
        patch.setenv("PROMPT_TOOLKIT_NO_CPR", "1")
        for name, mode in (("stdin", "r"), ("stdout", "w")):
            stream = stack.enter_context(open(self._slave, mode, closefd=False))
            patch.setattr(sys, name, stream)
        self._shown: list[bytes] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        os.write(self._master, keys)
        stack.enter_context(create_app_session())
        self.lines = PromptedLines()

    def given_back(self) -> bool:
        """True when the terminal is set up as it was."""
        return termios.tcgetattr(self._slave) == self._modes

    def shown(self) -> bytes:
        """All that came to the terminal. It cannot be used any more."""
        self._close()
        return b"".join(self._shown)

    def _read(self) -> None:
        try:
            while chunk := os.read(self._master, 65536):
                self._shown.append(chunk)
        except OSError:
            pass  # EIO: the slave is closed

    def _close(self) -> None:
        if self._reader.is_alive():
            os.close(self._slave)
            self._reader.join(PATIENCE)
            os.close(self._master)


@pytest.fixture
def prompt(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[bytes], Prompt]]:
    """``prompt(keys)``: a new one in place of the one before. Nothing may be logged or shown."""
    pytest.importorskip("prompt_toolkit")
    with ExitStack() as stack:

        def make(keys: bytes) -> Prompt:
            stack.close()
            return Prompt(stack, stack.enter_context(pytest.MonkeyPatch.context()), keys)

        yield make
    gc.collect()  # asyncio logs the errors that nobody asked for when it forgets them
    records = [*caplog.get_records("call"), *caplog.records]
    assert [record for record in records if record.levelno >= logging.WARNING] == []


def lines_with_a_signal(
    lines: Iterable[bytes], number: int, moment: int
) -> tuple[int, BaseException | None]:
    """Iterate, with the signal's handler on top at that moment: how many came, what was raised.

    A moment is where a function begins, anyone's, or where a C function has returned.
    """
    count = 0
    handler = signal.getsignal(number)
    assert callable(handler)

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_return"):
            count += 1
            if count == moment:
                sys.setprofile(before)
                handler(number, frame)

    before = sys.getprofile()
    error: BaseException | None = None
    sys.setprofile(on_event)
    try:
        for _ in lines:
            pass
    except BaseException as caught:
        error = caught
    finally:
        sys.setprofile(before)
    return count, error


#: Of about a hundred thousand, and never quite as many.
MOMENTS_TRIED = 40


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_leaves_the_prompt_in_order(
    prompt: Callable[[bytes], Prompt], number: int
) -> None:
    keys = b"one\rtwo\r\x04"
    with signals_taken():
        moments, error = lines_with_a_signal(prompt(keys).lines, number, 0)
        assert error is None
        for moment in range(1, moments, moments // MOMENTS_TRIED):
            one = prompt(keys)
            count, error = lines_with_a_signal(one.lines, number, moment)
            if count == moment:
                assert isinstance(error, Signalled) and error.number == number
            assert one.given_back()
            assert b"Unhandled" not in one.shown()


def test_a_signal_within_a_task_of_the_prompt_ends_it_too(
    prompt: Callable[[bytes], Prompt],
) -> None:
    async def terminate() -> None:
        signal.raise_signal(signal.SIGTERM)

    one = prompt(b"one\r")
    application = one.lines._session.app
    application.pre_run_callables.append(
        lambda: application.create_background_task(terminate())  # before the typed line is read
    )
    with signals_taken(), pytest.raises(Signalled) as caught:
        list(one.lines)

    assert caught.value.number == signal.SIGTERM
    assert one.given_back()
    assert b"Unhandled" not in one.shown()
