"""The calls of every message: what they take themselves, and what they leave to the front."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import tieline
import tieline.sync
from tests.engine.inbox_bench import Bench
from tieline.engine.complaints import Complaints
from tieline.engine.session import Session
from tieline.engine.short_way import ShortWay
from tieline.short_calls import Iteration, ShortReceive, ShortSend


class Lane(ShortWay):
    """Takes what it is told to."""

    def __init__(self, *, takes: bool, message: object = None) -> None:
        self.takes = takes
        self.message = message
        self.sent: list[object] = []

    def send(self, message: object) -> bool:
        self.sent.append(message)
        return self.takes

    def recv(self) -> Any:
        return self.message


class Line(Complaints):
    """Has a session, and nothing else."""

    def __init__(self, session: Session | None) -> None:
        self.session = session


class Front(ShortReceive):
    def __init__(self, lane: Lane | None) -> None:
        session = None if lane is None else Session.__new__(Session)
        if session is not None:
            session.lane = lane  # type: ignore[assignment]
        self._line: Any = Line(session)
        self.left: list[tuple[Any, ...]] = []
        self.has_ended = False

    def _send(self, *arguments: Any) -> Any:
        self.left.append(arguments)
        return "sent"

    def _recv(self, timeout: float | None) -> Any:
        self.left.append((timeout,))
        return "received"

    def _next(self) -> Any:
        if self.has_ended:
            raise StopIteration
        return self.recv()


def test_what_the_lane_takes() -> None:
    lane = Lane(takes=True, message="")
    front = Front(lane)
    assert front.send("a") is None  # type: ignore[func-returns-value]
    assert front.send(b"b", compress=None, when_offline=None, receipt=False) is None  # type: ignore[func-returns-value]
    assert lane.sent == ["a", b"b"]
    assert front.recv() == "" and front.recv(None) == ""
    assert front.left == []


@pytest.mark.parametrize("lane", [None, Lane(takes=False)])
def test_what_it_does_not(lane: Lane | None) -> None:
    front: Any = Front(lane)
    assert front.send("a") == "sent" and front.recv() == "received"
    assert front.left == [("a", None, None, False), (None,)]


@pytest.mark.parametrize(
    "option", [{"compress": False}, {"compress": True}, {"when_offline": "drop"}, {"receipt": True}]
)
def test_options_are_the_fronts(option: dict[str, Any]) -> None:
    lane = Lane(takes=True)
    front: Any = Front(lane)
    assert front.send("a", **option) == "sent"
    wanted = {"compress": None, "when_offline": None, "receipt": False} | option
    assert front.left == [("a", *wanted.values())] and lane.sent == []


def test_a_timeout_is_the_fronts() -> None:
    front = Front(Lane(takes=True, message="a"))
    assert front.recv(1.0) == "received"
    assert front.recv(timeout=2) == "received"
    assert front.left == [(1.0,), (2,)]


def test_an_iteration_takes_what_is_here_then_what_the_lane_has_then_the_fronts() -> None:
    inbox = Bench(max_queue=2).inbox
    lane = Lane(takes=True, message="very soon")
    front = Front(lane)
    inbox.messages(["a", "b"])
    assert inbox.is_full
    iteration = Iteration(front, inbox)
    assert iter(iteration) is iteration
    assert [next(iteration) for _ in range(3)] == ["a", "b", "very soon"]
    assert not inbox.is_full and front.left == []
    lane.message = None
    assert next(iteration) == "received"
    front._line.session = None
    assert next(iteration) == "received" and front.left == [(None,), (None,)]
    front.has_ended = True
    assert list(iteration) == []


def test_who_has_them() -> None:
    assert tieline.WebSocketClient.send is ShortSend.send is tieline.sync.Connection.send
    assert tieline.sync.Connection.recv is ShortReceive.recv
    assert not hasattr(tieline.WebSocketClient, "recv")


@pytest.mark.parametrize("call", [ShortSend.send, ShortReceive.recv])
def test_they_explain_themselves(call: Any) -> None:
    """Compiled as well: for `help` and for editors."""
    assert "Raises" in (call.__doc__ or "")
    assert "self" in inspect.signature(call).parameters


def test_wrong_calls_are_type_errors() -> None:
    front: Any = Front(None)
    with pytest.raises(TypeError):
        front.send()
    with pytest.raises(TypeError):
        front.send("a", None)
    with pytest.raises(TypeError):
        front.send("a", no_such_option=1)
    with pytest.raises(TypeError):
        front.recv(1, 2)


@pytest.mark.parametrize("wrong", [None, "x", object(), tieline.Reactor])
def test_what_is_no_connection_has_no_messages(wrong: Any) -> None:
    for call in (tieline.WebSocketClient.send, tieline.Connection.send):
        with pytest.raises(TypeError, match="send"):
            call(wrong, "a message")
    with pytest.raises(TypeError, match="recv"):
        tieline.Connection.recv(wrong)
