"""Chunks: a message's parts in order, within bounds, and an end that is never silent."""

from __future__ import annotations

import threading

import pytest

from tests.moments import at_every_moment
from tieline.engine.chunks import MAX_WAITING, Chunks, closed_error
from tieline.errors import ConnectionClosed, ProtocolError
from tieline.protocol.events import CloseInfo

SOON = 20.0
BROKEN = CloseInfo(1006, "", None, None, False, "none", ProtocolError("bad UTF-8", 1007))


class Owner:
    def __init__(self) -> None:
        self.rooms = 0
        self.finished: list[Chunks] = []
        self.told = threading.Event()
        self.chunks = Chunks(self)

    def on_chunks_room(self) -> None:
        self.rooms += 1

    def on_chunks_finished(self, chunks: Chunks) -> None:
        self.finished.append(chunks)
        self.told.set()


@pytest.fixture
def owner() -> Owner:
    return Owner()


def take_all(chunks: Chunks) -> list[str | bytes]:
    parts = []
    while (part := chunks.take()) is not None:
        parts.append(part)
    return parts


def test_in_order(owner: Owner) -> None:
    chunks = owner.chunks
    with pytest.raises(IndexError):
        chunks.take()
    chunks.feed("a", False)
    assert chunks.take() == "a" and not chunks.is_ready
    with pytest.raises(IndexError):
        chunks.take()
    chunks.feed("b", False)
    chunks.feed("c", True)
    assert take_all(chunks) == ["b", "c"]
    assert chunks.take() is None and owner.finished == [chunks]


@pytest.mark.parametrize("empty", ["", b""])
def test_an_empty_message_is_one_empty_chunk(owner: Owner, empty: str | bytes) -> None:
    owner.chunks.feed(empty, True)
    assert take_all(owner.chunks) == [empty]


def test_an_empty_last_part_is_no_chunk(owner: Owner) -> None:
    chunks = owner.chunks
    chunks.feed(b"", False)
    chunks.feed(b"a", False)
    assert take_all_but_end(chunks) == [b"a"]
    chunks.feed(b"", True)
    assert chunks.is_ready and chunks.take() is None and owner.finished == [chunks]


def take_all_but_end(chunks: Chunks) -> list[str | bytes | None]:
    parts = []
    while chunks.is_ready:
        parts.append(chunks.take())
    return parts


def test_finished_with_its_last_part(owner: Owner) -> None:
    """Whoever has all of it need not ask once more to be allowed to ask for the next message."""
    owner.chunks.feed("a", True)
    assert owner.finished == []
    owner.chunks.take()
    assert owner.finished == [owner.chunks]


