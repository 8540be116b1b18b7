"""Compressed messages between the fronts and the peers, with every combination of parameters."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product

import pytest

from tests.peers.fronts import FRONTS
from tieline import Deflate

pytestmark = pytest.mark.peers

#: The four parameters, with what is not said left out.
COMBINATIONS = [
    {
        **({"server_no_context_takeover": True} if server_alone else {}),
        **({"client_no_context_takeover": True} if client_alone else {}),
        **({"server_max_window_bits": server_bits} if server_bits else {}),
        **({"client_max_window_bits": client_bits} if client_bits else {}),
    }
    for server_alone, client_alone, server_bits, client_bits in product(
        (False, True), (False, True), (None, 9, 12, 15), (None, 9, 12)
    )
]

#: Who wants the parameters: aiohttp's server wants none, and does what it is asked.
SIDES = {
    "ws": ("client", "server"),
    "websockets-asyncio": ("client", "server"),
    "aiohttp": ("client",),
}

#: Much of one repeats what was in the one before.
NEWS = [
    json.dumps({"symbol": "ABC", "price": 100 + number / 8, "size": number % 7, "venue": "XYZ"})
    for number in range(50)
]
NOISE = random.Random(7692).randbytes(100 * 1024)
LONG = "".join(f"{number}: " + "grüße aus dem Norden, " * 20 for number in range(2_400))
assert 1024 * 1024 < len(LONG.encode()) < 2 * 1024 * 1024


def text_of(parameters: dict[str, int | bool]) -> str:
    return "/".join(
        name if value is True else f"{name}={value}" for name, value in parameters.items()
    )


def cases() -> Iterator[object]:
    """Peer, side and parameters, each with one of the fronts; each value meets each front."""
    for peer, sides in SIDES.items():
        for side in sides:
            for number, parameters in enumerate(COMBINATIONS):
                # 12 combinations of window sizes repeat for each of the context takeovers.
                front = FRONTS[(number + number // 12) % len(FRONTS)]
                name = f"{peer}-{side}-{text_of(parameters) or 'nothing'}-{front}"
                yield pytest.param(peer, side, parameters, front, id=name)


def deflate_of(parameters: dict[str, int | bool]) -> Deflate:
    """The client's option that asks for these parameters."""
    return Deflate(
        threshold=0,
        client_context_takeover="client_no_context_takeover" not in parameters,
        server_context_takeover="server_no_context_takeover" not in parameters,
        client_max_window_bits=parameters.get("client_max_window_bits", 15),
        server_max_window_bits=parameters.get("server_max_window_bits", 15),
    )


def agreed_by(line) -> dict[str, int | bool]:
    """What the client was answered."""
    (text,) = line.connection.response.extensions
    name, *parameters = text.split("; ")
    assert name == "permessage-deflate"
    pairs = [parameter.partition("=") for parameter in parameters]
    return {
        "server_no_context_takeover": False,
        "client_no_context_takeover": False,
        "server_max_window_bits": 15,
        "client_max_window_bits": 15,
        **{name: int(value) if value else True for name, _, value in pairs},
    }


class Ratio:
    """Bytes on the wire for each byte of payload."""

    sent = 0.0
    received = 0.0


@contextmanager
def measured(line) -> Iterator[Ratio]:
    """What the body sent and received, after all of it is there."""
    ratio, before = Ratio(), line.connection.stats()
    yield ratio
    line.ping()
    passed = line.connection.stats().plus(before, -1)
    ratio.sent = passed.wire_bytes_sent / passed.payload_bytes_sent
    ratio.received = passed.wire_bytes_received / passed.payload_bytes_received


def assert_comes_back(line, *messages: object) -> None:
    for message in messages:
        line.send(message)
    line.ping(b"behind")
    for message in messages:
        whole = message if isinstance(message, str | bytes) else message[0][:0].join(message)
        got = line.receive()
        # No comparison of a megabyte is to be explained.
        assert type(got) is type(whole) and (got == whole) is True


