"""What a connection tells of itself, Pings to end → handlers, waiters and typed events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

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

    def __init__(self, function: Callable[..., None], *arguments: Any, **named: Any) -> None:
        self._call: Callable[[], None] | None = partial(function, *arguments, **named)

    def __call__(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


def _error(info: CloseInfo) -> ConnectionClosed:
    return ConnectionClosed(f"the connection has ended: {info}", info)


class Dispatcher:
    """Passes on all but the messages of one session, on the reactor's thread with no lock held.

    `expect`, `forget` and `give_up` are for any thread.
    """

    def __init__(
        self,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
        *,
        answers_pings: Callable[[], bool],
        on_round_trip: Callable[[float], None],
        on_heartbeat: Callable[[], None],
    ) -> None:
        self._delivery = delivery
        self._callbacks = delivery.callbacks
        self._teller = teller
        self._log = log
        self._connection_id = connection_id
        # A peer that does not read gets no Pong for now, and none at all after our Close.
        self._answers_pings = answers_pings
        self._on_round_trip = on_round_trip
        self._on_heartbeat = on_heartbeat
        # Pings of users that wait for their Pong.
        self._pings: dict[Answer, None] = {}
        # What `ended` tells and then posts.
        self._last_calls: tuple[_Once, list[_Once]] | None = None
        # The Close frame that was sent was told as a frame event.
        self._shown_close = False

    def expect(self, waiter: Answer) -> None:
        """Its Ping is about to be sent."""
        self._pings[waiter] = None

    def forget(self, waiter: Answer) -> None:
        """Its Ping could not be sent."""
        self._pings.pop(waiter, None)

    def give_up(self, error: Exception) -> None:
        """No Pong will come any more."""
        for waiter in tuple(self._pings):
            waiter.give_up(error)
            self._pings.pop(waiter, None)

    def opened(self, response: HandshakeResponse) -> None:
        """The first call for a connection."""
        self._delivery.post(self._callbacks.begin, self._log)
        chosen = response.subprotocol
        shown = None if chosen is None else safe_subprotocol(chosen)
        self._teller.tell("OpenEvent", url=response.url, subprotocol=shown)
        self._delivery.post(self._callbacks.opened, response)

    def ended(self, info: CloseInfo) -> None:
        """The last call for a connection. Called again, it tells what Ctrl-C kept it from."""
        if self._pings:
            self.give_up(_error(info))
        callbacks = self._callbacks
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
        if self._callbacks.watchers:
            self._callbacks.give_up_watching(self._connection_id, _error(info))

    def pass_on(self, event: Event) -> None:
        """Tell everybody whom it concerns."""
        if isinstance(event, PingReceived):
            self._delivery.post(self._callbacks.ping, event.data, weight=1)
            self._teller.tell("PingEvent", data=event.data, received=True)
            if self._answers_pings():
                self._teller.sent(Opcode.PONG, event.data)
        elif isinstance(event, PingSent):
            self._teller.tell("PingEvent", data=event.data, received=False)
            self._teller.sent(Opcode.PING, event.data)
        elif isinstance(event, PongReceived):
            self._pong(event)
        elif isinstance(event, HeartbeatDue):
            self._on_heartbeat()
        elif isinstance(event, ClosingStarted):
            self._closing(event)

    def _pong(self, event: PongReceived) -> None:
        round_trip = None
        for answered in event.answered:
            round_trip = answered.round_trip
            if isinstance(answered.token, Answer):
                answered.token.resolve(round_trip)
                self._pings.pop(answered.token, None)
        if round_trip is not None:
            self._on_round_trip(round_trip)
        self._delivery.post(self._callbacks.pong, event.data, weight=1)
        self._teller.tell("PongEvent", data=event.data, round_trip=round_trip)

    def _closing(self, event: ClosingStarted) -> None:
        self._log.debug("closing: sent %s, received %s", event.sent, event.received)
        if event.sent is not None and not self._shown_close:
            self._shown_close = True
            self._teller.sent(Opcode.CLOSE, encode_close(event.sent))
        self._teller.tell(
            "ClosingEvent", sent=event.sent, received=event.received, error=event.error
        )
