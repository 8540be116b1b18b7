"""Random actions on two connections: everything arrives, in order, and both ends are clean."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.pair import ConnectedPair, Side
from tieline.protocol.events import PingReceived, PongReceived
from tieline.protocol.settings import Settings
from tieline.protocol.state import State
from tieline.protocol.wire import Opcode

Message = str | bytes

messages = st.one_of(
    st.text(max_size=10), st.binary(max_size=10), st.sampled_from([b"\0" * 126, "é" * 33_000])
)
roles = st.sampled_from(["client", "server"])
actions = st.one_of(
    st.tuples(st.just("message"), roles, messages),
    st.tuples(st.just("fragment"), roles, st.tuples(st.text(max_size=5), st.booleans())),
    st.tuples(st.just("ping"), roles, st.binary(max_size=125)),
    st.tuples(st.just("pong"), roles, st.binary(max_size=125)),
    st.tuples(st.just("deliver"), roles, st.integers(1, 200)),
    st.tuples(st.just("deliver"), roles, st.just(100_000)),
    st.tuples(st.just("congested"), roles, st.booleans()),
    st.tuples(st.just("wait"), roles, st.floats(0.1, 15.0)),
)
closes = st.tuples(
    st.just("close"),
    roles,
    st.tuples(st.sampled_from([1000, 1001, 3000, 4999]), st.text(max_size=9)),
)


class Line:
    """The pair with bytes under way, and a record of what was sent."""

    def __init__(self, inspect_frames: bool) -> None:
        # No heartbeat of its own: a peer whose bytes are held back here would be given up.
        quiet = Settings(ping_interval=None, close_timeout=None)
        watching = Settings(ping_interval=None, close_timeout=None, inspect_frames=inspect_frames)
        self.pair = ConnectedPair("client", watching, quiet)
        self.pair.forget()
        self.sides = {"client": self.pair.client, "server": self.pair.server}
        self.under_way = {"client": bytearray(), "server": bytearray()}
        self.sent: dict[str, list[Message]] = {"client": [], "server": []}
        self.pinged: dict[str, list[int]] = {"client": [], "server": []}
        self.half: dict[str, str | None] = {"client": None, "server": None}

    def other(self, role: str) -> str:
        return "server" if role == "client" else "client"

    def do(self, action: str, role: str, value: Any) -> None:
        side = self.sides[role]
        if action == "deliver":
            self.deliver(role, value)
        elif action == "wait":
            self.pair.clock.now += value
        elif action == "congested":
            side.connection.outgoing.set_congested(value)
        elif action == "close":
            side.close(*value)
        elif side.connection.outgoing.is_open:
            self.send(action, role, value)
        self.collect()

    def send(self, action: str, role: str, value: Any) -> None:
        outgoing = self.sides[role].connection.outgoing
        half = self.half[role]
        if action == "message" and half is None:
            if isinstance(value, str):
                outgoing.message(Opcode.TEXT, value.encode())
            else:
                outgoing.message(Opcode.BINARY, value)
            self.sent[role].append(value)
        elif action == "fragment":
            text, fin = value
            opcode = Opcode.TEXT if half is None else Opcode.CONTINUATION
            outgoing.fragment(opcode, text.encode(), fin)
            self.half[role] = None if fin else (half or "") + text
            if fin:
                self.sent[role].append((half or "") + text)
        elif action == "ping":
            token = len(self.pinged[role])
            self.pinged[role].append(token)
            outgoing.ping(value, self.pair.clock.now, token)
        elif action == "pong":
            outgoing.pong(value)

    def collect(self) -> None:
        for role, side in self.sides.items():
            self.under_way[role] += side.sent()

    def deliver(self, role: str, count: int) -> None:
        """Some of what `role` has sent arrives."""
        piece = bytes(self.under_way[role][:count])
        del self.under_way[role][:count]
        receiver = self.sides[self.other(role)]
        if piece and receiver.connection.state is not State.CLOSED:
            receiver.receive(piece)

    def settle(self, chunk: int) -> None:
        self.collect()
        while any(self.under_way.values()):
            for role in self.sides:
                self.deliver(role, chunk)
            self.collect()


def answered(side: Side) -> list[object]:
    return [ping.token for event in side.events(PongReceived) for ping in event.answered]


@settings(max_examples=60)
@given(
    st.lists(actions, max_size=25),
    st.lists(closes, min_size=1, max_size=2),
    st.lists(actions, max_size=5),
    st.sampled_from([7, 1000, 100_000]),
    st.booleans(),
)
def test_everything_arrives_and_both_ends_are_clean(
    before: list[Any], ends: list[Any], after: list[Any], chunk: int, inspect_frames: bool
) -> None:
    line = Line(inspect_frames)
    for action in [*before, *ends, *after]:
        line.do(*action)
    for side in line.sides.values():
        side.connection.outgoing.set_congested(False)
    line.settle(chunk)

    client, server = line.sides["client"], line.sides["server"]
    # 7.1.1: the server has closed TCP, and the client notices.
    assert server.connection.state is State.CLOSED
    assert client.connection.state is State.CLOSING
    client.receive_eof()
    for role, side in line.sides.items():
        assert side.info.clean, side.info
        assert side.info.error is None
        assert side.messages == line.sent[line.other(role)]
        tokens = answered(side)
        assert tokens == sorted(set(tokens))
        pings = line.sides[line.other(role)].events(PingReceived)
        assert len(pings) == len(line.pinged[role])
    assert client.info.received == server.info.sent
    assert server.info.received == client.info.sent
    assert line.sides[ends[0][1]].info.initiator == "local"
    counts = client.connection.counters(), server.connection.counters()
    for ours, theirs in (counts, counts[::-1]):
        assert ours["frames_sent"] == theirs["frames_received"]
        assert ours["messages_sent"] == theirs["messages_received"]
        assert ours["payload_bytes_sent"] >= theirs["payload_bytes_received"]
