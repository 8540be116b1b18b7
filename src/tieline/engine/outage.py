# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""No connection → an open one: which URL to dial next, after which delay, or that it is enough."""

from __future__ import annotations

import time
from dataclasses import replace
from threading import get_ident
from typing import TYPE_CHECKING, Protocol

from tieline.engine.pause import Pause
from tieline.errors import OptionError
from tieline.failover import Failover
from tieline.protocol.state import CONNECTING, RECONNECTING, State
from tieline.reconnect import GaveUp, ReconnectAttempt
from tieline.redact import safe_url

if TYPE_CHECKING:
    from tieline.protocol.events import CloseInfo
    from tieline.protocol.handshake import HandshakeResponse
    from tieline.reconnect import Backoff, Cause
    from tieline.request_checks import URLSource


class Interruptible(Protocol):
    """A wait that can be ended from anywhere: other threads, signal handlers, finalizers."""

    def interrupt(self) -> None:
        """End it, and every later one."""

    def bring_news(self) -> None:
        """There is something that only the one who waits may tell."""


class Owner(Protocol):
    """What an outage asks of its line."""

    @property
    def urls(self) -> tuple[URLSource, ...]:
        """Where to dial."""

    #: The place of the one that comes first.
    good: int

    def now(self) -> float:
        """Seconds."""

    def retries(self, cause: Cause, driver: Outage | None) -> bool:
        """Is it worth another attempt? The `driver` asks, or (None) the connection at its end."""

    def new_pause(self) -> Interruptible:
        """How its driver waits."""


