"""What the main thread of a command can wait for while messages are printed on another."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tieline.cli.arrivals import Arrivals
from tieline.protocol.events import Close, CloseInfo

ENDED = CloseInfo(1000, "", Close(1000, ""), Close(1000, ""), True, "remote")


def raising(error: Exception) -> Callable[[object], None]:
    def show(message: object) -> None:
        raise error

    return show


def test_prints_no_more_than_the_limit() -> None:
    shown: list[object] = []
    arrivals = Arrivals(shown.append, limit=2)
    for message in ("one", "two", "three"):
        arrivals.on_message(message)

    assert shown == ["one", "two"]
    assert arrivals.wait(0)


def test_the_end_is_told_once_nothing_more_will_be_printed() -> None:
    over = threading.Event()
    arrivals = Arrivals(lambda message: None, on_over=over.set)
    arrivals.on_message("one")
    assert not over.is_set()
    assert not arrivals.wait(0)
    arrivals.on_close(ENDED)

    assert over.is_set()
    assert arrivals.wait() and arrivals.closed


def test_output_that_fails_ends_it() -> None:
    arrivals = Arrivals(raising(BrokenPipeError()))
    arrivals.on_message("one")

    assert arrivals.wait(0)
    assert isinstance(arrivals.output_error, BrokenPipeError)


def test_a_fault_of_the_program_ends_it_too() -> None:
    arrivals = Arrivals(raising(ZeroDivisionError()))
    arrivals.on_message("one")

    assert arrivals.wait(0)
    assert isinstance(arrivals.fault, ZeroDivisionError)


def test_quiet_ends_when_nothing_comes_and_at_the_end() -> None:
    arrivals = Arrivals(lambda message: None)
    arrivals.wait_for_quiet(0.01)
    assert not arrivals.over

    threading.Timer(0.01, arrivals.on_close, [ENDED]).start()
    arrivals.wait_for_quiet(float("inf"))
    assert arrivals.over


def test_it_is_not_quiet_while_the_reader_of_the_output_takes_its_time() -> None:
    printing, may_go_on = threading.Event(), threading.Event()

    def show(message: object) -> None:
        printing.set()
        assert may_go_on.wait(10)

    arrivals = Arrivals(show)
    handler = threading.Thread(target=arrivals.on_message, args=["slow"])
    handler.start()
    assert printing.wait(10)
    waiting = threading.Thread(target=arrivals.wait_for_quiet, args=[0.0])
    waiting.start()
    waiting.join(0.05)
    assert waiting.is_alive()
    may_go_on.set()
    handler.join(10)
    waiting.join(10)

    assert not waiting.is_alive()
