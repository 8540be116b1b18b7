"""Sender: who waits, who is refused, and what becomes of messages that could not go out."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from tests.builds import reaches_inside
from tests.moments import at_every_moment
from tests.protocol.pair import parse_frames
from tests.protocol.test_outgoing import Peer
from tieline.compression import Deflate
from tieline.engine.locks import ReentrantLock
from tieline.engine.sender import Sender
from tieline.errors import (
    ConnectionClosed,
    OptionError,
    ProtocolError,
    SendBufferFull,
    SendTimeout,
)
from tieline.protocol.big_frame import PIECE, BigFrame
from tieline.protocol.close import check_close
from tieline.protocol.deflater import Deflater
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock
from tieline.testing.memory import memory_streams

SOON = 20.0


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
        self.lock = ReentrantLock()
        self.told: list[Any] = []
        self.handler: int | None = None
        self.clock = ManualClock()
        self.sender = Sender(
            self.lock,
            self.outgoing,
            self.near,
            self,
            write_limit=write_limit,
            timeout=timeout,
            now=now or self.clock,
            caller=threading.get_ident,
        )
        #: Those that asked for somebody to look after what they gather; can anybody?
        self.watched: list[Any] = []
        self.can_watch = True
        self._assembler = MessageAssembler(False, None, None)

    def watch_over(self, sender: Any) -> bool:
        self.watched.append(sender)
        return self.can_watch

    def in_handler(self) -> bool:
        return threading.get_ident() == self.handler

    def on_blocked(self) -> None:
        self.told.append("blocked")

    def on_broken(self) -> None:
        self.told.append("broken")

    def on_waited(self, *facts: float) -> None:
        self.told.append(facts)

    def flush(self) -> None:
        with self.lock:
            self.sender.flush()

    def received(self, *, flushes: bool = True) -> list[Any]:
        """The messages that have come, while there is room for more."""
        messages: list[Any] = []
        while True:
            data = self.far.read()
            self._assembler.feed(data, len(data))
            while (item := self._assembler.next_batch()) is not None:
                messages += item if isinstance(item, list) else [item]
            if flushes:
                self.flush()
            if not self.far.waiting:
                return messages


@pytest.fixture
def bench() -> Bench:
    return Bench()


def waiting_in(bench: Bench) -> int:
    """How many threads wait for room."""
    room = bench.sender._room
    return 0 if room is None else room._waiting


@pytest.fixture
def waiting(in_thread: Any) -> Callable[..., Any]:
    """waiting(bench, function): runs it in a thread until it waits."""

    def start(bench: Bench, function: Callable[[], Any]) -> Callable[[], Any]:
        before = waiting_in(bench)
        result = in_thread(function)
        pause = threading.Event()
        for _ in range(5000):
            if waiting_in(bench) > before:
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


def test_who_waits_for_room_leaves_alone_a_stream_that_is_gone(waiting: Any) -> None:
    """The session has ended, and what TLS still held is nobody's: its descriptor may be closed."""
    bench = Bench(capacity=10)
    touched: list[str] = []
    bench.near.flush = lambda: touched.append("flush") or True  # type: ignore[func-returns-value, method-assign]
    result = waiting(bench, lambda: bench.sender.message(Opcode.BINARY, b"a" * 60))
    with bench.lock:
        bench.outgoing.is_open = False
        bench.sender.drop()
        bench.near.has_pending_output = True
        bench.told.clear()
    result()  # it was in the buffer, whose end others tell of
    assert touched == []
    assert "broken" not in bench.told


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
    bench = Bench(capacity=10, timeout=100.0, now=lambda: times[0])
    bench.sender.frames([(Opcode.TEXT, b"x" * 20, False)])  # fills the pipe
    result = waiting(bench, lambda: bench.sender.message(Opcode.BINARY, bytes(1000)))
    times[0] = 90.0
    with bench.lock:
        times[0] = 101.0  # it goes on only when this lock is free
        bench.sender.frames([(Opcode.CONTINUATION, b"y", True)])
    with pytest.raises(SendTimeout) as error:
        result()
    assert error.value.accepted


