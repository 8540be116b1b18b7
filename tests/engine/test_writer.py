"""Writer: what goes out at once, what is gathered, what waits, and what a broken stream does."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.test_sender import Bench, text
from tieline.engine.writer import AT_ONCE
from tieline.protocol.big_frame import PIECE
from tieline.protocol.wire import Opcode


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_what_the_kernel_takes_goes_at_once(bench: Bench) -> None:
    text(bench, "a")
    assert bench.sender.buffered == 0 and bench.told == []
    assert bench.received() == ["a"]
    assert bench.sender.bytes_written == 3


def test_what_it_does_not_take_waits_for_it(bench: Bench) -> None:
    text(bench, "x" * 90)
    text(bench, "y" * 20)
    assert bench.sender.buffered == 92 + 22 - 100
    assert bench.sender.blocked and bench.told == ["blocked"]
    assert bench.received() == ["x" * 90, "y" * 20]
    assert not bench.sender.blocked and bench.told == ["blocked", "blocked"]


def corked(bench: Bench, calls: int = 1, *, at_once: int = 0) -> None:
    """A handler of this thread is about to be called, and may send `at_once` messages at once."""
    bench.handler = threading.get_ident()
    with bench.lock:
        bench.sender.cork(calls)
    for number in range(AT_ONCE - at_once if calls == 1 else 0):
        text(bench, f"{number}")
        assert bench.received(flushes=False) == [f"{number}"]


def test_what_a_handler_sends_first_goes_at_once_and_what_it_sends_then_is_gathered() -> None:
    bench = Bench(1000, 500)
    corked(bench)
    text(bench, "a")
    text(bench, "b")
    assert bench.far.waiting == 0
    bench.flush()
    assert bench.received(flushes=False) == ["a", "b"]
    text(bench, "not corked any more")
    assert bench.far.waiting > 0


def test_the_next_call_sends_at_once_again(bench: Bench) -> None:
    """One message, while such calls follow each other; then as many as ever."""
    corked(bench)
    text(bench, "a")
    assert bench.received() == ["a"]
    with bench.lock:
        bench.sender.cork(1)
    text(bench, "b")
    assert bench.received(flushes=False) == ["b"]
    text(bench, "c")
    assert bench.far.waiting == 0
    bench.flush()
    assert bench.received() == ["c"]
    while bench.sender.write_overdue():
        pass
    corked(bench)


def test_a_call_behind_one_that_has_sent_many_is_expected_to_do_so_too() -> None:
    bench = Bench(10_000, 5_000)
    corked(bench)
    for _ in range(20):
        text(bench, "a")
    assert bench.received() == ["a"] * 20
    bench.sender.cork(1)
    text(bench, "b")
    assert bench.far.waiting == 0
    assert bench.received() == ["b"]
    # That was one only, so the next call's first goes out at once again.
    bench.sender.cork(1)
    text(bench, "c")
    assert bench.received(flushes=False) == ["c"]


def test_of_runs_only_the_first_answers_go_at_once(bench: Bench) -> None:
    corked(bench, at_once=1)
    bench.flush()
    corked(bench, 2)
    text(bench, "a")
    assert bench.received(flushes=False) == ["a"]
    text(bench, "b")
    assert bench.far.waiting == 0
    bench.flush()
    assert bench.received(flushes=False) == ["b"]
    corked(bench, 2)
    text(bench, "c")
    assert bench.far.waiting == 0


def test_another_threads_message_takes_along_what_was_gathered(bench: Bench) -> None:
    corked(bench)
    text(bench, "a")
    bench.handler = None
    text(bench, "another thread's")
    assert bench.received(flushes=False) == ["a", "another thread's"]
    bench.handler = threading.get_ident()
    text(bench, "b")
    assert bench.far.waiting == 0
    bench.flush()
    assert bench.received(flushes=False) == ["b"]


def test_a_cork_does_not_last(bench: Bench) -> None:
    """A slow handler's answers go out as they come."""
    corked(bench)
    text(bench, "a")
    assert bench.far.waiting == 0
    bench.clock.advance(0.01)
    text(bench, "b")
    assert bench.received(flushes=False) == ["a", "b"]
    text(bench, "c")
    assert bench.received(flushes=False) == ["c"]


def test_a_fast_handler_goes_on_gathering_behind_it() -> None:
    bench = Bench(10_000, 5_000)
    corked(bench)
    for _ in range(50):
        text(bench, "a")
    assert bench.far.waiting == 0
    bench.clock.advance(0.01)
    text(bench, "b")
    assert bench.far.waiting == 51 * 3
    text(bench, "c")
    assert bench.far.waiting == 51 * 3


def test_a_cork_holds_no_more_than_the_limit(bench: Bench) -> None:
    corked(bench)
    for _ in range(4):
        text(bench, "x" * 10)
    assert bench.far.waiting == 0
    text(bench, "x" * 10)
    assert bench.far.waiting == 5 * 12


