"""What the client says of itself in each handler and at any moment → rows of the line's table."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.behaviours.staying_up.losing import Proxied, lose
from tests.fronts import CallbackTalk, Talk
from tests.outages import Waits, policy, wait_until
from tieline import State, events
from tieline.protocol.state import LINE_TRANSITIONS
from tieline.testing import EchoServer, faults

#: From each state in one step.
STEPS = {(before, after) for (before, _), after in LINE_TRANSITIONS.items()}


class States:
    """Handlers that write down which one was called, and what the state was then."""

    def __init__(self) -> None:
        self.talk: Talk | None = None
        self.seen: list[tuple[str, State, bool]] = []

    def _note(self, name: str) -> None:
        # The handlers of a first connection run while its constructor does.
        if self.talk is not None:
            front = self.talk.front
            self.seen.append((name, front.state, front.is_open()))

    def handlers(self) -> dict[str, Any]:
        return {
            "on_open": lambda response: self._note("open"),
            "on_close": lambda info: self._note("close"),
            "on_error": lambda error: self._note("error"),
            "on_reconnecting": lambda attempt: self._note("reconnecting"),
            "on_event": lambda event: self._note(type(event).__name__),
        }

    def of(self, name: str) -> list[State]:
        return [state for seen, state, _ in self.seen if seen == name]

    def check(self) -> None:
        """Each state follows the one before by a row of the table, or is the same.

        CLOSING may pass without any handler's being called.
        """
        states = [state for _, state, _ in self.seen]
        for before, after in zip(states, states[1:], strict=False):
            if before is not after and (before, after) not in STEPS:
                assert before is State.OPEN, self.seen
                assert (State.CLOSING, after) in STEPS, self.seen
        for name, state, is_open in self.seen:
            assert is_open is (state is State.OPEN), (name, state, is_open)


@pytest.fixture
def states() -> States:
    return States()


def test_in_an_outage(
    talks: Any, waits: Waits, server: EchoServer, proxied: Proxied, states: States
) -> None:
    proxy = proxied(server, faults.PASS, faults.cut(), faults.reset())
    states.talk = talk = talks(proxy.url, reconnect=policy(), **states.handlers())
    wait_until(lambda: talk.front.is_open())
    lose(proxy, waits)
    wait_until(lambda: len(waits.seconds) == 3 and states.seen[-1][0] == "open")
    server.close_connections(1012)
    wait_until(lambda: len(waits.seconds) == 4 and states.seen[-1][0] == "open")
    server.close_connections(1000)
    wait_until(lambda: states.of("GaveUpEvent"))
    states.check()
    assert states.of("reconnecting") == states.of("ReconnectingEvent") == [State.RECONNECTING] * 4
    assert set(states.of("open")) == set(states.of("OpenEvent")) == {State.OPEN}
    assert states.of("close") == [State.RECONNECTING] * 2 + [State.CLOSED]
    for kind in (events.ConnectingEvent, events.ConnectedEvent, events.RequestEvent):
        assert set(states.of(kind.__name__)) == {State.CONNECTING}
    assert states.of("GaveUpEvent") == [State.CLOSED]


def test_at_giving_up(
    talks: Any, waits: Waits, server: EchoServer, proxied: Proxied, states: States
) -> None:
    proxy = proxied(server, faults.PASS, faults.cut(), faults.cut())
    states.talk = talk = talks(proxy.url, reconnect=policy(max_attempts=2), **states.handlers())
    lose(proxy, waits)
    wait_until(lambda: len(states.of("error")) == 2)
    states.check()
    assert states.of("close") == [State.RECONNECTING]
    assert states.of("GaveUpEvent") == [State.CLOSED]
    assert states.of("error")[1] is State.CLOSED
    assert talk.front.state is State.CLOSED


def test_by_hand(front: type[Talk], talks: Any, server: EchoServer, states: States) -> None:
    states.talk = talk = talks(server.url, **states.handlers())
    # What handlers see while it dials, and when the old connection has ended.
    wishes: list[tuple[str, dict[str, Any], State, State]] = [
        ("reconnect", {}, State.CONNECTING, State.RECONNECTING),
        ("reconnect", {"overlap": True}, State.OPEN, State.OPEN),
        *([("connect", {}, State.CONNECTING, State.CONNECTING)] if front is CallbackTalk else []),
    ]
    for wish, keywords, while_dialling, at_the_end in wishes:
        talk.send("told of all before")
        talk.receive()
        states.seen.clear()
        talk.call(wish, **keywords)
        wait_until(lambda: states.of("open"))
        assert states.of("open") == [State.OPEN]
        assert states.of("RequestEvent") == [while_dialling]
        assert states.of("close") == [at_the_end]
    talk.close_now()
    wait_until(lambda: states.of("close"))
    assert states.of("close")[-1] is State.CLOSED


def test_at_any_moment(
    talks: Any, waits: Waits, server: EchoServer, proxied: Proxied, in_thread: Any
) -> None:
    """A thread that asks and asks sees no state that the table does not have there."""
    proxy = proxied(server)
    talk = talks(proxy.url, reconnect=policy())
    enough = threading.Event()
    seen: set[tuple[State, State]] = set()
    latest: list[State] = []

    def look() -> None:
        before = talk.front.state
        while not enough.is_set():
            after = talk.front.state
            if after is not before:
                seen.add((before, after))
            before = after
            latest[:] = [after]

    looking = in_thread(look)
    for count in range(5):
        lose(proxy, waits)
        wait_until(lambda count=count: talk.front.stats().reconnects == count + 1)
        assert talk.front.is_open()
        # Else it may be lost again before the other thread has had a turn to look.
        wait_until(lambda: latest == [State.OPEN])
    enough.set()
    looking()
    talk.close_now()
    assert talk.front.state is State.CLOSED
    # It is up all the time but for these: whoever looks may have missed what came in between.
    assert (State.OPEN, State.CLOSED) not in seen
    assert (State.RECONNECTING, State.CLOSED) not in seen
    assert (State.CONNECTING, State.CLOSED) not in seen
    assert (State.CONNECTING, State.CLOSING) not in seen
