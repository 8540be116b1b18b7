# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""A thread that waits for a message → the one that serves the connection meanwhile."""

from __future__ import annotations

import math
import select
import threading
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING, Any

from tieline.engine.deadline import Deadline
from tieline.engine.receive_buffer import ReceiveBuffer, SpareBuffers
from tieline.engine.waiting import SLICE
from tieline.protocol.wire import CloseCode
from tieline.transport.wakeup import Wakeup

if TYPE_CHECKING:
    from tieline.engine.session import Session

#: Seconds without a driving thread after which the reactor watches the descriptor again. Each
#: hand-over costs two threads a wake-up, so a thread that will soon be back keeps the connection.
ADOPTION = 0.25


class Spares(threading.local):
    """Each thread's own."""

    def __init__(self) -> None:
        self.buffers = SpareBuffers()


spares_of_thread = Spares()


class _Look(Deadline):
    """The next look whether any thread drives."""

    __slots__ = ("_driver",)

    def __init__(self, session: Session, driver: Driver) -> None:
        super().__init__(session)
        self._driver = driver

    def on_due(self) -> None:
        self._driver.look()


class Driver:
    """Lets one thread at a time serve a session: no hand-over between threads in a round trip.

    Guarded by the session's lock.

    While it does, and for a moment after, the reactor does not watch the descriptor for reading;
    then it adopts it again. Timers and blocked writes stay with the reactor all the time.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        # When to look if anybody has driven. None: not any more.
        self._look_at: _Look | None = None
        #: The reactor leaves reading to threads. It begins so: most programs receive at once.
        self.is_driven = True
        #: The thread that drives, or None.
        self.thread: int | None = None
        #: How often one came to drive.
        self.drives = 0
        # And how often at the last look.
        self._drives_seen = 0
        #: What the reactor does when the thread leaves.
        self.after: Callable[[], None] | None = None
        #: It is over.
        self.is_closed = False
        #: The thread that drives closes the connection, and looks at the clock itself.
        self.closes = False
        # Made when a thread first waits, gone when the reactor adopts: idle connections have none.
        self._wakeup: Wakeup | None = None
        self._wait: Callable[[int], Any] | None = None
        self._woken = False

    # --- the thread that drives ---------------------------------------------------------------

    @property
    def is_free(self) -> bool:
        """Could a thread begin to drive now?"""
        session = self._session
        is_served = session.is_started and not session.has_ended
        return is_served and self.thread is None and not self.is_closed

    def is_of(self, session: Session | None) -> bool:
        """Does it serve that session?"""
        return self._session is session

    @property
    def is_mine(self) -> bool:
        """Does the caller drive already? Then it is a handler, or a signal handler, on top."""
        return self.thread == get_ident()

    def enter(self, *, opens: bool = True) -> bool:
        """Begin to drive. False: another thread does, or it is over.

        `opens=False`: what `step` waits with is left to it, because it may not come to that.
        """
        session = self._session
        with session.lock:
            if (
                self.thread is not None
                or self.is_closed
                or session.has_ended
                or not session.is_started
            ):
                return False
            # At once: the short way looks without the lock.
            self.thread = get_ident()
            self.drives += 1
            try:
                if opens and self._wait is None:
                    self._open()
            except BaseException:
                self.thread = None
                raise
            if not self.is_driven:
                # First, so that Ctrl-C in between leaves a connection that somebody looks after.
                session.reactor.call_soon(session, self._taken_over)
                self.is_driven = True
            return True

    def step(self, timeout: float) -> None:
        """Wait until there is something to read, `timeout` seconds at most, and deliver it."""
        pause = min(SLICE, timeout)
        if not self._has_buffered_input():
            if self._wait is None:
                with self._session.lock:
                    if self.is_closed:
                        return
                    self._open()
            assert self._wait is not None
            is_ready = self._wait(math.ceil(pause * 1000))
            if self._woken:
                self._clear_wakeup()
            elif not is_ready:
                return
        self._read_once(pause)

    def step_briefly(self, seconds: float) -> None:
        """The same for a few milliseconds, in which nobody can wake the caller: without a wake-up.

        That is a descriptor, which would have to be made, registered and closed again for it.
        """
        if self._wait is not None or not hasattr(select, "poll"):
            self.step(seconds)
            return
        if not self._has_buffered_input():
            descriptor = self._session.fileno()
            if descriptor < 0:
                return
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(math.ceil(seconds * 1000)):
                return
        self._read_once(seconds)

    def _read_once(self, patience: float) -> None:
        """Read, and deliver, with memory of this thread's."""
        spares = spares_of_thread.buffers
        memory = spares.take() or ReceiveBuffer()
        # When that raises, somebody may still hold the buffer.
        self._read(memory, patience)
        spares.keep(memory)

    def _has_buffered_input(self) -> bool:
        """Is there something to read that the descriptor does not show?"""
        session = self._session
        with session.lock:
            return not session.has_ended and (
                session.pump.has_more or session.stream.has_buffered_input
            )

    def _read(self, memory: ReceiveBuffer, patience: float) -> None:
        """Read once, and deliver."""
        session = self._session
        try:
            session.pump.read(session.reactor.now(), memory, patience)
        except Exception as error:
            session.fail(error)
        except BaseException:
            self.interrupted()
            raise

    def left(self) -> None:
        """A thread has stopped to drive in the short way, which does not look what waits for that.

        May be called again, after Ctrl-C.
        """
        with self._session.lock:
            if self.thread is not None:
                return  # another one drives, and will leave
            if self.is_closed:
                self._release()
            elif self.after is not None:
                self._session.reactor.call_soon(self._session, self.after)
                self.after = None

    def failed(self, error: Exception) -> None:
        """A read has failed, for whatever reason."""
        self._session.fail(error)

    def deliver(self) -> None:
        """Deliver what was read and left for the general way."""
        session = self._session
        try:
            session.pump.deliver_now()
        except Exception as error:
            session.fail(error)
        except BaseException:
            self.interrupted()
            raise

    def interrupted(self) -> None:
        """Ctrl-C on the main thread: nobody knows what was read and not yet delivered."""
        session = self._session
        session.pump.give_back()
        cause = ConnectionAbortedError("a read was interrupted; the stream cannot go on")
        session.fail(cause, CloseCode.GOING_AWAY)
        if session.has_ended:
            session.reactor.call_soon(session, session.pump.finish)

    def leave(self) -> bool:
        """Drive no more. False: the caller did not."""
        session = self._session
        with session.lock:
            if self.thread is None or self.thread != get_ident():
                return False
            if self.is_closed:
                self._release()
            elif self.closes:
                # The deadline is the reactor's business now.
                session.reactor.call_soon(session, session.pump.deliver_now)
            if self.after is not None and not self.is_closed:
                session.reactor.call_soon(session, self.after)
                self.after = None
            # Last, so that it can be called again after Ctrl-C.
            self.closes = False
            self.thread = None
            return True

    # --- any thread ---------------------------------------------------------------------------

    def wake(self) -> None:
        """There is news for the thread that drives, unless it is the caller."""
        thread = self.thread
        if thread is not None and thread != get_ident():
            with self._session.lock:
                if self._wakeup is not None:
                    self._woken = True
                    self._wakeup.set()

    def give_back(self) -> None:
        """Let the reactor watch again, at once or as soon as no thread drives."""
        self._session.reactor.call_soon(self._session, self._adopt)

    # --- the reactor's thread -----------------------------------------------------------------

    def look_again_later(self) -> None:
        """Adopt the descriptor when nobody has driven for a while."""
        if self._look_at is None:
            self._look_at = _Look(self._session, self)
        self._look_at.set(self._session.reactor.now() + ADOPTION)

    def _taken_over(self) -> None:
        with self._session.lock:
            self._session.watch()
        self.look_again_later()

    def look(self) -> None:
        """Has nobody driven since the last look?"""
        with self._session.lock:
            idle, self._drives_seen = self.drives == self._drives_seen, self.drives
            if self.thread is not None:
                # Its leaving is looked at, so there is no need to look while it waits.
                self.after = self.after or self.look_again_later
                return
        if idle:
            self._adopt()
        else:
            self.look_again_later()

    def _adopt(self) -> None:
        with self._session.lock:
            if self.thread is not None:
                self.after = self._adopt
                return
            self.is_driven = False
            look_at, self._look_at = self._look_at, None
            if look_at is not None:
                look_at.cancel()
            self._release()
        self._session.resume()

    def close(self) -> None:
        """The session has ended."""
        if self._look_at is not None:
            self._look_at.cancel()
        with self._session.lock:
            self.is_closed = True
            if self.thread is None:
                self._release()
            else:
                self.wake()

    def abandon_after_fork(self) -> None:
        """In a child process: the thread that drove may not be here."""
        self.thread = None
        self.is_closed = True
        self._release()

    # --- descriptors --------------------------------------------------------------------------

    def _open(self) -> None:
        if self._wakeup is None:
            self._wakeup = Wakeup()
        descriptors = [self._session.fileno(), self._wakeup.fileno()]
        if hasattr(select, "poll"):
            poll = select.poll()
            for descriptor in descriptors:
                poll.register(descriptor, select.POLLIN)
            self._wait = poll.poll
        else:
            self._wait = lambda pause: select.select(descriptors, (), (), pause / 1000)[0]

    def _clear_wakeup(self) -> None:
        with self._session.lock:
            if self._wakeup is not None:
                self._wakeup.clear()
            self._woken = False

    def _release(self) -> None:
        self._woken = False
        self._wait = None
        if self._wakeup is not None:
            self._wakeup.close()  # before it is forgotten: Ctrl-C may come first
            self._wakeup = None
