# cython: language_level=3, annotation_typing=False
# cython: freethreading_compatible=True
"""Events of a connection → calls of the user's handlers, and what becomes of their exceptions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any, Protocol

from tieline.engine.handlers import NO_HANDLERS, FrameAction, Handlers
from tieline.engine.log import UNNUMBERED, AnyLogger, ConnectionLog
from tieline.options import Options
from tieline.protocol.events import CloseInfo, Frame
from tieline.protocol.handshake import HandshakeResponse
from tieline.reconnect import ReconnectAttempt


class Watcher:
    """Waits for the first message of one connection that a predicate accepts."""

    def __init__(self, predicate: Callable[[Any], object], connection_id: int) -> None:
        self.predicate = predicate
        #: Of the connection, or the least that it can have, if it is still to be made.
        self.connection_id = connection_id
        self.done = threading.Event()
        self.message: str | bytes | None = None
        self.error: BaseException | None = None

    def show(self, message: str | bytes) -> bool:
        """Let the predicate look. True when the wait is over."""
        try:
            if not self.predicate(message):
                return False
            self.message = message
        except BaseException as error:
            # Whatever it is, the waiting thread raises it: this one has to go on.
            self.error = error
        self.done.set()
        return True

    def give_up(self, error: Exception) -> None:
        """No message will come any more."""
        if not self.done.is_set():
            self.error = error
            self.done.set()


class Owner(Protocol):
    """Who is told of what goes wrong around them."""

    def slow_callback(self, handler: str, seconds: float) -> None:
        """A handler took longer than ``slow_callback``."""

    def handler_raised(self, error: BaseException) -> None:
        """A handler raised, and was told of."""


class Callbacks:
    """Calls the handlers of one client. Runs on one thread at a time, with no lock held.

    A handler that raises is logged with its traceback and reported to `on_error`, and the next
    message is delivered all the same. ``SystemExit`` counts as such an error: it must not end a
    thread that others rely on.
    """

    def __init__(
        self,
        handlers: Handlers,
        log: AnyLogger,
        slow_callback: float | None = None,
        on_slow: Callable[[str, float], None] | None = None,
        on_raised: Callable[[BaseException], None] | None = None,
    ) -> None:
        self.handlers = handlers
        #: There is no handler at all.
        self.are_none = handlers is NO_HANDLERS
        #: Somebody listens to events.
        self.wants_events = handlers.on_event is not None
        #: Somebody is to be told that a connection is open.
        self.wants_opening = self.wants_events or handlers.on_open is not None
        # One entry: who dials may `begin` beside a handler of the connection before, and without a
        # global lock of the interpreter a list is what two threads may get at.
        self._log = [log]
        # Above how many seconds a call is slow, and who is told.
        self._slow = None if slow_callback is None or on_slow is None else (slow_callback, on_slow)
        self._on_raised = on_raised
        on_message = self._message_function()
        if self._slow is not None:
            on_message = self._timed(self._message_name, on_message)
        #: What gets each message; when it raises, `message_raised` is to be called.
        self.on_message = on_message
        #: Seen before each message, in the loop that delivers it: `show` them to it.
        self.watchers: list[Watcher] = []
        #: Of which connection the messages are.
        self.serves = 0

    def _message_function(self) -> Callable[[Any], object]:
        """What gets each message: `callback`, `on_message`, or one after the other."""
        first, second = self.handlers.callback, self.handlers.on_message
        if first is None or second is None:
            return first or second or _ignore

        def both(message: Any) -> None:
            try:
                first(message)
            except BaseException as error:
                self.raised("callback", error)
            second(message)

        return both

    @property
    def _message_name(self) -> str:
        """What errors of a message's handler are told under."""
        return "callback" if self.handlers.on_message is None else "on_message"

    def begin(self, log: AnyLogger) -> None:
        """The calls that follow are of another connection, whose number its log knows."""
        self._log[0] = log

    def watch(self, watcher: Watcher) -> None:
        """Show messages to `watcher`, beginning with the next that is delivered. Any thread."""
        self.watchers.append(watcher)

    def unwatch(self, watcher: Watcher) -> None:
        """Show it no more. Any thread; idempotent."""
        # Not asked first: the background thread may take it out at the same moment.
        try:
            self.watchers.remove(watcher)
        except ValueError:
            pass  # it has

    def messages(self, batch: list[Any]) -> None:
        """Deliver a run of messages, or of streams."""
        iterator = iter(batch)
        on_message = self.on_message
        watchers = self.watchers
        while True:
            try:
                for message in iterator:
                    if watchers:
                        self.show(message)
                    on_message(message)
                return
            except BaseException as error:
                self.message_raised(error)

    def message_raised(self, error: BaseException) -> None:
        """A message's handler has raised."""
        self.raised(self._message_name, error)

    def opened(self, response: HandshakeResponse) -> None:
        self._call("on_open", self.handlers.on_open, response)

    def closed(self, info: CloseInfo) -> None:
        """The last two calls for a connection: `on_close`, then `callback` with None."""
        try:
            self._call("on_close", self.handlers.on_close, info)
        finally:  # Ctrl-C
            self._call("callback", self.handlers.callback, None)

    def ping(self, data: bytes) -> None:
        self._call("on_ping", self.handlers.on_ping, data)

    def pong(self, data: bytes) -> None:
        self._call("on_pong", self.handlers.on_pong, data)

    def reconnecting(self, attempt: ReconnectAttempt) -> None:
        self._call("on_reconnecting", self.handlers.on_reconnecting, attempt)

    def event(self, event: Any) -> None:
        self._call("on_event", self.handlers.on_event, event)

    def frame(self, frame: Frame) -> FrameAction:
        """What `on_frame` wants done; PROCESS when it raises or returns something else."""
        on_frame = self.handlers.on_frame
        if on_frame is None:
            return FrameAction.PROCESS
        try:
            action = on_frame(frame)
            if isinstance(action, FrameAction):
                return action
            raise TypeError(
                f"on_frame must return a FrameAction, got {type(action).__name__}: "
                "the frame is processed"
            )
        except BaseException as error:
            self.raised("on_frame", error)
            return FrameAction.PROCESS

    def error(self, error: BaseException) -> None:
        """Tell `on_error`; when that raises too, the log is all that is left."""
        on_error = self.handlers.on_error
        if on_error is not None:
            try:
                on_error(error)  # type: ignore[arg-type]
            except BaseException as raised:
                _let_ctrl_c_through(raised)
                self._log[0].exception("handler on_error raised")

    def show(self, message: str | bytes) -> None:
        """Let the watchers see a message that is about to be delivered."""
        for watcher in self.watchers.copy():
            # Others wait for a connection that is next.
            if watcher.connection_id <= self.serves and watcher.show(message):
                self.unwatch(watcher)

    def give_up_watching(self, connection_id: int, error: Exception) -> None:
        """The connection has ended: nobody waits for a message of it any more."""
        for watcher in self.watchers.copy():
            if watcher.connection_id <= connection_id:
                watcher.give_up(error)
                self.unwatch(watcher)

    def give_up_waiting(self, connection_id: int, error: Exception) -> None:
        """No connection follows this one: nobody waits for the next one any more."""
        for watcher in self.watchers.copy():
            if watcher.connection_id > connection_id:
                watcher.give_up(error)
                self.unwatch(watcher)

    def _call(self, name: str, function: Callable[[Any], object] | None, argument: Any) -> None:
        if function is not None:
            try:
                if self._slow is None or name == "on_event":
                    function(argument)
                else:
                    self._timed(name, function)(argument)
            except BaseException as error:
                self.raised(name, error)

    def raised(self, name: str, error: BaseException) -> None:
        """A function of the user's has raised: the log, `on_error` and the owner are told."""
        _let_ctrl_c_through(error)
        self._log[0].error("handler %s raised", name, exc_info=error)
        self.error(error)
        if self._on_raised is not None:
            self._on_raised(error)

    def predicate_raised(self, error: BaseException) -> None:
        """``Reconnect.retry`` has raised."""
        # `raised` is a function of C as well: taken as a value it would be called as another type.
        self.raised("Reconnect.retry", error)

    def executor_refuses(self, why: str) -> None:
        """What was to run the handlers does not."""
        try:
            self._log[0].warning(
                "handlers run on a background thread, because the executor does not run them: %s",
                why,
            )
        except Exception as error:  # a filter of the user's
            self.error(error)

    def _timed(self, name: str, function: Callable[[Any], object]) -> Callable[[Any], object]:
        """`function` with a clock around it, because slow calls are to be told."""
        assert self._slow is not None
        limit, on_slow = self._slow

        def timed(argument: Any) -> None:
            started = perf_counter()
            try:
                function(argument)
            finally:
                seconds = perf_counter() - started
                if seconds > limit:
                    on_slow(name, seconds)

        return timed


def _ignore(message: object) -> None:
    """Where messages go when nobody asked for them."""


class _Unheard(Callbacks):
    """What all lines share that have no handlers, and no function of the user's that may raise."""

    def begin(self, log: AnyLogger) -> None:
        """Nothing is ever told."""


_UNHEARD = _Unheard(NO_HANDLERS, UNNUMBERED)


def callbacks_of(handlers: Handlers, options: Options, owner: Owner) -> Callbacks:
    """A line's."""
    may_raise = options.reconnect is not None or options.heartbeat_message is not None
    if handlers is NO_HANDLERS and not may_raise:
        return _UNHEARD
    return Callbacks(
        handlers,
        UNNUMBERED if options.logger is None else ConnectionLog(options.logger, 0),
        options.slow_callback,
        # Each is kept only where it is of any use.
        on_slow=None if options.slow_callback is None else owner.slow_callback,
        on_raised=owner.handler_raised if options.close_on_callback_error else None,
    )


def _let_ctrl_c_through(error: BaseException) -> None:
    """Handlers run on the main thread during a dial, or with an executor that wants it so."""
    if (
        isinstance(error, KeyboardInterrupt)
        and threading.current_thread() is threading.main_thread()
    ):
        raise error
