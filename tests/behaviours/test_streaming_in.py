"""Messages that are read chunk by chunk, on each front: order, bounds, and ends that are told."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest

import tieline
from tests.fronts import FRONTS, PATIENCE, AsyncioTalk, Talk
from tieline import Opcode
from tieline.engine.receive_buffer import LARGEST_BUFFER
from tieline.testing import ScriptedPeer
from tieline.testing.frames import deflate_payload, frame_bytes

MIB = 1024 * 1024

#: More bytes of one message than may wait to be read, on their way from the kernel to the reader.
MOST_WAITING = 3 * MIB


class Streams:
    """The messages of one front as streams; each is a list of chunks, the last one an error maybe.

    `pause` is called before each chunk is asked for.
    """

    def __init__(self, front: type[Talk], url: str, **options: Any) -> None:
        self.front_name = front.front_name
        self.pause: Callable[[], object] = lambda: None
        self.largest_queue = 0
        self._told: list[list[Any]] = []
        self._changed = threading.Condition()
        self._asked = threading.Event()
        if front.front_name == "callback":
            options |= {"streaming": True, "on_message": self._handle}
        self.talk = front(url, **options)

    def _handle(self, stream: tieline.MessageStream) -> None:
        chunks: list[Any] = []
        assert self._asked.wait(PATIENCE)  # until `pause` is what the test wants
        try:
            while True:
                self.pause()
                try:
                    chunks.append(next(stream))
                except StopIteration:
                    break
        except tieline.ConnectionClosed as error:
            chunks.append(error)
        with self._changed:
            self._told.append(chunks)
            self._changed.notify_all()

    def next(self, timeout: float | None = PATIENCE) -> list[Any]:
        self._asked.set()
        if self.front_name == "callback":
            with self._changed:
                assert self._changed.wait_for(lambda: self._told, PATIENCE), "no message"
                return self._told.pop(0)
        chunks: list[Any] = []
        try:
            if isinstance(self.talk, AsyncioTalk):
                self.talk.run(self._collect(chunks, timeout))
            else:
                stream = self.talk.front.recv_stream(timeout)
                while True:
                    self.pause()
                    chunks.append(next(stream))
        except StopIteration:
            pass
        except tieline.ConnectionClosed as error:
            chunks.append(error)
        return chunks

    async def _collect(self, chunks: list[Any], timeout: float | None) -> None:
        stream = self.talk.front.recv_stream(timeout)
        while True:
            await asyncio.to_thread(self.pause)
            try:
                chunks.append(await anext(stream))
            except StopAsyncIteration:
                return

    def say(self, text: str) -> None:
        """Send it, from a `pause`."""
        front = self.talk.front
        (front.send_threadsafe if self.front_name == "asyncio" else front.send)(text)


@pytest.fixture(params=FRONTS, ids=lambda front: front.front_name)
def streams(request: pytest.FixtureRequest, scripted: Any) -> Any:
    """streams(script, **options): the front, connected to a server that plays the script."""
    made: list[Streams] = []

    def start(script: Any, **options: Any) -> Streams:
        made.append(Streams(request.param, scripted(script).url, **options))
        return made[-1]

    yield start
    for one in made:
        one.talk.close()


def fragments(opcode: int, *parts: bytes | str) -> list[bytes]:
    """The frames of a fragmented message."""
    last = len(parts) - 1
    return [
        frame_bytes(opcode if not number else Opcode.CONTINUATION, part, fin=number == last)
        for number, part in enumerate(parts)
    ]


def size_of(chunks: list[Any]) -> int:
    return sum(map(len, chunks))


def test_every_kind_of_message(streams: Any) -> None:
    big = bytes(range(256)) * 8192

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_text("whole")
        for frame in fragments(Opcode.TEXT, "one ", "two ", "three"):
            peer.send_raw(frame)
        peer.send_binary(big)
        peer.send_text("")
        for frame in fragments(Opcode.BINARY, b"", b""):
            peer.send_raw(frame)
        peer.send_text("ä€😀" * 100_000)
        peer.expect_close()

    one = streams(script)
    assert one.next() == ["whole"]
    assert "".join(one.next()) == "one two three"
    assert b"".join(one.next()) == big
    assert one.next() == [""]
    assert one.next() == [b""]
    assert "".join(one.next()) == "ä€😀" * 100_000


def test_a_chunk_comes_before_the_message_is_complete(streams: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        first, second, third = fragments(Opcode.TEXT, "now ", "then ", "at last")
        peer.send_raw(first)
        peer.expect_text("seen 1")
        peer.send_raw(second + frame_bytes(Opcode.PING, b"between"))
        peer.expect_frame(Opcode.PONG, b"between")
        peer.expect_text("seen 2")
        peer.send_raw(third)
        peer.expect_close()

    asked = count()
    one = streams(script)

    def answer() -> None:
        number = next(asked)
        if number in (1, 2):
            one.say(f"seen {number}")

    one.pause = answer
    assert one.next() == ["now ", "then ", "at last"]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_slow_reader_stops_the_server(
    streams: Any, compressed: bool, secure_or_not: dict[str, Any]
) -> None:
    """However much a few bytes become."""
    total, part = 64 * MIB, bytes(4 * MIB)

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions="permessage-deflate" if compressed else None)
        if compressed:
            peer.send_raw(frame_bytes(Opcode.BINARY, deflate_payload(bytes(total)), rsv1=True))
        else:
            for frame in fragments(Opcode.BINARY, *[part] * (total // len(part))):
                peer.send_raw(frame)
        peer.send_text("behind it")
        peer.expect_close()

    one = streams(script, max_message_size=total)
    delivery = one.talk.front._line.delivery
    waits = count()
    moment = threading.Event()
    most = 0

    def waiting() -> int:
        chunks = delivery._chunks
        return 0 if chunks is None else chunks.waiting

    def look() -> None:
        nonlocal most
        if next(waits) == 1:  # somebody else reads on meanwhile, until there is enough
            for _ in range(2000):
                if waiting() >= MIB or moment.wait(0.01):
                    break
            moment.wait(0.05)
        most = max(most, waiting())

    one.pause = look
    chunks = one.next()
    # The first chunk is all that had come before anybody asked for chunks.
    assert size_of(chunks) == total and max(map(len, chunks[1:])) <= LARGEST_BUFFER
    assert MIB <= most <= MOST_WAITING + len(chunks[0])
    assert one.next() == ["behind it"]


@pytest.mark.slow
def test_keepalive_goes_on_while_nobody_reads(streams: Any) -> None:
    """What waits unread stops the reading, and does not count as a peer that is silent."""
    go_on = threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        for frame in fragments(Opcode.BINARY, *[bytes(MIB)] * 16):
            peer.send_raw(frame)
        peer.expect_close()

    # Nobody reads for longer than `ping_timeout`, which a busy machine does not reach.
    one = streams(script, ping_interval=0.05, ping_timeout=1.0)
    one.pause = lambda: go_on.wait(PATIENCE)
    threading.Timer(1.3, go_on.set).start()
    assert size_of(one.next()) == 16 * MIB
    assert one.talk.front.is_open()


def test_bad_text_in_the_third_fragment(streams: Any) -> None:
    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        first, second, third = fragments(Opcode.TEXT, "good ", "good ", b"bad \xff")
        peer.send_raw(first + second)
        peer.expect_text("go on")
        peer.send_raw(third)
        peer.expect_close(1007)

    one = streams(script)
    chunks = talk_and_read(one)
    assert "".join(chunks[:-1]) == "good good "
    assert chunks[-1].close_info.sent.code == 1007
    assert "0xff at byte 14" in str(chunks[-1].__cause__)


def talk_and_read(one: Streams) -> list[Any]:
    """Say "go on" when the first chunk was read."""
    asked = count()

    def say() -> None:
        if next(asked) == 1:
            one.say("go on")

    one.pause = say
    return one.next()


@pytest.mark.parametrize("how", ["reset", "end", "close"])
def test_the_connection_ends_in_the_middle(streams: Any, how: str) -> None:
    """Never in silence: also when the server closes with 1000."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        peer.send_raw(fragments(Opcode.TEXT, "good ", "never comes")[0])
        peer.expect_text("go on")
        if how == "reset":
            peer.reset()
        elif how == "end":
            peer.close()
        else:
            peer.finish(1000)

    chunks = talk_and_read(streams(script))
    assert chunks[0] == "good " and len(chunks) == 2
    assert "in the middle of a message" in str(chunks[1])
    assert chunks[1].close_info.code == (1000 if how == "close" else 1006)
    assert (chunks[1].__cause__ is None) == (how == "close")


