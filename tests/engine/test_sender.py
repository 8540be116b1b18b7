"""Sender: who waits, who is refused, and what becomes of messages that could not go out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.moments import at_every_moment
from tieline.engine.sender import Sender
from tieline.errors import ConnectionClosed, ProtocolError, SendBufferFull, SendTimeout
from tieline.protocol.close import check_close
from tieline.protocol.decoder import FrameDecoder
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock
from tieline.testing.memory import memory_streams

SOON = 5.0


class Bench:
    """A sender, the far end of its stream, and what it told its session."""

    def __init__(
        self,
        capacity: int = 100,
        write_limit: int = 50,
        timeout: float = SOON,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.near, self.far = memory_streams(capacity)
        self.outgoing = Outgoing(None)  # unmasked: easier to read
        self.outgoing.is_open = True
        self.lock = threading.RLock()
        self.told: list[Any] = []
        self.handler: int | None = None
        self.clock = ManualClock()
        self.sender = Sender(
            self.lock,
            self.outgoing,
            self.near,
            write_limit=write_limit,
            timeout=timeout,
            now=now or self.clock,
            in_handler=lambda: threading.get_ident() == self.handler,
            caller=threading.get_ident,
            on_blocked=lambda: self.told.append("blocked"),
            on_broken=lambda: self.told.append("broken"),
            on_waited=lambda *facts: self.told.append(facts),
        )
        decoder = FrameDecoder(False)
        self._assembler = MessageAssembler(decoder, None, None)
        self._decoder = decoder

    def flush(self) -> None:
        with self.lock:
            self.sender.flush()

    def received(self) -> list[Any]:
        """The messages that have come, while there is room for more."""
        messages: list[Any] = []
        while True:
            data = self.far.read()
            self._decoder.feed(data, len(data))
            while (item := self._assembler.next_batch()) is not None:
                messages += item if isinstance(item, list) else [item]
            self.flush()
            if not self.far.waiting:
                return messages


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def waiting(in_thread: Any) -> Callable[..., Any]:
    """waiting(bench, function): runs it in a thread until it waits."""

    def start(bench: Bench, function: Callable[[], Any]) -> Callable[[], Any]:
        before = bench.sender._room._waiting
        result = in_thread(function)
        pause = threading.Event()
        for _ in range(5000):
            if bench.sender._room._waiting > before:
                return result
            pause.wait(0.001)
        raise AssertionError("it does not wait")

    return start


@pytest.fixture
def in_thread() -> Any:
    threads: list[threading.Thread] = []

    def start(function: Callable[[], Any]) -> Callable[[], Any]:
        outcome: list[Any] = []

        def run() -> None:
            try:
                outcome.append((function(), None))
            except BaseException as error:
                outcome.append((None, error))

        thread = threading.Thread(target=run, daemon=True)
        threads.append(thread)
        thread.start()

        def result() -> Any:
            thread.join(SOON)
            assert not thread.is_alive()
            if outcome[0][1] is not None:
                raise outcome[0][1]
            return outcome[0][0]

        return result

    yield start
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive()


def text(bench: Bench, message: str) -> None:
    bench.sender.message(Opcode.TEXT, message.encode())


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


def test_above_the_limit_a_thread_waits_and_its_message_is_accepted(
    bench: Bench, waiting: Any
) -> None:
    result = waiting(bench, lambda: text(bench, "x" * 200))
    assert bench.sender.buffered > 50
    assert bench.received() == ["x" * 200]
    result()
    assert bench.told[-1][0] == 200


@pytest.mark.parametrize("accepted", [True, False])
def test_timing_out(accepted: bool) -> None:
    bench = Bench(timeout=0.02, now=time.monotonic)
    with pytest.raises(SendTimeout, match="timeout=0.02 s") as error:
        text(bench, "x" * 200)
    assert error.value.accepted
    if not accepted:
        with pytest.raises(SendTimeout, match="does not read") as error:
            text(bench, "never")
        assert not error.value.accepted
    assert bench.received() == ["x" * 200]
    assert bench.sender.seconds >= 0.02


def test_a_handler_is_never_held_up(bench: Bench) -> None:
    bench.handler = threading.get_ident()
    text(bench, "x" * 200)
    with pytest.raises(SendBufferFull, match="write_limit=50"):
        text(bench, "refused")
    with pytest.raises(SendBufferFull):
        bench.sender.ping(b"", None)
    assert bench.received() == ["x" * 200]
    text(bench, "taken")
    assert bench.received() == ["taken"]


def test_a_handler_finds_the_room_that_the_kernel_has_made(bench: Bench) -> None:
    """Even if the reactor, whose thread it holds, could not write meanwhile."""
    bench.handler = threading.get_ident()
    text(bench, "x" * 180)
    bench.far.read()
    text(bench, "y")
    assert bench.sender.buffered < 50


def test_corking(bench: Bench) -> None:
    bench.handler = threading.get_ident()
    with bench.lock:
        bench.sender.cork()
    text(bench, "a")
    text(bench, "b")
    assert bench.far.waiting == 0
    bench.handler = None
    text(bench, "another thread's")
    assert bench.far.waiting > 0
    bench.handler = threading.get_ident()
    text(bench, "c")
    bench.flush()
    assert bench.received() == ["a", "b", "another thread's", "c"]


def test_a_cork_does_not_last(bench: Bench) -> None:
    """A slow handler's answers go out as they come."""
    bench.handler = threading.get_ident()
    with bench.lock:
        bench.sender.cork()
    text(bench, "a")
    assert bench.far.waiting == 0
    bench.clock.advance(0.01)
    text(bench, "b")
    assert bench.received() == ["a", "b"]


