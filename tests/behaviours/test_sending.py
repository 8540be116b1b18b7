"""Many senders, full pipes, every kind of message → whole messages, in order, no deadlock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tieline
from tieline.protocol.wire import Opcode
from tieline.testing import EchoServer, Recorder

SOON = 20.0

#: Seconds within which something happens that is bounded by much less, on a busy machine.
AT_ONCE = 8.0
MIB = 1 << 20


def wait_until(predicate: Callable[[], bool]) -> None:
    """For what nobody tells of; bounded."""
    pause = threading.Event()
    deadline = time.monotonic() + SOON
    while not predicate():
        assert time.monotonic() < deadline, "it does not come true"
        pause.wait(0.001)


class Counter:
    """A handler that tells when so many messages have come."""

    def __init__(self, wanted: int) -> None:
        self.messages: list[Any] = []
        self.all = threading.Event()
        self._wanted = wanted

    def __call__(self, message: Any) -> None:
        if message is not None:
            self.messages.append(message)
            if len(self.messages) == self._wanted:
                self.all.set()


def test_fifty_threads(secure_or_not: Any, place_of: Any, in_thread: Any) -> None:
    """Every message whole, each thread's in order, also around fragments and pings."""
    threads, each = 50, 20
    received: list[str] = []
    done = threading.Event()
    total = threads * each + 10

    def keep(connection: Any, message: str) -> None:
        received.append(message)
        if len(received) == total:
            done.set()

    with EchoServer(on_message=keep, **secure_or_not) as server:
        client = place_of(server).client(lambda message: None, write_limit=4096)
        client.connect()
        start = threading.Barrier(threads + 2)

        def work(number: int) -> None:
            start.wait()
            for count in range(each):
                client.send(f"{number} {count} " + "x" * (37 * count))

        def pieces(count: int) -> Iterator[str]:
            yield f"fragments {count} "
            for _ in range(20):
                yield "yy"

        def fragments() -> None:
            start.wait()
            for count in range(10):
                client.send(pieces(count))

        def pings() -> None:
            start.wait()
            for _ in range(20):
                client.ping(b"!").wait(SOON)

        results = [in_thread(work, number) for number in range(threads)]
        results += [in_thread(fragments), in_thread(pings)]
        for result in results:
            result()
        assert done.wait(SOON)
        client.disconnect()
    order: dict[str, list[int]] = {}
    for message in received:
        number, count, text = message.split(" ")
        order.setdefault(number, []).append(int(count))
        assert text == ("yy" * 20 if number == "fragments" else "x" * (37 * int(count)))
    assert order.pop("fragments") == list(range(10))
    assert order == {str(number): list(range(each)) for number in range(threads)}


@pytest.mark.slow
@pytest.mark.parametrize("size", [64 * MIB])
def test_two_full_pipes(secure_or_not: Any, place_of: Any, scripted: Any, size: int) -> None:
    """A peer that sends 64 MiB and reads nothing, to a client whose handler answers each message.

    The handler is refused when the write buffer is full, and goes on; the peer's messages arrive
    all; and once it reads, all that was accepted arrives there.
    """
    piece = bytes(256 * 1024)
    count = size // len(piece)
    outcome: dict[str, int] = {"accepted": 0, "refused": 0}
    all_came = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for _ in range(count):
            peer.send_binary(piece)
        assert all_came.wait(20)
        for _ in range(outcome["accepted"]):
            peer.expect_frame(Opcode.BINARY, piece)
        peer.expect_close(1000)
        peer.send_close(1000)

    def answer(message: Any) -> None:
        if message is None:
            return
        try:
            client.send(message)
            outcome["accepted"] += 1
        except tieline.SendBufferFull:
            outcome["refused"] += 1
        if sum(outcome.values()) == count:
            all_came.set()

    server = scripted(script, timeout=20.0, **secure_or_not)
    client = place_of(server).client(answer)
    client.connect()
    assert all_came.wait(20)
    assert outcome["refused"] > 0
    client.disconnect(1000)
    assert client.close_info.clean
    server.wait(20)