class SteppedTime:
    """Stands still until somebody waits, and goes on by what is waited for at most."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.waits: list[float] = []
        #: What happens, one after the other: after so many seconds of waiting, what comes to pass.
        self.steps: list[tuple[float, Callable[[], object]]] = []
        bench.sender._made_room().wait = self.wait  # type: ignore[method-assign]

    def wait(self, timeout: float | None) -> None:
        assert timeout is not None
        self.waits.append(timeout)
        seconds, act = self.steps[0] if self.steps else (math.inf, lambda: None)
        self.bench.clock.advance(min(seconds, timeout))
        if seconds > timeout:  # whoever waits is not told, and looks by itself
            if self.steps:
                self.steps[0] = (seconds - timeout, act)
            return
        del self.steps[:1]
        act()


def read_some(bench: Bench) -> None:
    """The peer takes what is on its way, and no more."""
    bench.far.read()
    bench.flush()


def test_a_slow_peer_is_waited_for_as_long_as_it_takes_bytes() -> None:
    """`timeout` is for a peer that takes nothing, however long the whole message lasts."""
    bench = Bench(capacity=100, timeout=15.0)
    time_ = SteppedTime(bench)
    time_.steps = [(14.0, lambda: read_some(bench)) for _ in range(100)]
    text(bench, "x" * 3000)
    assert bench.clock.now() > 15.0 * 20


def test_a_slow_peer_that_stops() -> None:
    bench = Bench(capacity=100, timeout=15.0)
    began = bench.clock.now()
    time_ = SteppedTime(bench)
    time_.steps = [(14.0, lambda: read_some(bench))] * 10
    with pytest.raises(SendTimeout, match="took nothing for timeout=15 s") as error:
        text(bench, "x" * 3000)
    assert error.value.accepted
    assert bench.clock.now() - began == 10 * 14.0 + 15.0


def test_a_peer_so_slow_that_the_kernel_reports_no_room() -> None:
    """There is some all the same, which is looked for."""
    bench = Bench(capacity=100, timeout=15.0)
    began = bench.clock.now()
    time_ = SteppedTime(bench)
    time_.steps = [(14.0, lambda: bench.far.read()) for _ in range(10)]
    with pytest.raises(SendTimeout):
        text(bench, "x" * 3000)
    assert bench.clock.now() - began == 10 * 14.0 + 15.0


@pytest.mark.parametrize("accepted", [True, False])
def test_what_the_kernel_takes_last_does_not_double_the_time(accepted: bool) -> None:
    """The peer has stopped; of the kernel's buffer some is free soon after, and none is told."""
    bench = Bench(capacity=100, timeout=15.0)
    if not accepted:
        bench.handler = threading.get_ident()
        text(bench, "x" * 3000)  # a handler's, which did not wait
        bench.handler = None
    began = bench.clock.now()
    time_ = SteppedTime(bench)

    def wait(timeout: float) -> None:
        if not time_.waits:
            bench.far.read()
        time_.wait(timeout)

    bench.sender._made_room().wait = wait  # type: ignore[assignment]
    with pytest.raises(SendTimeout) as error:
        text(bench, "y" * 3000)
    assert error.value.accepted is accepted
    assert 15.0 <= bench.clock.now() - began <= 15.0 * 1.1


def test_looks_for_room_are_so_many_in_each_timeout() -> None:
    bench = Bench(timeout=5.0)
    assert bench.sender.pause(None) is None
    assert bench.sender.pause(5.0) == bench.sender.pause(2.0) == 0.5
    assert bench.sender.pause(0.25) == 0.25


def test_room_is_waited_for_as_long_as_the_peer_takes_bytes() -> None:
    bench = Bench(capacity=100, timeout=15.0)
    bench.handler = threading.get_ident()
    text(bench, "x" * 3000)  # a handler's, which did not wait
    bench.handler = None
    time_ = SteppedTime(bench)
    time_.steps = [(14.0, lambda: read_some(bench))] * 100
    bench.sender.ping(b"behind it", None)
    assert bench.clock.now() > 15.0 * 20
    time_.steps = []
    bench.handler = threading.get_ident()
    text(bench, "x" * 3000)
    bench.handler = None
    with pytest.raises(SendTimeout, match="Nothing of this message was sent"):
        text(bench, "y")


def test_the_end_of_anothers_message_is_not_waited_for_because_of_bytes(in_thread: Any) -> None:
    """What is taken meanwhile does not bring it nearer."""
    bench = Bench(capacity=10, timeout=15.0)
    in_thread(lambda: bench.sender.frames([(Opcode.TEXT, b"a", False)]))()
    began = bench.clock.now()
    time_ = SteppedTime(bench)

    def some_more() -> None:
        bench.far.read()
        bench.sender.pong(b"x" * 12)

    time_.steps = [(4.0, some_more)] * 10
    with pytest.raises(SendTimeout, match="waits for the end of the one that another thread"):
        text(bench, "y")
    assert bench.clock.now() - began == 15.0


# --- memory of the caller's -----------------------------------------------------------------------

