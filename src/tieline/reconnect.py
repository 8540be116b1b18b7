"""Lost connections and failed attempts → when to dial again, or why not.

Pure: no clock, no sleep, no thread. `Reconnect` is what a user says, `Backoff` counts and plans;
`tieline.retry_rules` judges. The driver is the engine's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from tieline.errors import WebSocketError
from tieline.option_checks import (
    MAX_SECONDS,
    Check,
    Refused,
    boolean,
    real,
    seconds,
    shown_callable,
    whole,
)
from tieline.retry_rules import Cause as Cause
from tieline.retry_rules import default_retry as default_retry
from tieline.retry_rules import retry_after

if TYPE_CHECKING:
    from tieline.protocol.events import CloseInfo


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reconnect:
    """How to dial again, for the option ``reconnect``. Immutable; any thread may use it.

    The wait before attempt n of an outage is drawn from 0 to
    ``min(max_delay, initial * multiplier**(n - 1))``. A value that cannot be used raises
    `OptionError`.
    """

    #: Seconds: the bound of the first delay. Several URLs are tried one after the other without a
    #: delay in between, and count as one step here.
    initial: float = 1.0
    #: Seconds: no delay is longer, unless the server asks for it (``max_retry_after``).
    max_delay: float = 30.0
    #: By how much the bound grows from one delay to the next; 1 or more.
    multiplier: float = 2.0
    #: False: each delay is its bound itself. A thousand clients then come back in one moment.
    jitter: bool = True
    #: Dials without a stable connection in between, until it is given up; of several URLs all are
    #: tried first. None: no limit.
    max_attempts: int | None = None
    #: Seconds without a stable connection until it is given up: no attempt begins later than that.
    #: None: no limit.
    max_time: float | None = None
    #: Seconds that a connection must have lived until attempts, time and delays count anew.
    stable_after: float = 10.0
    #: Seconds: the most that a server's ``Retry-After`` can ask for; 0: it is not looked at.
    max_retry_after: float = 300.0
    #: Gets the cause, an exception or a `CloseInfo`, and decides in place of `default_retry`.
    retry: Callable[[Any], bool] | None = None
    #: True: the first ``connect()`` keeps trying too, instead of raising what went wrong.
    initial_connect: bool = False

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value is not entry.default:
                check = _CHECKS[entry.name]
                value = check.apply(f"Reconnect.{entry.name}", value)
                object.__setattr__(self, entry.name, value)

    def __repr__(self) -> str:
        given = (
            f"{entry.name}={shown_callable(value) if entry.name == 'retry' else repr(value)}"
            for entry in fields(self)
            if (value := getattr(self, entry.name)) != entry.default
        )
        return f"Reconnect({', '.join(given)})"

    def bound(self, step: int) -> float:
        """Seconds: the most that the delay of this step (1 or more) is without a Retry-After."""
        try:
            return min(self.max_delay, self.initial * self.multiplier ** (step - 1))
        except OverflowError:
            return self.max_delay if self.multiplier > 1 else min(self.max_delay, self.initial)

    def retries(self, cause: Cause) -> bool:
        """Whether to dial again after this: the user's verdict, whose errors pass through, or ours.

        User code may run, so the caller holds no lock.
        """
        return default_retry(cause) if self.retry is None else bool(self.retry(cause))


def _seconds_from_zero() -> Check:
    def convert(value: Any) -> float:
        number = real(value)
        if not 0 <= number <= MAX_SECONDS:
            raise Refused(f"The longest is {MAX_SECONDS:.0f} (24 days).")
        return float(number)

    return Check("seconds, an int or float of 0 or more", convert)


def _multiplier() -> Check:
    def convert(value: Any) -> float:
        number = real(value)
        if not 1 <= number <= 1e6:
            raise Refused("Use 1 for delays that do not grow.")
        return float(number)

    return Check("an int or float from 1 to 1000000", convert)


def _predicate() -> Check:
    def convert(value: Any) -> object:
        if iscoroutinefunction(value):
            raise Refused("This is a coroutine function, which nothing awaits; give a plain one.")
        if not callable(value) or isinstance(value, type):
            raise Refused
        return value

    return Check("a callable(cause) giving True or False, or None for the default rules", convert)


_CHECKS: dict[str, Check] = {
    "initial": seconds(),
    "max_delay": seconds(),
    "multiplier": _multiplier(),
    "jitter": boolean(),
    "max_attempts": whole(1, "no limit"),
    "max_time": seconds("no limit"),
    "stable_after": _seconds_from_zero(),
    "max_retry_after": _seconds_from_zero(),
    "retry": _predicate(),
    "initial_connect": boolean(),
}


def reconnect() -> Check:
    """``reconnect``: stored as a `Reconnect`, or as None for no."""

    def convert(value: Any) -> Reconnect | None:
        if isinstance(value, Reconnect):
            return value
        if not isinstance(value, bool):
            raise Refused(_advice(value))
        return Reconnect() if value else None

    return Check("True, False, or a Reconnect(...) that says how", convert)


def _advice(value: object) -> str:
    """What was probably meant: other libraries take a delay or a count here."""
    if value is Reconnect:
        return "This is the class; give an instance of it: Reconnect()."
    if isinstance(value, int | float):
        return "For delays use Reconnect(initial=..., max_delay=...), for a count max_attempts=...."
    return ""


@dataclass(frozen=True, slots=True)
class ReconnectAttempt:
    """An attempt that is about to wait for its moment: what ``on_reconnecting`` gets."""

    #: 1 for the first attempt since the last stable connection (``Reconnect.stable_after``).
    number: int
    #: Seconds until the dial.
    delay: float
    #: Why: the last attempt's error, or how the connection ended.
    cause: Exception | CloseInfo
    #: Where it will dial, without secrets; "" when a callable will say that.
    url: str
    #: Seconds since the connection was lost; 0.0 when there was none.
    downtime: float


@dataclass(frozen=True, slots=True)
class GaveUp:
    """There is no further attempt."""

    #: In words.
    reason: str
    #: What the attempt would have been made after.
    cause: Exception | CloseInfo
    #: The number of the last attempt; 0 when there was none.
    attempts: int
    #: Seconds since the connection was lost; 0.0 when there was none.
    downtime: float


def _uniform(low: float, high: float) -> float:
    import random  # late: few connections are ever lost

    return random.uniform(low, high)


class Backoff:
    """Counts one line's attempts and plans the next one. All times in seconds of one clock.

    Not thread-safe: it belongs to whoever drives the line. A line's first dial needs no call; then
    for each outage `lost`, `next` before every dial, and `opened` when one has succeeded.
    """

    __slots__ = (
        "_dials", "_lost_at", "_number", "_opened_at", "_policy", "_retry_after", "_since",
        "_steps", "_uniform",
    )  # fmt: skip

    def __init__(
        self, policy: Reconnect, uniform: Callable[[float, float], float] | None = None
    ) -> None:
        self._policy = policy
        self._uniform = uniform or _uniform
        # Since the last stable connection:
        self._number = 0
        self._steps = 0
        self._since: float | None = None
        # In this outage:
        self._dials = 1
        self._lost_at: float | None = None
        self._opened_at: float | None = None
        self._retry_after = 0.0

    @property
    def attempts(self) -> int:
        """Dials of this outage, also when it has ended; before any outage those of the start."""
        return self._dials

    def downtime(self, now: float) -> float:
        """Seconds since the connection was lost, until it was open again; 0.0 without a loss."""
        if self._lost_at is None:
            return 0.0
        return max(0.0, (now if self._opened_at is None else self._opened_at) - self._lost_at)

    def opened(self, now: float) -> None:
        """A connection is open."""
        self._opened_at = now

    def lost(self, now: float) -> None:
        """An open connection has ended. Only a stable one makes the count begin anew."""
        opened_at = self._opened_at
        if opened_at is not None and now - opened_at >= self._policy.stable_after:
            self._number = self._steps = 0
            self._since = None
        self._dials = 0
        self._lost_at, self._opened_at = now, None
        self._retry_after = 0.0

    def next(
        self, cause: Cause, now: float, wall: float, *, retry: bool, at_once: bool = False
    ) -> ReconnectAttempt | GaveUp:
        """What to do after this cause. The driver fills in the attempt's ``url``.

        ``retry`` is the verdict on it (`Reconnect.retries`). ``at_once``: the next dial goes to
        another URL of the same round and waits for nothing. ``wall``, seconds since 1970, is what
        a Retry-After's date is compared with if need be.
        """
        policy = self._policy
        if self._since is None:
            self._since = now
        # Of a round's answers the longest wait counts, because the next round begins with any.
        asked = min(retry_after(cause, wall), policy.max_retry_after)
        self._retry_after = max(self._retry_after, asked)
        if not retry:
            return self._gave_up("this is not worth another attempt", cause, now)
        # A round that has begun is finished, lest the last URLs never be tried.
        most = policy.max_attempts
        if most is not None and self._number >= most and not at_once:
            return self._gave_up(f"max_attempts={most} is reached", cause, now)
        delay = 0.0 if at_once else self._delay()
        if policy.max_time is not None and now - self._since + delay > policy.max_time:
            late = f"the next attempt would begin after max_time={policy.max_time:g} s"
            return self._gave_up(late, cause, now)
        self._number += 1
        self._dials += 1
        return ReconnectAttempt(self._number, delay, cause, "", self.downtime(now))

    def _delay(self) -> float:
        self._steps += 1
        bound = self._policy.bound(self._steps)
        drawn = self._uniform(0.0, bound) if self._policy.jitter else bound
        asked, self._retry_after = self._retry_after, 0.0
        return max(drawn, asked)

    def _gave_up(self, reason: str, cause: Cause, now: float) -> GaveUp:
        # What a function of the user's has raised may say nothing without its type.
        is_users = isinstance(cause, Exception) and not isinstance(cause, WebSocketError | OSError)
        shown = f"{type(cause).__name__}: {cause}" if is_users else str(cause)
        return GaveUp(f"{reason}: {shown}", cause, self._number, self.downtime(now))
