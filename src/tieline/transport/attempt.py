"""One connection attempt: its deadline, its present phase, its timings, and the way to cancel it.

Every wait of a dial goes through an `Attempt`, and so ends at the deadline, at `cancel()` and at
Ctrl-C, whatever it is waiting for.
"""

from __future__ import annotations

import select
import selectors
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from tieline.errors import ConnectCancelled, ConnectTimeout
from tieline.transport.wakeup import Wakeup

#: Asked for at most this long at once, in seconds. A signal that comes just before the system call
#: does not end it, and Python learns of the Ctrl-C only after it.
_LONGEST_POLL = 1.0


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
        *,
        clock: Callable[[], float] = time.monotonic,
        on_event: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.clock = clock
        self.timeout = timeout
        self._on_event = on_event
        self._started = clock()
        self._deadline = None if timeout is None else self._started + timeout

        #: What is being connected to, for error texts: "example.com:443".
        self.destination = "the server"
        #: "dns", "tcp", "proxy", "tls" or "upgrade": the present one, between two the last one.
        self.phase = "dns"
        self._doing = "starting"
        #: Seconds spent per phase so far, and "total" once closed.
        self.timings: dict[str, float] = {}
        self._phases = 0
        self._charged_until = self._started

        # The record: whatever is known, also when the attempt fails.
        #: Addresses of the socket's two ends: a tuple, or the path of a unix socket.
        self.peer: Any = None
        self.local: Any = None
        #: version, cipher, subject, fingerprint of the TLS session; None without TLS.
        self.tls: dict[str, Any] | None = None
        #: The proxy's URL without its password, or None.
        self.proxy: str | None = None

        # Reentrant, because a signal handler may call cancel() on top of close().
        self._lock = threading.RLock()
        self._wakeup = Wakeup()
        self._closed = False
        self._cancelled = False

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
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._wakeup.close()
        self.timings["total"] = self.clock() - self._started

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
        with self._lock:
            if not self._closed:
                self._wakeup.set()

    @contextmanager
    def in_phase(self, phase: str, doing: str) -> Iterator[None]:
        """Charge the time inside to this phase. `doing` completes "... ran out while".

        Phases may be nested; the outer one's clock stands still meanwhile.
        """
        outer = self.phase, self._doing
        self._charge()
        self.phase, self._doing = phase, doing
        self._phases += 1
        try:
            yield
        finally:
            self._charge()
            self._phases -= 1
            if self._phases:
                self.phase, self._doing = outer

    def _charge(self) -> None:
        now = self.clock()
        if self._phases:
            spent = self.timings.get(self.phase, 0.0)
            self.timings[self.phase] = spent + now - self._charged_until
        self._charged_until = now

    def remaining(self) -> float | None:
        """Seconds until the deadline, None without one. Raises ConnectTimeout when it is past."""
        if self._deadline is None:
            return None
        remaining = self._deadline - self.clock()
        if remaining <= 0:
            raise ConnectTimeout(
                f"connecting to {self.destination} timed out: connect_timeout of "
                f"{self.timeout:g} s ran out in phase {self.phase!r} while {self._doing}",
                phase=self.phase,
            )
        return remaining

    def check(self) -> None:
        """Raise ConnectCancelled or ConnectTimeout if it is time to stop."""
        if self._cancelled:
            raise ConnectCancelled(
                f"connecting to {self.destination} was cancelled in phase {self.phase!r} "
                f"while {self._doing}"
            )
        self.remaining()

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
        events = readable * selectors.EVENT_READ | writable * selectors.EVENT_WRITE
        return self._wait({} if descriptor is None else {descriptor: events}, until) is not None

    def wait_any_writable(
        self, descriptors: Iterable[int], until: float | None = None
    ) -> list[int]:
        """Like `wait`, for several sockets: those that are ready; none when `until` came first."""
        interest = dict.fromkeys(descriptors, selectors.EVENT_WRITE)
        return self._wait(interest, until) or []

    def _wait(self, interest: Mapping[int, int], until: float | None) -> list[int] | None:
        if self._closed:
            raise RuntimeError("this Attempt is closed")
        wakeup = self._wakeup.fileno()
        with _selector() as selector:
            selector.register(wakeup, selectors.EVENT_READ)
            for descriptor, events in interest.items():
                selector.register(descriptor, events)
            while True:
                self.check()
                pauses = [_LONGEST_POLL]
                if (remaining := self.remaining()) is not None:
                    pauses.append(remaining)
                if until is not None:
                    pauses.append(max(0.0, until - self.clock()))
                ready = [key.fd for key, _ in selector.select(min(pauses))]
                if wakeup in ready:
                    ready.remove(wakeup)
                    self._wakeup.clear()
                    self.check()
                    if not interest:
                        return ready
                if ready:
                    return ready
                if until is not None and self.clock() >= until:
                    return None

    def emit(self, kind: str, **data: Any) -> None:
        """Report one event to `on_event`, if there is one."""
        if self._on_event is not None:
            self._on_event(kind, data)


def _selector() -> selectors.BaseSelector:
    # select() cannot take descriptors above 1023, epoll and kqueue cost one of their own.
    if hasattr(select, "poll"):
        return selectors.PollSelector()
    return selectors.SelectSelector()
