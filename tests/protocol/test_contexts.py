"""RFC 7692: what was agreed on is kept by who sends, and is enough for who receives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.pair import ConnectedPair, Side
from tests.protocol.splits import cut, places
from tieline.compression import Deflate
from tieline.protocol.contexts import contexts
from tieline.protocol.deflate import Agreement
from tieline.protocol.events import Closed, FrameReceived, MessageChunk
from tieline.protocol.settings import Settings
from tieline.protocol.wire import Opcode


@pytest.mark.parametrize("is_client", [True, False])
def test_each_direction_has_its_own(is_client: bool) -> None:
    deflate = Deflate(client_context_takeover=False, server_max_window_bits=10)
    agreement = Agreement(client_max_window_bits=9, server_context_takeover=False)
    inflater, deflater = contexts(is_client, deflate, agreement)
    message = bytes(range(256)) * 20
    sizes = [len(deflater.compress(message)) for _ in range(2)]
    # The client keeps nothing of its own accord, the server because it was asked to.
    assert sizes[0] == sizes[1]
    inflater.feed(deflater.compress(b"Hello"), True)
    assert inflater.inflate(100) == b"Hello"


def test_takeover_where_nobody_minds() -> None:
    _, deflater = contexts(True, Deflate(), Agreement(server_context_takeover=False))
    message = bytes(range(256))
    first, second = (len(deflater.compress(message)) for _ in range(2))
    assert second < first / 4


def test_the_smaller_window_of_offer_and_answer() -> None:
    """A client that said 9 keeps to it, whatever the server allows."""
    far_back = bytes(range(256)) * 4 + bytes(2000)
    message = far_back + far_back
    sizes = {}
    for own, agreed in ((9, 15), (15, 9), (15, 15)):
        deflate = Deflate(client_max_window_bits=own, mem_level=9, level=9)
        _, deflater = contexts(True, deflate, Agreement(client_max_window_bits=agreed))
        sizes[own, agreed] = len(deflater.compress(message))
    assert sizes[9, 15] == sizes[15, 9] > sizes[15, 15]


deflates = st.builds(
    Deflate,
    level=st.integers(0, 9),
    threshold=st.sampled_from([0, 20]),
    client_context_takeover=st.booleans(),
    server_context_takeover=st.booleans(),
    client_max_window_bits=st.integers(8, 15),
    server_max_window_bits=st.integers(8, 15),
    mem_level=st.integers(1, 9),
)
contents = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    st.sampled_from(["", b"", "Hello" * 100, b"ab" * 70_000, "€" * 30_000]),
)
messages = st.lists(
    st.tuples(
        st.sampled_from(["client", "server"]),
        contents,
        st.sampled_from([None, False, True]),
        st.lists(st.integers(0, 200), max_size=3),
    ),
    max_size=6,
)


@settings(deadline=None)
@given(deflates, st.one_of(st.none(), deflates), messages, places, st.booleans(), st.booleans())
def test_any_messages_with_any_parameters_at_any_cuts(
    ours: Deflate,
    theirs: Deflate | None,
    sent: list[Any],
    where: list[int],
    streaming: bool,
    inspecting: bool,
) -> None:
    pair = ConnectedPair(
        "client",
        Settings(compression=ours, inspect_frames=inspecting),
        Settings(compression=theirs),
    )
    assert (pair.client.connection.outgoing.deflater is None) == (theirs is None)
    pair.forget()
    pair.cut = lambda data: cut(data, where)
    if streaming:
        pair.client.connection.stream_messages()
        pair.server.connection.stream_messages()
    expected: dict[str, list[str | bytes]] = {"client": [], "server": []}
    for role, message, compress, fragments_at in sent:
        side, other = (pair.client, "server") if role == "client" else (pair.server, "client")
        expected[other].append(message)
        send(side, message, compress, fragments_at, theirs is not None)
        pair.exchange()
    assert received(pair.client) == expected["client"]
    assert received(pair.server) == expected["server"]
    for side in (pair.client, pair.server):
        assert not side.events(Closed), side.told
        stats = side.connection.counters()
        inflated = [m.encode() if isinstance(m, str) else m for m in expected[side.role]]
        assert stats["payload_bytes_received"] == sum(map(len, inflated))


def send(
    side: Side, message: Any, compress: bool | None, fragments_at: list[int], agreed: bool
) -> None:
    opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
    data = message.encode() if isinstance(message, str) else message
    outgoing = side.connection.outgoing
    if not fragments_at:
        outgoing.message(opcode, data, compress if agreed else None)
        return
    pieces = cut(data, fragments_at) or [b""]
    for number, piece in enumerate(pieces, 1):
        first = opcode if number == 1 else Opcode.CONTINUATION
        outgoing.fragment(first, piece, number == len(pieces), agreed and compress is not False)


def received(side: Side) -> list[str | bytes]:
    whole: list[str | bytes] = []
    parts: list[Any] = []
    for event in side.told:
        if isinstance(event, MessageChunk):
            parts.append(event.data)
            if event.is_last:
                whole.append(type(event.data)().join(parts))
                parts = []
        elif isinstance(event, str | bytes):
            whole.append(event)
        else:
            assert isinstance(event, FrameReceived), event
    assert not parts
    return whole