class Outage:
    """From the loss of a connection, or from `connect()`, to the next open one or to giving up.

    Decides and remembers; its driver waits and dials: a thread (`Supervisor`) or a task
    (`LoopLine`). It belongs to that driver, but for `interrupt`, which is for anybody, even a
    finalizer. Most are over with one dial, which needs nothing of what a second one does.
    """

    def __init__(
        self, owner: Owner, backoff: Backoff | None, is_first: bool, goes_on: bool
    ) -> None:
        self._owner = owner
        # None: there is no further attempt.
        self._backoff = backoff
        #: What the connection that is to be replaced would back off by, see `Recovery.keep`.
        self.backoff_before: Backoff | None = None
        #: The place of the URL that is dialled first; of the good one when it has led to one.
        self.good = owner.good
        # What goes round all of them once the first dial has failed.
        self._failover: Failover[URLSource] | None = None
        #: When the line went down; None while it is up, or was never.
        self.down_since: float | None = None
        self._pause: Interruptible | None = None
        #: There was no connection before.
        self.is_first = is_first
        #: The connection before is to be kept until there is a new one.
        self.overlaps = False
        #: Another round follows when all URLs have failed.
        self.goes_on = goes_on
        # Why the dials of this round have failed; None before one has.
        self._errors: list[Exception] | None = None
        #: What whoever reads the last error should know.
        self.hint = ""
        #: How often all URLs have failed.
        self.rounds = 0
        #: Dials so far.
        self.dials = 0
        #: What follows; None: a dial, at once.
        self.plan: ReconnectAttempt | GaveUp | None = None
        #: CONNECTING while it dials, RECONNECTING before and between, CLOSED when it has given up.
        self.state: State = CONNECTING if is_first else RECONNECTING
        #: It has led to a connection.
        self.has_opened = False
        #: Somebody has put an end to it.
        self.is_interrupted = False
        #: The connection that was lost, when that is why; the driver begins after its handlers.
        self.after: object = None
        #: Somebody waits and dials, or is about to.
        self.has_driver = is_first
        #: Who has to settle it: the thread that began it, as long as no other one was started.
        self.owner: object = get_ident()
        #: The thread that waits and dials, if it is one; 0, which no thread is called, otherwise.
        self.thread = 0
        #: Its driver does nothing any more, and its last handler has returned.
        self.is_finished = False
        # Each of who waits for that. Made for the first one: hardly ever is there any.
        self._waiting: list[Pause] | None = None

    # --- what has happened --------------------------------------------------------------------

    def lost(self, info: CloseInfo) -> None:
        """The connection has ended; `plan` says what follows."""
        assert self._backoff is not None
        self._backoff.lost(self._owner.now())
        self.went_down()
        self._decide(info, self._owner.retries(info, None))

    def went_down(self, since: float | None = None) -> None:
        """There is no connection (any more): now, or since then. The first word counts."""
        if self.down_since is None:
            self.down_since = self._owner.now() if since is None else since

    def dialling(self) -> URLSource:
        """A dial begins; returns the URL."""
        self.dials += 1
        self.state = CONNECTING
        return self._url()

    def failed(self, raised: BaseException) -> None:
        """The dial has failed; `plan` says what follows."""
        error = raised if isinstance(raised, Exception) else _as_error(raised)
        if self._errors is None:
            self._errors = []
        self._errors.append(error)
        if self._failover is None:
            self._failover = Failover(self._owner.urls, self.good)
        is_over = self._failover.failed()
        if isinstance(error, OptionError):
            is_over = True  # it would be the same with every URL
        if not is_over:
            if self.goes_on:
                self._decide(error, True, at_once=True)
            else:
                self._plan(error, self.dials, 0.0)
            return
        self.rounds += 1
        errors, self._errors = self._errors, None
        if not self.goes_on:
            self.give_up("every URL was tried", error)
        else:
            # Each is asked: whoever decides may want to know of all of them.
            self._decide(error, any([self._owner.retries(each, self) for each in errors]))
        if isinstance(self.plan, GaveUp):
            for other in errors[:-1]:
                error.add_note(f"before that: {other}")
            if self.goes_on and self.dials > 1:
                error.add_note(f"connecting was given up after {self.dials} dials")
            elif self.hint:
                error.add_note(self.hint)

    def opened(self) -> None:
        """The dial has succeeded."""
        self.has_opened = True
        if self._failover is not None:
            self._failover.succeeded()
            self.good = self._failover.good
        if self._backoff is not None:
            self._backoff.opened(self._owner.now())

    def _url(self) -> URLSource:
        """What comes next."""
        failover = self._failover
        return self._owner.urls[self.good] if failover is None else failover.current

    def _decide(self, cause: Cause, retry: bool, at_once: bool = False) -> None:
        assert self._backoff is not None
        plan = self._backoff.next(
            cause, self._owner.now(), time.time(), retry=retry, at_once=at_once
        )
        if isinstance(plan, GaveUp):
            self.plan = plan
            return
        self.state = CONNECTING if at_once else RECONNECTING
        self._plan(cause, plan.number, plan.delay)

    def _plan(self, cause: Cause, number: int, delay: float) -> None:
        url = self._url()
        self.plan = ReconnectAttempt(
            number=number,
            delay=delay,
            cause=cause,
            url=safe_url(url) if isinstance(url, str) else "",
            downtime=self._downtime(),
        )

    def give_up(self, reason: str, cause: Cause) -> None:
        """Nothing follows."""
        self.plan = GaveUp(
            reason=reason, cause=cause, attempts=self.dials, downtime=self._downtime()
        )

    def describe(self, response: HandshakeResponse) -> HandshakeResponse:
        """The answer to its last dial, with what it knows of the way there."""
        if self.is_first and self.dials == 1 and self.down_since is None:
            return response  # which says so already
        return replace(
            response,
            reconnected=not self.is_first,
            attempts=self.dials,
            downtime=self._downtime(),
        )

    def _downtime(self) -> float:
        """Seconds without a connection; 0.0 while there is one, or when there was none."""
        return 0.0 if self.down_since is None else self._owner.now() - self.down_since

    # --- its end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """It `is_finished`. Any thread, any number of times."""
        self.is_finished = True
        if self._waiting is not None:
            for pause in tuple(self._waiting):
                pause.interrupt()

    def wait_until_finished(self, timeout: float) -> bool:
        """Block for so many seconds at most. True: it is."""
        # No Event: who is inside its `wait` may be below a signal handler that waits for the line's
        # lock, which whoever calls `finish` holds.
        pause = Pause()
        fresh: list[Pause] = []
        if self._waiting is None:  # no signal handler or thread comes in before the next line
            self._waiting = fresh
        self._waiting.append(pause)  # before the look, or `finish` could come in between
        return self.is_finished or not pause.wait(timeout)

    @property
    def pause(self) -> Interruptible:
        """How its driver waits. Any thread."""
        fresh = self._owner.new_pause() if self._pause is None else self._pause
        # No call between the look and the assignment: another thread may bring news.
        if self._pause is None:
            self._pause = fresh
        pause = self._pause
        if self.is_interrupted:  # after the assignment, or `interrupt` could have seen none
            pause.interrupt()
        return pause

    def interrupt(self) -> None:
        """Nothing follows any more: end the wait, and every later one."""
        self.is_interrupted = True
        if self._pause is not None:
            self._pause.interrupt()

    def abandon_after_fork(self) -> None:
        """In a child process: a handler that has forked comes back to its driver, which gives up.

        The pause is not told: it may have been another thread's, and a loop's writes to the parent.
        """
        self.is_interrupted = True


def _as_error(raised: BaseException) -> Exception:
    """A function of the user's has tried to end a thread that is not its own."""
    error = RuntimeError(f"{type(raised).__name__} was raised while connecting: {raised}")
    error.__cause__ = raised
    return error