def test_full_until_half_is_taken(owner: Owner) -> None:
    chunks = owner.chunks
    quarter = b"x" * (MAX_WAITING // 4)
    for _ in range(4):
        chunks.feed(quarter, False)
    assert not chunks.is_full and chunks.waiting == MAX_WAITING
    chunks.feed(quarter, False)
    assert chunks.is_full
    chunks.take()
    chunks.take()
    assert owner.rooms == 0
    chunks.take()
    assert owner.rooms == 1 and not chunks.is_full
    take_all_but_end(chunks)
    assert owner.rooms == 1 and chunks.waiting == 0


@pytest.mark.parametrize("parts", [["ä", "b"], [b"a", b"", b"b"]])
def test_gathered(owner: Owner, parts: list[str | bytes]) -> None:
    chunks = owner.chunks
    for part in parts:
        chunks.feed(part, False)
        assert chunks.gather() is None and chunks.waiting == 0
    chunks.feed(parts[0], True)
    assert chunks.gather() == parts[0][:0].join([*parts, parts[0]])  # type: ignore[arg-type]
    assert owner.finished == [chunks]
    assert chunks.gather() == parts[0][:0]


def test_gathering_makes_room(owner: Owner) -> None:
    owner.chunks.feed(b"x" * (MAX_WAITING + 1), False)
    assert owner.chunks.is_full and owner.chunks.gather() is None
    assert owner.rooms == 1 and not owner.chunks.is_full


def test_what_was_gathered_is_the_next_part(owner: Owner) -> None:
    """Somebody gave up waiting for the whole, and somebody else wants chunks."""
    chunks = owner.chunks
    chunks.feed("a", False)
    chunks.feed("b", False)
    assert chunks.gather() is None
    chunks.feed("c", True)
    assert take_all(chunks) == ["ab", "c"] and chunks.waiting == 0


def test_read_after_some_chunks(owner: Owner) -> None:
    owner.chunks.feed("a", False)
    owner.chunks.take()
    owner.chunks.feed("b", False)
    owner.chunks.feed("c", True)
    assert owner.chunks.gather() == "bc"


def test_the_connection_ends_in_the_middle(owner: Owner) -> None:
    """What had come is given; then each try says why there is no more."""
    chunks = owner.chunks
    chunks.feed("a", False)
    chunks.break_off(BROKEN)
    assert chunks.take() == "a"
    for take in (chunks.take, chunks.take, chunks.gather):
        with pytest.raises(ConnectionClosed, match="in the middle of a message") as raised:
            take()
        assert raised.value.close_info is BROKEN and raised.value.__cause__ is BROKEN.error


def test_a_broken_message_is_not_given_as_a_whole(owner: Owner) -> None:
    owner.chunks.feed("a", False)
    owner.chunks.break_off(BROKEN)
    with pytest.raises(ConnectionClosed):
        owner.chunks.gather()
    assert owner.chunks.take() == "a"


def test_discarded(owner: Owner) -> None:
    chunks = owner.chunks
    chunks.feed(b"x" * (MAX_WAITING + 1), False)
    chunks.discard()
    assert owner.rooms == 1 and owner.finished == [chunks]
    chunks.feed(b"y" * (MAX_WAITING + 1), False)
    assert not chunks.is_full and chunks.waiting == 0 and chunks.take() is None
    chunks.feed(b"z", True)
    chunks.discard("too late")
    assert chunks.take() is None and len(owner.finished) == 1


def test_refused(owner: Owner) -> None:
    owner.chunks.feed("a", False)
    owner.chunks.discard("somebody is done with it")
    with pytest.raises(RuntimeError, match="somebody is done"):
        owner.chunks.take()
    owner.chunks.feed("rest", True)
    for ask in (owner.chunks.take, owner.chunks.gather):
        with pytest.raises(RuntimeError, match="somebody is done"):
            ask()


@pytest.mark.parametrize("news", ["part", "end", "broken", "discarded"])
def test_a_waiting_thread_is_told(owner: Owner, news: str) -> None:
    chunks = owner.chunks
    chunks.feed("a", False)
    chunks.take()
    started = threading.Event()

    def wait() -> None:
        started.set()
        chunks.wait()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert started.wait(SOON)
    {
        "part": lambda: chunks.feed("b", False),
        "end": lambda: chunks.feed("", True),
        "broken": lambda: chunks.break_off(None),
        "discarded": chunks.discard,
    }[news]()
    thread.join(SOON)
    assert not thread.is_alive()


def test_the_receiving_thread_cannot_wait(owner: Owner) -> None:
    owner.chunks.feed("a", False)
    owner.chunks.take()
    with pytest.raises(RuntimeError, match="executor"):
        owner.chunks.wait()


def test_check_ready(owner: Owner) -> None:
    with pytest.raises(IndexError):
        owner.chunks.check_ready()
    owner.chunks.feed("a", False)
    owner.chunks.check_ready()


def test_in_a_child_process(owner: Owner) -> None:
    lock = owner.chunks._news
    thread = threading.Thread(target=lock.acquire)  # which is not there any more
    thread.start()
    thread.join(SOON)
    owner.chunks.abandon_after_fork()
    owner.chunks.feed("a", True)
    assert take_all(owner.chunks) == ["a"]


def test_closed_without_a_cause() -> None:
    assert str(closed_error(None)) == "there is no connection"
    assert closed_error(None).__cause__ is None


def test_ctrl_c_leaves_no_lock_behind() -> None:
    def make() -> Owner:
        owner = Owner()
        owner.chunks.feed("a", False)
        return owner

    for owner, _ in at_every_moment(make, lambda owner: owner.chunks.take()):
        assert not owner.chunks._lock._is_owned()  # type: ignore[attr-defined]
