"""ThreadedFront: what is given to `send` reaches the connection, a queue, or whoever sent it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.fronts import CallbackTalk, PlainTalk, Talk
from tests.outages import wait_until
from tieline import (
    ConnectionClosed,
    OptionError,
    Reconnect,
    SendBufferFull,
    State,
    WebSocketClient,
)
from tieline.engine.receipts import Receipt
from tieline.testing import EchoServer, open_client
from tieline.testing.memory_peer import MemoryPeer

Opened = tuple[WebSocketClient, MemoryPeer]


@pytest.fixture
def opened() -> Iterator[Opened]:
    client, peer = open_client(lambda message: None, {"ping_interval": None})
    yield client, peer
    client.disconnect()


def everything(client: WebSocketClient, **keywords: Any) -> list[Any]:
    return [
        client.send("text", **keywords),
        client.send(b"bytes", **keywords),
        client.send(["a", "b"], **keywords),
        client.send_json({"a": 1}, **keywords),
    ]


MESSAGES = ["text", b"bytes", "ab", '{"a": 1}']


@pytest.mark.parametrize("keywords", [{}, {"when_offline": "raise"}, {"receipt": False}])
def test_without_a_receipt(opened: Opened, keywords: dict[str, Any]) -> None:
    client, peer = opened
    assert everything(client, **keywords) == [None] * 4
    assert peer.messages == MESSAGES


@pytest.mark.parametrize("wish", [None, "raise", "queue", "drop"])
def test_with_a_receipt(opened: Opened, wish: Any) -> None:
    client, peer = opened
    receipts = everything(client, receipt=True, when_offline=wish)
    assert peer.messages == MESSAGES
    for receipt in receipts:
        assert isinstance(receipt, Receipt) and receipt.done
        receipt.wait()
    client.flush()


def test_what_the_kernel_has_not() -> None:
    client, peer = open_client(lambda message: None, {"ping_interval": None}, capacity=1000)
    receipt = client.send(b"x" * 5000, receipt=True)
    assert not receipt.done
    for wait in (receipt.wait, client.flush):
        with pytest.raises((TimeoutError, RuntimeError)):
            wait(0)
    client.disconnect()


@pytest.mark.parametrize("wish", ["maybe", 1, b"queue", True, ""])
def test_a_wish_that_is_none(opened: Opened, wish: Any) -> None:
    client, peer = opened
    for send in (client.send, client.send_json):
        with pytest.raises(OptionError, match="when_offline"):
            send("x", when_offline=wish)
    with pytest.raises(OptionError, match="when_offline"):
        client.send(["x"], when_offline=wish)
    with pytest.raises(OptionError, match="timeout"):
        client.flush("soon")  # type: ignore[arg-type]
    assert peer.messages == []


def test_compression_that_was_not_negotiated(opened: Opened) -> None:
    client, peer = opened
    for message in ("x", ["x"]):
        with pytest.raises(OptionError, match="compress"):
            client.send(message, compress=True, receipt=True)
    assert peer.messages == []


def test_without_a_connection() -> None:
    """Nothing was begun that could bring one: whatever is wished for, it is refused."""
    client = WebSocketClient(print, "ws://localhost:1/", proxy=None, offline="queue")
    for send in (
        lambda: client.send("x"),
        lambda: client.send("x", when_offline="drop"),
        lambda: client.send_json("x", receipt=True),
        lambda: client.send(["x"]),
        lambda: client.ping(),
        lambda: client.pong(),
        lambda: client.send_frame(b"x", 1),
        lambda: client.flush(),
    ):
        with pytest.raises(ConnectionClosed):
            send()
    assert client.stats().offline_queued == 0 == client.stats().offline_dropped


def test_queued_before_the_first_connection_is_up() -> None:
    """While `connect()` is under way on another thread."""
    asked, go = threading.Event(), threading.Event()

    def url() -> str:
        asked.set()
        go.wait(5)
        raise OptionError("no URL after all")

    client = WebSocketClient(
        print, url, proxy=None, offline="queue", offline_limit=(10, 1), reconnect=True
    )
    thread = threading.Thread(target=lambda: pytest.raises(OptionError, client.connect))
    thread.start()
    assert asked.wait(5)
    receipt = client.send("a", receipt=True)
    assert not receipt.done and client.stats().offline_queued == 1
    with pytest.raises(SendBufferFull):
        client.send("b")
    with pytest.raises(TimeoutError):
        client.flush(0.01)
    go.set()
    thread.join(5)
    with pytest.raises(ConnectionClosed):
        receipt.wait(5)
    assert (client.stats().offline_queued, client.stats().offline_dropped) == (0, 1)


def test_subscribing(opened: Opened) -> None:
    client, peer = opened
    subscription = client.subscribe("hello")
    assert peer.messages == ["hello"]
    subscription.cancel()
    assert subscription.is_cancelled


@pytest.mark.parametrize("front", [CallbackTalk, PlainTalk])
def test_what_a_message_is_refused_with_while_it_reconnects(front: type[Talk]) -> None:
    texts = []
    with EchoServer() as server:
        with closing(front(server.url, reconnect=Reconnect(initial=60.0))) as talk:
            server.close_connections(1012)
            wait_until(lambda: talk.front.state is State.RECONNECTING)
            for send in (talk.front.send, talk.front.send_json):
                with pytest.raises(ConnectionClosed) as refused:
                    send("a")
                texts.append(str(refused.value))
    assert texts[0] == texts[1]
    assert "is reconnecting; with offline=" in texts[0]
