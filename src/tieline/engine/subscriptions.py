"""What a user wants said after every open → the messages that a new connection begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tieline.engine.payloads import encode_payload
from tieline.engine.unsent import Unsent
from tieline.errors import OptionError


class Subscription:
    """What `subscribe` returns: its message is sent after every open, until `cancel`."""

    def __init__(self, message: object, on_cancelled: Callable[[Subscription], None]) -> None:
        if not callable(message):
            message = _own(message)
        self._message: Any = message
        self._on_cancelled = on_cancelled
        #: True after `cancel`.
        self.is_cancelled = False
        #: What it said when it was made: a connection that is being made then begins with that.
        self.first: Unsent | None = None
        #: The connection that it was said on last.
        self.said_on: object = None

    def __repr__(self) -> str:
        return f"<Subscription{', cancelled' if self.is_cancelled else ''}>"

    def cancel(self) -> None:
        """Send it no more. What was sent stays said. Any thread; idempotent."""
        if not self.is_cancelled:
            self.is_cancelled = True
            self._on_cancelled(self)

    def ask(self) -> Any:
        """Its message now: of a function what it returns, and what it raises. No lock held."""
        return self._message() if callable(self._message) else self._message

    def render(self, now: float) -> Unsent | None:
        """What to send now; None when the function has nothing to say."""
        return encode(self.ask(), now)


#: Subscriptions, and what they say on the connection that is being made.
Rendered = dict[Subscription, Unsent | None]


def encode(message: object, now: float) -> Unsent | None:
    """What a subscription says; it is never kept for later, because each open asks anew."""
    if message is None:
        return None
    message = _own(message)
    encoded = encode_payload(message)
    assert encoded is not None
    return Unsent(*encoded, None, now)


def _own(message: object) -> str | bytes:
    """The message, in memory that nobody changes. Raises OptionError."""
    if isinstance(message, str):
        encode_payload(message)  # says what cannot be sent
        return message
    encoded = encode_payload(message)
    if encoded is None:
        raise OptionError(
            "subscribe: expected a str or bytes, or a function that gives one (or None), "
            f"got {type(message).__name__}"
        )
    return bytes(encoded[1])
