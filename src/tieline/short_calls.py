# cython: language_level=3, annotation_typing=False, binding=True
# cython: freethreading_compatible=True
"""The calls of every message → the session's lane, with no Python in between.

What a lane does not take, and all that is out of the ordinary, is the front's own business. Which
session a line has is the line's to say: where that stays Python (`LINES` in setup.py), this does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from tieline.engine.line import Line
    from tieline.engine.receipts import Receipt
    from tieline.engine.stock import Stock
    from tieline.front import WhenOffline


def _message_of(line: Line) -> str | bytes | None:
    """What the line's session has, or gets very soon. None: the general way."""
    if line is not None:  # it is, in a front whose `__init__` has not run
        session = line.session
        if session is not None:
            return session.lane.recv()
    return None


class ShortSend:
    """`send` of a front of threads. Any thread."""

    if TYPE_CHECKING:
        _line: Line

        def _send(
            self,
            message: object,
            compress: bool | None,
            when_offline: WhenOffline | None,
            receipt: bool,
        ) -> Receipt | None: ...

    @overload
    def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[False] = False,
    ) -> None: ...
    @overload
    def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[True],
    ) -> Receipt: ...
    @overload
    def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool,
    ) -> Receipt | None: ...
    def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool = False,
    ) -> Receipt | None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        Returns when the bytes are with the kernel or in the write buffer. While that holds more
        than ``write_limit`` bytes it blocks, for as long as the peer goes on taking them: when it
        takes none for ``timeout`` seconds, `SendTimeout` says what became of the message. In a
        handler of this connection it never blocks (`SendBufferFull`). Raises `ConnectionClosed`
        when the connection is not open.

        `when_offline` says what becomes of the message while a connection is being made (by
        default what the option ``offline`` says): "raise" `ConnectionClosed`; "queue" it for the
        next one, within ``offline_limit``; or "drop" it. A queued message also waits for the next
        connection when this one ends before the kernel has all of it; it is never sent twice. An
        iterable is never queued. When no connection will follow, `ConnectionClosed` is raised in
        any case.

        `receipt`: return a `Receipt`, which tells when the kernel has all bytes, or that it never
        will.

        `compress`: by default (None) a message of ``Deflate.threshold`` bytes and more is
        compressed, and so is an iterable, if the server has agreed; True raises `OptionError` when
        it has not, but a message that was queued then goes out as it is.

        A big message is masked and written piece by piece. The memory of a bytearray or memoryview
        is the caller's again when this returns, and what could not be waited for was copied. Each
        piece of an iterable goes out before the next is asked for. When the iterable fails half-way
        the message cannot be completed, so the connection is failed with 1011. So it is by Ctrl-C
        in a compressed message of 1 MiB and more, which is sent in fragments.
        """
        if not isinstance(self, ShortSend):  # C would take anything for one
            raise TypeError(f"send() belongs to a connection, got {type(self).__name__}")
        if compress is None and when_offline is None and not receipt:
            if self._line is not None:  # as above
                session = self._line.session
                if session is not None and session.lane.send(message):
                    return None
        return self._send(message, compress, when_offline, receipt)


class ShortReceive(ShortSend):
    """`recv` of a front whose messages are asked for. Any thread."""

    if TYPE_CHECKING:

        def _recv(self, timeout: float | None) -> str | bytes: ...

        def _next(self) -> str | bytes: ...

    def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message: ``str`` for text, ``bytes`` for binary.

        What came before the end can be received after it. Raises `TimeoutError` after `timeout`
        seconds (None: wait as long as the connection lives), which loses nothing, and
        `ConnectionClosed` when the connection has ended. `RuntimeError` in a handler, which would
        wait for itself, when there is no message yet.
        """
        if not isinstance(self, ShortReceive):  # as above
            raise TypeError(f"recv() belongs to a connection, got {type(self).__name__}")
        if timeout is None:
            message = _message_of(self._line)
            if message is not None:
                return message
        return self._recv(timeout)


class Iteration:
    """Each message as it comes: those that are here, or come very soon, without a detour."""

    def __init__(self, front: ShortReceive, inbox: Stock) -> None:
        """The front's `_next` waits for a message, and raises StopIteration at the end."""
        self._front = front
        self._inbox = inbox
        self._waiting = inbox.waiting
        self._popleft = inbox.waiting.popleft

    def __iter__(self) -> Iteration:
        return self

    def __next__(self) -> str | bytes:
        if len(self._waiting):
            try:
                taken = self._popleft()
            except IndexError:
                return self._front._next()  # another thread was faster
            if self._inbox.was_full:
                self._inbox.look_for_room()
            return taken
        message = _message_of(self._front._line)
        return self._front._next() if message is None else message
