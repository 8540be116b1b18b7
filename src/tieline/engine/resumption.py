"""Subscriptions, and messages sent while offline → what each new connection begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tieline.engine import send_errors
from tieline.engine.offline import OfflineQueue
from tieline.engine.subscriptions import Rendered, Subscription
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectionClosed
from tieline.protocol.state import CONNECTING

if TYPE_CHECKING:
    from tieline.engine.line import Line
    from tieline.engine.session import Session


class Resumption:
    """What outlives the connections of one line. Guarded by the line's lock; any thread."""

    __slots__ = ("_drops", "_line", "_offline", "subscriptions")

    def __init__(self, line: Line) -> None:
        self._line = line
        #: What every connection begins with.
        # (Put in place without a call, where a signal handler on top could come in.)
        self.subscriptions: tuple[Subscription, ...] = ()
        # Dropped messages that nobody was told of: why, and how large they were.
        self._drops: list[tuple[str, int]] | tuple[()] = ()
        # What was sent while there was no connection: most lines never have anything in it.
        self._offline: OfflineQueue | None = None

    @property
    def offline(self) -> OfflineQueue:
        """What was sent while there was no connection; made when somebody first looks."""
        if self._offline is None:
            line = self._line
            with line.lock:
                made = OfflineQueue(line.options, self._now, self._on_dropped)
                drops: list[tuple[str, int]] = []
                if self._offline is None:  # a signal handler on top may have been first
                    self._drops = drops  # only what is in there can be dropped
                    self._offline = made
        return self._offline

    @property
    def has_queue(self) -> bool:
        """Was anything ever sent while there was no connection?"""
        return self._offline is not None

    @property
    def waiting(self) -> int:
        """How many messages wait for the next connection."""
        return 0 if self._offline is None else len(self._offline)

    def drop_aged(self) -> None:
        """Messages that have become too old will not be sent."""
        if self._offline is not None:
            self._offline.drop_aged()

    def drop_all(self, reason: str, error: Exception) -> None:
        """Nothing will be open any more."""
        if self._offline is not None:
            self._offline.clear(reason, error)

    def _now(self) -> float:
        return self._line.reactor.now()

    def _on_dropped(self, reason: str, size: int) -> None:
        """The caller may hold locks: handlers are told later."""
        self._drops += [(reason, size)]  # type: ignore[operator]  # a list by now
        self._line.recorder.offline_dropped(1)
        line = self._line
        outage, session = line.recovery.outage, line.succession.served
        if outage is not None:
            outage.pause.bring_news()
        elif session is not None and not session.has_ended:
            session.pump.call_soon(line.bring_news)

    def take_drops(self) -> list[tuple[str, int]]:
        """The drops that were not told of yet."""
        drops = list(self._drops)
        if drops:
            del self._drops[: len(drops)]  # type: ignore[union-attr]  # as above
        return drops

    # --- a new connection ---------------------------------------------------------------------

    def greet(self, session: Session, rendered: Rendered) -> None:
        """Begin it. `rendered`: what the subscriptions say, but for the newest ones."""
        said = [rendered.get(each, each.first) for each in self.subscriptions]
        for subscription in self.subscriptions:
            if subscription in rendered or subscription.first is not None:
                subscription.said_on = session
        taken = [] if self._offline is None else self._offline.take_all()
        greeting = [*(unsent for unsent in said if unsent is not None), *taken]
        if not greeting:
            return
        try:
            session.speaker.greet(greeting)
        except ConnectionClosed:
            if taken:
                self.offline.put_back(taken)
            raise

    def abandon_after_fork(self) -> None:
        """In a child process: what waits is the parent's to send."""
        if self._drops:
            del self._drops[:]  # the same list: what the child drops goes into it
        if self._offline is not None:
            self._offline.abandon_after_fork(ConnectionClosed("the process was forked"))

    # --- messages -----------------------------------------------------------------------------

    def send_later(self, unsent: Unsent, when_offline: str | None) -> None:
        """The connection has refused it: keep it for the next one, if that is wanted.

        Raises ConnectionClosed, and SendBufferFull when there is no room.
        """
        line = self._line
        while True:
            with line.lock:
                session = line.present
                if session is None or not session.is_open:
                    self._keep(unsent, when_offline or line.options.offline)
                    return
            try:
                session.speaker.unsent(unsent)  # it came up meanwhile
                return
            except ConnectionClosed:
                continue

    def _keep(self, unsent: Unsent, wish: str) -> None:
        if self._line.is_coming_back and wish == "queue":
            self.offline.put(unsent)
        elif self._line.is_coming_back and wish == "drop":
            self.offline.refuse(unsent)
        else:
            raise self.refusal(wish=wish)

    def refusal(
        self, error: ConnectionClosed | None = None, wish: str = "raise"
    ) -> ConnectionClosed:
        """What to raise where a message was not taken: the line's reason, or else `error`."""
        line = self._line
        with line.lock:
            is_coming_back, gave_up = line.is_coming_back, line.gave_up
            text = _nothing_now(line, is_coming_back)
        if line.session is None and not is_coming_back and gave_up is None:
            return ConnectionClosed("not connected: call connect() first")
        if is_coming_back:
            return ConnectionClosed(
                f'{text}; with offline="queue" (or when_offline="queue") the message would wait '
                "for the next one",
                line.close_info,
            )
        if gave_up is not None and isinstance(gave_up.cause, Exception):
            refused = line.closed_error()
            refused.__cause__ = gave_up.cause
            return refused
        if wish == "queue" and line.recovery.policy is None:
            text += (
                "; a message is queued while a connection is being made, and without the option "
                "reconnect none follows by itself"
            )
        return error or ConnectionClosed(text, line.close_info)

    def now_or_never(self, error: ConnectionClosed, what: str) -> ConnectionClosed:
        """The same for what is not sent later in any case ("a Ping is"); often `error` itself."""
        line = self._line
        with line.lock:
            is_coming_back = line.is_coming_back
        if is_coming_back:
            error = ConnectionClosed(_nothing_now(line, True), line.close_info)
        elif line.options.offline != "queue":
            return error
        return send_errors.not_queued(what, error)

    def put_back(self, rest: list[Unsent]) -> None:
        """What an ended connection did not take comes first on the next one."""
        line = self._line
        with line.lock:
            self.offline.put_back(rest)
            session = line.present
            if session is not None and session.is_open:
                # Another thread has connected meanwhile.
                taken = self.offline.take_all()
                try:
                    session.speaker.greet(taken)
                except ConnectionClosed:
                    self.offline.put_back(taken)  # it has ended meanwhile

    # --- subscriptions ------------------------------------------------------------------------

    def subscribe(self, message: object) -> Subscription:
        """Say it now, if the line is up, and at the beginning of every connection from now on."""
        subscription = self.add(message)
        try:
            if self.is_heard:
                first = subscription.render(self._line.reactor.now())
                session = self.say_first(subscription, first)
                if session is not None and first is not None:
                    session.speaker.unsent(first)
        except ConnectionClosed:
            pass  # the next connection begins with it
        except BaseException:
            subscription.cancel()
            raise
        return subscription

    def add(self, message: object) -> Subscription:
        """It is said at the beginning of every connection from now on. Raises OptionError."""
        subscription = Subscription(message, self.unsubscribe)
        with self._line.lock:
            self.subscriptions = (*self.subscriptions, subscription)
        return subscription

    @property
    def is_heard(self) -> bool:
        """Is there a connection, or one being made, for what is said now?"""
        line = self._line
        with line.lock:
            return line.present is not None or line.recovery.outage is not None

    def say_first(self, subscription: Subscription, first: Unsent | None) -> Session | None:
        """The connection to say it on, unless there is none yet, or it has begun with it."""
        with self._line.lock:
            subscription.first = first
            session = self._line.present
            if session is None or subscription.said_on is session:
                return None
            subscription.said_on = session
            return session

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._line.lock:
            while subscription in self.subscriptions:
                before = self.subscriptions
                others = tuple([each for each in before if each is not subscription])
                if self.subscriptions is before:  # no signal handler has come on top
                    self.subscriptions = others


def _nothing_now(line: Line, is_coming_back: bool) -> str:
    state = line.state
    if state is CONNECTING and not is_coming_back:
        # A dial that is not over yet, though nobody wants it any more.
        return "nothing can be sent, connecting was cancelled (by disconnect() or close())"
    return f"nothing can be sent, the connection is {state.value}"
