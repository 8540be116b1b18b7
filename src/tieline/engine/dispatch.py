"""What a connection tells of itself, Pings to end → handlers, waiters and typed events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.engine.pings import Answer
from tieline.engine.telling import Teller
from tieline.errors import ConnectionClosed
from tieline.protocol.close import encode_close
from tieline.protocol.events import (
    CloseInfo,
    ClosingStarted,
    Event,
    HeartbeatDue,
    PingReceived,
    PingSent,
    PongReceived,
)
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import Opcode
from tieline.redact import safe_subprotocol


class _Once:
    """A call that is made at most once, however often it is asked for."""

    __slots__ = ("_call",)

    def __init__(self, function: Callable[..., None], *arguments: Any, **named: Any) -> None:
        self._call: Callable[[], None] | None = partial(function, *arguments, **named)

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Owner(Protocol):
    """What a `Dispatcher` asks of its session."""

    lock: Any

    def answers_pings(self) -> bool:
        """A peer that does not read gets no Pong for now, and none at all after our Close."""

    def on_round_trip(self, seconds: float) -> None: ...
    def send_heartbeat(self) -> None: ...


def _error(info: CloseInfo) -> ConnectionClosed:
    return ConnectionClosed(f"the connection has ended: {info}", info)


class Dispatcher:
    """Passes on all but the messages of one session, on the reactor's thread with no lock held.

    `expect`, `forget` and `give_up` are for any thread.
    """

    __slots__ = (
        "_connection_id", "_delivery", "_last_calls", "_log", "_owner", "_pings", "_shown_close",
        "_teller",
    )  # fmt: skip

    def __init__(
        self,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
        owner: Owner,
    ) -> None:
        self._delivery = delivery
        self._teller = teller
        self._log = log
        self._connection_id = connection_id
        self._owner = owner
        # Pings of users that wait for their Pong. Most connections never have one.
        self._pings: dict[Answer, None] | None = None
        # What `ended` tells and then posts.
        self._last_calls: tuple[_Once, list[_Once]] | None = None
        # The Close frame that was sent was told as a frame event.
        self._shown_close = False

    def expect(self, waiter: Answer) -> None:
        """Its Ping is about to be sent."""
        fresh: dict[Answer, None] = {}
        with self._owner.lock:
            if self._pings is None:  # no signal handler comes in before the next line
                self._pings = fresh
            self._pings[waiter] = None

    def forget(self, waiter: Answer) -> None:
        """Its Ping could not be sent."""
        if self._pings is not None:
            self._pings.pop(waiter, None)

    def give_up(self, error: Exception) -> None:
        """No Pong will come any more."""
        for waiter in tuple(self._pings or ()):
            waiter.give_up(error)
            self.forget(waiter)

    def opened(self, response: HandshakeResponse) -> None:
        """The first call for a connection."""
        callbacks = self._delivery.callbacks
        self._delivery.post(callbacks.begin, self._log)
        chosen = response.subprotocol
        shown = None if chosen is None else safe_subprotocol(chosen)
        self._teller.tell("OpenEvent", url=response.url, subprotocol=shown)
        self._delivery.post(callbacks.opened, response)

    def ended(self, info: CloseInfo) -> None:
        """The last call for a connection. Called again, it tells what Ctrl-C kept it from."""
        if self._pings:
            self.give_up(_error(info))
        callbacks = self._delivery.callbacks
        if callbacks.are_none and not callbacks.watchers:
            return  # nobody is to be told
        if self._last_calls is None:
            calls = [_Once(self._give_up_watching, info)]
            if info.error is not None:
                calls.append(_Once(callbacks.error, info.error))
            calls.append(_Once(callbacks.closed, info))
            self._last_calls = _Once(self._teller.tell, "ClosedEvent", info=info), calls
        tell, calls = self._last_calls
        tell()
        for call in calls:
            self._delivery.post(call)

    def _give_up_watching(self, info: CloseInfo) -> None:
        if self._delivery.callbacks.watchers:
            self._delivery.callbacks.give_up_watching(self._connection_id, _error(info))

    def pass_on(self, event: Event) -> None:
        """Tell everybody whom it concerns."""
        if isinstance(event, PingReceived):
            self._delivery.post(self._delivery.callbacks.ping, event.data, weight=1)
            self._teller.tell("PingEvent", data=event.data, received=True)
            if self._owner.answers_pings():
                self._teller.sent(Opcode.PONG, event.data)
        elif isinstance(event, PingSent):
            self._teller.tell("PingEvent", data=event.data, received=False)
            self._teller.sent(Opcode.PING, event.data)
        elif isinstance(event, PongReceived):
            self._pong(event)
        elif isinstance(event, HeartbeatDue):
            self._owner.send_heartbeat()
        elif isinstance(event, ClosingStarted):
            self._closing(event)

    def _pong(self, event: PongReceived) -> None:
        round_trip = None
        for answered in event.answered:
            round_trip = answered.round_trip
            if isinstance(answered.token, Answer):
                answered.token.resolve(round_trip)
                self.forget(answered.token)
        if round_trip is not None:
            self._owner.on_round_trip(round_trip)
        self._delivery.post(self._delivery.callbacks.pong, event.data, weight=1)
        self._teller.tell("PongEvent", data=event.data, round_trip=round_trip)

    def _closing(self, event: ClosingStarted) -> None:
        self._log.debug("closing: sent %s, received %s", event.sent, event.received)
        if event.sent is not None and not self._shown_close:
            self._shown_close = True
            self._teller.sent(Opcode.CLOSE, encode_close(event.sent))
        self._teller.tell(
            "ClosingEvent", sent=event.sent, received=event.received, error=event.error
        )