def test_too_big(streams: Any) -> None:
    """The limit is for all of the message, streamed or not."""

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        first, second = fragments(Opcode.BINARY, bytes(700), bytes(700))
        peer.send_raw(first)
        peer.expect_text("go on")
        peer.send_raw(second)
        peer.expect_close(1009)

    chunks = talk_and_read(streams(script, max_message_size=1000))
    assert size_of(chunks[:-1]) == 700
    assert isinstance(chunks[-1].__cause__, tieline.MessageTooBig)


def test_closing_in_the_middle(streams: Any, within: Any) -> None:
    """Nobody reads on, and the peer's Close is behind the rest."""
    begun, go_on = threading.Event(), threading.Event()

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade()
        parts = fragments(Opcode.BINARY, *[bytes(MIB)] * 8)
        for part in parts[:2]:
            peer.send_raw(part)
        peer.expect_close()
        for part in parts[2:]:
            peer.send_raw(part)
        peer.send_close(1000)

    one = streams(script)
    outcome: list[Any] = []

    asked = count()

    def pause() -> None:
        if next(asked) == 1:
            begun.set()
            assert go_on.wait(PATIENCE)

    one.pause = pause
    reader = threading.Thread(target=lambda: outcome.append(one.next(None)), daemon=True)
    reader.start()
    assert begun.wait(PATIENCE)
    threading.Timer(0.1, go_on.set).start()
    with within(PATIENCE - 1):
        one.talk.close_now()
    reader.join(PATIENCE)
    chunks = outcome[0]
    # All of it, or an error that says that it is not all.
    if isinstance(chunks[-1], tieline.ConnectionClosed):
        assert size_of(chunks[:-1]) < 8 * MIB
    else:
        assert size_of(chunks) == 8 * MIB
    assert one.talk.front.close_info.code == 1000


