"""MessageStream: chunks for a thread, taken when asked for, and what becomes of the rest."""

from __future__ import annotations

import gc
import threading
from logging import getLogger
from typing import Any

import pytest

from tests.engine.test_chunks import Owner
from tieline.engine.callbacks import Callbacks
from tieline.engine.chunks import Chunks
from tieline.engine.handlers import Handlers
from tieline.engine.inbox import Inbox
from tieline.engine.streams import MessageStream
from tieline.errors import ConnectionClosed
from tieline.protocol.events import MessageChunk


def stream_of(owner: Owner, *later: tuple[str, bool]) -> MessageStream:
    """Each wait brings the next of `later`."""
    parts = iter(later)
    return MessageStream(lambda: owner.chunks, lambda chunks: chunks.feed(*next(parts)))


def test_chunk_by_chunk() -> None:
    owner = Owner()
    stream = stream_of(owner, ("a", False), ("", False), ("b", True))
    assert iter(stream) is stream
    assert list(stream) == ["a", "b"]
    assert list(stream) == [] and stream.read() == ""


def test_nothing_is_taken_before_it_is_asked_for() -> None:
    begun: list[Chunks] = []
    owner = Owner()

    def begin() -> Chunks:
        begun.append(owner.chunks)
        return owner.chunks

    stream = MessageStream(begin, lambda chunks: chunks.feed("a", True))
    assert begun == []
    assert list(stream) == ["a"] and begun == [owner.chunks]


def test_read_the_rest() -> None:
    stream = stream_of(Owner(), ("a", False), ("b", False), ("c", True))
    assert next(stream) == "a"
    assert stream.read() == "bc"
    with pytest.raises(StopIteration):
        next(stream)


def test_a_wait_that_fails_loses_nothing() -> None:
    owner = Owner()
    owner.chunks.feed("a", False)

    def too_slow(chunks: Chunks) -> None:
        raise TimeoutError

    stream = MessageStream(lambda: owner.chunks, too_slow)
    assert next(stream) == "a"
    owner.chunks.feed("b", False)
    for ask in (stream.read, stream.read):
        with pytest.raises(TimeoutError):
            ask()
    owner.chunks.feed("c", True)
    assert list(stream) == ["b", "c"]


def test_the_reader_is_known() -> None:
    owner = Owner()
    owner.chunks.feed("a", False)
    stream = stream_of(owner)
    next(stream)
    assert owner.chunks.reader == threading.get_ident()


@pytest.mark.parametrize("how", ["close", "with", "drop"])
def test_the_rest_is_thrown_away(how: str) -> None:
    owner = Owner()
    owner.chunks.feed("a", False)
    owner.chunks.feed("b", False)
    stream = stream_of(owner)
    assert next(stream) == "a"
    if how == "close":
        stream.close()
        stream.close()
        assert list(stream) == []
        with pytest.raises(RuntimeError, match="closed"):
            stream.read()
    elif how == "with":
        with stream as same:
            assert same is stream
    else:
        del stream
        gc.collect()
        assert owner.told.wait(20)
    assert owner.finished == [owner.chunks] and owner.chunks.waiting == 0


def test_a_stream_can_be_collected_under_any_lock() -> None:
    """The collector runs on any thread, in the midst of what holds the locks of a message."""
    inbox = Inbox(Callbacks(Handlers(), getLogger("tieline.tests")), None, 100)
    inbox.chunk(MessageChunk(b"a", False))
    stream: Any = MessageStream(inbox.take_chunks, lambda chunks: None)
    assert next(stream) == b"a"
    inbox.chunk(MessageChunk(b"b", True))
    stream.myself = stream
    del stream
    inbox.chunk(MessageChunk(b"c", False))
    taking, taken = threading.Event(), threading.Event()
    waited: list[bool] = []

    def take() -> None:
        with inbox.news.lock:
            taking.set()
            waited.append(taken.wait(20))

    thread = threading.Thread(target=take)
    thread.start()
    assert taking.wait(20)
    gc.collect()
    taken.set()
    thread.join(20)
    assert waited == [True], "the collector's thread waited for the lock"
    # The one who let go of it may go on with the next message at once.
    assert inbox.take_chunks().take() == b"c"


def test_closed_before_it_began_it_takes_no_message() -> None:
    owner = Owner()
    stream = stream_of(owner, ("a", True))
    stream.close()
    assert list(stream) == [] and owner.finished == []


def test_the_end_in_the_middle_is_told() -> None:
    owner = Owner()
    owner.chunks.feed("a", False)
    stream = MessageStream(lambda: owner.chunks, lambda chunks: chunks.break_off(None))
    assert next(stream) == "a"
    for _ in range(2):
        with pytest.raises(ConnectionClosed):
            next(stream)
