"""Options of a client → the client itself, open, over memory streams and stepped by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tieline.client import WebSocketClient
from tieline.compression import Compression
from tieline.testing.memory import DEFAULT_CAPACITY, memory_streams
from tieline.testing.memory_peer import MemoryPeer
from tieline.testing.step_reactor import StepReactor


def open_client(
    callback: Callable[[Any], object] | None = None,
    options: Mapping[str, Any] | None = None,
    /,
    *,
    reactor: StepReactor | None = None,
    capacity: int | None = DEFAULT_CAPACITY,
    receive_limit: int | None = None,
    subprotocol: str | None = None,
    response_headers: tuple[tuple[str, str], ...] = (),
    peer_compression: Compression = None,
    reply: Callable[[Any], str | bytes | None] | None = None,
    **more_options: Any,
) -> tuple[WebSocketClient, MemoryPeer]:
    """A `WebSocketClient` that is connected, and the server that it is connected to.

    There is no network, no thread and no waiting: what `peer.send` sends, and what else the peer
    does, has reached the client's handlers when the call returns; what the client sends is in
    ``peer.messages`` at once; and ``peer.reactor.advance(seconds)`` lets time pass. Handlers and
    options are the client's own, and ``url`` is optional.

    `capacity` and `receive_limit` shape the streams (see `MemoryStream`); `subprotocol`,
    `response_headers`, `peer_compression` and `reply` are the peer's. Nothing is compressed unless
    `peer_compression` ("deflate" or a `Deflate`) accepts what the client offers. Raises
    `OptionError` and `ConnectError`, as the client does.
    """
    stepper = reactor or StepReactor()
    near, far = memory_streams(capacity, receive_limit=receive_limit)
    # One read of the far end is not to be cut: it is the client that is tested.
    far.receive_limit = None
    peer = MemoryPeer(
        far,
        stepper,
        subprotocol=subprotocol,
        headers=response_headers,
        compression=peer_compression,
        reply=reply,
    )
    given = {"url": "ws://memory.test/", **(options or {}), **more_options}
    client = WebSocketClient(callback, {**given, "sock": near, "reactor": stepper})
    client.connect()
    stepper.run_until_idle()
    return client, peer
