"""Sender: of every message that is noted it is told exactly what became of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builds import reaches_inside
from tests.engine.test_ledger import INFO, fate
from tests.moments import at_every_moment
from tieline.compression import Deflate
from tieline.engine.locks import ReentrantLock
from tieline.engine.receipts import Receipt
from tieline.engine.sender import Sender
from tieline.engine.unsent import Unsent
from tieline.errors import (
    ConnectionClosed,
    OptionError,
    ProtocolError,
    SendBufferFull,
    SendTimeout,
)
from tieline.protocol.big_frame import BIG
from tieline.protocol.deflater import Deflater
from tieline.protocol.messages import MessageAssembler
from tieline.protocol.outgoing import Outgoing
from tieline.protocol.wire import Opcode
from tieline.testing import ManualClock

SOON = 5.0


class Kernel:
    """A stream that takes `room` bytes more, `step` at most at once."""

    def __init__(self) -> None:
        self.room = 0
        self.step = 1 << 30
        #: What it has taken.
        self.data = bytearray()
        self.has_pending_output = False
        self.pending_size = 0
        self.error: OSError | None = None

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if self.error is not None:
            raise self.error
        count = min(len(data), self.room, self.step)
        self.data += data[:count]
        self.room -= count
        return count

    def flush(self) -> bool:
        return True


class Layer:
    """A stream as TLS is: it takes much at once, unless its kernel has not taken what was before.

    A peer can use no part of what it was given at once before it has all of it.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._records: list[tuple[bytes, int]] = []
        #: What the peer can read.
        self.data = bytearray()

    @property
    def has_pending_output(self) -> bool:
        return bool(self._records)

    @property
    def pending_size(self) -> int:
        return sum(left for _, left in self._records)

    def send(self, data: bytes | bytearray | memoryview) -> int:
        if not self.flush():
            return 0
        self._records.append((bytes(data), len(data) + 20))
        self.flush()
        return len(data)

    def flush(self) -> bool:
        while self._records:
            record, left = self._records[0]
            left -= self.kernel.send(bytes(left))
            if left:
                self._records[0] = record, left
                return False
            self.data += record
            del self._records[0]
        return True


class Bench:
    """A sender over a kernel, or over a layer above one, and the fate of what it was given."""

    def __init__(
        self,
        room: int = 0,
        *,
        step: int = 1 << 30,
        layered: bool = False,
        write_limit: int = 10_000,
        timeout: float = SOON,
    ) -> None:
        self.kernel = Kernel()
        self.kernel.room, self.kernel.step = room, step
        self.stream: Any = Layer(self.kernel) if layered else self.kernel
        self.outgoing = Outgoing(None)
        self.outgoing.is_open = True
        self.lock = ReentrantLock()
        self.handler = False
        self.caller = "me"
        self.clock = ManualClock()
        self.sender = Sender(
            self.lock,
            self.outgoing,
            self.stream,
            self,
            write_limit=write_limit,
            timeout=timeout,
            now=self.clock,
            caller=lambda: self.caller,
        )
        self.receipts: dict[bytes, Receipt] = {}
        #: What is left for the next connection.
        self.left: list[Unsent] = []

    def in_handler(self) -> bool:
        return self.handler

    def on_blocked(self) -> None:
        """Nothing is done about it here."""

    on_broken = on_blocked

    def watch_over(self, sender: object) -> bool:
        return True

    def on_waited(self, size: int, seconds: float, taken: int) -> None:
        """Nor about this."""

    def new(self, payload: Any, is_kept: bool = True, opcode: Opcode = Opcode.BINARY) -> Unsent:
        receipt = self.receipts[bytes(payload)] = Receipt(lambda: False)
        return Unsent(opcode, payload, None, 0.0, receipt, is_kept)

    def send(self, payload: Any, is_kept: bool = True) -> None:
        self.sender.message(Opcode.BINARY, payload, None, self.new(payload, is_kept))

    def mark(self, is_kept: bool = True) -> Receipt:
        receipt = Receipt(lambda: False)
        self.sender.mark(Unsent(None, b"", None, 0.0, receipt, is_kept))
        return receipt

    def more_room(self, size: int) -> None:
        self.kernel.room += size
        with self.lock:
            self.sender.flush()

    def die(self) -> list[bytes]:
        """The connection ends; what is left for the next one."""
        self.outgoing.is_open = False
        self.outgoing.close_info = INFO
        with self.lock:
            self.sender.drop()
        self.left += self.sender.take_rest()
        return [bytes(unsent.payload) for unsent in self.left]

    def arrived(self) -> list[bytes]:
        """The messages that the peer has wholly."""
        assembler = MessageAssembler(False, None, None)
        messages: list[bytes] = []
        data = bytes(self.stream.data)
        assembler.feed(data, len(data))
        while (item := assembler.next_batch()) is not None:
            messages += item if isinstance(item, list) else [item]
        return messages

    def check(self, rest: list[bytes]) -> dict[bytes, str]:
        """Nothing is sent twice, nothing is lost silently; the fate of each."""
        arrived = self.arrived()
        fates = {payload: fate(receipt) for payload, receipt in self.receipts.items()}
        for payload, known in fates.items():
            assert (known == "waits") == (payload in rest)
            if known == "sent":
                assert payload in arrived
            elif known != "unknown":
                assert payload not in arrived
        return fates


