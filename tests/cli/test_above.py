"""What is written while prompts begin and end comes once, in order, in whole lines."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from tests.cli.conftest import PATIENCE
from tests.cli.prompts import MOMENTS_TRIED, Prompt, read_with_a_moment


def test_between_prompts_whole_lines_are_printed_at_once(prompt: Callable[[bytes], Prompt]) -> None:
    one = prompt(b"first\r\x04")
    for _ in one.lines:
        print("un", end="")
        print("finished", "line")
        print("half of one", end="", flush=True)

    shown = one.shown()
    assert shown.count(b"unfinished line\r\n") == 1
    assert b"half of one" not in shown


@pytest.mark.slow
def test_what_another_thread_writes_at_any_moment_comes_once(
    prompt: Callable[[bytes], Prompt],
) -> None:
    keys = b"one\rtwo\r\x04"
    moments, _ = read_with_a_moment(prompt(keys).lines, 0, lambda: None)
    for moment in range(1, moments, moments // MOMENTS_TRIED):
        one = prompt(keys)
        writer = threading.Thread(target=lambda: print("written", "here"))
        _, error = read_with_a_moment(one.lines, moment, writer.start)
        assert error is None
        if writer.ident is not None:
            writer.join(PATIENCE)
            sys.stdout.flush()
            assert one.shown().count(b"written here\r\n") == 1


@pytest.mark.slow
def test_what_is_written_all_the_time_comes_in_order(prompt: Callable[[bytes], Prompt]) -> None:
    one = prompt(b"x\r" * 20)
    count = 500
    begun = threading.Event()

    def write() -> None:
        begun.wait(PATIENCE)
        for number in range(count):
            print(f"number {number:03}!")
        one.lines.stop()

    writer = threading.Thread(target=write)
    writer.start()
    for _ in one.lines:
        begun.set()
    writer.join(PATIENCE)

    found = [int(part[:3]) for part in one.shown().split(b"number ")[1:]]
    assert found == list(range(count))
