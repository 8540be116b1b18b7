"""Stock: an inbox is full with so many messages, or so many bytes, and has room again with half."""

from __future__ import annotations

import pytest

from tests.engine.inbox_bench import Bench, feed, take_all
from tieline.engine import inbox as inboxes
from tieline.engine import stock as stocks


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


def test_what_waits_stays_the_same_queue() -> None:
    """Short ways keep it, also those that asked before the first message came."""
    inbox = Bench().inbox
    waiting = inbox.waiting
    assert not waiting and len(inbox) == 0
    inbox.messages(["a"])
    assert inbox.waiting is waiting and list(waiting) == ["a"]


def test_a_queue_of_one() -> None:
    bench = Bench(max_queue=1)
    for round_number in range(1, 4):
        bench.inbox.messages(["a"])
        assert bench.inbox.is_full
        bench.inbox.take()
        assert bench.room == round_number and not bench.inbox.is_full


def test_full_again_before_the_reading_goes_on() -> None:
    """Reading goes on at once, on another thread: the inbox may be full again, and must know."""
    bench = Bench(max_queue=1)
    inbox = bench.inbox
    refills = iter(["b", "c"])

    def on_room() -> None:
        bench.room += 1
        if (message := next(refills, None)) is not None:
            inbox.messages([message])

    bench.owner.on_room = on_room
    inbox.messages(["a"])
    assert [inbox.take() for _ in range(3)] == ["a", "b", "c"]
    assert bench.room == 3


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """An inbox is full with 1000 bytes."""
    for module in (inboxes, stocks):
        monkeypatch.setattr(module, "MAX_WAITING", 1000)
        monkeypatch.setattr(module, "RUN", 100)


def test_large_messages_fill_it_sooner(small: None) -> None:
    bench = Bench(max_queue=100)
    inbox = bench.inbox
    for _ in range(3):
        inbox.messages([b"x" * 300])
        assert not inbox.is_full
    inbox.messages([b"x" * 300])
    assert inbox.is_full and len(inbox) == 4
    inbox.take()
    inbox.take()
    assert bench.room == 0
    inbox.take()
    assert bench.room == 1 and not inbox.is_full


def test_one_that_is_larger_waits_alone(small: None) -> None:
    bench = Bench(max_queue=100)
    bench.inbox.messages(["x" * 5000])
    assert bench.inbox.is_full
    assert len(bench.inbox.take()) == 5000
    assert bench.room == 1 and not bench.inbox.is_full


def test_small_messages_are_not_taken_for_large_ones(small: None) -> None:
    """How large a run is is not known before it matters; then it is counted."""
    bench = Bench(max_queue=1000)
    for number in range(300):
        bench.inbox.messages([str(number)] * 3)
        assert not bench.inbox.is_full or len(bench.inbox) > 300
    assert bench.inbox.is_full


def test_while_closing_no_more_bytes_are_kept_than_fit(small: None) -> None:
    bench = Bench(max_queue=100)
    bench.inbox.messages(["x" * 2000])
    bench.inbox.discard_rest()
    bench.inbox.messages(["y"])
    bench.inbox.end(None)
    assert bench.dropped == [1] and len(bench.inbox) == 1


def test_complete_ones_that_nobody_reads_count(small: None) -> None:
    bench = Bench(max_queue=100)
    for _ in range(2):
        feed(bench.inbox, "x" * 300, "y" * 300)
    assert bench.inbox.is_full
    bench.inbox.take_whole()
    assert bench.room == 0
    bench.inbox.take_whole()
    assert bench.room == 1 and not bench.inbox.is_full


# --- one that came alone --------------------------------------------------------------------------


def test_one_that_came_alone_is_kept_where_there_is_room() -> None:
    inbox = Bench(max_queue=3).inbox
    assert inbox.keep("1") and inbox.keep(b"2")
    assert not inbox.keep("3")  # it would fill it, which is to be noted
    assert len(inbox) == 2
    inbox.messages(["3"])
    assert inbox.is_full
    assert take_all(inbox) == ["1", b"2", "3"]
    assert inbox.keep("4")


def test_what_is_kept_alone_counts(small: None) -> None:
    bench = Bench(max_queue=100)
    assert bench.inbox.keep("x" * 600)
    assert not bench.inbox.keep("y" * 400)
    bench.inbox.messages(["y" * 400])
    assert bench.inbox.is_full
    assert take_all(bench.inbox) == ["x" * 600, "y" * 400]
    assert bench.room == 1
    for _ in range(10):  # of none of which anything is left
        assert bench.inbox.keep("z" * 600)
        assert bench.inbox.take() == "z" * 600


def test_a_run_is_kept_where_there_is_room() -> None:
    inbox = Bench(max_queue=4).inbox
    assert inbox.keep_run(["1", b"2"]) and inbox.keep_run(["3"])
    assert not inbox.keep_run(["4"])  # it would fill it
    inbox.messages(["4"])
    assert inbox.is_full
    assert take_all(inbox) == ["1", b"2", "3", "4"]
    assert not inbox.keep_run(["5"] * 4) and inbox.keep_run(["5"] * 3)


def test_a_run_counts_for_more_than_it_may_be() -> None:
    inbox = Bench(max_queue=100).inbox
    assert inbox.keep_run(["x" * 100]) and inbox._size == 100
    assert inbox.keep_run(["x" * 10, "", "x"]) and inbox._size == 111 + stocks.RUN
    assert not inbox.keep_run(["x" * stocks.MAX_WAITING])
    assert len(take_all(inbox)) == 4
    assert inbox.keep_run(["x"]) and inbox._size == 1  # of the others nothing is left


def test_what_is_not_kept_alone() -> None:
    """Behind a message in chunks, during a close, after the end: all that is for `messages`."""
    streaming = Bench().inbox
    feed(streaming, "a", last=False)
    closing = Bench().inbox
    closing.discard_rest()
    ended = Bench().inbox
    ended.end(None)
    for inbox in (streaming, closing, ended):
        count = len(inbox)
        assert not inbox.keep("b") and not inbox.keep_run(["b", "c"])
        assert len(inbox) == count
