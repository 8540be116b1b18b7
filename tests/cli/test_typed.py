"""Standard input as lines, whatever pieces it comes in, until it ends or nobody wants more."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.prompts import MOMENTS_TRIED, Prompt, read_with_a_moment
from tieline.cli.signals import Signalled, signals_taken
from tieline.cli.typed import PipedLines, lines_of

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


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_leaves_the_prompt_in_order(
    prompt: Callable[[bytes], Prompt], number: int
) -> None:
    keys = b"one\rtwo\r\x04"
    with signals_taken():
        handler = signal.getsignal(number)
        assert callable(handler)
        interrupt = partial(handler, number, None)
        moments, error = read_with_a_moment(prompt(keys).lines, 0, interrupt)
        assert error is None
        for moment in range(1, moments, moments // MOMENTS_TRIED):
            one = prompt(keys)
            count, error = read_with_a_moment(one.lines, moment, interrupt)
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
