"""The application's heartbeat, each time it is due → a message that waits for nobody."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from tieline.engine.callbacks import Callbacks
from tieline.engine.delivery import Delivery
from tieline.engine.log import AnyLogger
from tieline.engine.payloads import encode_payload
from tieline.engine.speaker import Speaker
from tieline.errors import ConnectionClosed, OptionError, ProtocolError, SendBufferFull

#: What a user's function is called in logs, as a handler is by its name.
_NAME = "heartbeat_message"


class HeartbeatSender:
    """Sends `heartbeat_message`, or what that returns, on one connection.

    `due` is for the thread that delivers, with no lock held: it sends as a handler does, without
    ever waiting. A function of the user's is called where handlers are, and in their order.
    """

    def __init__(
        self,
        message: str | bytes | Callable[[], object] | None,
        speaker: Speaker,
        delivery: Delivery,
        log: AnyLogger,
    ) -> None:
        self._message = message
        self._speaker = speaker
        self._delivery = delivery
        self._callbacks: Callbacks = delivery.callbacks
        self._log = log
        # The question to the user's function that was posted last. Weak, because whoever was to
        # ask it may have thrown it away.
        self._posted: weakref.ref[_Question] | None = None

    def due(self) -> None:
        """One interval is over."""
        if not callable(self._message):
            self._send(self._message)
            return
        waiting = None if self._posted is None else self._posted()
        if waiting is not None and not waiting.is_asked:
            self._skipped("the one before still waits for a handler to return")
            return
        question = _Question(self._ask, self._message)
        self._posted = weakref.ref(question)
        self._delivery.post(question)

    def _ask(self, function: Callable[[], object]) -> None:
        try:
            self._send(function())
        except BaseException as error:
            self._callbacks.raised(_NAME, error)

    def _send(self, message: object) -> None:
        if message is None:
            return
        encoded = encode_payload(message)
        if encoded is None:
            raise OptionError(
                f"{_NAME} returned {type(message).__name__}: expected str, bytes, or None for no "
                "heartbeat this time"
            )
        try:
            self._speaker.message(*encoded)
        except (SendBufferFull, ProtocolError) as error:
            # A full buffer; or the caller's own message, of which a handler has sent one half.
            self._skipped(str(error))
        except ConnectionClosed as error:
            self._log.debug("no heartbeat: %s", error)

    def _skipped(self, reason: str) -> None:
        self._log.warning("a heartbeat was skipped: %s", reason)


class _Question:
    """One call of the user's function."""

    def __init__(
        self, ask: Callable[[Callable[[], object]], None], function: Callable[[], object]
    ) -> None:
        self._ask = ask
        self._function = function
        self.is_asked = False

    def __call__(self) -> None:
        self.is_asked = True
        self._ask(self._function)
