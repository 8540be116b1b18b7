"""Subscriptions, and messages sent while offline → what each new connection begins with."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from tieline.engine.offline import OfflineQueue
from tieline.engine.subscriptions import Rendered, Subscription
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectionClosed

if TYPE_CHECKING:
    from tieline.engine.line import Line
    from tieline.engine.session import Session


class Resumption:
    """What outlives the connections of one line. Guarded by the line's lock; any thread."""

    def __init__(self, line: Line) -> None:
        self._line = line
        #: What every connection begins with.
        self.subscriptions: list[Subscription] = []
        # Dropped messages that nobody was told of: why, and how large they were.
        self._drops: deque[tuple[str, int]] = deque()
        #: What was sent while there was no connection.
        self.offline = OfflineQueue(line.options, line.reactor.now, self._on_dropped)

    def _on_dropped(self, reason: str, size: int) -> None:
        """The caller may hold locks: handlers are told later."""
        self._drops.append((reason, size))
        self._line.recorder.offline_dropped(1)
        line = self._line
        outage, session = line.recovery.outage, line.succession.served
        if outage is not None:
            outage.pause.bring_news()
        elif session is not None and not session.has_ended:
            session.pump.call_soon(line.aftermath.bring_news)

    def take_drops(self) -> list[tuple[str, int]]:
        """The drops that were not told of yet."""
        drops = []
        while self._drops:
            drops.append(self._drops.popleft())
        return drops

    # --- a new connection ---------------------------------------------------------------------

    def greet(self, session: Session, rendered: Rendered) -> None:
        """Begin it. `rendered`: what the subscriptions say, but for the newest ones."""
        said = [rendered.get(each, each.first) for each in self.subscriptions]
        taken = self.offline.take_all()
        try:
            session.speaker.greet([*(unsent for unsent in said if unsent is not None), *taken])
        except ConnectionClosed:
            self.offline.put_back(taken)
            raise

    def abandon_after_fork(self) -> None:
        """In a child process: what waits is the parent's to send."""
        self._drops.clear()
        self.offline.abandon_after_fork(ConnectionClosed("the process was forked"))

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
        line = self._line
        if not line.is_coming_back:
            raise ConnectionClosed(
                f"nothing can be sent, the connection is {line.state.value}", line.close_info
            )
        if wish == "queue":
            self.offline.put(unsent)
        elif wish == "drop":
            self.offline.refuse(unsent)
        else:
            raise ConnectionClosed(
                f"nothing can be sent, the connection is {line.state.value}; with "
                'offline="queue" (or when_offline="queue") it would wait for the next one',
                line.close_info,
            )

    def put_back(self, rest: list[Unsent]) -> None:
        """What an ended connection did not take comes first on the next one."""
        if not rest:
            return
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
        subscription = Subscription(message, self.unsubscribe)
        session = self.add(subscription, subscription.render(self._line.reactor.now()))
        unsent = subscription.first
        if session is not None and unsent is not None:
            try:
                session.speaker.unsent(unsent)
            except ConnectionClosed:
                pass  # the next connection begins with it
            except BaseException:
                subscription.cancel()
                raise
        return subscription

    def add(self, subscription: Subscription, first: Unsent | None) -> Session | None:
        """It is said at the beginning of every connection from now on.

        `first` is what it says now, to be sent on the connection that is returned, if there is one.
        """
        subscription.first = first
        with self._line.lock:
            self.subscriptions.append(subscription)
            return self._line.present

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._line.lock:
            if subscription in self.subscriptions:
                self.subscriptions.remove(subscription)