def assert_compressed_traffic(line, peer, agreed) -> None:
    with measured(line) as ratio:
        for message in NEWS:
            line.send(message)
        assert [line.receive() for _ in NEWS] == NEWS
    # A message alone becomes no less than its new words; together they become far less.
    assert 0.5 < ratio.sent if agreed["client_no_context_takeover"] else ratio.sent < 0.5
    if peer.name != "aiohttp":  # see below
        assert (
            0.5 < ratio.received if agreed["server_no_context_takeover"] else ratio.received < 0.5
        )
    assert ratio.sent < 1.1 and ratio.received < 1.1
    assert_comes_back(line, "", b"", "x", b"\0", NEWS[0])
    with measured(line) as ratio:
        assert_comes_back(line, NOISE)
    # RFC 1951 section 3.2.6: what nothing can be done about grows by an eighth at most.
    assert ratio.sent < 1.13 and ratio.received < 1.13
    with measured(line) as ratio:
        assert_comes_back(line, LONG)
    assert ratio.sent < 0.5 and ratio.received < 0.5
    assert_comes_back(line, [NEWS[1], "", LONG[:70_000], NEWS[2]], [NOISE, NEWS[1].encode()])
    if peer.name != "aiohttp":  # which cannot send fragments
        words = [NEWS[3].replace(" ", ""), "x" * 70_000, "grüße"]
        line.send("!fragments " + " ".join(words))
        assert line.receive() == "".join(words)
    pieces = [NEWS[4], LONG[:70_000], NEWS[5]]
    pings = line.connection.stats().pings_sent
    line.send(line.with_pings(pieces))
    assert line.receive() == "".join(pieces)
    assert line.connection.stats().pings_sent == pings + len(pieces)
    # The contexts of both sides have survived all that.
    assert_comes_back(line, *NEWS[:3], NEWS[0].encode())


@pytest.mark.parametrize(
    ("peer", "side", "parameters", "front"), list(cases()), indirect=["peer", "front"]
)
def test_every_combination_of_parameters(peer, front, key, side, parameters):
    path, deflate = "/deflate", deflate_of(parameters if side == "client" else {})
    if side == "server" and parameters:
        path += "/" + text_of(parameters)
    line = front.open(peer.url(path, key), compression=deflate, **peer.options)
    agreed = agreed_by(line)
    seen = peer.saw("agreed", key)["deflate"]
    assert seen == {name: agreed[name] for name in seen}
    wanted = dict(parameters)
    if side == "client":
        # What the client keeps to by itself needs no answer.
        wanted.pop("client_max_window_bits", None)
        if peer.name == "aiohttp":
            wanted.pop("client_no_context_takeover", None)
    assert wanted.items() <= agreed.items()
    assert_compressed_traffic(
        line,
        peer,
        agreed | {"client_no_context_takeover": "client_no_context_takeover" in parameters},
    )


def test_every_peer_on_every_front(front, peer, key):
    if peer.name == "ws":
        # It is started without compression; its other paths are tested above.
        assert front.open(peer.url("/", key)).connection.response.extensions == ()
        return
    line = front.open(peer.url("/echo", key), compression=Deflate(threshold=0), **peer.options)
    assert_compressed_traffic(line, peer, agreed_by(line))


def test_a_server_that_declines(front, peer, key):
    line = front.open(peer.url("/plain", key), **peer.options)
    assert "permessage-deflate" in str(peer.saw("request", key)["headers"])
    assert peer.saw("agreed", key)["deflate"] is None
    assert line.connection.response.extensions == ()
    with measured(line) as ratio:
        assert_comes_back(line, *NEWS[:3], LONG, [LONG, NEWS[0]], b"x")
    assert ratio.sent > 1 and ratio.received > 1


def test_compression_that_is_not_offered(front, peer, key):
    line = front.open(peer.url("/deflate", key), compression=None, **peer.options)
    names = [name.lower() for name in peer.saw("request", key)["headers"]]
    assert "sec-websocket-key" in names and "sec-websocket-extensions" not in names
    assert peer.saw("agreed", key)["deflate"] is None
    assert line.connection.response.extensions == ()
    with measured(line) as ratio:
        assert_comes_back(line, *NEWS[:3], LONG, [LONG, NEWS[0]], b"x")
    assert ratio.sent > 1 and ratio.received > 1