def test_two_full_pipes_with_a_thread_that_sends(scripted: Any, clients: Any) -> None:
    """The thread waits for room, the handler goes on reading, and nobody waits for ever."""
    piece = bytes(MIB)
    count = 16
    received = Counter(count)
    sent = threading.Event()

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        for _ in range(count):
            peer.send_binary(piece)
        for _ in range(count):
            peer.expect_frame(Opcode.BINARY, piece)
        peer.expect_close()
        peer.send_close(1001)

    client = clients(received, scripted(script).url)
    client.connect()
    for _ in range(count):
        client.send(piece)
    sent.set()
    assert received.all.wait(SOON)
    client.disconnect()
    assert client.close_info.clean


@pytest.fixture
def reading() -> threading.Event:
    """When the peer of `stuffed` begins to read."""
    return threading.Event()


@pytest.fixture
def stuffed(scripted: Any, reading: threading.Event) -> Any:
    """A server that reads nothing before `reading` is set; then it counts the messages' bytes."""
    received: list[bytes] = []

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        while not reading.is_set():
            peer.pause(0.005)
        while (frame := peer.receive_frame()).opcode is not Opcode.CLOSE:
            received.append(frame.payload)
        peer.send_close(1000)

    server = scripted(script, receive_buffer=64 * 1024)
    server.received = received
    return server


def stuff(client: tieline.WebSocketClient, piece: bytes) -> tuple[int, list[tieline.SendTimeout]]:
    """Send until a message is refused: how many were accepted, and what was raised meanwhile."""
    errors: list[tieline.SendTimeout] = []
    for number in range(1000):
        try:
            client.send(piece)
        except tieline.SendTimeout as error:
            errors.append(error)
            if not error.accepted:
                return number, errors
    raise AssertionError("a peer that does not read takes everything")


def test_the_fate_of_what_timed_out(
    clients: Any, stuffed: Any, reading: threading.Event, within: Any
) -> None:
    """Accepted: it is in the buffer and will arrive. Not accepted: nothing of it was sent."""
    client = clients(lambda message: None, stuffed.url, timeout=0.1)
    client.connect()
    with within(SOON):
        count, errors = stuff(client, b"a" * MIB)
    assert len(errors) >= 2
    for error in errors[:-1]:
        assert error.accepted
        assert "timeout=0.1 s" in str(error) and "do not send the message again" in str(error)
    assert "Nothing of this message was sent" in str(errors[-1])
    assert client.is_open()
    assert client.stats().buffered_bytes > client.options.write_limit
    reading.set()
    wait_until(lambda: client.stats().buffered_bytes == 0)
    client.send("taken")
    client.disconnect(1000)
    assert stuffed.received == [b"a" * MIB] * count + [b"taken"]


def test_a_send_that_waits_ends_with_the_connection(
    clients: Any, stuffed: Any, within: Any, in_thread: Any
) -> None:
    """disconnect() in another thread ends the wait at once, although the pipe stays full."""
    client = clients(lambda message: None, stuffed.url)
    client.connect()

    def send_all() -> None:
        while True:
            client.send(b"a" * MIB)

    sending = in_thread(send_all)
    limit = client.options.write_limit
    wait_until(lambda: client.stats().buffered_bytes > limit)
    with within(AT_ONCE):
        client.disconnect(timeout=0.1)
        with pytest.raises(tieline.ConnectionClosed):
            sending()


def test_a_handler_is_refused_instead_of_held_up(
    clients: Any, stuffed: Any, reading: threading.Event, scripted: Any
) -> None:
    refused: list[Exception] = []
    done = threading.Event()

    def fill(response: Any) -> None:
        try:
            for _ in range(1000):
                client.send(b"a" * MIB)
        except tieline.SendBufferFull as error:
            refused.append(error)
        done.set()

    client = clients(lambda message: None, stuffed.url, on_open=fill)
    client.connect()
    assert done.wait(SOON)
    assert "write_limit=65536" in str(refused[0])
    assert client.is_open()
    reading.set()
    client.disconnect(1000)
    assert client.close_info.clean