MESSAGES = [b"one", b"", b"three" * 50, b"4"]
TOTAL = sum(len(message) + (2 if len(message) < 126 else 4) for message in MESSAGES)


# --- wherever the stream ends ---------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_whatever_the_kernel_has_taken(step: int) -> None:
    for room in range(TOTAL + 1):
        bench = Bench(room, step=step)
        for message in MESSAGES:
            bench.send(message)
        bench.more_room(0)
        fates = bench.check(rest := bench.die())
        assert "unknown" not in fates.values(), "a kernel keeps no secrets"
        assert rest == [message for message in MESSAGES if fates[message] == "waits"]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_whatever_the_kernel_below_a_layer_has_taken(step: int) -> None:
    for room in range(0, TOTAL + 100, 3):
        bench = Bench(room, step=step, layered=True)
        for message in MESSAGES:
            bench.send(message)
        bench.more_room(0)
        fates = bench.check(rest := bench.die())
        known = list(fates.values())
        # In order: what was sent, what the layer had taken, what it had not.
        assert known == sorted(known, key=["sent", "unknown", "waits"].index)
        assert rest == [message for message in MESSAGES if fates[message] == "waits"]


@pytest.mark.parametrize("layered", [False, True])
def test_receipts_come_with_the_bytes(layered: bool) -> None:
    bench = Bench(layered=layered)
    for message in MESSAGES:
        bench.send(message)
    for _ in range(TOTAL + 100):
        arrived = bench.arrived()
        for message, receipt in bench.receipts.items():
            if receipt.done:
                assert message in arrived
        if not layered:
            assert {message for message, receipt in bench.receipts.items() if receipt.done} == (
                set(arrived)
            )
        bench.more_room(1)
    assert all(receipt.done for receipt in bench.receipts.values())
    assert bench.die() == []


@pytest.mark.parametrize("layered", [False, True])
def test_a_stream_that_breaks(layered: bool) -> None:
    for room in range(0, TOTAL + 1, 5):
        bench = Bench(room, layered=layered)
        bench.send(MESSAGES[0])
        for message in MESSAGES[1:]:
            bench.send(message)
        bench.kernel.error = ConnectionResetError("reset")
        bench.more_room(1)
        assert layered or room == TOTAL or bench.sender.error is not None
        fates = bench.check(rest := bench.die())
        assert rest == [message for message in MESSAGES if fates[message] == "waits"]
        if not layered:
            assert "unknown" not in fates.values()


def test_what_a_broken_layer_had_not_been_offered_is_certain() -> None:
    bench = Bench(10, layered=True)
    bench.send(b"in the layer")
    bench.send(b"behind it")
    bench.kernel.error = ConnectionResetError("reset")
    bench.more_room(0)
    fates = bench.check(rest := bench.die())
    assert rest == [b"behind it"] and fates[b"in the layer"] == "unknown"


# --- who asked for what ---------------------------------------------------------------------------


def test_what_is_not_kept_is_told_and_not_returned() -> None:
    bench = Bench()
    bench.send(b"kept")
    bench.send(b"not kept", is_kept=False)
    bench.sender.message(Opcode.BINARY, b"nobody asked")
    assert bench.die() == [b"kept"]
    assert bench.check([b"kept"])[b"not kept"] == "not sent"


def test_the_rest_is_taken_once() -> None:
    bench = Bench()
    bench.send(b"a")
    assert bench.die() == [b"a"] and bench.sender.take_rest() == []


