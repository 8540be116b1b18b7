"""What every message looks at, where there is no lane, or no connection."""

from __future__ import annotations

import pytest

import tieline
from tieline.engine.lane import NO_LANE
from tieline.engine.short_way import ShortWay
from tieline.testing import EchoServer


@pytest.mark.parametrize("way", [ShortWay(), NO_LANE], ids=["none", "a session's"])
def test_what_is_no_lane_takes_and_finds_nothing(way: ShortWay) -> None:
    assert way.send("a message") is False
    assert way.send(b"a message") is False
    assert way.recv() is None


def test_a_connection_that_was_never_made_is_no_crash() -> None:
    connection = tieline.Connection.__new__(tieline.Connection)
    with pytest.raises(AttributeError):
        connection.send("a message")
    with pytest.raises(AttributeError):
        connection.recv()


def test_after_the_end_the_general_way_says_so() -> None:
    with EchoServer() as server:
        connection = tieline.connect(server.url, proxy=None)
        connection.close()
    with pytest.raises(tieline.ConnectionClosed):
        connection.send("too late")
    with pytest.raises(tieline.ConnectionClosed):
        connection.recv()
