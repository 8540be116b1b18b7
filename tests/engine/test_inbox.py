"""Inbox: messages are kept in order, within bounds, until somebody takes them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.inbox_bench import Bench, chunks_of, feed, take_all
from tests.moments import at_every_moment
from tieline.engine import chunks as chunking
from tieline.errors import ConnectionClosed
from tieline.protocol.events import CloseInfo

SOON = 20.0
INFO = CloseInfo(1006, "", None, None, False, "none")


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
    inbox.end(None)
    assert inbox.has_ended and inbox.take() == "a"


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
    inbox.end(None)
    assert bench.dropped == [4]  # told once, however often something came
    inbox.end(None)
    assert bench.dropped == [4]
    assert take_all(inbox) == ["3", "4", "5", "8"]


def test_closing_with_room_drops_nothing() -> None:
    bench = Bench(max_queue=4)
    bench.inbox.discard_rest()
    bench.inbox.messages(["1", "2", "3", "4"])
    bench.inbox.end(None)
    assert bench.dropped == [] and len(bench.inbox) == 4


def test_one_who_counts_the_dropped_and_raises_keeps_nobody_waiting() -> None:
    bench = Bench(max_queue=1)

    def raises(count: int) -> None:
        raise OSError("disk full")

    bench.owner.on_dropped = raises
    bench.inbox.discard_rest()
    bench.inbox.messages(["1", "2"])
    with pytest.raises(OSError, match="disk full"):
        bench.inbox.end(None)
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
    {"message": lambda: inbox.messages(["a"]), "end": lambda: inbox.end(None), "tell": inbox.tell}[
        news
    ]()
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
    bench.owner.on_room = room.set

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
        inbox.end(None)
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
    inbox.news.lock.acquire()
    inbox.waiters = 3
    inbox.abandon_after_fork()
    thread = threading.Thread(target=inbox.end, args=(None,))
    thread.start()
    thread.join(SOON)
    assert inbox.has_ended and inbox.take() == "a"


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


# --- messages in chunks


def test_chunks_are_joined_for_whoever_wants_a_message() -> None:
    inbox = Bench().inbox
    inbox.messages(["a"])
    feed(inbox, "b", "c")
    inbox.messages([b"d"])
    feed(inbox, b"e", b"", b"f")
    assert len(inbox) == inbox.load == 4
    assert [inbox.take_whole() for _ in range(4)] == ["a", "bc", b"d", b"ef"]
    with pytest.raises(IndexError):
        inbox.take_whole()
    inbox.messages(["on the short way again"])
    assert inbox.take() == "on the short way again"


def test_messages_are_one_chunk_for_whoever_wants_chunks() -> None:
    inbox = Bench().inbox
    inbox.messages(["a", ""])
    feed(inbox, "b", "c")
    inbox.messages([b"d"])
    assert [chunks_of(inbox) for _ in range(4)] == [["a"], [""], ["b", "c"], [b"d"]]
    with pytest.raises(IndexError):
        inbox.take_chunks()


def test_a_message_in_work_is_no_whole_one() -> None:
    """What was joined so far is not lost, for whoever wants it then."""
    inbox = Bench().inbox
    feed(inbox, "a", last=False)
    assert inbox.has_whole() and inbox.has_chunks()
    for _ in range(2):
        with pytest.raises(IndexError):
            inbox.take_whole()
        assert not inbox.has_whole()
    feed(inbox, "b", last=False)
    with pytest.raises(IndexError):
        inbox.take_whole()
    chunks = inbox.take_chunks()
    assert chunks.take() == "ab"
    feed(inbox, "c")
    assert chunks.take() == "c" and chunks.take() is None


def test_a_reader_who_is_not_done_gets_nothing_else() -> None:
    """Whether the rest has come or not, so that it shows at the first try."""
    inbox = Bench().inbox
    feed(inbox, "a", "b")
    chunks = inbox.take_chunks()
    inbox.messages(["behind"])
    for take in (inbox.take_whole, inbox.take_chunks, inbox.take_whole):
        with pytest.raises(RuntimeError, match=r"read it to its end or close\(\) it first"):
            take()
    assert chunks.take() == "a"
    with pytest.raises(RuntimeError):
        inbox.take_whole()
    assert chunks.take() == "b"
    assert inbox.take() == "behind"


def test_others_get_what_is_behind() -> None:
    inbox = Bench().inbox
    feed(inbox, "a", "b")
    chunks = inbox.take_chunks()
    chunks.reader = "another thread"
    inbox.messages(["behind", "it"])
    with pytest.raises(IndexError):
        inbox.take()
    assert inbox.take_whole() == "behind"
    chunks.discard()
    assert inbox.take() == "it"


def test_a_message_that_nobody_wants_is_thrown_away_as_it_comes() -> None:
    bench = Bench()
    inbox = bench.inbox
    feed(inbox, "a" * (chunking.MAX_WAITING + 1), last=False)
    assert inbox.is_full
    inbox.take_chunks().discard()
    assert not inbox.is_full and bench.room == 1
    feed(inbox, "b" * (chunking.MAX_WAITING + 1), last=False)
    assert not inbox.is_full
    feed(inbox, "c")
    inbox.messages(["next"])
    assert inbox.take_whole() == "next"


def test_chunks_that_wait_make_it_full() -> None:
    bench = Bench()
    inbox = bench.inbox
    half = "x" * (chunking.MAX_WAITING // 2)
    feed(inbox, half, half, last=False)
    assert not inbox.is_full
    feed(inbox, "y", last=False)
    assert inbox.is_full
    chunks = inbox.take_chunks()
    chunks.take()
    assert bench.room == 0
    chunks.take()
    assert bench.room == 1 and not inbox.is_full


@pytest.mark.parametrize("max_queue", [1, 2, 3])
def test_the_message_in_work_takes_no_place(max_queue: int) -> None:
    """Whoever could make room may be waiting for the end of it."""
    bench = Bench(max_queue)
    inbox = bench.inbox
    for _ in range(max_queue - 1):
        inbox.messages(["a"])
    feed(inbox, "b", last=False)
    assert not inbox.is_full
    for _ in range(max_queue - 1):
        inbox.take()
    feed(inbox, "c")
    inbox.messages(["d"] * max_queue)
    assert inbox.is_full
    assert inbox.take_whole() == "bc"
    for _ in range(max_queue):
        inbox.take()
    assert not inbox.is_full and bench.room == 1


def test_room_is_told_although_a_message_is_in_work() -> None:
    bench = Bench(max_queue=1)
    bench.inbox.messages(["a"])
    feed(bench.inbox, "b", last=False)  # what one read had brought
    assert bench.inbox.is_full
    assert bench.inbox.take() == "a"
    assert bench.room == 1 and not bench.inbox.is_full


def test_the_end_in_the_middle_of_a_message() -> None:
    inbox = Bench().inbox
    feed(inbox, "a", last=False)
    inbox.end(INFO)
    for _ in range(2):
        with pytest.raises(ConnectionClosed, match="in the middle"):
            inbox.take_whole()
    chunks = inbox.take_chunks()
    assert chunks.take() == "a"
    with pytest.raises(ConnectionClosed) as raised:
        chunks.take()
    assert raised.value.close_info is INFO
    with pytest.raises(IndexError):
        inbox.take_whole()


def test_while_closing_a_message_that_nobody_reads_is_cut() -> None:
    """The peer's Close is behind it."""
    bench = Bench()
    inbox = bench.inbox
    feed(inbox, "a", last=False)
    inbox.discard_rest()
    chunks = inbox.take_chunks()
    for _ in range(20):
        feed(inbox, "b" * (chunking.MAX_WAITING // 4), last=False)
        assert not inbox.is_full
    feed(inbox, "c")
    assert chunks.waiting < 2 * chunking.MAX_WAITING
    inbox.messages(["next"])
    inbox.end(INFO)
    assert bench.dropped == [1]
    with pytest.raises(ConnectionClosed):
        while chunks.take() is not None:
            pass
    assert inbox.take_whole() == "next"


def test_while_closing_no_message_begins_for_which_there_is_no_room() -> None:
    bench = Bench(max_queue=1)
    inbox = bench.inbox
    inbox.messages(["a"])
    inbox.discard_rest()
    feed(inbox, "b", "c")
    feed(inbox, "d", "e")
    inbox.end(None)
    assert bench.dropped == [2] and take_all(inbox) == ["a"]


def test_chunks_are_news() -> None:
    inbox = Bench().inbox
    feed(inbox, "a", last=False)
    chunks = inbox.take_chunks()
    chunks.take()
    started = threading.Event()

    def wait() -> None:
        started.set()
        inbox.wait_for(lambda: chunks.is_ready, 2 * SOON)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert started.wait(SOON)
    feed(inbox, "b")
    thread.join(SOON)
    assert not thread.is_alive()


def test_held_back_behind_chunks() -> None:
    bench = Bench()
    inbox = bench.inbox
    feed(inbox, "a", last=False)
    chunks = inbox.take_chunks()
    assert inbox.hold_back()
    feed(inbox, "b")
    inbox.messages(["c"])
    assert chunks.take() == "a" and chunks.take() == "b" and inbox.holds_back
    assert inbox.take_whole() == "c" and inbox.holds_back
    with pytest.raises(IndexError):
        inbox.take_whole()
    assert not inbox.holds_back and bench.room == 1


def test_chunks_in_a_child_process() -> None:
    inbox = Bench().inbox
    feed(inbox, "a", last=False)
    chunks = inbox.take_chunks()
    inbox.abandon_after_fork()
    inbox.end(INFO)
    assert chunks.take() == "a"
    with pytest.raises(ConnectionClosed):
        chunks.take()


def test_many_threads_and_chunks() -> None:
    """Nothing is lost or doubled when whole messages and chunks are taken beside each other."""
    count, readers = 3000, 4
    inbox = Bench(max_queue=1 << 30).inbox
    taken: list[list[str]] = [[] for _ in range(readers)]

    def read(mine: list[str], streams: bool) -> None:
        while True:
            try:
                if streams:
                    chunks = inbox.take_chunks()
                    message = ""
                    while True:
                        try:
                            part = chunks.take()
                        except IndexError:
                            inbox.wait_for(partial(getattr, chunks, "is_ready"), SOON)
                            continue
                        if part is None:
                            break
                        message += str(part)
                    mine.append(message)
                else:
                    mine.append(str(inbox.take_whole()))
            except IndexError:
                if inbox.has_ended and not len(inbox):
                    return
                inbox.wait_for(lambda: bool(len(inbox)) or inbox.has_ended, 0.01)

    threads = [
        threading.Thread(target=read, args=(mine, number % 2 == 0), daemon=True)
        for number, mine in enumerate(taken)
    ]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for number in range(0, count, 3):
            inbox.messages([f"{number}.", f"{number + 1}."])
            feed(inbox, *str(number + 2), ".")
        inbox.end(None)
        for thread in threads:
            thread.join(2 * SOON)
    finally:
        sys.setswitchinterval(before)
    assert sorted(one for mine in taken for one in mine) == sorted(f"{n}." for n in range(count))


# --- one connection after the other


def test_across_a_lost_connection_messages_wait() -> None:
    inbox = Bench().inbox
    inbox.messages(["old"])
    inbox.cut(INFO)
    assert not inbox.has_ended
    inbox.begin()
    inbox.messages(["new"])
    assert take_all(inbox) == ["old", "new"]


def test_a_message_without_its_end_is_none() -> None:
    inbox = Bench().inbox
    inbox.messages(["a"])
    feed(inbox, "half", last=False)
    inbox.cut(INFO)
    inbox.begin()
    inbox.messages(["b"])
    assert [inbox.take_whole() for _ in range(2)] == ["a", "b"]


def test_who_reads_a_message_is_told_that_its_end_will_not_come() -> None:
    inbox = Bench().inbox
    feed(inbox, "half", last=False)
    chunks = inbox.take_chunks()
    inbox.cut(INFO)
    inbox.begin()
    inbox.messages(["b"])
    assert chunks.take() == "half"
    with pytest.raises(ConnectionClosed, match="in the middle of a message"):
        chunks.take()
    assert inbox.take() == "b"


def test_a_new_connection_is_read_although_the_old_one_was_closed() -> None:
    bench = Bench(max_queue=2)
    inbox = bench.inbox
    inbox.discard_rest()
    feed(inbox, "half", last=False)
    inbox.end(INFO)
    assert inbox.has_ended
    inbox.begin()
    assert not inbox.has_ended
    inbox.messages(["a", "b"])
    assert inbox.is_full, "what comes is kept, and not thrown away"


def _take_whole(inbox: Any) -> None:
    inbox.is_streaming = True
    with suppress(IndexError):
        inbox.take_whole()


@reaches_inside
@pytest.mark.parametrize(
    "act",
    [
        _take_whole,
        lambda inbox: inbox.wait_for(lambda: True, 0),
        lambda inbox: inbox.tell(),
        lambda inbox: inbox.messages(["b"]),
    ],
)
def test_ctrl_c_leaves_no_lock_behind(act: Callable[[Any], object]) -> None:
    """It is the line's, and the thread that serves all plain connections wants it, too."""

    def make() -> Any:
        inbox = Bench(max_queue=1).inbox
        inbox.waiters = 1
        return inbox

    for inbox, _ in at_every_moment(make, act):
        assert not inbox.news.lock._is_owned()
