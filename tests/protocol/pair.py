"""Two `Connection`s back to back, in memory, on one clock that only moves when told to."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from tests.protocol.frame_bytes import frame
from tieline.protocol.connection import Connection
from tieline.protocol.endpoints import client_connection, server_connection
from tieline.protocol.events import Closed, CloseInfo, HandshakeFailed, RequestReceived
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.settings import Settings
from tieline.protocol.state import State

URL = "ws://example.com/chat"

Cut = Callable[[bytes], Iterable[bytes]]


def whole(data: bytes) -> Iterable[bytes]:
    return [data]


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return [data[place : place + 1] for place in range(len(data))]


class Clock:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.now = 100.0


class Side:
    """A `Connection` with the simplest driver: pulls at once all that there is to be told."""

    def __init__(self, connection: Connection, role: str, clock: Clock) -> None:
        self.connection = connection
        self.role = role
        self.clock = clock
        #: Every event, in order; the messages of a batch one by one.
        self.told: list[Any] = []
        #: Called with each event before the next one is pulled, as handlers are.
        self.on_event: Callable[[Any], object] | None = None

    @property
    def messages(self) -> list[str | bytes]:
        return [event for event in self.told if isinstance(event, str | bytes)]

    def events(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    @property
    def info(self) -> CloseInfo:
        """How it ended; there must be exactly one end, and it must be the last event."""
        assert len(self.events(Closed)) == 1, self.told
        assert isinstance(self.told[-1], Closed), self.told
        assert self.connection.close_info is self.told[-1].info
        return self.told[-1].info

    def receive(self, data: bytes, cut: Cut = whole) -> None:
        for piece in cut(data):
            buffer = bytearray(piece + b"\xaa")
            self.connection.receive_data(buffer, len(piece), self.clock.now)
            self.pull()
            # The buffer is the driver's again, whatever became of the connection.
            buffer[:] = b"\x55" * len(buffer)
            buffer.clear()

    def receive_frame(self, first: int, payload: bytes = b"", cut: Cut = whole) -> None:
        """A frame as this side's peer would send it."""
        self.receive(self.peers_frame(first, payload), cut)

    def peers_frame(self, first: int, payload: bytes = b"", form: int | None = None) -> bytes:
        return frame(first, payload, masked=self.role == "server", form=form)

    def receive_eof(self) -> None:
        self.connection.receive_eof()
        self.pull()

    def lose(self, error: Exception) -> None:
        self.connection.connection_lost(error)
        self.pull()

    def on_time(self, now: float) -> None:
        self.clock.now = now
        self.connection.on_time(now)
        self.pull()

    def pull(self) -> None:
        while (event := self.connection.next_event(self.clock.now)) is not None:
            self.told += event if isinstance(event, list) else [event]
            if self.on_event is not None:
                self.on_event(event)

    def sent(self) -> bytes:
        """What is to be written."""
        return b"".join(self.connection.data_to_send())

    def sent_frames(self) -> list[tuple[int, bytes]]:
        """What is to be written, as first bytes and unmasked payloads."""
        return parse_frames(self.sent(), masked=self.role == "client")

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.connection.send_close(code, reason, self.clock.now)
        self.pull()


class ConnectedPair:
    """A client and a server. `near` is the one that a test is about, `far` its peer."""

    def __init__(
        self,
        near: str = "client",
        near_settings: Settings | None = None,
        far_settings: Settings | None = None,
        cut: Cut = whole,
        open: bool = True,
    ) -> None:
        settings = {near: near_settings, "server" if near == "client" else "client": far_settings}
        self.clock = Clock()
        self.cut = cut
        # Seeded: a failure shows the same bytes again.
        client_random, server_random = random.Random(1).randbytes, random.Random(2).randbytes
        wanted = settings["client"]
        request = UpgradeRequest(
            host="example.com",
            target="/chat",
            compression=None if wanted is None else wanted.compression,
        )
        self.client = Side(
            client_connection(request, URL, settings["client"], client_random), "client", self.clock
        )
        self.server = Side(
            server_connection(settings["server"], server_random), "server", self.clock
        )
        self.near = self.client if near == "client" else self.server
        self.far = self.server if near == "client" else self.client
        self._ended: set[str] = set()
        if open:
            self.client.connection.start()
            self.exchange()

    def exchange(self) -> None:
        """Carry bytes to and fro until there are none, and close the streams that are done."""
        moved = True
        while moved:
            moved = False
            for side, other in ((self.client, self.server), (self.server, self.client)):
                side.pull()
                self._answer_requests(side)
                data = side.sent()
                if data:
                    moved = True
                    if other.connection.state is not State.CLOSED:
                        other.receive(data, self.cut)
                elif side.connection.state is State.CLOSED and side.role not in self._ended:
                    moved = True
                    self._ended.add(side.role)
                    other.receive_eof()

    def _answer_requests(self, side: Side) -> None:
        if side.told and isinstance(side.told[-1], RequestReceived):
            side.told.clear()
            side.connection.accept(self.clock.now)
            side.pull()

    def forget(self) -> None:
        """Both sides' past: what was told and what is to be written."""
        for side in (self.client, self.server):
            side.told.clear()
            side.sent()


def opened(role: str, settings: Settings | None = None) -> Side:
    """One side of an open connection, whose peer is the test."""
    pair = ConnectedPair(role, settings)
    assert pair.near.connection.state is State.OPEN
    assert not pair.near.events(HandshakeFailed)
    pair.forget()
    return pair.near


def parse_frames(data: bytes, *, masked: bool) -> list[tuple[int, bytes]]:
    """First bytes and unmasked payloads of whole frames, by the letter of section 5.2."""
    frames = []
    while data:
        first, second, data = data[0], data[1], data[2:]
        length = second & 0x7F
        if length > 125:
            size = 2 if length == 126 else 8
            length, data = int.from_bytes(data[:size], "big"), data[size:]
        assert bool(second & 0x80) == masked
        key = b""
        if masked:
            key, data = data[:4], data[4:]
        assert len(data) >= length, "a cut frame"
        payload, data = data[:length], data[length:]
        if masked:
            payload = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
        frames.append((first, payload))
    return frames
