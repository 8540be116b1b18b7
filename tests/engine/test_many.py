"""Many messages in one call: each is one, in order, and nobody is told what is not so."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

import tieline
from tests.fronts import PATIENCE
from tieline.engine.many import LONGEST_RUN, check_messages, runs_of, small_ones, telling_how_many
from tieline.protocol.big_frame import BIG
from tieline.testing import EchoServer, ScriptedPeer, ScriptedServer

MIXED: list[Any] = ["a", b"b", "é", bytearray(b"c"), "x" * 20_000, b"y" * BIG, "", ["d", "e"], "f"]
ECHOED: list[Any] = ["a", b"b", "é", b"c", "x" * 20_000, b"y" * BIG, "", "de", "f"]


@pytest.mark.parametrize("size", [0, 1, LONGEST_RUN - 1, LONGEST_RUN, LONGEST_RUN + 1, 1000])
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_runs(size: int, kind: Any) -> None:
    runs = list(runs_of(kind(range(size))))
    assert [number for run in runs for number in run] == list(range(size))
    assert all(0 < len(run) <= LONGEST_RUN for run in runs)


@pytest.mark.parametrize("seconds", [0.0015, 0.02])
def test_who_takes_their_time_is_not_waited_for(seconds: float) -> None:
    """What was gathered goes out with the next item, however few there are."""

    def slowly() -> Iterator[int]:
        for number in range(3):
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                pass
            yield number

    assert list(runs_of(slowly())) == [[0, 1], [2]]


def test_an_iterable_that_fails() -> None:
    def failing(size: int) -> Iterator[int]:
        yield from range(size)
        raise ZeroDivisionError

    for size in (0, 3, LONGEST_RUN, LONGEST_RUN + 1):
        got: list[int] = []
        with pytest.raises(ZeroDivisionError):
            for run in runs_of(failing(size)):
                assert run
                got += run
        assert got == list(range(size))


def test_who_stops_to_be_quick_is_not_waited_for() -> None:
    def suddenly_slow() -> Iterator[int]:
        yield from range(100)
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            pass
        yield 100
        yield 101

    assert [run[-1] for run in runs_of(suddenly_slow())][-2:] == [100, 101]


def test_an_iterator_is_not_begun_anew() -> None:
    """Its own `__iter__` may count from the beginning."""

    class Numbers:
        def __iter__(self) -> Numbers:
            self.last = 0
            return self

        def __next__(self) -> int:
            self.last += 1
            if self.last > 2 * LONGEST_RUN:
                raise StopIteration
            return self.last

    assert [number for run in runs_of(Numbers()) for number in run] == [
        *range(1, 2 * LONGEST_RUN + 1)
    ]


def test_an_iterator_is_not_asked_again_after_its_end() -> None:
    asked = 0

    class Once:
        def __iter__(self) -> Once:
            return self

        def __next__(self) -> str:
            nonlocal asked
            asked += 1
            if asked == 2:
                raise StopIteration
            return "a"

    assert list(runs_of(Once())) == [["a"]] and asked == 2


@pytest.mark.parametrize(
    "wrong", ["text", b"bytes", bytearray(), memoryview(b""), {"a": 1}, 3, None]
)
def test_what_is_no_iterable_of_messages(wrong: Any) -> None:
    with pytest.raises(tieline.OptionError, match=f"send_many: .*{type(wrong).__name__}"):
        check_messages(wrong)


def test_small_ones() -> None:
    assert small_ones(["a", b"b", bytearray(b"c"), "d"]) == [
        (tieline.Opcode.TEXT, b"a"),
        (tieline.Opcode.BINARY, b"b"),
    ]
    assert small_ones([b"x" * BIG]) == [] and small_ones([["a"]]) == []


def test_a_note() -> None:
    with pytest.raises(tieline.ConnectionClosed) as raised:
        with telling_how_many(lambda: 7):
            raise tieline.ConnectionClosed("gone")
    assert raised.value.__notes__ == ["send_many: 7 messages were sent or are in the write buffer"]


def test_a_note_is_not_added_twice() -> None:
    error = ZeroDivisionError()
    error.add_note("theirs")
    for counts in (iter([0]), iter([1]), iter([2])):
        with pytest.raises(ZeroDivisionError), telling_how_many(counts.__next__):
            raise error
    assert error.__notes__ == [
        "theirs",
        "send_many: 2 messages were sent or are in the write buffer",
    ]


def test_no_place_for_a_note() -> None:
    error = ZeroDivisionError()
    error.__notes__ = "theirs"  # type: ignore[assignment]  # anything may be there
    with pytest.raises(ZeroDivisionError) as raised, telling_how_many(lambda: 1):
        raise error
    assert raised.value is error and error.__notes__ == "theirs"


@pytest.fixture(params=[None, "deflate"])
def server(request: Any) -> Iterator[EchoServer]:
    with EchoServer(compression=request.param) as running:
        yield running


def plain(server: EchoServer, **options: Any) -> tieline.Connection:
    return tieline.connect(server.url, proxy=None, **options)


@pytest.mark.parametrize("options", [{}, {"slow_send": 5.0}, {"offline": "queue"}])
@pytest.mark.parametrize("compress", [None, False])
def test_all_kinds_in_order(server: EchoServer, options: Any, compress: Any) -> None:
    with plain(server, **options) as connection:
        connection.send_many(MIXED, compress=compress)
        connection.send_many(iter(MIXED), compress=compress)
        assert [connection.recv() for _ in range(2 * len(MIXED))] == 2 * ECHOED
        assert connection.stats().messages_sent == 2 * len(MIXED)


def test_more_than_the_buffer_holds(server: EchoServer) -> None:
    sent = [b"%06d" % number + b"x" * 500 for number in range(5000)]
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with tieline.WebSocketClient(None, server.url, proxy=None, on_message=got.put) as client:
        client.send_many(sent)
        assert [got.get(timeout=PATIENCE) for _ in sent] == sent


def test_in_a_handler(server: EchoServer) -> None:
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def on_message(message: Any) -> None:
        if message == "go":
            client.send_many(str(number) for number in range(1000))
        else:
            got.put(message)

    client = tieline.WebSocketClient(None, server.url, proxy=None, on_message=on_message)
    with client:
        client.send("go")
        assert [got.get(timeout=PATIENCE) for _ in range(1000)] == [str(n) for n in range(1000)]


def test_one_of_them_is_no_message(server: EchoServer) -> None:
    with plain(server) as connection:
        with pytest.raises(tieline.OptionError) as raised:
            connection.send_many(["a", "b", 3, "c"])
        assert raised.value.__notes__ == [
            "send_many: 2 messages were sent or are in the write buffer"
        ]
        assert [connection.recv(), connection.recv()] == ["a", "b"]
        connection.send("d")
        assert connection.recv() == "d"


def test_the_iterable_fails(server: EchoServer) -> None:
    """What it had given before is sent, and the error says so."""

    def failing() -> Iterator[str]:
        yield "a"
        yield "b"
        raise ZeroDivisionError

    with plain(server) as connection:
        with pytest.raises(ZeroDivisionError) as raised:
            connection.send_many(failing())
        assert raised.value.__notes__ == [
            "send_many: 2 messages were sent or are in the write buffer"
        ]
        assert [connection.recv(), connection.recv()] == ["a", "b"]


def test_the_iterable_fails_and_so_does_the_connection(server: EchoServer) -> None:
    """Both are told."""

    def failing() -> Iterator[str]:
        yield "a"
        connection.close()
        raise ZeroDivisionError

    connection = plain(server)
    with pytest.raises(tieline.ConnectionClosed) as raised:
        connection.send_many(failing())
    assert isinstance(raised.value.__context__, ZeroDivisionError)


def test_ctrl_c_in_the_iterable(server: EchoServer) -> None:
    def interrupted() -> Iterator[str]:
        yield from ["a"] * LONGEST_RUN
        yield "b"
        raise KeyboardInterrupt

    with plain(server) as connection:
        with pytest.raises(KeyboardInterrupt) as raised:
            connection.send_many(interrupted())
        note = f"send_many: {LONGEST_RUN} messages were sent or are in the write buffer"
        assert raised.value.__notes__ == [note]
        assert [connection.recv() for _ in range(LONGEST_RUN)] == ["a"] * LONGEST_RUN


def test_a_stream_that_breaks_has_not_taken_the_run() -> None:
    """Nobody is told that messages were sent that the write found no stream for."""
    is_broken = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.reset()
        is_broken.set()

    with ScriptedServer(script, timeout=PATIENCE) as server:
        with tieline.connect(server.url, proxy=None) as connection:
            assert is_broken.wait(PATIENCE)
            with pytest.raises(tieline.ConnectionClosed) as raised:
                connection.send_many(["x"] * 5000)
    assert raised.value.__notes__ == ["send_many: 0 messages were sent or are in the write buffer"]


def test_runs_of_all_sizes(server: EchoServer) -> None:
    """Headers of all lengths, more keys than are drawn at once, and more than one buffer."""
    sizes = [0, 1, 125, 126, 127, 1000, 16_383, 16_384, 16_385, 70_000, *[3] * 5000, 65_535, 2]
    sent = [bytes([size % 251]) * size for size in sizes]
    got: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with tieline.WebSocketClient(None, server.url, proxy=None, on_message=got.put) as client:
        client.send_many(sent)
        client.send_many(iter(sent))
        assert [got.get(timeout=PATIENCE) for _ in range(2 * len(sent))] == 2 * sent


def test_after_the_end(server: EchoServer) -> None:
    connection = plain(server)
    connection.close()
    with pytest.raises(tieline.ConnectionClosed) as raised:
        connection.send_many(["a"])
    assert raised.value.__notes__ == ["send_many: 0 messages were sent or are in the write buffer"]


def test_a_peer_that_stops_reading() -> None:
    """The note counts what was taken before, also within the run that was under way."""
    reading = threading.Event()
    numbers: list[int] = []

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        assert reading.wait(PATIENCE)
        with suppress(AssertionError):  # the client's Close ends it
            while (frame := peer.receive_frame()).opcode == tieline.Opcode.BINARY:
                numbers.append(int(frame.payload[:8]))

    with ScriptedServer(script, timeout=PATIENCE) as server:
        connection = tieline.connect(server.url, proxy=None, timeout=0.2)
        with pytest.raises(tieline.SendTimeout) as raised:
            connection.send_many(b"%08d" % number + b"x" * 8000 for number in count())
        sent = int(raised.value.__notes__[0].split()[1])
        reading.set()
        connection.close()
    assert numbers == list(range(len(numbers))) and len(numbers) - sent in (0, 1)
