"""A line on an event loop: dial on a thread, serve on the loop, wait in tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from inspect import isawaitable
from itertools import count
from typing import Any, TypeVar, cast

from tieline.aio.dialling import Post, adopt, dial_in_thread
from tieline.aio.inbox import LoopInbox
from tieline.aio.loop_reactor import LoopReactor, running_loop_reactor
from tieline.aio.pause import LoopPause
from tieline.aio.streams import MessageStream
from tieline.aio.waiters import Waiters
from tieline.engine.connecting import Connected
from tieline.engine.dial import Dial
from tieline.engine.handlers import Handlers
from tieline.engine.line import Line
from tieline.engine.outage import Outage
from tieline.engine.reactor import Reactor
from tieline.engine.session import Session
from tieline.engine.subscriptions import Subscription, encode
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectCancelled, ConnectError, ConnectionClosed, SendBufferFull
from tieline.options import Options
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.reconnect import ReconnectAttempt

T = TypeVar("T")

_numbers = count(1)

#: Seconds beyond `close_timeout` that `close` waits: the protocol keeps that deadline itself.
_PATIENCE = 1.0

#: Seconds after which a task that sends and sends lets others run.
_LOOP_TURN = 0.005


class LoopLine(Line):
    """Belongs to the loop that was running when it was made, and to its thread."""

    def __init__(self, options: Options, handlers: Handlers) -> None:
        self._loop_reactor: LoopReactor = running_loop_reactor()
        super().__init__(options, handlers, cast(Reactor, self._loop_reactor), delivery=LoopInbox)
        assert isinstance(self.delivery, LoopInbox)
        self._inbox = self.delivery
        self._inbox.on_dropped = self.dropped
        # Tasks that wait for room in the write buffer, or for a fragmented message's end.
        self._senders = Waiters()
        self._asked_for_room = False
        # The task that waits and dials in the background, or the last one that did.
        self._driver: asyncio.Task[None] | None = None
        # When a sender last let the loop turn.
        self._yielded_at = 0.0

    # --- connecting ---------------------------------------------------------------------------

    async def open(self, info: dict[str, Any]) -> None:
        """Dial and serve. Raises ConnectError; cancelling it closes what there is so far."""
        policy = self.recovery.policy
        goes_on = policy is not None and policy.initial_connect
        await self._open(self.recovery.begin(is_first=True, goes_on=goes_on), info)

    async def reconnect(self, overlap: bool = False) -> HandshakeResponse:
        """Dial again, as `Supervisor.reconnect` does. Raises ConnectError."""
        self._check_loop()
        with self.lock:
            session = self.session
            assert session is not None
            overlaps = overlap and session.is_open
            self.cancel_dial()
            outage = self.recovery.begin_again(is_first=False, overlaps=overlaps)
        try:
            if not overlaps:
                session = self.aftermath.discard_successor() or session
                session.drop()
                await self._inbox.finished(session.finished, _PATIENCE)
        except BaseException:
            self.aftermath.settle(outage, is_background=False)
            raise
        return await self._open(outage, {}, rounds=1)

    def recover(self, outage: Outage) -> None:
        self._driver = self._loop_reactor.loop.create_task(
            self._recover(outage), name=f"tieline-reconnect-{next(_numbers)}"
        )

    async def _recover(self, outage: Outage) -> None:
        try:
            await self._open(outage, {}, is_background=True)
        except Exception:
            # Somebody has put an end to it, or it has given up; both were told.
            assert outage.is_interrupted or outage.state is State.CLOSED

    async def _open(
        self,
        outage: Outage,
        info: dict[str, Any],
        *,
        rounds: int | None = None,
        is_background: bool = False,
    ) -> HandshakeResponse:
        """Wait and dial until a connection is open. Raises the error that it gave up with.

        After so many `rounds` it goes on in the background, and the last error is raised.
        """
        is_handed_over = False
        try:
            while True:
                if isinstance(outage.plan, ReconnectAttempt):
                    await self._await_turn(outage, outage.plan)
                try:
                    return await self._connect(outage, info)
                except Exception as error:
                    if outage.is_interrupted:
                        raise
                    outage.failed(error)
                    goes_on = isinstance(outage.plan, ReconnectAttempt)
                    is_last = outage.rounds == rounds or not goes_on
                    if is_last and (self.aftermath.keep_old(outage) or not goes_on):
                        raise
                    if is_last:
                        is_handed_over = True
                        self.recover(outage)
                        raise
        finally:
            if not is_handed_over:
                self.aftermath.settle(outage, is_background=is_background)

    async def _await_turn(self, outage: Outage, plan: ReconnectAttempt) -> None:
        if not outage.is_interrupted:
            self.aftermath.await_turn(plan)
        assert isinstance(outage.pause, LoopPause)
        if not await outage.pause.wait(plan.delay):
            raise ConnectCancelled("reconnecting was cancelled")

    async def _connect(self, outage: Outage, info: dict[str, Any]) -> HandshakeResponse:
        dial = Dial(
            self.options,
            self.handlers,
            url=outage.dialling(),
            headers=(),
            timeout=self.options.connect_timeout,
            info=info,
            clock=self.reactor.now,
            emit=self.callbacks.event,
        )
        try:
            try:
                self.begin(dial, outage)
            except BaseException:
                dial.attempt.close()
                raise
            connected = await dial_in_thread(
                partial(self._dial, dial), dial.attempt, lambda connected: connected.stream.close()
            )
            stream = await adopt(connected.stream, self._loop_reactor)
            connected = connected._replace(stream=stream)
            try:
                rendered = {each: await self.render(each) for each in self.subscriptions()}
            except BaseException:
                stream.close()
                raise
            return self.serve(connected, dial, outage, rendered)
        except ConnectError as error:
            dial.log.info("connecting failed: %s", error)
            raise
        finally:
            self.end(dial)

    async def render(self, subscription: Subscription) -> Unsent | None:
        """What it says now; its function may give an awaitable."""
        message = subscription.ask()
        if isawaitable(message):
            message = await message
        return encode(message, self.reactor.now())

    def _dial(self, dial: Dial, post: Post) -> Connected:
        """On the dial's thread: events go to the loop, where handlers run."""
        dial.emit = lambda event: post(partial(self.callbacks.event, event))
        return dial.connect()

    def new_pause(self) -> LoopPause:
        return LoopPause(self._loop_reactor.loop, self.aftermath.tell_drops)

    @property
    def is_leaving(self) -> bool:
        return super().is_leaving or self._loop_reactor.is_leaving

    @property
    def loop_is_closed(self) -> bool:
        """Its loop serves nothing any more."""
        return self._loop_reactor.loop.is_closed()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop_reactor.loop:
            raise RuntimeError(
                "this connection belongs to another event loop: from other threads use "
                "send_threadsafe(), or asyncio.run_coroutine_threadsafe() with its own loop"
            )

    # --- receiving ----------------------------------------------------------------------------

    async def receive(self, timeout: float | None) -> str | bytes:
        """The next message. Raises TimeoutError, and ConnectionClosed when there is none left."""
        return await self._wait_for(self._inbox.take_whole, timeout, "message")

    def stream(self, timeout: float | None) -> MessageStream:
        """The next message in chunks; each is awaited for `timeout` seconds at most."""
        self._check_loop()
        self.stream_messages()
        take_chunks = self._inbox.take_chunks
        return MessageStream(
            lambda: self._wait_for(take_chunks, timeout, "message"),
            lambda chunks: self._wait_for(chunks.check_ready, timeout, "more of the message"),
        )

    async def _wait_for(self, take: Callable[[], T], timeout: float | None, what: str) -> T:
        """What `take` returns once it raises no IndexError. Raises TimeoutError, ConnectionClosed.

        It takes in one step with returning: cancelled means that nothing was taken.
        """
        self._check_loop()
        inbox = self._inbox
        deadline = None if timeout is None else self.reactor.now() + timeout
        is_over = False
        while True:
            try:
                return take()
            except IndexError:
                pass
            if inbox.has_ended:
                raise self.closed_error()
            if is_over:
                raise TimeoutError(f"no {what} within {timeout:g} s")
            left = None if deadline is None else max(0.0, deadline - self.reactor.now())
            try:
                await inbox.arrival(left)
            except TimeoutError:
                is_over = True

    # --- sending ------------------------------------------------------------------------------

    async def say(
        self, session: Session, size: int, blocked: Callable[[], bool], action: Callable[[], T]
    ) -> T:
        """Wait while `blocked()`, then do it, in one go: cancelled means that nothing was sent."""
        self._check_loop()
        if self.reactor.now() - self._yielded_at > _LOOP_TURN:
            # Nothing here need ever wait while the kernel takes all, and others want to run.
            await asyncio.sleep(0)
            self._yielded_at = self.reactor.now()
        while True:
            if blocked() and session.is_open:
                await self._room(session, size, blocked)
            try:
                return action()
            except SendBufferFull:
                if not session.is_open:
                    raise ConnectionClosed(
                        "nothing can be sent, the connection is closing or closed", self.close_info
                    ) from None
                # Another thread was faster: wait again.

    async def subscribe(self, message: object) -> Subscription:
        """Say it now, if the line is up, and at the beginning of every connection from now on."""
        self._check_loop()
        subscription = Subscription(message, self.resumption.unsubscribe)
        session = self.resumption.add(subscription, await self.render(subscription))
        unsent = subscription.first
        if session is not None and unsent is not None:
            try:
                await self.say(
                    session,
                    len(unsent.payload),
                    session.sender.must_wait,
                    lambda: session.speaker.unsent(unsent),
                )
            except ConnectionClosed:
                pass  # the next connection begins with it
            except BaseException:
                subscription.cancel()
                raise
        return subscription

    async def _room(self, session: Session, size: int, blocked: Callable[[], bool]) -> None:
        sender = session.sender
        with sender.waiting(size) as deadline:
            while blocked() and session.is_open:
                left = sender.patience(deadline)
                if left is not None and left <= 0:
                    raise sender.no_room()
                if not self._asked_for_room:
                    self._asked_for_room = True
                    sender.call_when_ready(self._on_send_room)
                try:
                    await self._senders.wait(left)
                except TimeoutError:
                    pass  # looked at above

    def _on_send_room(self) -> None:
        """On any thread, with the session's lock held."""
        if self.reactor.in_thread():
            self._wake_senders()
        else:
            self._loop_reactor.post(self._wake_senders)

    def _wake_senders(self) -> None:
        self._asked_for_room = False
        self._senders.wake()

    # --- closing ------------------------------------------------------------------------------

    async def close(self, code: int, reason: str, timeout: float | None) -> None:
        """Close, and wait for the end. Cancelling it leaves the close to go on by itself."""
        self._check_loop()
        with self.lock:
            outage = self.recovery.stop()
            self.cancel_dial()
            session = self.aftermath.discard_successor()
        assert session is not None
        if outage is not None:
            self.aftermath.stopped()
        session.close(code, reason)
        limit = self.options.close_timeout + _PATIENCE if timeout is None else timeout
        if not await self._inbox.finished(session.finished, limit):
            session.drop()
            await self._inbox.finished(session.finished, _PATIENCE)
        driver = self._driver
        if driver is not None and driver is not asyncio.current_task():
            await asyncio.wait({driver}, timeout=_PATIENCE)
