"""What is made field by field is what the constructor makes."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields

import pytest

from tieline.headers import Headers, HTTPResponse
from tieline.making import unfinished
from tieline.protocol.closing import Closing
from tieline.protocol.events import Close, CloseInfo
from tieline.protocol.handshake import HandshakeResponse, answer_of
from tieline.upgrade_exchange import UpgradeExchange


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    label: str = field(default="", compare=False)


def test_it_is_the_same_and_frozen_at_the_end() -> None:
    made = unfinished(Point)()
    made.x, made.y, made.label = 1, 2, "a"
    made.__class__ = Point
    assert type(made) is Point and made == Point(1) and hash(made) == hash(Point(1))
    assert (made.x, made.y, made.label) == (1, 2, "a")
    with pytest.raises(FrozenInstanceError):
        made.x = 3
    with pytest.raises(FrozenInstanceError):
        del made.x


def test_no_field_of_an_answer_is_forgotten() -> None:
    plain = HTTPResponse("1.1", 101, "Switching", Headers([("Upgrade", "websocket")]))
    exchange = UpgradeExchange("/", [("Host", "h")])
    exchange.receive_data(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\n\r\n")
    assert exchange.response is not None and type(exchange.response) is HTTPResponse
    for each in fields(HTTPResponse):
        if each.name != "headers":
            assert getattr(exchange.response, each.name) == getattr(plain, each.name)
    assert exchange.response.headers.raw == plain.headers.raw
    made = answer_of(plain, "ws://h/", "a", ("b",))
    same = HandshakeResponse("1.1", 101, "Switching", plain.headers, b"", "a", ("b",), "ws://h/")
    assert type(made) is HandshakeResponse
    for each in fields(HandshakeResponse):
        assert getattr(made, each.name) == getattr(same, each.name)
    with pytest.raises(FrozenInstanceError):
        made.status = 200  # type: ignore[misc]


def test_no_field_of_how_it_ended_is_forgotten() -> None:
    closing = Closing(10.0)
    closing.begin("local", 1.0)
    closing.sent, closing.received = Close(1000, ""), Close(1001, "bye")
    error = closing.error = ValueError("broken")
    made, sent = closing.info(), Close(1000, "")
    same = CloseInfo(1001, "bye", sent, Close(1001, "bye"), False, "local", error)
    assert type(made) is CloseInfo and made == same and repr(made) == repr(same)
    with pytest.raises(FrozenInstanceError):
        made.code = 1000  # type: ignore[misc]
