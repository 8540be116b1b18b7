"""Standard output: whole lines for any reader, and no reader that can hold the process."""

from __future__ import annotations

import io
import os
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from tieline.cli.output import Output, PromptOutput

#: More than any pipe takes.
LARGE = 4 * 1024 * 1024


@pytest.fixture
def pipe() -> Iterator[tuple[int, TextIO]]:
    reading, writing = os.pipe()
    with open(writing, "w", encoding="ascii") as stream:
        yield reading, stream
    os.close(reading)


def test_a_slow_reader_gets_everything(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    output = Output(stream)
    thread = threading.Thread(target=output.write, args=(b"x" * LARGE,))
    thread.start()
    size = 0
    while size < LARGE:
        size += len(os.read(reading, 65536))
    thread.join(10)
    output.close()

    assert size == LARGE
    assert not thread.is_alive()


def test_release_ends_the_wait_for_a_reader_that_does_not_read(pipe: tuple[int, TextIO]) -> None:
    output = Output(pipe[1])
    thread = threading.Thread(target=output.write, args=(b"x" * LARGE,))
    thread.start()
    os.read(pipe[0], 1)  # it has begun
    output.release()
    thread.join(10)

    assert not thread.is_alive()
    output.write(b"dropped")  # does not wait either
    output.close()


def test_after_release_a_reader_with_room_still_gets_lines(pipe: tuple[int, TextIO]) -> None:
    output = Output(pipe[1])
    output.release()
    output.line("ü")
    output.close()

    # In UTF-8 whatever the locale: that is what came over the wire.
    assert os.read(pipe[0], 100) == "ü\n".encode()


def test_a_pipe_that_another_program_made_non_blocking(pipe: tuple[int, TextIO]) -> None:
    reading, stream = pipe
    os.set_blocking(stream.fileno(), False)
    output = Output(stream)
    thread = threading.Thread(target=output.write, args=(b"x" * LARGE,))
    thread.start()
    size = 0
    while size < LARGE:
        size += len(os.read(reading, 65536))
    thread.join(10)
    output.close()

    assert not thread.is_alive()


def test_a_reader_that_has_gone_is_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        output = Output(stream)
        with pytest.raises(BrokenPipeError):
            output.line("hello")
        output.close()


def test_a_closed_standard_output_takes_nothing_and_says_nothing() -> None:
    output = Output(None)
    output.line("into the void")
    output.close()

    assert not output.is_terminal


def test_beside_a_prompt_lines_go_through_what_is_in_place_of_standard_output(
    pipe: tuple[int, TextIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = PromptOutput(pipe[1])
    above = io.StringIO()
    monkeypatch.setattr(sys, "stdout", above)
    output.line("ü")
    output.close()

    assert above.getvalue() == "ü\n"