def test_what_a_quick_and_a_slow_handler_answer(scripted: Any, clients: Any) -> None:
    """A slow handler's answer does not wait for the handlers of the messages behind it."""
    from tieline.testing.frames import frame_bytes

    answered, done = threading.Event(), threading.Event()
    frames = b"".join(frame_bytes(Opcode.TEXT, text) for text in ("one", "two", "three"))

    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.send_raw(frames)
        peer.expect_text("slow one")
        peer.expect_text("slow two")
        answered.set()
        peer.expect_text("slow three")
        peer.expect_close()
        peer.send_close(1001)

    held_up: list[bool] = []

    def handle(message: Any) -> None:
        if message is None:
            return
        if message == "three":
            held_up.append(not answered.wait(SOON))
        threading.Event().wait(0.002)
        client.send(f"slow {message}")
        if message == "three":
            done.set()

    server = scripted(script)
    client = clients(handle, server.url)
    client.connect()
    assert done.wait(SOON)
    client.disconnect()
    assert held_up == [False]


@pytest.mark.parametrize(
    ("message", "arrives"),
    [
        ("", ""),
        ("text ü 😀", "text ü 😀"),
        (b"", b""),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"view")[1:], b"iew"),
        (memoryview(b"12345678").cast("I"), b"12345678"),
        (["a", "", "b"], "ab"),
        ((b"a", bytearray(b"b"), memoryview(b"c")), b"abc"),
        (iter(["only"]), "only"),
        ("x" * 65536, "x" * 65536),
    ],
)
def test_every_type(echo: Any, clients: Any, message: Any, arrives: Any) -> None:
    client = clients(lambda message: None, echo.url)
    client.connect()
    assert client.wait_for(lambda _: True, SOON, send=message) == arrives


def test_send_json(echo: Any, clients: Any) -> None:
    client = clients(lambda message: None, echo.url, json_dumps=lambda value: f"<{value}>")
    client.connect()
    client.send_json([1])
    assert client.wait_for(lambda _: True, SOON, send="second") in ("<[1]>", "second")


def test_fragments_by_hand(echo: Any, clients: Any) -> None:
    client = clients(lambda message: None, echo.url)
    client.connect()
    client.send_frame("a", Opcode.TEXT, fin=False)
    client.ping(b"between").wait(SOON)
    client.send_frame("b", Opcode.CONTINUATION, False)
    with pytest.raises(tieline.ProtocolError, match="expected CONTINUATION"):
        client.send_frame("c", Opcode.TEXT)
    got = threading.Event()
    client.send_frame("c", 0)
    assert client.wait_for(lambda message: got.set() or message == "d", SOON, send="d") == "d"


def test_an_iterable_that_fails_half_way(echo: Any, clients: Any, recorder: Recorder) -> None:
    """The message cannot be completed, so the peer gets no half of it as a whole."""

    def pieces() -> Iterator[str]:
        yield "a"
        yield "b"
        raise ZeroDivisionError

    client = clients(recorder.callback, echo.url)
    client.connect()
    with pytest.raises(ZeroDivisionError):
        client.send(pieces())
    info = client.wait(SOON)
    assert info.sent.code == 1011
    assert "ZeroDivisionError" in info.sent.reason
    assert recorder.messages == []


def test_what_is_sent_after_an_iterable_failed_is_told_why(scripted: Any, clients: Any) -> None:
    def script(peer: Any) -> None:
        peer.accept_upgrade()
        peer.hold()

    def pieces() -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    client = clients(print, scripted(script).url, close_timeout=0.05)
    client.connect()
    with pytest.raises(ZeroDivisionError):
        client.send(pieces())
    for send in (client.send, client.ping, client.send_json):
        with pytest.raises(tieline.ConnectionClosed, match="completed: ZeroDivisionError"):
            send("x")


def test_closing_during_a_fragmented_message_is_no_fault(echo: Any, clients: Any) -> None:
    def pieces() -> Iterator[str]:
        yield "a"
        yield "b"
        client.disconnect(1000)
        yield "c"

    client = clients(lambda message: None, echo.url)
    client.connect()
    with pytest.raises(tieline.ConnectionClosed):
        client.send(pieces())
    assert client.close_info.error is None


def test_an_iterable_that_fails_at_once_sends_nothing(echo: Any, clients: Any) -> None:
    client = clients(lambda message: None, echo.url)
    client.connect()
    for bad in ([], [1], iter([]), iter([1])):
        with pytest.raises(tieline.OptionError):
            client.send(bad)
    assert client.wait_for(lambda message: True, SOON, send="still open") == "still open"
