"""Two roles, one `Connection`."""

from __future__ import annotations

from tieline.protocol.endpoints import client_connection, server_connection
from tieline.protocol.events import Opened, RequestReceived
from tieline.protocol.handshake import UpgradeRequest
from tieline.protocol.state import State

REQUEST = UpgradeRequest(host="example.com", target="/")


def test_one_asks_and_the_other_accepts() -> None:
    client, server = client_connection(REQUEST, "ws://example.com/"), server_connection()
    client.start()
    request = b"".join(client.outgoing.take_bytes())
    server.receive_data(request, len(request), 0.0)
    assert isinstance(server.next_event(0.0), RequestReceived)
    server.accept(0.0)
    answer = b"".join(server.outgoing.take_bytes())
    client.receive_data(answer, len(answer), 0.0)
    assert isinstance(client.next_event(0.0), Opened)
    assert client.state is server.state is State.OPEN


def test_no_two_requests_are_alike() -> None:
    """RFC 6455 section 4.1: the key is chosen at random for each connection."""
    requests = set()
    for _ in range(2):
        client = client_connection(REQUEST, "ws://example.com/")
        client.start()
        requests.add(b"".join(client.outgoing.take_bytes()))
    assert len(requests) == 2


def test_random_bytes_can_be_given() -> None:
    client = client_connection(REQUEST, "ws://example.com/", random_bytes=bytes)
    client.start()
    assert b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==" in b"".join(client.outgoing.take_bytes())
