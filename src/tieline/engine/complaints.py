# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""What goes wrong around a line's handlers → the log, `on_error`, events, an end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tieline.protocol.wire import CloseCode

if TYPE_CHECKING:
    from tieline.engine.callbacks import Callbacks
    from tieline.engine.delivery import Delivery
    from tieline.engine.outage import Outage
    from tieline.engine.recorder import StatsRecorder
    from tieline.engine.session import Session
    from tieline.engine.succession import Succession
    from tieline.options import Options


class Complaints:
    """Whom a line tells. No lock held, except with `on_dropped`."""

    __slots__ = ("_dropped",)

    if TYPE_CHECKING:
        options: Options
        callbacks: Callbacks
        delivery: Delivery
        recorder: StatsRecorder
        succession: Succession
        session: Session | None

        # Messages that nobody will get, and how many waited then; the log does not know yet.
        _dropped: tuple[int, int] | None

    def slow_callback(self, handler: str, seconds: float) -> None:
        """A handler took longer than ``slow_callback``."""
        session = self.session
        if session is not None:
            from tieline.events import SlowCallbackEvent  # loaded when it is needed

            session.log.warning("handler %s took %.3f s", handler, seconds)
            self.callbacks.event(
                SlowCallbackEvent(
                    time=time.monotonic(),
                    connection_id=session.connection_id,
                    handler=handler,
                    seconds=seconds,
                )
            )

    def handler_raised(self, error: BaseException) -> None:
        """A handler raised, and was told of."""
        session = self.succession.served
        if self.options.close_on_callback_error and session is not None:
            # The text goes to the peer as well, and what the error says is not for it.
            cause = RuntimeError(f"a handler raised {type(error).__name__}")
            cause.__cause__ = error
            session.fail(cause, CloseCode.INTERNAL_ERROR)

    def post(self, driver: Outage | None, handler: Callable[..., None], what: object) -> None:
        """Call it where handlers run; a `driver` may not be the only one that calls any."""
        if driver is None:
            self.delivery.post(handler, what)
        else:
            self.succession.tell(handler, what, driver=driver)

    def predicate_raised(self, error: BaseException, driver: Outage | None) -> None:
        """``Reconnect.retry`` raised, and the default rules decide. `driver` has asked it."""
        self.post(driver, self.callbacks.predicate_raised, error)

    def on_dropped(self, count: int) -> None:
        """Messages came during the close that nobody will get. The caller may hold locks."""
        self.recorder.dropped(count)
        self._dropped = count, self.delivery.load

    def log_dropped(self) -> None:
        """Tell the log of them."""
        dropped, self._dropped = self._dropped, None
        session = self.session
        if dropped is not None and session is not None:
            session.log.info(
                "%d messages that came after close() were not kept: %d wait to be received",
                *dropped,
            )
