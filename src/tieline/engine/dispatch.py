"""What a connection tells of itself, Pings to end → handlers, waiters and typed events."""

from __future__ import annotations

from collections.abc import Callable

from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.engine.pings import Answer
from tieline.engine.telling import Teller
from tieline.errors import ConnectionClosed
from tieline.events import ClosedEvent, ClosingEvent, OpenEvent, PingEvent, PongEvent
from tieline.protocol.close import encode_close
from tieline.protocol.events import (
    CloseInfo,
    ClosingStarted,
    Event,
    PingReceived,
    PingSent,
    PongReceived,
)
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.wire import Opcode


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
    ) -> None:
        self._delivery = delivery
        self._callbacks = delivery.callbacks
        self._teller = teller
        self._log = log
        self._connection_id = connection_id
        # A peer that does not read gets no Pong for now, and none at all after our Close.
        self._answers_pings = answers_pings
        self._on_round_trip = on_round_trip
        # Pings of users that wait for their Pong.
        self._pings: set[Answer] = set()
        # The Close frame that was sent was told as a frame event.
        self._shown_close = False

    def expect(self, waiter: Answer) -> None:
        """Its Ping is about to be sent."""
        self._pings.add(waiter)

    def forget(self, waiter: Answer) -> None:
        """Its Ping could not be sent."""
        self._pings.discard(waiter)

    def give_up(self, error: Exception) -> None:
        """No Pong will come any more."""
        while self._pings:
            self._pings.pop().give_up(error)

    def opened(self, response: HandshakeResponse) -> None:
        """The first call for a connection."""
        self._delivery.post(self._callbacks.begin, self._log)
        self._teller.tell(OpenEvent, url=response.url, subprotocol=response.subprotocol)
        self._delivery.post(self._callbacks.opened, response)

    def ended(self, info: CloseInfo) -> None:
        """The last call for a connection."""
        error = ConnectionClosed(f"the connection has ended: {info}", info)
        self.give_up(error)
        self._teller.tell(ClosedEvent, info=info)
        self._delivery.post(self._callbacks.give_up_watching, self._connection_id, error)
        if info.error is not None:
            self._delivery.post(self._callbacks.error, info.error)
        self._delivery.post(self._callbacks.closed, info)

    def pass_on(self, event: Event) -> None:
        """Tell everybody whom it concerns."""
        if isinstance(event, PingReceived):
            self._delivery.post(self._callbacks.ping, event.data, weight=1)
            self._teller.tell(PingEvent, data=event.data, received=True)
            if self._answers_pings():
                self._teller.sent(Opcode.PONG, event.data)
        elif isinstance(event, PingSent):
            self._teller.tell(PingEvent, data=event.data, received=False)
            self._teller.sent(Opcode.PING, event.data)
        elif isinstance(event, PongReceived):
            self._pong(event)
        elif isinstance(event, ClosingStarted):
            self._closing(event)

    def _pong(self, event: PongReceived) -> None:
        round_trip = None
        for answered in event.answered:
            round_trip = answered.round_trip
            if isinstance(answered.token, Answer):
                self._pings.discard(answered.token)
                answered.token.resolve(round_trip)
        if round_trip is not None:
            self._on_round_trip(round_trip)
        self._delivery.post(self._callbacks.pong, event.data, weight=1)
        self._teller.tell(PongEvent, data=event.data, round_trip=round_trip)

    def _closing(self, event: ClosingStarted) -> None:
        self._log.debug("closing: sent %s, received %s", event.sent, event.received)
        if event.sent is not None and not self._shown_close:
            self._shown_close = True
            self._teller.sent(Opcode.CLOSE, encode_close(event.sent))
        self._teller.tell(ClosingEvent, sent=event.sent, received=event.received, error=event.error)