# --- messages that nobody asks for: what waits is bounded in bytes as well


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.front_name)
@pytest.mark.parametrize("streaming", [False, True])
def test_a_bomb_of_many_messages(front: type[Talk], scripted: Any, streaming: bool) -> None:
    """A few kilobytes that become a hundred times what may wait."""
    size = 4 * MIB
    frame = frame_bytes(Opcode.BINARY, deflate_payload(bytes(size)), rsv1=True)

    def script(peer: ScriptedPeer) -> None:
        peer.accept_upgrade(extensions="permessage-deflate")
        peer.send_raw(frame * 400)
        peer.expect_close()

    held, holding = threading.Event(), threading.Event()
    most = 0

    def handle(message: Any) -> None:
        holding.set()
        held.wait(PATIENCE)

    options: dict[str, Any] = {}
    pool = ThreadPoolExecutor(1)
    if front.front_name == "callback":
        # Without a queue there is nothing that could fill.
        options = {"streaming": True} if streaming else {"executor": pool}
        options["on_message"] = handle
    talk = front(scripted(script).url, max_message_size=size, **options)
    try:
        stats = talk.front.stats
        if front.front_name == "callback":
            assert holding.wait(PATIENCE)
        else:
            if streaming and isinstance(talk, AsyncioTalk):
                talk.run(_first_chunk(talk.front))
            elif streaming:
                next(talk.front.recv_stream(PATIENCE))
            else:
                talk.receive()
        moment, deadline = threading.Event(), time.monotonic() + PATIENCE
        looks = 0
        while looks < 20 and time.monotonic() < deadline:
            moment.wait(0.02)
            most = max(most, stats().queue_depth)
            looks += most > 0  # whoever reads while nobody asks may begin late
        assert 0 < most <= 6, "16 MiB may wait, and one more message"
    finally:
        held.set()
        talk.close()
        pool.shutdown()


async def _first_chunk(front: Any) -> Any:
    return await anext(front.recv_stream(PATIENCE))