BIG = bytes(range(256)) * (2 * PIECE // 256) + b"rest"


class BigBench(Bench):
    """A pipe that holds less than a piece."""

    def __init__(self) -> None:
        super().__init__(capacity=100_000, write_limit=1000)
        self.kept: list[bytes] = []

    def read_on(self) -> None:
        """Let the peer take all there is now."""
        self.kept.append(self.far.read())
        self.flush()

    def all_received(self) -> list[Any]:
        while self.sender.buffered:
            self.read_on()
        self.kept.append(self.far.read())
        data = b"".join(self.kept)
        self._assembler.feed(data, len(data))
        messages: list[Any] = []
        while (item := self._assembler.next_batch()) is not None:
            assert isinstance(item, list)
            messages += item
        return messages


def send_array(bench: Bench, payload: bytearray) -> None:
    bench.sender.message(Opcode.BINARY, payload)


def send_fragment(bench: Bench, payload: bytearray) -> None:
    bench.sender.frames([(Opcode.BINARY, payload, True)])


def send_two(bench: Bench, payload: bytearray) -> None:
    bench.sender.frames([(Opcode.BINARY, payload, False), (Opcode.CONTINUATION, payload, True)])


@pytest.mark.parametrize("send", [send_array, send_fragment])
def test_memory_that_may_change_is_not_copied_by_who_can_wait(send: Any) -> None:
    """All of it was masked when `send` returns, but for what the buffer may hold."""
    bench = BigBench()
    payload = bytearray(BIG)
    copied: list[int] = []
    time_ = SteppedTime(bench)
    time_.steps = [(0.0, bench.read_on)] * 100
    own = BigFrame.own

    def counting(big: BigFrame) -> None:
        copied.append(len(big))
        own(big)

    with patch.object(BigFrame, "own", counting):
        send(bench, payload)
    assert copied == [0], "the rest was masked with the last piece"
    payload.clear()  # the caller's again
    assert bench.all_received() == [BIG]


@pytest.mark.parametrize("send", [send_array, send_fragment, send_two])
@pytest.mark.parametrize("how", ["handler", "signal handler", "timeout", "closed"])
def test_memory_that_may_change_is_copied_by_who_cannot_wait(send: Any, how: str) -> None:
    bench = BigBench()
    payload = bytearray(BIG)
    bench.handler = threading.get_ident() if how == "handler" else None
    time_ = SteppedTime(bench)
    expected = [BIG * 2 if send is send_two else BIG]
    if how == "signal handler":
        below, calls = bench.near.send, []

        def with_signal(data: Any) -> int:
            bench.near.send = below  # type: ignore[method-assign]
            send(bench, payload)
            calls.append(payload[:1])
            payload.clear()
            return below(data)

        bench.near.send = with_signal  # type: ignore[method-assign]
        time_.steps = [(0.0, bench.read_on)] * 100
        bench.sender.message(Opcode.TEXT, b"below")
        assert calls and bench.all_received() == ["below", *expected]
        return
    if how == "closed":
        time_.steps = [(0.0, lambda: setattr(bench.outgoing, "is_open", False))]
    try:
        send(bench, payload)
    except SendTimeout as error:
        assert how == "timeout" and error.accepted
    else:
        assert how != "timeout"
    payload.clear()
    assert bench.all_received() == expected


def test_a_stream_that_breaks_while_memory_is_used() -> None:
    bench = BigBench()
    payload = bytearray(BIG)
    time_ = SteppedTime(bench)
    time_.steps = [(0.0, lambda: (bench.far.close(), bench.flush()))]
    send_array(bench, payload)
    assert bench.told[-1] != "blocked" and bench.sender.error is not None
    payload.clear()
    assert bench.sender.buffered == 0


@pytest.mark.parametrize("send", [send_array, send_fragment, send_two])
def test_ctrl_c_while_memory_is_used(send: Any) -> None:
    """Whenever it comes, the memory is the caller's afterwards."""

    def make() -> tuple[BigBench, bytearray]:
        bench = BigBench()
        SteppedTime(bench).steps = [(0.0, bench.read_on)] * 100
        return bench, bytearray(BIG)

    expected = BIG * 2 if send is send_two else BIG
    for (bench, payload), error in at_every_moment(make, lambda thing: send(*thing)):
        assert isinstance(error, KeyboardInterrupt)
        error.__traceback__ = None  # its frames hold what they were called with
        payload.clear()
        if bench.sender.error is None and not bench.outgoing.is_fragmenting:
            SteppedTime(bench).steps = [(0.0, bench.read_on)] * 100
            text(bench, "next")
            assert bench.all_received() in ([expected, "next"], ["next"])


@reaches_inside
def test_ctrl_c_before_it_is_known_what_was_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = BigBench()
    queue = bench.outgoing.message

    def interrupted(*arguments: Any) -> None:
        queue(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench.outgoing, "message", interrupted)
    payload = bytearray(BIG)
    with pytest.raises(KeyboardInterrupt):
        send_array(bench, payload)
    assert bench.sender.error is not None and bench.told == ["broken"]


# --- compression ----------------------------------------------------------------------------------

WORDS = [f"lorem ipsum dolor sit amet, {number} " * 4 for number in range(4)]


class CompressingBench(Bench):
    def __init__(self) -> None:
        super().__init__(capacity=100_000, write_limit=100_000)
        self.outgoing.deflater = Deflater(Deflate(threshold=10), 15, True)
        text(self, WORDS[0])

    def messages(self) -> list[str]:
        """What the peer inflates, with one context for all."""
        self.flush()
        found = Peer().messages(parse_frames(self.far.read(), masked=False))
        assert found[0] == (WORDS[0].encode(), True)
        return [data.decode() for data, _ in found[1:]]


@reaches_inside
def test_the_choice_of_a_message_goes_with_it(in_thread: Any) -> None:
    """Also when it is deferred to the end of a fragmented one."""
    bench = CompressingBench()
    in_thread(lambda: bench.sender.frames([(Opcode.TEXT, b"a", False)], True))()
    bench.handler = threading.get_ident()
    for number, compress in enumerate((None, True, False)):
        bench.sender.message(Opcode.TEXT, WORDS[number].encode(), compress)
    bench.sender.message(Opcode.TEXT, b"small")
    bench.sender.message(Opcode.TEXT, b"little", True)
    bench.handler = None
    bench.sender._fragmenter = threading.get_ident()
    bench.sender.frames([(Opcode.CONTINUATION, b"b", True)])
    found = Peer().messages(parse_frames(bench.far.read(), masked=False))
    assert found[1:] == [
        (b"ab", True),
        (WORDS[0].encode(), True),
        (WORDS[1].encode(), True),
        (WORDS[2].encode(), False),
        (b"small", False),
        (b"little", True),
    ]


def test_compression_that_was_not_negotiated(bench: Bench) -> None:
    with pytest.raises(OptionError, match="compress=True: no compression was negotiated"):
        bench.sender.check_compression(True)
    bench.sender.check_compression(None)
    bench.sender.check_compression(False)
    assert not bench.sender.compresses(10_000, True)
    CompressingBench().sender.check_compression(True)
    bench.outgoing.is_open = False
    with pytest.raises(ConnectionClosed):
        bench.sender.check_compression(True)


def test_which_messages_are_compressed() -> None:
    sender = CompressingBench().sender
    assert [sender.compresses(9, compress) for compress in (None, True, False)] == [0, 1, 0]
    assert [sender.compresses(10, compress) for compress in (None, True, False)] == [1, 1, 0]


@pytest.mark.parametrize("fragments", [0, 1, 2])
def test_a_signal_handlers_message_at_every_moment_of_a_compressed_one(fragments: int) -> None:
    """The peer can inflate all of them, in the order in which they come."""
    whole = (WORDS[1] + WORDS[2]).encode()
    half = len(WORDS[1])
    frames = [(Opcode.TEXT, whole[:half], False), (Opcode.CONTINUATION, whole[half:], True)]
    accepted: list[bool] = []

    def make() -> CompressingBench:
        bench = CompressingBench()
        if fragments == 1:
            bench.sender.frames(frames[:1], True)
        return bench

    def act(bench: Bench) -> None:
        if fragments:
            bench.sender.frames(frames[-fragments:], True)
        else:
            bench.sender.message(Opcode.TEXT, whole)

    def on_top(bench: Bench) -> None:
        try:
            text(bench, WORDS[3])
        except (ProtocolError, SendBufferFull):
            accepted.append(False)
        else:
            accepted.append(True)

    for bench, error in at_every_moment(make, act, on_top):
        assert error is None
        text(bench, WORDS[0])
        *before, last = bench.messages()
        assert last == WORDS[0]
        assert sorted(before) == sorted([whole.decode(), WORDS[3]][: 1 + accepted.pop()])


def test_ctrl_c_at_every_moment_of_a_compressed_message() -> None:
    """It is queued whole or not at all, and the peer can inflate what follows."""
    for bench, error in at_every_moment(CompressingBench, lambda bench: text(bench, WORDS[1])):
        assert isinstance(error, KeyboardInterrupt)
        if bench.sender.error is None:
            text(bench, WORDS[2])
            text(bench, WORDS[1])
            behind = [WORDS[2], WORDS[1]]
            assert bench.messages() in (behind, [WORDS[1], *behind])


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


def test_after_a_fork_a_lock_of_another_thread_is_no_matter(bench: Bench, in_thread: Any) -> None:
    bench.lock.acquire()
    try:
        bench.outgoing.is_open = False
        bench.sender.abandon_after_fork(ReentrantLock())
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
