# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What a connection tells of itself, Pings to end → handlers, waiters and typed events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.engine.pings import Answer
from tieline.engine.telling import Teller
from tieline.engine.turn import Turn
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

if TYPE_CHECKING:
    from tieline.engine.locks import ReentrantLock


class _Once:
    """A call that is made at most once, however often it is asked for."""

    __slots__ = ("_argument", "_function")

    def __init__(self, function: Callable[[Any], None], argument: Any) -> None:
        self._function: Callable[[Any], None] | None = function
        self._argument = argument

    def __call__(self) -> None:
        function, self._function = self._function, None
        if function is not None:
            function(self._argument)


def _error(info: CloseInfo) -> ConnectionClosed:
    return ConnectionClosed(f"the connection has ended: {info}", info)


class Dispatcher(Turn):
    """The part of a session that passes on all but messages, for who has the turn; no lock held.

    `expect`, `forget` and `give_up` are for any thread.
    """

    def _init_dispatcher(
        self,
        lock: ReentrantLock,
        delivery: Delivery,
        teller: Teller,
        log: AnyLogger,
        connection_id: int,
    ) -> None:
        self._init_turn(lock)
        self.delivery = delivery
        self._teller = teller
        self.log = log
        self.connection_id = connection_id
        # Pings of users that wait for their Pong. Most connections never have one.
        self._pings: dict[Answer, None] | None = None
        # What `ended` tells and then posts.
        self._last_calls: tuple[_Once | None, list[_Once]] | None = None
        # The Close frame that was sent was told as a frame event.
        self._shown_close = False

    # --- what it asks of its session ------------------------------------------------------------

    def answers_pings(self) -> bool:
        """A peer that does not read gets no Pong for now, and none at all after our Close."""
        raise NotImplementedError

    def on_round_trip(self, seconds: float) -> None:
        """A Ping was answered."""
        raise NotImplementedError

    def send_heartbeat(self) -> None:
        """One is due."""
        raise NotImplementedError

    # --- what it does for it --------------------------------------------------------------------

    def expect(self, waiter: Answer) -> None:
        """Its Ping is about to be sent."""
        fresh: dict[Answer, None] = {}
        with self.lock:
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
        callbacks = self.delivery.callbacks
        if self.delivery.is_direct:
            self.delivery.callbacks.begin(self.log)
        else:
            self.delivery.post(callbacks.begin, self.log)
        if self._teller.is_heard:
            chosen = response.subprotocol
            shown = None if chosen is None else safe_subprotocol(chosen)
            self._teller.tell("OpenEvent", url=response.url, subprotocol=shown)
        if not callbacks.are_none:
            self.delivery.post(callbacks.opened, response)

    def ended(self, info: CloseInfo) -> None:
        """The last call for a connection. Called again, it tells what Ctrl-C kept it from."""
        if self._pings:
            self.give_up(_error(info))
        callbacks = self.delivery.callbacks
        if callbacks.are_none and not callbacks.watchers:
            return  # nobody is to be told
        if self._last_calls is None:
            calls = [_Once(callbacks.closed, info)]
            if info.error is not None:
                calls.insert(0, _Once(callbacks.error, info.error))
            tell = None
            if self._teller.is_heard:
                tell = _Once(self._tell_closed, info)
            self._last_calls = tell, calls
        tell, calls = self._last_calls
        if tell is not None:
            tell()
        self.delivery.post(self._give_up_watching, info)  # each time, which does no harm
        for call in calls:
            self.delivery.post(call)

    def _tell_closed(self, info: CloseInfo) -> None:
        self._teller.tell("ClosedEvent", info=info)

    def _give_up_watching(self, info: CloseInfo) -> None:
        if self.delivery.callbacks.watchers:
            self.delivery.callbacks.give_up_watching(self.connection_id, _error(info))

    def pass_on(self, event: Event) -> None:
        """Tell everybody whom it concerns."""
        if type(event) is ClosingStarted:
            self._closing(event)
        elif type(event) is PongReceived:
            self._pong(event)
        elif type(event) is PingReceived:
            self.delivery.post(self.delivery.callbacks.ping, event.data, weight=1)
            if self._teller.is_heard:
                self._teller.tell("PingEvent", data=event.data, received=True)
                if self.answers_pings():
                    self._teller.sent(Opcode.PONG, event.data)
        elif type(event) is PingSent:
            if self._teller.is_heard:
                self._teller.tell("PingEvent", data=event.data, received=False)
                self._teller.sent(Opcode.PING, event.data)
        elif type(event) is HeartbeatDue:
            self.send_heartbeat()

    def _pong(self, event: PongReceived) -> None:
        round_trip = None
        for answered in event.answered:
            round_trip = answered.round_trip
            if isinstance(answered.token, Answer):
                answered.token.resolve(round_trip)
                self.forget(answered.token)
        if round_trip is not None:
            self.on_round_trip(round_trip)
        self.delivery.post(self.delivery.callbacks.pong, event.data, weight=1)
        if self._teller.is_heard:
            self._teller.tell("PongEvent", data=event.data, round_trip=round_trip)

    def _closing(self, event: ClosingStarted) -> None:
        self.log.debug("closing: sent %s, received %s", event.sent, event.received)
        if not self._teller.is_heard:
            return
        if event.sent is not None and not self._shown_close:
            self._shown_close = True
            self._teller.sent(Opcode.CLOSE, encode_close(event.sent))
        self._teller.tell(
            "ClosingEvent", sent=event.sent, received=event.received, error=event.error
        )
