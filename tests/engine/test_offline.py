"""OfflineQueue: a bound, an order, an age; and nothing that leaves it silently."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.moments import at_every_moment
from tieline.engine.holding import is_held_by_caller
from tieline.engine.offline import OfflineQueue
from tieline.engine.receipts import Receipt
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectionClosed, SendBufferFull
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock


class Bench:
    """A queue and what it told."""

    def __init__(
        self,
        overflow: str = "raise",
        size: int = 10,
        messages: int = 3,
        max_age: float | None = None,
    ) -> None:
        self.clock = ManualClock()
        self.dropped: list[tuple[str, int]] = []
        options = SimpleNamespace(
            offline_limit=(size, messages), offline_max_age=max_age, offline_overflow=overflow
        )
        self.queue = OfflineQueue(options, self.clock, self.tell)
        # What was taken: somebody holds it.
        self.held: list[Unsent] = []
        # About to be put.
        self.fresh: Unsent | None = None
        self.receipts: dict[bytes, Receipt] = {}

    def tell(self, reason: str, size: int) -> None:
        assert not is_held_by_caller(self.queue._lock)
        self.dropped.append((reason, size))

    def new(self, payload: bytes) -> Unsent:
        self.receipts[payload] = Receipt(lambda: False)
        return Unsent(Opcode.TEXT, payload, None, self.clock(), self.receipts[payload])

    def put(self, *payloads: bytes) -> None:
        for payload in payloads:
            self.queue.put(self.new(payload))

    def taken(self) -> list[bytes]:
        self.held += self.queue.take_all()
        return [bytes(unsent.payload) for unsent in self.held]

    def why_dropped(self, payload: bytes) -> Exception:
        with pytest.raises((ConnectionClosed, SendBufferFull)) as caught:
            self.receipts[payload].wait(0)
        return caught.value

    def check(self) -> None:
        """What it counts is what it holds."""
        entries = list(self.queue._entries)
        assert self.queue.size == sum(len(each.payload) for each in entries)
        assert len(self.queue) == sum(not each.is_mark for each in entries)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.check()


def test_first_in_first_out(bench: Bench) -> None:
    bench.put(b"a", b"bc", b"")
    assert (len(bench.queue), bench.queue.size) == (3, 3)
    assert bench.taken() == [b"a", b"bc", b""]
    assert (len(bench.queue), bench.queue.size) == (0, 0)
    assert bench.queue.take_all() == [] and bench.dropped == []


def test_memory_that_may_change_is_copied(bench: Bench) -> None:
    memory = bytearray(b"old")
    bench.queue.put(Unsent(Opcode.BINARY, memory, None, 0.0))
    memory[:] = b"new"
    assert bench.taken() == [b"old"]


def test_what_was_queued_goes_back_when_its_connection_dies(bench: Bench) -> None:
    bench.put(b"a")
    (unsent,) = bench.queue.take_all()
    assert unsent.is_kept


# --- no room --------------------------------------------------------------------------------------


@pytest.mark.parametrize("payloads", [(b"x" * 10,), (b"", b"", b"")], ids=["bytes", "messages"])
def test_above_the_limit_a_message_is_refused(bench: Bench, payloads: tuple[bytes, ...]) -> None:
    bench.put(*payloads)
    with pytest.raises(SendBufferFull, match=r"offline_limit=\(10, 3\)"):
        bench.put(b"y")
    assert bench.taken() == list(payloads)
    assert bench.dropped == []  # whoever sent it knows


def test_the_oldest_give_way() -> None:
    bench = Bench("drop_oldest")
    bench.put(b"aaa", b"bbb", b"ccc", b"dddd")
    assert bench.dropped == [("overflow", 3)]
    bench.put(b"12345678")
    assert bench.dropped == [("overflow", 3)] * 3 + [("overflow", 4)]
    assert isinstance(bench.why_dropped(b"ccc"), SendBufferFull)
    bench.check()
    assert bench.taken() == [b"12345678"]


def test_the_newest_gives_way() -> None:
    bench = Bench("drop_newest")
    bench.put(b"aaa", b"bbb", b"ccccc", b"d")
    assert bench.dropped == [("overflow", 5)]
    assert isinstance(bench.why_dropped(b"ccccc"), SendBufferFull)
    bench.check()
    assert bench.taken() == [b"aaa", b"bbb", b"d"]


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
def test_what_will_never_fit_drops_nothing_else(overflow: str) -> None:
    bench = Bench(overflow)
    bench.put(b"a", b"b", b"x" * 11)
    assert bench.dropped == [("overflow", 11)]
    bench.check()
    assert bench.taken() == [b"a", b"b"]


# --- age ------------------------------------------------------------------------------------------


def test_what_is_too_old_is_not_sent() -> None:
    bench = Bench(max_age=5.0)
    bench.put(b"old")
    bench.clock.advance(3)
    bench.put(b"young")
    bench.clock.advance(2)
    assert bench.queue.size == 8
    bench.clock.advance(0.5)
    assert bench.taken() == [b"young"]
    assert bench.dropped == [("age", 3)]
    assert "offline_max_age=5 s" in str(bench.why_dropped(b"old"))


def test_what_is_too_old_makes_room() -> None:
    bench = Bench(max_age=5.0)
    bench.put(b"x" * 10)
    bench.clock.advance(6)
    bench.put(b"y" * 10)
    assert bench.dropped == [("age", 10)]
    bench.check()
    assert bench.taken() == [b"y" * 10]


def test_what_is_put_back_has_kept_its_age() -> None:
    bench = Bench(max_age=5.0)
    bench.put(b"old")
    taken = bench.queue.take_all()
    bench.clock.advance(4)
    bench.put(b"new")
    bench.queue.put_back(taken)
    bench.clock.advance(2)
    assert bench.taken() == [b"new"] and bench.dropped == [("age", 3)]


def test_a_younger_one_before_an_older_one_hides_nothing() -> None:
    bench = Bench(max_age=5.0)
    bench.put(b"old")
    bench.clock.advance(4)
    bench.queue.put_back([bench.new(b"young")])
    bench.clock.advance(2)
    assert bench.taken() == [b"young"] and bench.dropped == [("age", 3)]


# --- put back -------------------------------------------------------------------------------------


def test_what_did_not_arrive_goes_to_the_front_in_order(bench: Bench) -> None:
    bench.put(b"a", b"b")
    taken = bench.queue.take_all()
    bench.put(b"c")
    bench.queue.put_back(taken)
    bench.check()
    assert bench.taken() == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("overflow", "left", "dropped"),
    [
        ("raise", [b"aaaa", b"bbbb"], [4]),
        ("drop_newest", [b"aaaa", b"bbbb"], [4]),
        ("drop_oldest", [b"bbbb", b"cccc"], [4]),
    ],
)
def test_together_they_may_be_too_many(
    overflow: str, left: list[bytes], dropped: list[int]
) -> None:
    bench = Bench(overflow)
    bench.put(b"aaaa", b"bbbb")
    taken = bench.queue.take_all()
    bench.put(b"cccc")
    bench.queue.put_back(taken)
    bench.check()
    assert bench.taken() == left
    assert bench.dropped == [("overflow", size) for size in dropped]


def test_what_was_accepted_once_is_not_dropped_for_what_came_later() -> None:
    bench = Bench(size=2)
    bench.put(b"a")
    bench.queue.put_back([bench.new(b"xxxx"), bench.new(b"yyyy")])
    assert bench.dropped == [("overflow", 1)]
    bench.check()
    with pytest.raises(SendBufferFull):
        bench.put(b"")
    assert bench.taken() == [b"xxxx", b"yyyy"]


def test_an_endless_row_of_short_connections_does_not_fill_the_memory() -> None:
    for overflow in ("raise", "drop_oldest", "drop_newest"):
        bench = Bench(overflow)
        for _ in range(20):
            taken = bench.queue.take_all()
            bench.put(b"xxx", b"yyy", b"zzz")
            bench.queue.put_back(taken)
            assert bench.queue.size <= 10 and len(bench.queue) <= 3


# --- marks ----------------------------------------------------------------------------------------


def test_a_mark_takes_no_room_and_keeps_its_place() -> None:
    bench = Bench("drop_oldest", messages=1, max_age=5.0)
    mark = Unsent(None, b"", None, bench.clock(), Receipt(lambda: False))
    bench.put(b"a")
    bench.queue.put(mark)
    assert len(bench.queue) == 1
    bench.put(b"b")
    bench.clock.advance(6)
    bench.put(b"c")
    bench.check()
    assert bench.dropped == [("overflow", 1)] * 2
    bench.clock.advance(6)
    assert bench.queue.take_all() == [mark] and bench.dropped[2:] == [("age", 1)]
    bench.queue.put(mark)
    bench.queue.clear("closed", ConnectionClosed("disconnect() was called"))
    assert len(bench.dropped) == 3, "a mark is no message"
    assert mark.receipt is not None
    with pytest.raises(ConnectionClosed, match="disconnect"):
        mark.receipt.result()


# --- the end --------------------------------------------------------------------------------------


def test_the_end_of_all_is_told_of_each(bench: Bench) -> None:
    bench.put(b"a", b"bc")
    bench.queue.clear("closed", ConnectionClosed("disconnect() was called"))
    assert bench.dropped == [("closed", 1), ("closed", 2)]
    for payload in (b"a", b"bc"):
        assert "disconnect()" in str(bench.why_dropped(payload))


def test_what_nobody_wants_sent_later(bench: Bench) -> None:
    bench.queue.refuse(bench.new(b"abc"))
    assert bench.dropped == [("drop", 3)] and len(bench.queue) == 0
    assert "when_offline='drop'" in str(bench.why_dropped(b"abc"))


def test_after_a_fork_they_are_the_parents(bench: Bench) -> None:
    bench.put(b"a")
    bench.queue._lock.acquire()  # by a thread that is not here any more
    bench.queue.abandon_after_fork(ConnectionClosed("the process was forked"))
    assert bench.dropped == [] and len(bench.queue) == 0
    assert "forked" in str(bench.why_dropped(b"a"))
    bench.put(b"b")


# --- signals --------------------------------------------------------------------------------------


def full(overflow: str) -> Bench:
    bench = Bench(overflow, max_age=5.0)
    bench.put(b"aged")
    bench.clock.advance(6)
    # Not through `put`, which would drop what is too old.
    bench.queue.put_back([bench.new(b"xxx"), bench.new(b"yyy")])
    bench.fresh = bench.new(b"zzzzz")
    return bench


ACTIONS = {
    "put": lambda bench: bench.queue.put(bench.fresh),
    "put back": lambda bench: bench.queue.put_back([bench.fresh]),
    "clear": lambda bench: bench.queue.clear("closed", ConnectionClosed("gone")),
}


@pytest.mark.parametrize("overflow", ["raise", "drop_oldest", "drop_newest"])
@pytest.mark.parametrize("action", ACTIONS)
def test_ctrl_c_at_every_moment(overflow: str, action: str) -> None:
    for bench, error in at_every_moment(lambda: full(overflow), ACTIONS[action]):
        if error is not None:
            error.__traceback__ = error.__context__ = None  # which hold the message
        bench.fresh = None
        bench.check()
        left = bench.taken()
        bench.queue.clear("closed", ConnectionClosed("gone"))
        for payload, receipt in bench.receipts.items():
            receipt.check_held()
            assert (payload in left) != receipt.done, payload


@pytest.mark.parametrize("overflow", ["drop_oldest", "drop_newest"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_signal_handlers_message_at_every_moment(overflow: str, action: str) -> None:
    def handler(bench: Any) -> None:
        bench.put(b"s")

    for bench, error in at_every_moment(lambda: full(overflow), ACTIONS[action], handler):
        assert error is None
        bench.check()
        left = bench.taken()
        fresh, bench.fresh = bench.fresh, None
        if action == "clear" and fresh is not None:
            del bench.receipts[b"zzzzz"]  # it was not put
        for payload, receipt in bench.receipts.items():
            assert (payload in left) != receipt.done, payload
        assert len(left) + len(bench.dropped) == len(bench.receipts)
