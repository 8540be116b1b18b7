# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A line whose messages are asked for → the thread that asks serves the connection meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tieline.engine import quiet_close
from tieline.engine.chunks import Chunks
from tieline.engine.driving import Driver
from tieline.engine.handlers import Handlers
from tieline.engine.inbox import Inbox
from tieline.engine.process import is_ending
from tieline.engine.reactor import Reactor
from tieline.engine.served import LAZINESS
from tieline.engine.session import Session
from tieline.engine.supervisor import Supervisor
from tieline.engine.waiting import SLICE, handle_signals
from tieline.options import Options

if TYPE_CHECKING:
    from tieline.engine.streams import MessageStream

T = TypeVar("T")

#: Serves all plain connections while no thread is inside their `recv()`: one thread for thousands.
#: It stays for a moment: a script that connects again and again does not start it each time.
CARETAKER = Reactor("tieline-caretaker", linger=LAZINESS)

#: Seconds: longer than the end of a program takes, but a thread that is joined there goes on.
_STAY = 2.0


class Receiver(Supervisor):
    """Any number of threads may ask; one of them drives, the others wait for what it reads."""

    __slots__ = ("inbox",)

    def __init__(self, options: Options, handlers: Handlers) -> None:
        super().__init__(options, handlers, options.reactor or CARETAKER, Inbox, False, True)
        assert isinstance(self.delivery, Inbox)
        self.inbox = self.delivery

    def receive(self, timeout: float | None) -> str | bytes:
        """The next message. Raises TimeoutError, and ConnectionClosed when there is none left."""
        try:
            return self.inbox.take()
        except IndexError:
            pass  # not handled here, or every error below would show it
        return self._wait_for(self.inbox.take_whole, self.inbox.has_whole, timeout, "message")

    def stream(self, timeout: float | None) -> MessageStream:
        """The next message in chunks; each is awaited for `timeout` seconds at most."""
        from tieline.engine.streams import MessageStream  # for those who want them so

        inbox = self.inbox
        self.stream_messages()

        def begin() -> Chunks:
            return self._wait_for(inbox.take_chunks, inbox.has_chunks, timeout, "message")

        def wait(chunks: Chunks) -> None:
            self._wait_for(
                chunks.check_ready, lambda: chunks.is_ready, timeout, "more of the message"
            )

        return MessageStream(begin, wait)

    def _wait_for(
        self, take: Callable[[], T], is_here: Callable[[], bool], timeout: float | None, what: str
    ) -> T:
        """What `take` returns once it raises no IndexError. Raises TimeoutError, ConnectionClosed.

        `is_here`: would it raise none?
        """
        if self.in_handler():
            try:
                return take()
            except IndexError:
                raise RuntimeError(
                    "recv() in a handler cannot wait: the message would wait for the handler to "
                    "return (a signal handler on top of recv() counts as one)"
                ) from None
        inbox = self.inbox
        deadline = None if timeout is None else time.monotonic() + timeout
        driver: Driver | None = None
        try:
            while True:
                pause = SLICE if deadline is None else max(0.0, deadline - time.monotonic())
                ended = inbox.has_ended  # before the look: the last message comes before the end
                if not ended:
                    assert self.session is not None
                    driver = self.session.driver
                    assert driver is not None
                    self._wait(driver, is_here, min(SLICE, pause))
                handle_signals()
                try:
                    return take()
                except IndexError:
                    pass
                if ended:
                    self._stay_at_exit()
                    raise self.closed_error()
                if deadline is not None and time.monotonic() >= deadline and not inbox.has_ended:
                    raise TimeoutError(f"no {what} within {timeout:g} s")
        except BaseException:
            # Ctrl-C may have come at the very moment of leaving.
            if driver is not None:
                self._stop_driving(driver)
            raise

    def _stay_at_exit(self) -> None:
        """The end of a program is no news for its daemon threads, which end with it."""
        if is_ending.is_set() and threading.current_thread() is not threading.main_thread():
            threading.Event().wait(_STAY)

    def _wait(self, driver: Driver, is_here: Callable[[], bool], pause: float) -> None:
        """Until it is here, or something else has happened, or `pause` seconds are over."""
        inbox = self.inbox
        try:
            # Full: a message before is read by another thread, which has to make room first.
            if not inbox.is_full and driver.enter():
                if not is_here():
                    driver.step(pause)
                return
        finally:
            # Of this one: by now the line may have another connection.
            self._stop_driving(driver)
        inbox.wait_for(
            lambda: (
                is_here()
                or inbox.has_ended
                or (driver.is_free and not inbox.is_full)
                or not driver.is_of(self.session)
            ),
            pause,
        )

    def on_room(self) -> None:
        Supervisor.on_room(self)
        self.inbox.tell()

    # --- closing ------------------------------------------------------------------------------

    def _close_quietly(self, session: Session, code: int, reason: str, limit: float) -> bool:
        driver = session.driver
        assert driver is not None
        try:
            quiet_close.alone(session, driver, code, reason, limit)
            self._stop_driving(driver)
        except BaseException:
            self._stop_driving(driver)  # Ctrl-C may have come at the very moment of leaving
            raise
        return session.is_finished

    def _stop_driving(self, driver: Driver) -> None:
        if driver.leave():
            self.inbox.tell()  # somebody else may drive now

    def in_handler(self) -> bool:
        """Also on a thread that drives: what runs there runs on top of its `receive`."""
        served = self.succession.served
        driver = None if served is None else served.driver
        return (driver is not None and driver.is_mine) or Supervisor.in_handler(self)
