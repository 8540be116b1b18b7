"""messages_left: what was read whole before the end is told before it, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from tests.protocol.pair import opened
from tieline.protocol.events import Closed
from tieline.protocol.settings import Settings
from tieline.protocol.state import State

TEXT, BINARY = b"\x81\x03abc", b"\x82\x01x"


def told(client: Any) -> list[Any]:
    events = []
    while (event := client.next_event(0.0)) is not None:
        events.append(event)
    return events


def dropped_after(data: bytes, **settings: Any) -> list[Any]:
    client = opened("client", Settings(**settings)).connection
    client.receive_data(data, len(data), 0.0)
    client.connection_lost(None)
    assert client.state is State.CLOSED
    return told(client)


@pytest.mark.parametrize(
    "data, messages",
    [
        (b"", []),
        (TEXT + BINARY, [["abc", b"x"]]),
        (TEXT + b"\x89\x00" + BINARY, [["abc"], [b"x"]]),
        (TEXT + b"\x01\x02he" + b"\x80\x02y!", [["abc", "hey!"]]),
        (TEXT + b"\x01\x02he", [["abc"]]),
        (TEXT + BINARY[:2], [["abc"]]),
        (TEXT + b"\x88\x02\x03\xe8" + BINARY, [["abc"]]),
        (TEXT + b"\xf1\x00" + BINARY, [["abc"]]),
    ],
    ids=[
        "nothing",
        "two",
        "a ping",
        "fragments",
        "no end",
        "no payload",
        "a close",
        "a broken rule",
    ],
)
def test_the_end_comes_behind_what_was_read(data: bytes, messages: list[Any]) -> None:
    *before, end = dropped_after(data)
    assert isinstance(end, Closed)
    assert [each for run in before for each in run] == [each for run in messages for each in run]


def test_nothing_is_told_that_would_have_to_be_shown_first() -> None:
    assert [type(event) for event in dropped_after(TEXT, inspect_frames=True)] == [Closed]


def test_nothing_is_heard_after_a_failure() -> None:
    client = opened("client").connection
    client.receive_data(TEXT, len(TEXT), 0.0)
    client.fail(ValueError("enough"), 1011, 0.0)
    client.connection_lost(None)
    assert not any(isinstance(event, list) for event in told(client))


def test_an_error_that_is_not_the_streams_may_be_the_decoders() -> None:
    client = opened("client").connection
    client.receive_data(TEXT, len(TEXT), 0.0)
    client.connection_lost(MemoryError())
    assert [type(event) for event in told(client)] == [Closed]


def test_many_runs() -> None:
    *runs, end = dropped_after(BINARY * 2000)
    assert sum(map(len, runs)) == 2000 and isinstance(end, Closed)


def test_half_a_big_message_stays_where_it_is_read_to() -> None:
    client = opened("client").connection
    data = TEXT + b"\x82\x7f" + (1_000_000).to_bytes(8, "big") + bytes(60_000)
    client.receive_data(data, len(data), 0.0)
    assert told(client) == [["abc"]]
    target = client.receive_target
    assert target is not None
    client.connection_lost(OSError("gone"))  # with the memory in use
    assert [type(event) for event in told(client)] == [Closed]
    target.release()
