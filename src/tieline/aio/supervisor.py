"""A line on an event loop: dial on a thread, wait for the next in a task, serve on the loop."""

from __future__ import annotations

import asyncio
from functools import partial
from inspect import isawaitable
from itertools import count
from typing import Any, cast

from tieline.aio.adoption import take_over
from tieline.aio.dialling import Post, dial_in_thread
from tieline.aio.inbox import LoopInbox
from tieline.aio.loop_reactor import LoopReactor, running_loop_reactor
from tieline.aio.pause import LoopPause
from tieline.engine.connecting import Connected
from tieline.engine.dial import Dial, Emit
from tieline.engine.handlers import Handlers
from tieline.engine.line import Line
from tieline.engine.outage import Outage
from tieline.engine.reactor import Reactor
from tieline.engine.subscriptions import Rendered, Subscription, encode
from tieline.engine.unsent import Unsent
from tieline.errors import ConnectCancelled, ConnectError, ConnectTimeout
from tieline.options import Options
from tieline.protocol.closing import unanswered
from tieline.protocol.handshake import HandshakeResponse
from tieline.protocol.state import State
from tieline.reconnect import ReconnectAttempt

_numbers = count(1)

#: Seconds beyond `close_timeout` that `close` waits: the protocol keeps that deadline itself.
_PATIENCE = 1.0


