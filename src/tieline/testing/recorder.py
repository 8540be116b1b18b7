"""Calls of a client's handlers → a list in their order, which a test takes apart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, NamedTuple

from tieline.engine.handlers import FrameAction

#: Stands for any value in `Recorder.expect`.
ANYTHING: Any = type("Anything", (), {"__repr__": lambda self: "anything"})()

#: Seconds that `wait_for` waits, unless told otherwise.
_PATIENCE = 5.0


#: Characters of a value that an error text shows.
_SHOWN = 100


class Record(NamedTuple):
    """One call of a handler."""

    kind: str  #: "open", "message", "end" (`callback` with None), "close", "ping", "error", ...
    value: Any  #: what the handler was given
    thread: threading.Thread  #: the thread that called it

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.kind} {shown[:_SHOWN]}{'...' if len(shown) > _SHOWN else ''}"


class Recorder:
    """Handlers that write down what they were called with.

    ``WebSocketClient(recorder.callback, url)``, or ``WebSocketClient(url, **recorder.handlers())``.
    A test then takes out what came: `expect` the next record, `wait_for` the first of a kind. Ends
    with `assert_exhausted`, or is used as a context manager, which calls it: then nothing was left
    over, and no handler was called while another one ran.

    Handlers come from any thread; the other methods are for the test's.
    """

    #: Every kind of record, and the handler it comes from. ``callback`` gives "message" and "end".
    KINDS = ("open", "message", "close", "ping", "pong", "error", "reconnecting", "frame", "event")

    def __init__(self) -> None:
        #: Every message that came, in order, also those that were taken out.
        self.messages: list[str | bytes] = []
        #: Every thread that called a handler.
        self.threads: set[threading.Thread] = set()
        #: Handlers that were called while another one ran: none, unless there is a fault.
        self.overlaps: list[str] = []
        # Guards the records and tells of new ones.
        self._changed = threading.Condition()
        self._records: list[Record] = []
        self._running: Record | None = None
        self._reactions: dict[str, Callable[[Any], Any]] = {}

    def __repr__(self) -> str:
        return f"<Recorder, left: {self._shown()}>"

    # --- handlers -------------------------------------------------------------------------------

    def handlers(self, *kinds: str) -> dict[str, Callable[[Any], Any]]:
        """``{"on_open": ..., ...}``: for these kinds; without any, for all but frame and event."""
        unknown = [kind for kind in kinds if kind not in self.KINDS]
        if unknown:
            known = ", ".join(self.KINDS)
            raise ValueError(f"unknown kind {unknown[0]!r}: expected one of {known}")
        chosen = kinds or [kind for kind in self.KINDS if kind not in ("frame", "event")]
        return {f"on_{kind}": getattr(self, f"on_{kind}") for kind in chosen}

    def react(self, kind: str, function: Callable[[Any], Any]) -> None:
        """Also call `function(value)` for each record of this kind, inside the handler.

        What it returns, the handler returns (for "frame": a `FrameAction`); it may raise.
        """
        self._reactions[kind] = function

    def callback(self, message: str | bytes | None) -> None:
        """For the `callback` argument: "message", and "end" for None."""
        if message is None:
            self._record("end", None)
        else:
            self.on_message(message)

    def on_message(self, message: str | bytes) -> None:
        self.messages.append(message)
        self._record("message", message)

    def on_open(self, response: Any) -> None:
        self._record("open", response)

    def on_close(self, info: Any) -> None:
        self._record("close", info)

    def on_ping(self, data: bytes) -> None:
        self._record("ping", data)

    def on_pong(self, data: bytes) -> None:
        self._record("pong", data)

    def on_error(self, error: Exception) -> None:
        self._record("error", error)

    def on_reconnecting(self, attempt: Any) -> None:
        self._record("reconnecting", attempt)

    def on_event(self, event: Any) -> None:
        self._record("event", event)

    def on_frame(self, frame: Any) -> FrameAction:
        action = self._record("frame", frame)
        return action if isinstance(action, FrameAction) else FrameAction.PROCESS

    # --- taking apart ---------------------------------------------------------------------------

    def expect(self, kind: str, value: Any = ANYTHING, *, timeout: float = 0.0) -> Any:
        """Take out the next record, which is of this kind and equals `value`; return its value.

        Waits up to `timeout` seconds for it to come. Raises AssertionError.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._records, timeout)
            wanted = kind if value is ANYTHING else f"{kind} {value!r}"
            if not self._records:
                raise AssertionError(f"expected {wanted} within {timeout:g} s, nothing came")
            found = self._records[0]
            if found.kind != kind or (value is not ANYTHING and found.value != value):
                raise AssertionError(f"expected {wanted}, got {self._shown()}")
            return self._records.pop(0).value

    def wait_for(self, kind: str, *, timeout: float = _PATIENCE) -> Any:
        """Take out the first record of this kind, whatever came before it; return its value.

        Waits up to `timeout` seconds for it to come. Raises AssertionError.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for index, record in enumerate(self._records):
                    if record.kind == kind:
                        return self._records.pop(index).value
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    raise AssertionError(
                        f"expected {kind} within {timeout:g} s, got {self._shown()}"
                    )

    def take(self) -> list[Record]:
        """Take out all records that are there."""
        with self._changed:
            taken, self._records = self._records, []
        return taken

    def assert_exhausted(self) -> None:
        """Raise AssertionError if a record was not taken out, or handlers ran at the same time."""
        with self._changed:
            if self.overlaps:
                raise AssertionError(f"handlers ran at the same time: {'; '.join(self.overlaps)}")
            if self._records:
                raise AssertionError(f"expected nothing more, got {self._shown()}")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.assert_exhausted()

    # --- inside ---------------------------------------------------------------------------------

    def _record(self, kind: str, value: Any) -> Any:
        record = Record(kind, value, threading.current_thread())
        with self._running_alone(record):
            with self._changed:
                self._records.append(record)
                self.threads.add(record.thread)
                self._changed.notify_all()
            reaction = self._reactions.get(kind)
            return None if reaction is None else reaction(value)

    @contextmanager
    def _running_alone(self, record: Record) -> Iterator[None]:
        with self._changed:
            outer, self._running = self._running, record
            if outer is not None:
                self.overlaps.append(
                    f"{record} on {record.thread.name} during {outer} on {outer.thread.name}"
                )
        try:
            yield
        finally:
            with self._changed:
                self._running = outer

    def _shown(self) -> str:
        return ", ".join(map(str, self._records)) or "nothing"
