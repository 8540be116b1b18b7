# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Time and signs of life → when to send a Ping, and when to give the peer up.

Every sign of life counts, not only the Pong, which may wait behind a large message: a byte that was
received, of whatever, and a byte that the peer took when it had refused it before.

Silence counts against the peer only while this side was there to hear it. So a timer that fires
late, and a machine that was asleep, are no reason to give up but one to ask again, with all of
`ping_timeout` for the answer.

Every change is one row of `TRANSITIONS`, from which the documentation's diagram is drawn.
"""

from __future__ import annotations

from enum import Enum

#: Seconds by which a timer may be late before this side counts as held up. Shorter delays are the
#: everyday life of a busy machine, and nothing gets lost in them.
LATE = 1.0

#: How often in a row the peer is asked again because of this side. A laptop that wakes for moments
#: only must not lose its connections; a program that is always late must lose dead ones in the end.
MAX_EXCUSES = 3


class Condition(Enum):
    """What this side knows of its peer."""

    OFF = "off"
    TRUSTED = "trusted"
    ASKED = "asked"
    ASKED_AGAIN = "asked again"
    GIVEN_UP = "given up"

    __hash__ = object.__hash__  # as in `state`


class Sign(Enum):
    """What moves a keepalive from one condition to the next."""

    OPENED = "the connection is open"
    PING_DUE = "ping_interval is over: a Ping"
    ALIVE = "the peer sent or took a byte"
    UNREAD = "its answer may be among what nobody reads"
    HELD_UP = "this program was held up: another Ping"
    SLEPT = "the machine was asleep, or its clock was set: a Ping at once"
    SILENT = "ping_timeout is over without a byte"

    __hash__ = object.__hash__


# Members by names of their own, as in `state`.
_OFF, _TRUSTED, _GIVEN_UP = Condition.OFF, Condition.TRUSTED, Condition.GIVEN_UP
_OPENED, _ALIVE, _PING_DUE = Sign.OPENED, Sign.ALIVE, Sign.PING_DUE

TRANSITIONS: dict[tuple[Condition, Sign], Condition] = {
    (Condition.OFF, Sign.OPENED): Condition.TRUSTED,
    (Condition.TRUSTED, Sign.PING_DUE): Condition.ASKED,
    (Condition.TRUSTED, Sign.SLEPT): Condition.ASKED,
    (Condition.ASKED, Sign.ALIVE): Condition.TRUSTED,
    (Condition.ASKED, Sign.UNREAD): Condition.TRUSTED,
    (Condition.ASKED, Sign.PING_DUE): Condition.ASKED,
    (Condition.ASKED, Sign.HELD_UP): Condition.ASKED_AGAIN,
    (Condition.ASKED, Sign.SLEPT): Condition.ASKED_AGAIN,
    (Condition.ASKED, Sign.SILENT): Condition.GIVEN_UP,
    (Condition.ASKED_AGAIN, Sign.ALIVE): Condition.TRUSTED,
    (Condition.ASKED_AGAIN, Sign.UNREAD): Condition.TRUSTED,
    (Condition.ASKED_AGAIN, Sign.PING_DUE): Condition.ASKED_AGAIN,
    (Condition.ASKED_AGAIN, Sign.HELD_UP): Condition.ASKED_AGAIN,
    (Condition.ASKED_AGAIN, Sign.SLEPT): Condition.ASKED_AGAIN,
    (Condition.ASKED_AGAIN, Sign.SILENT): Condition.GIVEN_UP,
}


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {Condition.OFF.name}"]
    lines += [
        f"    {before.name} --> {after.name}: {sign.value}"
        for (before, sign), after in TRANSITIONS.items()
    ]
    return "\n".join([*lines, f"    {Condition.GIVEN_UP.name} --> [*]"])


class KeepaliveAction(Enum):
    """What the owner is to do."""

    NOTHING = "nothing"
    PING = "ping"
    GIVE_UP = "give up"


class _Unanswered:
    """A Ping that was asked for and not answered yet, and what this side is to blame for since."""

    __slots__ = ("asked_at", "asleep", "excuses", "held_up", "noticed")

    def __init__(self, now: float) -> None:
        #: The Ping from which silence counts.
        self.asked_at = now
        #: The end of a wait that was noticed in time, when not all that came in it was read yet.
        self.noticed: float | None = None
        #: How often this side was to blame, and its seconds.
        self.excuses = 0
        self.held_up = 0.0
        self.asleep = 0.0


class Keepalive:
    """Keepalive of one connection; all times in seconds of one monotonic clock.

    A Ping is due every `interval` (None: never). When no sign of life follows one for `timeout`
    (None: wait for ever), the peer is given up. So a dead peer is noticed `interval + timeout`
    after its last byte at most, and a timer's delay later when that is late: up to `LATE`, or half
    of `timeout` if that is less. Beyond, the peer is asked again: that makes it `timeout` and the
    next delay more, `MAX_EXCUSES` times at most.

    A peer whose answers are read before the calls of `on_time` is never given up while it answers
    within `timeout`, whatever the delays.
    """

    def __init__(self, interval: float | None, timeout: float | None) -> None:
        self.prepare(interval, timeout)

    def prepare(self, interval: float | None, timeout: float | None) -> None:
        """`__init__` for those that are more than this: compiled, a call as any other."""
        self.condition = _OFF
        self._interval = interval
        self._timeout = timeout
        # The last sign of life, and is it one that was not looked at yet? What is heard after a
        # Ping was asked for came after the Ping, whatever the clock says.
        self._alive_at = 0.0
        self._is_heard = False
        # Unless it is off, or the peer was given up.
        self._next_ping = 0.0
        # None while the peer is trusted.
        self._unanswered: _Unanswered | None = None

    def start(self, now: float) -> None:
        """The connection is open."""
        self._alive_at = now
        if self._interval is not None:
            self._next_ping = now + self._interval
            self._move(_OPENED)

    @property
    def is_on(self) -> bool:
        """Will there be Pings?"""
        return self.condition is not _OFF and self.condition is not _GIVEN_UP

    def next_deadline(self) -> float | None:
        """When `on_time` has something to do next. Signs of life only ever move it later."""
        if self.condition is _OFF or self.condition is _GIVEN_UP:
            return None
        unanswered, timeout = self._unanswered, self._timeout
        if self._is_heard or unanswered is None or timeout is None:
            return self._next_ping
        return min(self._next_ping, unanswered.asked_at + timeout)

    # --- signs of life ------------------------------------------------------------------------

    def heard(self, when: float) -> None:
        """A byte came. The owner says so at every read, and that is all that a read costs."""
        self._alive_at = when
        self._is_heard = True

    def peer_took_bytes(self, when: float) -> None:
        """The peer took bytes that it had refused before.

        Its answer to a Ping behind them cannot come before they have gone.
        """
        unanswered = self._unanswered
        # Taken before the last Ping, it proves nothing now.
        if when > self._alive_at and (unanswered is None or when >= unanswered.asked_at):
            self.heard(when)

    def look_for_life(self) -> None:
        """Take note of what was heard. Any time will do; after it, nothing of a Ping is kept."""
        if self._is_heard:
            self._is_heard = False
            if self._waits:
                self._move(_ALIVE)

    def not_reading(self) -> None:
        """The owner leaves bytes unread, so the peer's silence proves nothing."""
        if self._waits:
            self._move(Sign.UNREAD)

    def may_give_up(self, now: float) -> bool:
        """Would `on_time` give the peer up? Then read once more before: it is the last chance."""
        return self._waits and not self._is_heard and self._is_over(now)

    # --- time ---------------------------------------------------------------------------------

    def on_time(self, now: float, heard_until: float) -> KeepaliveAction:
        """What is due at `now`. All that came before `heard_until` was read."""
        self.look_for_life()
        deadline = self.next_deadline()
        if deadline is None or now < deadline:
            return KeepaliveAction.NOTHING
        unanswered, timeout = self._unanswered, self._timeout
        if unanswered is not None and timeout is not None:
            late = now - deadline
            is_late = late > min(LATE, timeout / 2) and deadline != unanswered.noticed
            if is_late and unanswered.excuses < MAX_EXCUSES:
                unanswered.held_up += late
                return self._ask(Sign.HELD_UP, now)
            if self._is_over(now):
                if not self._is_over(heard_until):
                    # Called again at once, for the end of the wait and not for a Ping that was due
                    # before it, and what came meanwhile is read before.
                    unanswered.noticed = self._next_ping = unanswered.asked_at + timeout
                    return KeepaliveAction.NOTHING
                self._move(Sign.SILENT)
                return KeepaliveAction.GIVE_UP
        return self._ask(_PING_DUE, now)

    def slept(self, now: float, seconds: float) -> KeepaliveAction:
        """The machine was asleep, or its clock was set: who knows what is left of the link?

        Never a reason to give up, and too many of them in a row are no reason to ask again.
        """
        self.look_for_life()
        unanswered = self._unanswered
        is_excused = unanswered is not None and unanswered.excuses >= MAX_EXCUSES
        if not self.is_on or is_excused:
            return KeepaliveAction.NOTHING
        action = self._ask(Sign.SLEPT, now)
        assert self._unanswered is not None
        self._unanswered.asleep += abs(seconds)
        return action

    def explain(self, now: float, unsent: int) -> str:
        """Why the peer was given up, and which side was late.

        `unsent`: bytes that wait for the peer to take them.
        """
        here = []
        unanswered = self._unanswered
        assert unanswered is not None
        if unanswered.held_up:
            here.append(f"this program was held up for {unanswered.held_up:.1f} s")
        if unanswered.asleep:
            here.append(
                f"the machine was asleep for {unanswered.asleep:.1f} s (or its clock was set)"
            )
        blame = (
            f"{' and '.join(here)} meanwhile, and a Ping after that went unanswered too"
            if here
            else "this program was on time"
        )
        return (
            f"the peer sent nothing for {now - self._alive_at:.1f} s and did not answer a Ping "
            f"within ping_timeout={self._timeout:g} s"
            + (f", nor did it take any of {unsent} bytes that wait to be sent" if unsent else "")
            + f"; {blame}"
        )

    @property
    def _waits(self) -> bool:
        """Is an answer awaited, or was when it was last looked at?"""
        return self._unanswered is not None and self.condition is not _GIVEN_UP

    def _is_over(self, now: float) -> bool:
        unanswered, timeout = self._unanswered, self._timeout
        if unanswered is None or timeout is None:
            return False
        return now >= unanswered.asked_at + timeout

    def _ask(self, sign: Sign, now: float) -> KeepaliveAction:
        assert self._interval is not None
        unanswered = self._unanswered
        if unanswered is None:
            self._unanswered = _Unanswered(now)
        elif sign is not _PING_DUE:
            # This side's fault: the peer gets the whole time once more.
            unanswered.asked_at = now
            unanswered.excuses += 1
        self._next_ping = now + self._interval
        self._move(sign)
        return KeepaliveAction.PING

    def _move(self, sign: Sign) -> None:
        self.condition = TRANSITIONS[self.condition, sign]
        if self.condition is _TRUSTED:
            self._unanswered = None