def test_the_choice_and_the_age_of_a_message_go_along() -> None:
    bench = Bench()
    unsent = bench.new(b"a", opcode=Opcode.TEXT)
    unsent.compress, unsent.since = False, 17.0
    bench.sender.message(Opcode.TEXT, b"a", False, unsent)
    with bench.lock:
        bench.sender.drop()
    assert bench.sender.take_rest() == [unsent]
    assert (unsent.opcode, unsent.compress, unsent.since) == (Opcode.TEXT, False, 17.0)


@pytest.mark.parametrize("kind", [bytearray, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("size", [100, BIG])
def test_memory_is_its_owners_again(kind: Callable[[bytes], Any], is_kept: bool, size: int) -> None:
    bench = Bench(write_limit=2 * BIG)
    memory = kind(b"x" * size)
    unsent = bench.new(memory, is_kept)
    bench.sender.message(Opcode.BINARY, memory, None, unsent)
    memory[:] = b"y" * size
    if isinstance(memory, memoryview):
        memory.release()
    else:
        memory.append(0)  # nobody has exported it
    rest = bench.die()
    assert rest == ([b"x" * size] if is_kept else [])


def test_memory_is_not_copied_for_what_the_kernel_took() -> None:
    bench = Bench(1000)
    memory = bytearray(b"x" * 100)
    unsent = bench.new(memory)
    bench.sender.message(Opcode.BINARY, memory, None, unsent)
    assert unsent.is_sent and unsent.payload is memory


def test_a_message_that_is_refused_is_not_noted() -> None:
    bench = Bench(write_limit=1, timeout=0.0)
    bench.outgoing.message(Opcode.BINARY, b"full")
    unsent = bench.new(b"a", is_kept=False)
    for handler, error in ((True, SendBufferFull), (False, SendTimeout)):
        bench.handler = handler
        with bench.lock:
            bench.sender.flush()
        with pytest.raises(error):
            bench.sender.message(Opcode.BINARY, b"a", None, unsent)
    bench.outgoing.is_open = False
    with pytest.raises(ConnectionClosed):
        bench.sender.message(Opcode.BINARY, b"a", None, unsent)
    assert bench.die() == [] and not bench.receipts[b"a"].done and unsent.payload == b"a"


def test_a_message_that_is_late_is_accepted() -> None:
    bench = Bench(write_limit=5, timeout=0.0)
    with pytest.raises(SendTimeout) as caught:
        bench.send(b"late message")
    assert caught.value.accepted
    assert bench.die() == [b"late message"]


# --- fragments ------------------------------------------------------------------------------------

FRAMES: list[tuple[Opcode, Any, bool]] = [
    (Opcode.BINARY, b"first", False),
    (Opcode.CONTINUATION, b"last", True),
]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_message_in_fragments_is_there_with_its_last_frame(at_once: bool) -> None:
    bench = Bench()
    unsent = bench.new(b"firstlast")
    if at_once:
        bench.sender.frames(FRAMES, unsent=unsent)
    else:
        bench.sender.frames(FRAMES[:1])
        bench.sender.frames(FRAMES[1:], unsent=unsent)
    bench.more_room(12)
    assert not bench.receipts[b"firstlast"].done
    bench.more_room(1)
    bench.receipts[b"firstlast"].wait(0)


@pytest.mark.parametrize("room", range(40))
def test_messages_of_handlers_behind_a_fragmented_one(room: int) -> None:
    for is_ended in (False, True):
        bench = Bench()
        bench.sender.frames(FRAMES[:1])
        bench.handler, bench.caller = True, "another"
        bench.send(b"deferred")
        bench.send(bytearray(b"not kept"), is_kept=False)
        bench.sender.message(Opcode.BINARY, b"plain")
        bench.handler, bench.caller = False, "me"
        bench.more_room(room)
        if is_ended:
            last = bench.new(b"firstlast")
            bench.sender.frames(FRAMES[1:], unsent=last)
        bench.more_room(0)
        fates = bench.check(rest := bench.die())
        assert "unknown" not in fates.values()
        assert rest == [name for name in (b"firstlast", b"deferred") if fates.get(name) == "waits"]


def test_a_compressed_message_is_noted_like_others() -> None:
    for room in range(0, 60):
        bench = Bench(room)
        bench.outgoing.deflater = Deflater(Deflate(threshold=0), 15, False)
        bench.send(b"ab" * 100)
        bench.send(b"cd" * 100)
        rest = bench.die()
        # The peer would need the context: what was taken wholly is what counts.
        taken = [payload for payload, receipt in bench.receipts.items() if receipt.done]
        assert rest == [each for each in bench.receipts if each not in taken]


# --- what a connection begins with ----------------------------------------------------------------


def test_a_greeting_never_waits_and_goes_first() -> None:
    bench = Bench(3, write_limit=2, timeout=0.0)
    bench.sender.greet([bench.new(b"a"), bench.new(b"b" * 100), bench.new(b"c")])
    assert bench.receipts[b"a"].done and not bench.receipts[b"c"].done
    bench.more_room(1000)
    assert bench.arrived() == [b"a", b"b" * 100, b"c"]
    assert all(receipt.done for receipt in bench.receipts.values())


def test_a_greeting_that_does_not_get_through_comes_back() -> None:
    for room in range(3 * 3 + 1):
        bench = Bench(room)
        bench.sender.greet([bench.new(b"a"), bench.new(b"b"), bench.new(b"c")])
        fates = bench.check(rest := bench.die())
        assert rest == [name for name in (b"a", b"b", b"c") if fates[name] == "waits"]
        assert len(rest) == 3 - room // 3


def test_a_greeting_after_a_close_comes_back() -> None:
    bench = Bench(100)
    bench.outgoing.is_open = False
    bench.sender.greet([bench.new(b"a"), bench.new(b"b")])
    assert bench.arrived() == [] and bench.die() == [b"a", b"b"]


def test_a_greeting_after_the_end_is_refused() -> None:
    bench = Bench()
    bench.kernel.error = ConnectionResetError("reset")
    bench.sender.message(Opcode.BINARY, b"x")
    with pytest.raises(ConnectionClosed):
        bench.sender.greet([bench.new(b"a")])
    assert bench.die() == []


def test_a_greeting_waits_for_the_end_of_a_fragmented_message() -> None:
    bench = Bench(100)
    bench.sender.frames(FRAMES[:1])
    bench.sender.greet([bench.new(b"a")])
    bench.sender.frames(FRAMES[1:])
    assert bench.arrived() == [b"firstlast", b"a"]


# --- marks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layered", [False, True])
def test_a_mark_is_reached_when_everything_before_it_is_with_the_kernel(layered: bool) -> None:
    bench = Bench(100, layered=layered)
    bench.mark().wait(0)
    bench.sender.message(Opcode.BINARY, b"x" * 10)
    bench.mark().wait(0)
    bench.kernel.room = 5
    bench.sender.message(Opcode.BINARY, b"x" * 10)
    mark = bench.mark()
    assert not mark.done
    bench.sender.message(Opcode.BINARY, b"behind")
    bench.more_room(30 if layered else 7)
    mark.wait(0)


def test_a_mark_writes_what_handlers_have_gathered() -> None:
    bench = Bench(100)
    bench.handler = True
    bench.sender.cork(2)
    bench.send(b"a")
    assert not bench.receipts[b"a"].done
    bench.mark().wait(0)
    assert bench.receipts[b"a"].done


@reaches_inside
def test_a_mark_behind_a_close_and_after_the_end() -> None:
    bench = Bench(1)
    bench.send(b"a")
    bench.outgoing.is_open = False
    mark = bench.mark()
    assert not mark.done
    bench.more_room(100)
    mark.wait(0)
    bench.kernel.error = ConnectionResetError("reset")
    with bench.lock:
        bench.sender._break(bench.kernel.error)
    with pytest.raises(ConnectionClosed):
        bench.mark()


def test_a_mark_goes_along_with_what_is_before_it() -> None:
    bench = Bench()
    bench.send(b"a")
    mark = bench.mark()
    assert bench.die() == [b"a", b""] and not mark.done
    bench = Bench()
    bench.send(b"a")
    bench.sender.frames(FRAMES)  # which nobody can send again
    mark = bench.mark()
    assert bench.die() == [b"a"]
    with pytest.raises(ConnectionClosed, match="flush"):
        mark.wait(0)


def test_marks_do_not_pile_up() -> None:
    bench = Bench()
    bench.send(b"a")
    for _ in range(10):
        unsent = Unsent(None, b"", None, 0.0, Receipt(lambda: False), True)
        bench.sender.mark(unsent)
        unsent.receipt = None  # as `flush` does after its timeout
    assert len(bench.sender._ledger.entries) == 2


# --- signals --------------------------------------------------------------------------------------

ACTIONS: dict[str, Callable[[Bench], object]] = {
    "message": lambda bench: bench.sender.message(Opcode.BINARY, b"new", None, bench.fresh),  # type: ignore[attr-defined]
    "fragments": lambda bench: bench.sender.frames(
        [(Opcode.BINARY, b"n", False), (Opcode.CONTINUATION, b"ew", True)],
        unsent=bench.fresh,  # type: ignore[attr-defined]
    ),
    "greeting": lambda bench: bench.sender.greet([bench.fresh]),  # type: ignore[attr-defined]
    "room": lambda bench: bench.more_room(7),
    "end": Bench.die,
}


def begun(room: int, layered: bool) -> Bench:
    bench = Bench(room, layered=layered)
    bench.send(b"first")
    bench.send(b"second", is_kept=False)
    bench.fresh = bench.new(b"new")  # type: ignore[attr-defined]
    return bench


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("room", [0, 8, 1000])
@pytest.mark.parametrize("action", ACTIONS)
def test_ctrl_c_at_every_moment(action: str, room: int, layered: bool) -> None:
    for bench, error in at_every_moment(lambda: begun(room, layered), ACTIONS[action]):
        if error is not None:
            error.__traceback__ = error.__context__ = None
        bench.kernel.room += 3
        with bench.lock:
            bench.sender.flush()
        rest = bench.die()
        arrived = bench.arrived()
        assert not set(rest) & set(arrived), "nothing is sent twice"
        bench.fresh = None  # type: ignore[attr-defined]
        for payload, receipt in bench.receipts.items():
            receipt.check_held()
            known = fate(receipt)
            assert known != "sent" or payload in arrived
            assert known != "not sent" or payload not in arrived
            if payload == b"new":
                continue  # who was interrupted while sending it knows as much as we do
            assert (known == "waits") == (payload in rest)


@pytest.mark.parametrize("layered", [False, True])
@pytest.mark.parametrize("room", [0, 8, 13, 20, 1000])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_signal_handlers_message_at_every_moment(action: str, room: int, layered: bool) -> None:
    def handler(bench: Bench) -> None:
        unsent = bench.new(b"on top")
        try:
            bench.sender.message(Opcode.BINARY, b"on top", None, unsent)
        except ConnectionClosed as error:
            unsent.failed(error)
        except (ProtocolError, SendBufferFull):
            del bench.receipts[b"on top"]

    for bench, error in at_every_moment(lambda: begun(room, layered), ACTIONS[action], handler):
        assert error is None
        if action in ("room", "end"):
            del bench.receipts[b"new"]
        rest = bench.die()
        arrived = bench.arrived()
        assert not set(rest) & set(arrived), "nothing is sent twice"
        for payload, receipt in bench.receipts.items():
            known = fate(receipt)
            assert known != "sent" or payload in arrived
            assert known != "not sent" or payload not in arrived
            assert (known == "waits") == (payload in rest)


@pytest.mark.parametrize("action", ["message", "fragments", "greeting"])
def test_what_a_signal_handler_sends_is_not_left_lying(action: str) -> None:
    """Nobody else would write it before something else is sent."""

    def handler(bench: Bench) -> None:
        try:
            bench.send(b"on top")
        except (ProtocolError, SendBufferFull):
            del bench.receipts[b"on top"]

    for bench, error in at_every_moment(lambda: begun(1000, False), ACTIONS[action], handler):
        assert error is None
        assert sorted(bench.arrived()) == sorted(bench.receipts)
        assert all(fate(receipt) == "sent" for receipt in bench.receipts.values())


def test_after_a_fork_nothing_is_known() -> None:
    bench = Bench()
    bench.send(b"a")
    bench.sender.frames(FRAMES[:1])
    bench.handler, bench.caller = True, "another"
    bench.send(b"deferred")
    bench.sender.abandon_after_fork(ReentrantLock())
    for receipt in bench.receipts.values():
        with pytest.raises(ConnectionClosed, match="forked"):
            receipt.wait(0)


def test_a_wish_that_cannot_be_had_is_refused_before() -> None:
    with pytest.raises(OptionError):
        Bench().sender.check_compression(True)
