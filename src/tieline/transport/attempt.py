# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""One connection attempt: its deadline, its present phase, its timings, and the way to cancel it.

Every wait of a dial goes through an `Attempt`, and so ends at the deadline, at `cancel()` and at
Ctrl-C, whatever it is waiting for.
"""

from __future__ import annotations

import math
import select
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

from tieline.errors import ConnectCancelled, ConnectTimeout
from tieline.headers import Headers
from tieline.transport.timings import Timings
from tieline.transport.wakeup import Wakeup

#: Asked for at most this long at once, in seconds. A signal that comes just before the system call
#: does not end it, and Python learns of the Ctrl-C only after it.
_LONGEST_POLL = 1.0

#: Seconds of a wait's first look, which nobody can cut short: a server nearby needs less, and for
#: that time a descriptor of our own, which costs as much as a round trip, is not worth it.
_FIRST_LOOK = 0.002

#: `threading.RLock` is a function, which looks for this each time.
_ReentrantLock = type(threading.RLock())

#: What goes on, as it completes "... ran out while". The text is made when it is needed: of what
#: stands before the name of something, that thing, and what stands behind it.
Doing = str | tuple[str, object, str]


class Attempt:
    """The bounds and the record of one attempt to connect.

    Belongs to the thread that dials; only `cancel`, `wake` and `cancelled` may be used from others,
    at any time. Use it as a context manager, or call `close()`: it holds descriptors.

    `timeout` is in seconds from now and covers the whole attempt; None sets no bound. `on_event`
    is called on the dialling thread, with a kind ("resolve", "connecting", "connected", "proxy",
    "tls") and its data.
    """

    def __init__(
        self,
        timeout: float | None,
        clock: Callable[[], float] = time.monotonic,
        on_event: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.clock = clock
        self.timeout = timeout
        self._on_event = on_event
        self._started = clock()
        self._deadline = math.inf if timeout is None else self._started + timeout
        #: What `timeout` is called where it was given, for error texts.
        self.bound = "connect_timeout"
        #: What is being connected to, for error texts: "example.com:443".
        self.destination = "the server"
        #: "dns", "tcp", "proxy", "tls" or "upgrade": the present one, between two the last one.
        self.phase = "dns"
        self._doing: Doing = "starting"
        #: What each phase has taken so far, and all of it once closed.
        self.spent = Timings()
        self._phases = 0
        self._charged_until = self._started
        # The record: whatever is known, also when the attempt fails.
        #: Addresses of the socket's two ends: a tuple, or the path of a unix socket.
        self.peer: Any = None
        self.local: Any = None
        #: version, cipher, subject, fingerprint, alpn of the TLS session; None without TLS.
        self.tls: dict[str, Any] | None = None
        #: The proxy's URL without its password, or None.
        self.proxy: str | None = None
        #: What an HTTP proxy said when it opened the last tunnel.
        self.proxy_answer: Headers | None = None

        # Reentrant, because a signal handler may call cancel() on top of close().
        self._lock = _ReentrantLock()
        # Made by the first wait: to a server nearby, most have nothing to wait for.
        self._wakeup: Wakeup | None = None
        # `wake` was called, and the wakeup has not been told, maybe because there was none.
        self._is_woken = False
        self._closed = self._cancelled = False

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the attempt: "total" is known, the descriptors are closed. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._wakeup is not None:
            with self._lock:
                wakeup, self._wakeup = self._wakeup, None
                if wakeup is not None:
                    wakeup.close()
        self.spent.end(self.clock() - self._started)

    @property
    def timings(self) -> dict[str, float]:
        """Seconds spent per phase so far, and "total" once closed."""
        return self.spent.known()

    @property
    def is_closed(self) -> bool:
        return self._closed

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    def cancel(self) -> None:
        """Make the present wait, or the next one, raise ConnectCancelled at once.

        From any thread or signal handler, at any time, any number of times.
        """
        self._cancelled = True
        self.wake()

    def wake(self) -> None:
        """Make `wait(None, ...)` return True. From any thread, also after `close()`."""
        self._is_woken = True
        self._tell_wakeup()

    def _tell_wakeup(self) -> None:
        # The lock is not waited for: who has it may be below a signal handler that waits for what
        # our caller holds, as a line's lock is. Who has left it comes here as well.
        while self._is_woken and self._wakeup is not None and self._lock.acquire(blocking=False):
            try:
                self._is_woken = False
                if self._wakeup is not None:
                    self._wakeup.set()
            finally:
                self._lock.release()

    def in_phase(self, phase: str, doing: Doing) -> Phase:
        """Charge the time inside to this phase.

        Phases may be nested; the outer one's clock stands still meanwhile.
        """
        return Phase(self, phase, doing)

    def begin_phase(self, phase: str, doing: Doing) -> tuple[str, Doing]:
        """What `in_phase` does first; returns the outer phase."""
        outer = self.phase, self._doing
        self._charge()
        self.phase, self._doing = phase, doing
        self._phases += 1
        return outer

    def end_phase(self, outer: tuple[str, Doing]) -> None:
        """What `in_phase` does at the end."""
        self._charge()
        self._phases -= 1
        if self._phases:
            self.phase, self._doing = outer

    def now_doing(self, doing: Doing) -> None:
        """The present phase goes on with this."""
        self._doing = doing

    @property
    def _told(self) -> str:
        doing = self._doing
        return doing if isinstance(doing, str) else "".join(map(str, doing))

    def _charge(self) -> None:
        now = self.clock()
        if self._phases:
            self.spent.add(self.phase, now - self._charged_until)
        self._charged_until = now

    def remaining(self) -> float | None:
        """Seconds until the deadline, None without one. Raises ConnectTimeout when it is past."""
        return None if self.timeout is None else self._left()

    def _left(self) -> float:
        """The same, infinite without a deadline."""
        if self.timeout is None:
            return self._deadline
        left = self._deadline - self.clock()
        if left <= 0:
            raise ConnectTimeout(
                f"connecting to {self.destination} timed out: {self.bound} of "
                f"{self.timeout:g} s ran out in phase {self.phase!r} while {self._told}",
                phase=self.phase,
            )
        return left

    def check(self) -> None:
        """Raise ConnectCancelled or ConnectTimeout if it is time to stop."""
        if self._cancelled:
            raise ConnectCancelled(
                f"connecting to {self.destination} was cancelled in phase {self.phase!r} "
                f"while {self._told}"
            )
        self._left()

    def wait(
        self,
        descriptor: int | None,
        readable: bool = False,
        writable: bool = False,
        until: float | None = None,
    ) -> bool:
        """Wait until the descriptor is ready, or, with None, until `wake()`; then True.

        False when `until` (a reading of `clock`) comes first. Raises ConnectTimeout at the
        deadline and ConnectCancelled after `cancel()`, which also ends a wait that is under way.
        """
        events = (_READABLE if readable else 0) | (_WRITABLE if writable else 0)
        return self._wait([] if descriptor is None else [descriptor], events, until) is not None

    def wait_any_writable(
        self, descriptors: Iterable[int], until: float | None = None
    ) -> list[int]:
        """Like `wait`, for several sockets: those that are ready.

        None of them when `until` came first, or `wake()` was called.
        """
        return self._wait(list(descriptors), _WRITABLE, until, ends_when_woken=True) or []

    def _wait(
        self,
        descriptors: list[int],
        events: int,
        until: float | None,
        ends_when_woken: bool = False,
    ) -> list[int] | None:
        """The descriptors that are ready, None when `until` came first."""
        if self._closed:
            raise RuntimeError("this Attempt is closed")
        self.check()
        poll = _new_poll()
        for descriptor in descriptors:
            poll.register(descriptor, events)
        look = 0.0 if self._is_woken or self._wakeup is not None else _FIRST_LOOK
        if descriptors:
            # What is ready comes before having been woken, which the next wait will tell of.
            ready = [found for found, _ in poll.poll(self._pause(look, until))]
            if ready:
                return ready
        wakeup = self._open_wakeup()
        poll.register(wakeup.fileno(), _READABLE)
        while True:
            ready = [found for found, _ in poll.poll(self._pause(_LONGEST_POLL, until))]
            if wakeup.fileno() in ready:
                ready.remove(wakeup.fileno())
                wakeup.clear()
                self.check()
                if not descriptors or ends_when_woken:
                    return ready
            if ready:
                return ready
            if until is not None and self.clock() >= until:
                return None
            self.check()

    def _pause(self, longest: float, until: float | None) -> int:
        """Milliseconds to wait at once. Raises ConnectTimeout when the deadline is past."""
        pause = min(longest, self._left())
        if until is not None:
            pause = min(pause, max(0.0, until - self.clock()))
        # Rounded up: a wait that ends early would only be begun again.
        milliseconds = int(pause * 1000)
        return milliseconds if milliseconds >= pause * 1000 else milliseconds + 1

    def _open_wakeup(self) -> Wakeup:
        with self._lock:
            if self._closed:
                raise RuntimeError("this Attempt is closed")
            wakeup = self._wakeup = self._wakeup or Wakeup()
        self._tell_wakeup()
        return wakeup

    @property
    def is_heard(self) -> bool:
        """Does anybody get what is emitted?"""
        return self._on_event is not None

    def emit(self, kind: str, **data: Any) -> None:
        """Report one event to `on_event`, if there is one."""
        if self._on_event is not None:
            self._on_event(kind, data)


class Phase:
    """The body is charged to a phase; see `Attempt.in_phase`."""

    # A generator would do, and take three times as long.
    __slots__ = ("_attempt", "_doing", "_outer", "_phase")

    def __init__(self, attempt: Attempt, phase: str, doing: Doing) -> None:
        self._attempt = attempt
        self._phase = phase
        self._doing = doing
        self._outer: tuple[str, Doing] = ("", "")

    def __enter__(self) -> None:
        self._outer = self._attempt.begin_phase(self._phase, self._doing)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._attempt.end_phase(self._outer)


class _Select:
    """select() in the shape of poll(), for systems that have no other."""

    def __init__(self) -> None:
        self._interest: dict[int, int] = {}

    def register(self, descriptor: int, events: int) -> None:
        self._interest[descriptor] = events

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        readers = [each for each, events in self._interest.items() if events & _READABLE]
        writers = [each for each, events in self._interest.items() if events & _WRITABLE]
        # Of a connection that fails, Windows tells only among the exceptions.
        ready = select.select(readers, writers, writers, milliseconds / 1000)
        return [(each, 0) for each in {*ready[0], *ready[1], *ready[2]}]


def _new_poll() -> Any:
    # select() cannot take descriptors above 1023, epoll and kqueue cost one of their own.
    return select.poll() if hasattr(select, "poll") else _Select()


_READABLE: int = getattr(select, "POLLIN", 1)
_WRITABLE: int = getattr(select, "POLLOUT", 4)
