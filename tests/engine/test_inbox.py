"""Inbox: messages are kept in order, within bounds, until somebody takes them."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any

import pytest

from tieline.engine.callbacks import Callbacks
from tieline.engine.handlers import Handlers
from tieline.engine.inbox import Inbox

SOON = 5.0


class Bench:
    def __init__(self, max_queue: int = 4) -> None:
        self.room = 0
        self.dropped: list[int] = []
        callbacks = Callbacks(Handlers(), logging.getLogger("tieline"))
        self.inbox = Inbox(callbacks, None, max_queue, self._on_room)
        self.inbox.on_dropped = self.dropped.append

    def _on_room(self) -> None:
        self.room += 1


def take_all(inbox: Inbox) -> list[Any]:
    return [inbox.take() for _ in range(len(inbox))]


def test_in_order() -> None:
    inbox = Bench().inbox
    inbox.messages(["a", b"b"])
    inbox.messages([""])
    assert len(inbox) == inbox.load == 3
    assert take_all(inbox) == ["a", b"b", ""]
    with pytest.raises(IndexError):
        inbox.take()


def test_what_comes_before_the_end_can_be_taken_after_it() -> None:
    inbox = Bench().inbox
    inbox.messages(["a"])
    assert not inbox.has_ended
    inbox.end()
    assert inbox.has_ended and inbox.take() == "a"


def test_full_until_half_is_taken() -> None:
    bench = Bench(max_queue=4)
    inbox = bench.inbox
    inbox.messages(["1", "2", "3"])
    assert not inbox.is_full
    inbox.messages(["4", "5", "6"])  # what one read brought is kept
    assert inbox.is_full and len(inbox) == 6
    for _ in range(3):
        inbox.take()
        assert bench.room == 0
    assert not inbox.is_full
    inbox.take()
    assert bench.room == 1
    take_all(inbox)
    assert bench.room == 1


def test_a_queue_of_one() -> None:
    bench = Bench(max_queue=1)
    for round_number in range(1, 4):
        bench.inbox.messages(["a"])
        assert bench.inbox.is_full
        bench.inbox.take()
        assert bench.room == round_number and not bench.inbox.is_full


def test_while_closing_no_more_are_kept_than_fit() -> None:
    bench = Bench(max_queue=4)
    inbox = bench.inbox
    inbox.messages(["1", "2", "3", "4", "5"])
    assert inbox.is_full
    inbox.discard_rest()
    assert not inbox.is_full  # or the peer's Close would never be read
    inbox.messages(["6", "7"])
    assert inbox.take() == "1" and inbox.take() == "2"
    inbox.messages(["8", "9", "10"])
    assert bench.dropped == []
    inbox.end()
    assert bench.dropped == [4]  # told once, however often something came
    inbox.end()
    assert bench.dropped == [4]
    assert take_all(inbox) == ["3", "4", "5", "8"]


def test_closing_with_room_drops_nothing() -> None:
    bench = Bench(max_queue=4)
    bench.inbox.discard_rest()
    bench.inbox.messages(["1", "2", "3", "4"])
    bench.inbox.end()
    assert bench.dropped == [] and len(bench.inbox) == 4


def test_one_who_counts_the_dropped_and_raises_keeps_nobody_waiting() -> None:
    bench = Bench(max_queue=1)

    def raises(count: int) -> None:
        raise OSError("disk full")

    bench.inbox.on_dropped = raises
    bench.inbox.discard_rest()
    bench.inbox.messages(["1", "2"])
    with pytest.raises(OSError, match="disk full"):
        bench.inbox.end()
    assert bench.inbox.has_ended


@pytest.mark.parametrize("news", ["message", "end", "tell"])
def test_news_reach_everybody_who_waits(news: str) -> None:
    inbox = Bench().inbox
    told = threading.Event()
    barrier = threading.Barrier(4)
    over: list[bool] = []

    def wait() -> None:
        barrier.wait(SOON)
        inbox.wait_for(lambda: bool(inbox) or inbox.has_ended or told.is_set(), 2 * SOON)
        over.append(True)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    barrier.wait(SOON)
    told.set()
    {"message": lambda: inbox.messages(["a"]), "end": inbox.end, "tell": inbox.tell}[news]()
    for thread in threads:
        thread.join(SOON)
    assert over == [True] * 3


def test_waiting_is_bounded() -> None:
    inbox = Bench().inbox
    inbox.wait_for(lambda: False, 0.0)
    inbox.wait_for(lambda: False, 0.001)


def test_none_lost_and_none_twice_with_many_takers() -> None:
    """With room for few, so that filling up and catching up alternate all the time."""
    bench = Bench(max_queue=8)
    inbox = bench.inbox
    count, takers = 3000, 4
    taken: list[list[Any]] = [[] for _ in range(takers)]
    room = threading.Event()
    inbox._on_room = room.set

    def take(mine: list[Any]) -> None:
        while True:
            try:
                mine.append(inbox.take())
            except IndexError:
                if inbox.has_ended:
                    return
                inbox.wait_for(lambda: bool(inbox) or inbox.has_ended, SOON)

    threads = [threading.Thread(target=take, args=(mine,)) for mine in taken]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for number in range(0, count, 3):
            while inbox.is_full:
                assert room.wait(SOON), "nobody told that there is room"
                room.clear()
            inbox.messages([str(number + more) for more in range(3)])
        inbox.end()
        for thread in threads:
            thread.join(SOON)
    finally:
        sys.setswitchinterval(before)
    assert sorted(int(one) for mine in taken for one in mine) == list(range(count))
    for mine in taken:
        assert mine == sorted(mine, key=int)


def test_in_a_child_process() -> None:
    """The thread that held the condition's lock may not be there."""
    inbox = Bench().inbox
    inbox.messages(["a"])
    inbox.news.acquire()
    inbox._waiting = 3
    inbox.abandon_after_fork()
    thread = threading.Thread(target=inbox.end)
    thread.start()
    thread.join(SOON)
    assert inbox.has_ended and inbox.take() == "a"


def test_full_again_before_the_reading_goes_on() -> None:
    """Reading goes on at once, on another thread: the inbox may be full again, and must know."""
    bench = Bench(max_queue=1)
    inbox = bench.inbox
    refills = iter(["b", "c"])

    def on_room() -> None:
        bench.room += 1
        if (message := next(refills, None)) is not None:
            inbox.messages([message])

    inbox._on_room = on_room
    inbox.messages(["a"])
    assert [inbox.take() for _ in range(3)] == ["a", "b", "c"]
    assert bench.room == 3


def test_held_back_until_somebody_asks_for_more() -> None:
    """The peer's error is acted on when the messages before it were taken, hence answered."""
    bench = Bench()
    inbox = bench.inbox
    assert inbox.hold_back() and inbox.is_full
    inbox.messages(["a"])
    assert inbox.take() == "a" and inbox.holds_back
    with pytest.raises(IndexError):
        inbox.take()
    assert not inbox.holds_back and not inbox.is_full and bench.room == 1
    inbox.go_on()
    assert bench.room == 1, "there was nothing to go on with"


def test_nothing_is_held_back_after_our_close() -> None:
    inbox = Bench().inbox
    assert inbox.hold_back()
    inbox.discard_rest()
    assert not inbox.holds_back
    assert not inbox.hold_back() and not inbox.is_full