def test_a_cork_holds_no_more_than_the_limit(bench: Bench) -> None:
    bench.handler = threading.get_ident()
    with bench.lock:
        bench.sender.cork()
    for _ in range(10):
        text(bench, "x" * 10)
    assert bench.far.waiting > 0


def test_others_wait_for_the_end_of_a_fragmented_message(bench: Bench, waiting: Any) -> None:
    bench.sender.frames([(Opcode.TEXT, b"a", False)])
    result = waiting(bench, lambda: text(bench, "behind"))
    bench.sender.ping(b"between", None)
    bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    result()
    received = bench.received()
    assert [item for item in received if isinstance(item, str)] == ["ab", "behind"]
    assert received[0].payload == b"between"


def test_a_handlers_message_is_deferred_to_the_end_of_a_fragmented_one(
    bench: Bench, in_thread: Any
) -> None:
    bench.sender.frames([(Opcode.TEXT, b"a", False)])

    def handle() -> None:
        bench.handler = threading.get_ident()
        payload = bytearray(b"deferred")
        bench.sender.message(Opcode.TEXT, payload)
        payload[:] = b"xxxxxxxx"  # it is the caller's again
        with pytest.raises(SendBufferFull, match="fragmented"):
            bench.sender.frames([(Opcode.TEXT, b"x", True)])
        bench.handler = None

    in_thread(handle)()
    assert bench.sender.buffered == 8
    bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    assert bench.received() == ["ab", "deferred"]
    assert bench.sender.buffered == 0


def test_nothing_is_deferred_to_an_end_that_will_not_come(bench: Bench, in_thread: Any) -> None:
    """After our Close the fragmented message stays unfinished."""
    in_thread(lambda: bench.sender.frames([(Opcode.TEXT, b"a", False)]))()
    bench.handler = threading.get_ident()
    bench.outgoing.is_open = False
    with pytest.raises(ConnectionClosed):
        bench.sender.message(Opcode.TEXT, b"whole")
    assert bench.sender.buffered == 0


def test_deferred_messages_are_bounded(bench: Bench, in_thread: Any) -> None:
    bench.sender.frames([(Opcode.TEXT, b"a", False)])

    def handle() -> int:
        bench.handler = threading.get_ident()
        for number in range(100):
            try:
                bench.sender.message(Opcode.TEXT, b"x" * 10)
            except SendBufferFull:
                return number
        raise AssertionError("never full")

    assert in_thread(handle)() == 5


def test_an_end_wakes_all_that_wait(bench: Bench, waiting: Any) -> None:
    text_accepted = waiting(bench, lambda: text(bench, "x" * 200))
    refused = [waiting(bench, lambda: text(bench, "y")) for _ in range(3)]
    with bench.lock:
        bench.outgoing.is_open = False
        bench.sender.drop()
    text_accepted()
    for result in refused:
        with pytest.raises(ConnectionClosed):
            result()


def test_a_close_wakes_all_that_wait_although_the_pipe_stays_full(
    bench: Bench, waiting: Any
) -> None:
    with pytest.raises(SendBufferFull):
        bench.handler = threading.get_ident()
        for _ in range(100):
            text(bench, "x" * 50)
    bench.handler = None
    refused = waiting(bench, lambda: text(bench, "y"))
    with bench.lock:
        bench.outgoing.close(check_close(1000, ""))
        bench.sender.flush()
    with pytest.raises(ConnectionClosed):
        refused()


def test_a_broken_stream(bench: Bench) -> None:
    bench.far.close()
    text(bench, "a")
    assert isinstance(bench.sender.error, BrokenPipeError)
    assert bench.told == ["broken"]
    assert bench.sender.buffered == 0
    bench.flush()
    assert bench.told == ["broken"]


@pytest.mark.parametrize("kind", ["message", "frames", "ping", "pong"])
def test_nothing_is_taken_for_a_broken_stream(bench: Bench, kind: str) -> None:
    """The session may notice late, when a handler holds it up: nothing must pile up meanwhile."""
    sends: dict[str, Callable[[], None]] = {
        "message": lambda: text(bench, "b"),
        "frames": lambda: bench.sender.frames([(Opcode.TEXT, b"b", True)]),
        "ping": lambda: bench.sender.ping(b"b", None),
        "pong": lambda: bench.sender.pong(b"b"),
    }
    bench.far.close()
    text(bench, "a")
    with pytest.raises(ConnectionClosed, match="broke"):
        sends[kind]()
    assert bench.sender.buffered == 0 and bench.outgoing.is_empty