def test_a_cork_holds_no_more_than_is_worth_it() -> None:
    bench = Bench(1 << 20, 1 << 20)
    corked(bench)
    for _ in range(3):
        text(bench, "x" * 20_000)
    assert bench.far.waiting == 0
    text(bench, "x" * 20_000)
    assert bench.far.waiting == 4 * 20_004


def test_what_a_busy_handler_has_sent_is_written_by_who_looks_after_it(bench: Bench) -> None:
    corked(bench)
    assert bench.watched == []
    text(bench, "a")
    assert bench.watched == [bench.sender]
    assert bench.sender.write_overdue()
    assert bench.far.waiting == 0
    bench.clock.advance(0.01)
    assert bench.sender.write_overdue()
    assert bench.received(flushes=False) == ["a"]
    text(bench, "b")
    assert len(bench.watched) == 1
    assert bench.sender.write_overdue()
    bench.flush()
    assert bench.received(flushes=False) == ["b"]
    assert not bench.sender.write_overdue()
    corked(bench)
    text(bench, "c")
    assert len(bench.watched) == 2


def test_where_nobody_can_look_after_it_nothing_is_gathered(bench: Bench) -> None:
    bench.can_watch = False
    corked(bench)
    for each in "abc":
        text(bench, each)
        assert bench.received(flushes=False) == [each]
    assert len(bench.watched) == 1


def test_a_broken_stream(bench: Bench) -> None:
    bench.far.close()
    text(bench, "a")
    assert isinstance(bench.sender.error, BrokenPipeError)
    assert bench.told == ["broken"]
    assert bench.sender.buffered == 0
    bench.flush()
    assert bench.told == ["broken"]


@reaches_inside
def test_ctrl_c_between_encoding_and_keeping(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is lost for good, so nothing may come behind it."""

    def interrupted(take: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.sender, "extend_from", interrupted)
    with pytest.raises(KeyboardInterrupt):
        text(bench, "a")
    assert bench.sender.error is not None and bench.told == ["broken"]


def test_a_pong_is_held_back_while_the_peer_does_not_read(bench: Bench) -> None:
    """A peer that pings without reading cannot fill the memory: one Pong is kept for it."""
    bench.handler = threading.get_ident()
    text(bench, "x" * 200)
    for number in range(1000):
        bench.outgoing.answer_ping(str(number).encode())
        bench.flush()
    assert bench.sender.buffered < 300
    received = bench.received()
    pongs = [item.payload for item in received if not isinstance(item, str)]
    assert len(pongs) <= 2 and pongs[-1] == b"999"


def test_much_is_written_in_turns() -> None:
    """The stream would take it all at once; others need the lock meanwhile."""
    bench = Bench(capacity=1 << 30, write_limit=1000)
    bench.handler = threading.get_ident()
    payload = bytes(128 * PIECE)
    bench.sender.message(Opcode.BINARY, payload)
    assert 0 < bench.sender.buffered < len(payload) and bench.sender.blocked
    for _ in range(64):
        bench.flush()
    assert bench.sender.buffered == 0 and not bench.sender.blocked
    assert bench.received() == [payload]


def test_when_the_peer_took_bytes_last(bench: Bench) -> None:
    """Bytes that the kernel had refused before: what it has room for by itself proves nothing."""
    text(bench, "x" * 99)  # more than fits
    assert bench.sender.taken_at == 0.0
    bench.clock.advance(5.0)
    text(bench, "y")
    bench.flush()
    assert bench.sender.taken_at == 0.0
    text(bench, "z" * 40)
    bench.far.read()
    bench.near.capacity = 20
    bench.flush()
    assert bench.sender.taken_at == bench.clock.now()
    bench.clock.advance(5.0)
    while bench.sender.blocked:  # the last of them as well
        bench.far.read()
        bench.flush()
    assert bench.sender.taken_at == bench.clock.now()
    bench.clock.advance(5.0)
    text(bench, "fits")
    assert bench.sender.taken_at == bench.clock.now() - 5.0


def test_a_stream_that_passes_on_what_it_has_is_a_peer_that_takes_bytes(bench: Bench) -> None:
    """TLS takes no more before all that it took has gone, which may be long with a slow peer."""
    text(bench, "x" * 99)
    bench.near.pending_size = 1000
    bench.near.send = lambda data: 0
    bench.flush()
    assert bench.sender.taken_at == 0.0

    def pass_on(data: object) -> int:
        bench.near.pending_size = 999
        return 0

    bench.near.send = pass_on
    bench.flush()
    assert bench.sender.taken_at == bench.clock.now()


def test_what_the_stream_had_pending_may_go_by_itself(bench: Bench) -> None:
    """An event loop's transport writes what it has: then nothing is blocked any more."""
    bench.near.has_pending_output = True
    bench.near.flush = lambda: not bench.near.has_pending_output  # type: ignore[method-assign]
    text(bench, "a")
    assert bench.sender.blocked and bench.told == ["blocked"]
    bench.near.has_pending_output = False
    bench.flush()
    assert not bench.sender.blocked and bench.told == ["blocked", "blocked"]
