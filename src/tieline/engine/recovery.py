# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Is the line wanted, and what is done to have it up again: the outage that is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tieline.engine.outage import Outage
from tieline.reconnect import Backoff, GaveUp, default_retry

if TYPE_CHECKING:
    from tieline.engine.outage import Interruptible
    from tieline.options import Options
    from tieline.protocol.events import CloseInfo
    from tieline.reconnect import Cause, Reconnect
    from tieline.request_checks import URLSource

_NOT_REPEATED = (
    "the first connect() is not repeated; Reconnect(initial_connect=True) makes it keep trying"
)


class Clock(Protocol):
    """Seconds."""

    def now(self) -> float: ...


class Owner(Protocol):
    """What it asks of its line."""

    @property
    def options(self) -> Options: ...

    #: Guards it.
    lock: Any

    @property
    def reactor(self) -> Clock: ...

    @property
    def session(self) -> object:
        """Its last connection."""

    def new_pause(self) -> Interruptible:
        """How the driver of an outage waits."""

    def predicate_raised(self, error: BaseException, driver: Outage | None) -> None:
        """The user's predicate has raised; the default rules decide."""


class Recovery:
    """At most one outage at a time. Any thread; the user's predicate is asked with no lock held."""

    def __init__(self, line: Owner) -> None:
        self._line = line
        #: How to reconnect; None: not at all.
        self.policy: Reconnect | None = line.options.reconnect
        #: The place of the URL that comes first: the last good one.
        self.good = 0
        # None before the first outage, and where nothing is ever repeated.
        self._backoff: Backoff | None = None
        #: The user wants the line to be up: a connection that ends is to be replaced.
        self.is_wanted = False
        #: What is under way; its driver, or who puts an end to it, takes it away.
        self.outage: Outage | None = None

    # --- outages ------------------------------------------------------------------------------

    def begin(self, is_first: bool, goes_on: bool) -> Outage:
        """Connecting begins, by a user's wish. Whatever was under way is put an end to.

        With the lock held.
        """
        if self.outage is not None:
            self.stop()
        self.is_wanted = False
        self._backoff = None if self.policy is None else Backoff(self.policy)
        outage = self._new_outage(is_first, goes_on)
        if self.policy is not None and is_first and not goes_on:
            outage.hint = _NOT_REPEATED
        self.outage = outage
        return outage

    def begin_again(self, is_first: bool, overlaps: bool) -> Outage:
        """The same, in place of what is up or under way: the wish to be up is as it was."""
        before = self.outage
        was_wanted = self.is_wanted or (before is not None and before.goes_on)
        goes_on = was_wanted and self.policy is not None
        backoff_before = self._backoff
        outage = self.begin(is_first, goes_on)
        outage.backoff_before = backoff_before
        outage.overlaps = overlaps
        outage.has_driver = True
        self.is_wanted = was_wanted
        if not overlaps and not is_first:
            outage.went_down(None if before is None else before.down_since)
        return outage

    def begin_after(self, lost: object, info: CloseInfo) -> Outage | None:
        """A connection has ended: the outage that follows, if one does, or one that gave up."""
        with self._line.lock:
            if self.policy is None or not self._may_begin(lost):
                return None
            outage = self._new_outage(False, True)
            outage.after = lost
        outage.lost(info)
        with self._line.lock:
            if not self._may_begin(lost):
                return None  # while the predicate ran, a user has decided otherwise
            if isinstance(outage.plan, GaveUp):
                self.is_wanted = False
            else:
                self.outage = outage
            return outage

    def _may_begin(self, lost: object) -> bool:
        """Is it the line's last connection, and to be replaced? With the lock held."""
        return self.is_wanted and self.outage is None and self._line.session is lost

    def opened(self, outage: Outage) -> None:
        """A connection is open. With the lock held."""
        self.is_wanted = True
        outage.opened()
        self.good = outage.good
        if self.outage is outage:
            self.outage = None

    def not_opened(self, outage: Outage, was_wanted: bool) -> None:
        """It could not be served. With the lock held."""
        self.is_wanted, outage.has_opened = was_wanted, False
        self.outage = outage

    def is_under_way(self, outage: Outage) -> bool:
        """Has nobody put an end to it, or taken over?"""
        return self.outage is outage and not outage.is_interrupted

    def stop(self) -> Outage | None:
        """The line is not wanted any more. Returns the outage that this has ended.

        With the lock held.
        """
        self.is_wanted = False
        outage, self.outage = self.outage, None
        if outage is not None:
            outage.interrupt()
            if not outage.has_driver:
                outage.finish()
        return outage

    def keep(self, outage: Outage) -> None:
        """What it was to replace stays, as if nothing had been tried. With the lock held."""
        if self.outage is outage:
            self._backoff = outage.backoff_before
            self.outage = None

    def remove(self, outage: Outage) -> None:
        """Its driver is done with it. With the lock held."""
        if self.outage is outage:
            self.outage = None

    def abandon(self) -> None:
        """`stop`, from a finalizer: it takes no lock. The driver takes the outage away."""
        self.is_wanted = False
        outage = self.outage
        if outage is not None:
            outage.interrupt()

    def abandon_after_fork(self) -> None:
        """In a child process: the thread that drives is the parent's, unless its handler forked."""
        self.is_wanted = False
        outage, self.outage = self.outage, None
        if outage is not None:
            outage.abandon_after_fork()

    # --- what an outage asks ------------------------------------------------------------------

    def now(self) -> float:
        """Seconds."""
        return self._line.reactor.now()

    @property
    def urls(self) -> tuple[URLSource, ...]:
        """Where to dial."""
        return self._line.options.urls

    def new_pause(self) -> Interruptible:
        """How its driver waits."""
        return self._line.new_pause()

    def retries(self, cause: Cause, driver: Outage | None) -> bool:
        """The verdict: the user's; ours when there is none, or when it could not be had.

        `driver`: who asks, unless it is a connection at its end.
        """
        policy = self.policy
        try:
            return default_retry(cause) if policy is None else policy.retries(cause)
        except BaseException as error:  # it must not end a thread that others rely on
            self._line.predicate_raised(error, driver)
            return default_retry(cause)

    def _new_outage(self, is_first: bool, goes_on: bool) -> Outage:
        return Outage(self, self._backoff, is_first, goes_on)
