"""A `Stream` in the hands of an event loop: bytes, back-pressure, ends, other threads, fork."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tieline.aio.dialling import adopt
from tieline.aio.loop_reactor import running_loop_reactor
from tieline.aio.transport_stream import TransportStream
from tieline.transport.scratch import ciphertext
from tieline.transport.stream import Stream

KINDS = ["plain", "tls", "tls over tls"]

PATIENCE = 20.0


@pytest.fixture
def take() -> Any:
    """As on a loop that watches no descriptors."""
    return adopt


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def in_another_thread(function: Callable[[], Any]) -> Any:
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(function()))
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    return outcome[0]


def fill(stream: Stream, block: bytes) -> bytes:
    """Send until no more is taken: all that was taken."""
    taken = bytearray()
    for _ in range(200):
        count = stream.send(block)
        taken += block[:count]
        if count < len(block):
            return bytes(taken)
    pytest.fail("the pipe takes everything")


def reset(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connected.close()


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_turn_behind_a_big_message_reads_as_much_as_any(run: Any, served: Any) -> None:
    """Of which others would read little: what a transport reads costs a turn of the loop."""

    async def main() -> None:
        reader, far = await served("plain")
        memory = running_loop_reactor().memory
        memory.received(0)
        assert len(memory.view) < len(memory.buffer) == len(reader.stream.get_buffer(-1))
        message = bytes(range(256)) * 1000
        await far.send(message)
        assert await reader.receive(len(message)) == message
        reader.end()

    run(main())


def test_bytes_go_both_ways(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        for number in range(20):
            message = b"%d" % number * number * 1000
            await far.send(message)
            assert await reader.receive(len(message)) == message
            assert reader.stream.send(b"answer %02d" % number) == 9
            assert reader.stream.flush() and not reader.stream.has_pending_output
            assert await far.receive(9) == b"answer %02d" % number
        reader.end()

    run(main())


def test_much_at_once(run: Any, served: Any, kind: str) -> None:
    """More than any buffer holds, and read in order although the reader stops now and then."""

    async def main() -> None:
        reader, far = await served(kind)
        data = os.urandom(5_000_000)
        sending = asyncio.create_task(far.send(data))
        for size in range(1_000_000, len(data), 1_000_000):
            await reader.until(lambda size=size: len(reader.received) >= size)
            reader.watch(reading=False)
            await turns()
            reader.watch(reading=True)
        await sending
        assert await reader.receive(len(data)) == data
        reader.end()

    run(main())


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_small_reads_lose_nothing(run: Any, served: Any, kind: str, size: int) -> None:
    async def main() -> None:
        reader, far = await served(kind, size)
        for message in (b"abcdefghij", b"k", b"lmnop" * 100):
            await far.send(message)
            assert await reader.receive(len(message)) == message
        far.socket.shutdown(socket.SHUT_WR)
        await reader.until(lambda: reader.ended)
        reader.end()

    run(main())


def test_memory_of_its_own(run: Any, pair: Any, reader_of: Any) -> None:
    async def main() -> None:
        reactor = running_loop_reactor()
        near = TransportStream(
            reactor, pair[0], peer=None, local=None, under_tls=False, own_memory=True
        )
        await reactor.loop.create_connection(lambda: near, sock=pair[0])
        reader = reader_of(near, reactor).start()
        data = os.urandom(300_000)
        sending = asyncio.create_task(reactor.loop.sock_sendall(pair[1], data))
        assert await reader.receive(len(data)) == data
        await sending
        reader.end()

    run(main())


def test_who_does_not_read_makes_the_peer_wait(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        await reader.until(lambda: "registered" in reader.told)
        reader.watch(reading=False)
        await turns()
        before = len(reader.received)
        sent, piece = bytearray(), b"abcdefgh" * 1024
        rest = memoryview(b"")
        with pytest.raises(BlockingIOError):
            for _ in range(20_000):
                if not len(rest):
                    sent += piece
                    rest = memoryview(far.wrap(piece))
                rest = rest[far.socket.send(rest) :]
        assert len(reader.received) == before
        reader.watch(reading=True)
        await asyncio.get_running_loop().sock_sendall(far.socket, rest)
        assert await reader.receive(len(sent)) == sent
        reader.end()

    run(main())


def test_before_anybody_is_served_the_peer_waits(run: Any, connected: Any, reader_of: Any) -> None:
    """Some loops read at once; the peer must not fill our memory before anybody reads."""

    async def main() -> None:
        stream, far = connected("plain")
        reactor = running_loop_reactor()
        adopted = await adopt(stream, reactor)
        sent = 0
        idle_turns = 0
        while idle_turns < 20:
            try:
                sent += far.socket.send(b"x" * 100_000)
                idle_turns = 0
            except BlockingIOError:
                idle_turns += 1
            await asyncio.sleep(0)
            assert sent < 50_000_000
        reader = reader_of(adopted, reactor).start()
        assert await reader.receive(sent) == b"x" * sent
        reader.end()

    run(main())


def test_others_of_the_thread_use_the_same_memory(run: Any, served: Any) -> None:
    """What arrives while TLS still has plaintext for a reader must not be left lying about."""

    async def main() -> None:
        reader, far = await served("tls", 1000)
        read = reader.on_readable

        def read_and_let_others_read(now: float) -> None:
            read(now)
            ciphertext.memory[:1000] = bytes(1000)

        reader.on_readable = read_and_let_others_read
        data = os.urandom(50_000)
        for start in range(0, len(data), 5000):
            await far.send(data[start : start + 5000])
            # A part of it: the rest is inside of TLS when the next piece arrives.
            await reader.until(lambda start=start: len(reader.received) > start)
        assert await reader.receive(len(data)) == data
        reader.end()

    run(main())


def test_a_full_pipe_takes_no_more_and_tells_when_there_is_room(
    run: Any, served: Any, kind: str
) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        stream = reader.stream
        taken = fill(stream, os.urandom(1 << 20))
        assert stream.send(b"more") == 0
        assert stream.has_pending_output and not stream.flush()
        reader.watch(writing=True)
        await turns()
        assert "writable" not in reader.told
        assert await far.receive(len(taken)) == taken
        await reader.until(lambda: "writable" in reader.told)
        assert not stream.has_pending_output and stream.flush()
        assert stream.send(b"more") == 4
        assert await far.receive(4) == b"more"
        reader.end()

    run(main())


def test_what_is_not_pending_is_with_the_kernel(run: Any, served: Any) -> None:
    """So it reaches the peer although the stream is closed at once."""

    async def main() -> None:
        reader, far = await served()
        stream = reader.stream
        sent = 0
        while stream.flush():
            flushed = sent
            sent += stream.send(bytes(1000))
        reader.end()
        await turns()
        assert len(await far.receive(sent)) >= flushed

    run(main())


def test_bytes_that_change_after_they_were_taken(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        block = bytearray(b"a" * 50_000_000)
        first = reader.stream.send(block)
        assert 0 < first < len(block) and reader.stream.has_pending_output
        block[:] = b"b" * len(block)
        assert await far.receive(first) == b"a" * first
        reader.end()

    run(main())


def test_sending_nothing(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, _ = await served(kind)
        assert reader.stream.send(b"") == 0
        reader.end()

    run(main())


def test_an_empty_buffer_is_refused(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, _ = await served(kind)
        with pytest.raises(ValueError, match="empty"):
            reader.stream.receive_into(memoryview(b""))
        reader.end()

    run(main())


def test_the_peers_end(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        await far.send(b"last")
        far.socket.shutdown(socket.SHUT_WR)
        await reader.until(lambda: reader.ended)
        assert reader.received == b"last"
        for _ in range(3):  # the end stays the end, and is told as long as somebody wants to know
            reader.ended = False
            reader.watch(reading=True)
            await reader.until(lambda: reader.ended)
        if kind == "plain":  # the other direction stays open; TLS without close_notify cannot
            assert reader.stream.send(b"answer") == 6
            assert await far.receive(6) == b"answer"
        reader.end()

    run(main())


def test_our_end_leaves_the_other_direction_open(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served()
        reader.stream.send(b"bye")
        reader.stream.shutdown_write()
        reader.stream.shutdown_write()
        assert await far.receive(100) == b"bye"
        await far.send(b"answer")
        assert await reader.receive(6) == b"answer"
        reader.end()

    run(main())


def test_a_reset_is_an_error_after_what_came_before(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        await far.send(b"before")
        assert await reader.receive(6) == b"before"
        reset(far.socket)
        await reader.until(lambda: reader.error)
        assert isinstance(reader.error, ConnectionError)
        with pytest.raises(ConnectionError):
            reader.stream.send(b"too late")
        reader.end()

    run(main())


def test_what_came_before_a_write_failed_is_still_read(run: Any, served: Any, kind: str) -> None:
    """A server that says why and goes, while we are sending: its last words must not be lost."""

    async def main() -> None:
        reader, far = await served(kind)
        await reader.until(lambda: "registered" in reader.told)
        reader.watch(reading=False)
        reader.stream.send(b"unread, so that closing is a reset")
        await turns()
        await far.send(b"last words")
        far.socket.close()
        reader.watch(writing=True)
        error = None
        for _ in range(1000):
            try:
                reader.stream.send(b"x")
            except OSError as found:
                error = found
                break
            await asyncio.sleep(0)
        assert isinstance(error, ConnectionError)
        reader.watch(reading=True, writing=False)
        await reader.until(lambda: reader.error or reader.ended)
        assert reader.received == b"last words"
        reader.end()

    run(main())


def test_what_a_write_that_fails_was_given_is_not_taken(run: Any, served: Any) -> None:
    """Transports note the failure and say nothing: the bytes would pass for sent."""

    async def main() -> None:
        reader, far = await served("plain")
        await reader.until(lambda: "registered" in reader.told)
        reader.watch(reading=False)
        reset(far.socket)
        assert reader.stream.send(b"x" * 10) == 0
        reader.watch(reading=True)
        await reader.until(lambda: reader.error)
        reader.end()

    run(main())


def test_what_was_pending_when_the_connection_was_lost_is_not_sent(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, far = await served("plain")
        await reader.until(lambda: "registered" in reader.told)
        reader.watch(reading=False)
        fill(reader.stream, b"x" * 200_000)
        assert reader.stream.has_pending_output and not reader.stream.flush()
        reset(far.socket)
        reader.watch(reading=True)
        await reader.until(lambda: reader.error)
        assert reader.stream.has_pending_output
        for ask in (reader.stream.flush, lambda: reader.stream.send(b"more")):
            with pytest.raises(ConnectionError):
                ask()
        reader.end()

    run(main())


def test_closing_closes_the_descriptor_and_does_not_linger(
    run: Any, served: Any, kind: str
) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        stream = reader.stream
        descriptor = stream.fileno()
        fill(stream, bytes(1 << 20))  # which the peer never reads
        reader.end()
        stream.close()
        stream.shutdown_write()
        assert stream.fileno() == -1
        with pytest.raises(OSError):
            stream.receive_into(reader.reactor.memory.view)
        await turns()
        with pytest.raises(OSError):
            os.fstat(descriptor)

    run(main())


def test_other_threads_take_nothing_and_the_loop_sends(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        stream = reader.stream

        def send() -> int:
            count = stream.send(b"from afar")
            assert stream.flush() == (not stream.has_pending_output)
            return count

        if in_another_thread(send) == 0:  # TLS takes it, but cannot pass it on
            reader.watch(writing=True)
            await reader.until(lambda: "writable" in reader.told)
            assert stream.send(b"from afar") == 9
        else:
            assert stream.has_pending_output
            reader.watch(writing=True)
        assert await far.receive(9) == b"from afar"
        assert not stream.has_pending_output
        reader.end()

    run(main())


@pytest.mark.parametrize("what", ["shutdown_write", "close"])
def test_ending_it_from_another_thread(run: Any, served: Any, kind: str, what: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        await reader.until(lambda: "registered" in reader.told)
        await turns()  # a close with unread bytes, TLS's tickets, would be a reset
        reader.stream.send(b"last")
        in_another_thread(getattr(reader.stream, what))
        assert await far.receive(100) == b"last"  # and its end
        reader.end()

    run(main())


def test_room_is_told_as_long_as_it_is_asked_for(run: Any, served: Any) -> None:
    async def main() -> None:
        reader, _ = await served()
        reader.watch(writing=True)
        await reader.until(lambda: reader.told.count("writable") > 3)
        reader.watch(writing=False)
        told = len(reader.told)
        await turns()
        assert len(reader.told) == told
        reader.end()

    run(main())


def test_what_the_reader_raises_comes_back_to_it(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        broken = RuntimeError("broken")

        def raise_it(*_: Any) -> None:
            raise broken

        reader.on_readable = raise_it
        await far.send(b"x")
        await reader.until(lambda: broken in reader.told)
        reader.on_writable = raise_it
        reader.watch(reading=False, writing=True)
        await reader.until(lambda: reader.told.count(broken) > 1)
        reader.end()

    run(main())


def test_addresses(run: Any, served: Any, pair: Any, kind: str) -> None:
    near, far = pair
    expected = far.getsockname(), near.getsockname()

    async def main() -> None:
        reader, _ = await served(kind)
        assert (reader.stream.peer, reader.stream.local) == expected
        assert (reader.stream.tls is None) == (kind == "plain")
        reader.end()

    run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork() here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of fork(), which is what is tested
def test_a_child_lets_go_without_a_sign(run: Any, served: Any, kind: str) -> None:
    async def main() -> None:
        reader, far = await served(kind)
        await reader.until(lambda: "registered" in reader.told)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                reader.reactor.abandon_after_fork()
                assert reader.stream.fileno() == -1
                reader.stream.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        with pytest.raises(BlockingIOError):  # neither a byte nor an end
            far.socket.recv(1)
        await far.send(b"still here")
        assert await reader.receive(10) == b"still here"
        reader.end()

    run(main())