def test_one_send_has_one_timeout(waiting: Any) -> None:
    """Also when it waits twice, for another thread's fragments and then for room."""
    times = [0.0]
    bench = Bench(timeout=100.0, now=lambda: times[0])
    bench.sender.frames([(Opcode.TEXT, b"x", False)])
    result = waiting(bench, lambda: bench.sender.message(Opcode.BINARY, bytes(1000)))
    times[0] = 90.0
    with bench.lock:
        times[0] = 101.0  # it goes on only when this lock is free
        bench.sender.frames([(Opcode.CONTINUATION, b"y", True)])
    with pytest.raises(SendTimeout) as error:
        result()
    assert error.value.accepted


def test_ctrl_c_between_encoding_and_keeping(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame is lost for good, so nothing may come behind it."""

    def interrupted(take: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.sender._outbox, "extend_from", interrupted)
    with pytest.raises(KeyboardInterrupt):
        text(bench, "a")
    assert bench.sender.error is not None and bench.told == ["broken"]


def test_a_signal_handler_on_top_of_a_write_never_waits(bench: Bench) -> None:
    outcomes: list[Any] = []
    send = bench.near.send

    def with_signal(data: Any) -> int:
        bench.near.send = send
        assert bench.sender.is_locked_by_caller
        text(bench, "x" * 300)  # accepted: the interrupted write goes on with it
        try:
            text(bench, "y")
        except SendBufferFull as error:
            outcomes.append(error)
        return send(data)

    bench.near.send = with_signal
    waiter = threading.Thread(target=lambda: drain(bench))
    waiter.start()
    text(bench, "first")
    waiter.join(SOON)
    assert "signal handler" in str(outcomes[0])
    assert not bench.sender.is_locked_by_caller


def drain(bench: Bench) -> None:
    pause = threading.Event()
    got = 0
    while got < len("first") + 2 + 300 + 4:
        got += len(bench.far.read())
        bench.flush()
        pause.wait(0.001)


def test_frames_that_do_not_fit(bench: Bench) -> None:
    with pytest.raises(ProtocolError, match="first frame"):
        bench.sender.frames([(Opcode.CONTINUATION, b"a", True)])
    bench.sender.frames([(Opcode.BINARY, b"a", False)])
    with pytest.raises(ProtocolError, match="expected CONTINUATION"):
        bench.sender.frames([(Opcode.BINARY, b"a", True)])
    with pytest.raises(ProtocolError, match="finish it"):
        text(bench, "a")
    bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    assert bench.received() == [b"ab"]


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


def test_after_a_fork_a_lock_of_another_thread_is_no_matter(bench: Bench, in_thread: Any) -> None:
    bench.lock.acquire()
    try:
        bench.outgoing.is_open = False
        bench.sender.abandon_after_fork(threading.RLock())
        with pytest.raises(ConnectionClosed):
            in_thread(lambda: text(bench, "a"))()
    finally:
        bench.lock.release()


@pytest.mark.parametrize("fragments", [0, 1, 2])
def test_a_signal_handlers_message_at_every_moment(fragments: int) -> None:
    """It goes out before or behind the one that is being sent, once; or it is refused."""
    frames = [(Opcode.TEXT, b"a", False), (Opcode.CONTINUATION, b"b", True)]
    accepted: list[bool] = []

    def make() -> Bench:
        bench = Bench()
        if fragments == 1:
            bench.sender.frames(frames[:1])
        return bench

    def act(bench: Bench) -> None:
        if fragments:
            bench.sender.frames(frames[-fragments:])
        else:
            text(bench, "ab")

    def on_top(bench: Bench) -> None:
        try:
            text(bench, "on top")
        except (ProtocolError, SendBufferFull):
            accepted.append(False)
        else:
            accepted.append(True)

    for bench, error in at_every_moment(make, act, on_top):
        assert error is None
        assert len(accepted) == 1
        assert sorted(bench.received()) == ["ab", "on top"][: 1 + accepted.pop()]
        assert bench.sender.buffered == 0


def test_ctrl_c_in_the_last_fragment(in_thread: Any) -> None:
    """Who waits for the end of the message, and what was deferred to it, is not forgotten."""

    def make() -> Bench:
        bench = Bench()
        bench.sender.frames([(Opcode.TEXT, b"a", False)])

        def handle() -> None:
            bench.handler = threading.get_ident()
            text(bench, "deferred")
            bench.handler = None

        in_thread(handle)()
        return bench

    for bench, error in at_every_moment(
        make, lambda bench: bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    ):
        assert isinstance(error, KeyboardInterrupt)
        if bench.sender.error is not None:
            assert bench.told[-1] == "broken"
            continue
        if bench.outgoing.is_fragmenting:
            assert bench.sender.is_mid_message
            bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
        bench.flush()
        assert bench.received() == ["ab", "deferred"]