class LoopSupervisor(Line):
    """Belongs to the loop that was running when it was made, and to its thread.

    What `engine.supervisor.Supervisor` is on threads, with a task in place of its thread.
    """

    __slots__ = ("_driver", "_loop_reactor", "inbox")

    def __init__(self, options: Options, handlers: Handlers) -> None:
        self._loop_reactor: LoopReactor = running_loop_reactor()
        super().__init__(options, handlers, cast(Reactor, self._loop_reactor), delivery=LoopInbox)
        assert isinstance(self.delivery, LoopInbox)
        #: What came and was not taken.
        self.inbox: LoopInbox = self.delivery
        # The task that waits and dials in the background, or the last one that did.
        self._driver: asyncio.Task[None] | None = None

    def new_pause(self) -> LoopPause:
        return LoopPause(self._loop_reactor.loop)

    @property
    def is_leaving(self) -> bool:
        return super().is_leaving or self._loop_reactor.is_leaving

    @property
    def loop_is_closed(self) -> bool:
        """Its loop serves nothing any more."""
        return self._loop_reactor.loop.is_closed()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop_reactor.loop:
            if self.loop_is_closed:
                self.abandon()
                raise RuntimeError(
                    "this connection has ended with its event loop, which is closed: connect anew "
                    "on the running one"
                )
            raise RuntimeError(
                "this connection belongs to another event loop: from other threads use "
                "send_threadsafe(), or asyncio.run_coroutine_threadsafe() with its own loop"
            )

    # --- connecting ---------------------------------------------------------------------------

    async def open(self, info: dict[str, Any] | None) -> None:
        """Dial and serve. Raises ConnectError; cancelling it closes what there is so far."""
        policy = self.recovery.policy
        goes_on = policy is not None and policy.initial_connect
        with self.lock:
            outage = self.recovery.begin(is_first=True, goes_on=goes_on)
        await self._open(outage, info)

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
            await self._end_driver()
            if not overlaps:
                session.drop()
                self.succession.hurry()
                await self.inbox.finished(session.finished, _PATIENCE)
        except BaseException:
            self.settle(outage, is_background=False)
            raise
        return await self._open(outage, None, rounds=1)

    async def _end_driver(self) -> None:
        """Nobody wants what it does any more."""
        driver = self._driver
        if driver is not None and not driver.done() and driver is not asyncio.current_task():
            driver.cancel()
            await asyncio.wait({driver}, timeout=_PATIENCE)

    def recover(self, outage: Outage) -> None:
        self._driver = driver = self._loop_reactor.loop.create_task(
            self._recover(outage), name=f"tieline-reconnect-{next(_numbers)}"
        )
        # One that is cancelled before its first step has settled nothing.
        driver.add_done_callback(lambda _: self.settle(outage, is_background=True))

    async def _recover(self, outage: Outage) -> None:
        try:
            await self._open(outage, None, is_background=True)
        except Exception:
            # It has given up, or somebody has put an end to it: both were told.
            assert outage.is_interrupted or outage.state is State.CLOSED

    async def _open(
        self,
        outage: Outage,
        info: dict[str, Any] | None,
        *,
        rounds: int | None = None,
        is_background: bool = False,
    ) -> HandshakeResponse:
        """Wait and dial until a connection is open. Raises the error that it gave up with.

        After so many `rounds` it goes on in the background, and the last error is raised.
        """
        is_handed_over = False
        self.succession.enter(outage)
        try:
            while True:
                try:
                    if isinstance(outage.plan, ReconnectAttempt):
                        await self._await_turn(outage, outage.plan)
                    return await self._connect(outage, info)
                except BaseException as error:
                    is_ours = isinstance(error, Exception) or (is_background and _is_users(error))
                    if not is_ours or not self.recovery.is_under_way(outage):
                        raise
                    outage.failed(error)
                    goes_on = isinstance(outage.plan, ReconnectAttempt)
                    is_last = outage.rounds == rounds or not goes_on
                    if is_last and (self.keep_old(outage) or not goes_on):
                        if is_background:
                            raise ConnectCancelled("reconnecting was given up") from error
                        raise
                    if is_last:
                        is_handed_over = True
                        self.recover(outage)
                        raise
        finally:
            if not is_handed_over:
                self.settle(outage, is_background=is_background)

    async def _await_turn(self, outage: Outage, plan: ReconnectAttempt) -> None:
        if not outage.is_interrupted:
            self.await_turn(outage, plan)
        assert isinstance(outage.pause, LoopPause)
        if not await outage.pause.wait(plan.delay, partial(self.bring_news, outage)):
            raise ConnectCancelled("reconnecting was cancelled")

    async def _connect(self, outage: Outage, info: dict[str, Any] | None) -> HandshakeResponse:
        dial = Dial(
            self.options,
            self.handlers,
            outage.dialling(),
            (),
            self.options.connect_timeout,
            info,
            self.reactor.now,
            lambda event: self.succession.tell(self.callbacks.event, event, driver=outage),
        )
        try:
            self._begin_or_close(dial, outage)
            connected = await dial_in_thread(
                partial(self._dial, dial, dial.emit),
                dial.attempt,
                lambda connected: connected.stream.close(),
            )
            connected.stream = await take_over(connected.stream, self._loop_reactor)
            try:
                rendered = await self._render_all()
            except BaseException:
                connected.stream.close()
                raise
            return self.serve(connected, dial, outage, rendered)
        except ConnectError as error:
            dial.log.info("connecting failed: %s", error)
            raise
        except Exception:
            # A fault in a function of the user's, and in the background nobody else may see it.
            if not outage.is_first:
                dial.log.exception("connecting failed: a function that was asked has raised")
            raise
        finally:
            self.end(dial)

    def _begin_or_close(self, dial: Dial, outage: Outage) -> None:
        try:
            self.begin(dial, outage)
        except BaseException:
            dial.attempt.close()  # no thread will
            raise

    def _dial(self, dial: Dial, emit: Emit, post: Post) -> Connected:
        """On the dial's thread: events go to the loop, where handlers run."""
        dial.emit = lambda event: post(partial(emit, event))
        return dial.connect()

    async def _render_all(self) -> Rendered:
        """What all subscriptions say; their functions may take as long as a dial."""
        subscriptions = self.subscriptions()
        if not subscriptions:
            return {}  # a timer costs as much as a system call
        limit = self.options.connect_timeout
        try:
            async with asyncio.timeout(limit):
                return {each: await self.render(each) for each in subscriptions}
        except TimeoutError as error:
            raise ConnectTimeout(
                f"connecting timed out: a subscription took more than connect_timeout={limit:g} s "
                "to say what it wants to say",
                phase="subscriptions",
            ) from error

    async def render(self, subscription: Subscription) -> Unsent | None:
        """What it says now; its function may give an awaitable."""
        message = subscription.ask()
        if isawaitable(message):
            message = await message
        return encode(message, self.reactor.now())

    # --- closing ------------------------------------------------------------------------------

    async def close(self, code: int, reason: str, timeout: float | None) -> None:
        """Close, and wait for the end. Cancelling it leaves the close to go on by itself."""
        self._check_loop()
        with self.lock:
            outage, session = self.recovery.stop(), self.session
            self.cancel_dial()
            if outage is not None:
                self.outage_stopped()
        assert session is not None
        session.close(code, reason)
        self.succession.hurry()
        limit = self.options.close_timeout + _PATIENCE if timeout is None else timeout
        if not await self.inbox.finished(session.finished, limit):
            session.drop(unanswered(limit))
            await self.inbox.finished(session.finished, _PATIENCE)
        await self._end_driver()


def _is_users(error: BaseException) -> bool:
    """Was it raised by a function of the user's, and not by whoever cancels this task?"""
    task = asyncio.current_task()
    return not isinstance(error, KeyboardInterrupt | GeneratorExit) and not (
        isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling()
    )
