# cython: language_level=3, annotation_typing=False, binding=True
# cython: freethreading_compatible=True
"""The calls of every message → what needs no wait, or one wait, with no Python in between.

All that is out of the ordinary is the front's own business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from tieline.aio.arrivals import Arrivals
    from tieline.aio.at_once import AtOnce
    from tieline.aio.receipts import Receipt
    from tieline.front import WhenOffline


class ShortCalls:
    """`send` and `recv` of the front of an event loop. Belongs to its thread."""

    if TYPE_CHECKING:
        _arrivals: Arrivals
        _at_once: AtOnce

        async def _send(
            self,
            message: object,
            compress: bool | None,
            when_offline: WhenOffline | None,
            receipt: bool,
        ) -> Receipt | None: ...

        async def _recv(self, timeout: float | None) -> str | bytes: ...

    @overload
    async def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[False] = False,
    ) -> None: ...
    @overload
    async def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: Literal[True],
    ) -> Receipt: ...
    @overload
    async def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool,
    ) -> Receipt | None: ...
    async def send(
        self,
        message: object,
        *,
        compress: bool | None = None,
        when_offline: WhenOffline | None = None,
        receipt: bool = False,
    ) -> Receipt | None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        An iterable may be asynchronous; each piece goes out before the next is asked for. Returns
        when the bytes are with the kernel or in the write buffer; when that holds ``write_limit``
        bytes it first waits for room, for as long as the peer goes on taking bytes: `SendTimeout`
        when it takes none for ``timeout`` seconds. Raises `ConnectionClosed` when the connection is
        not open.

        `when_offline` says what becomes of the message while a connection is being made (by
        default what the option ``offline`` says): "raise" `ConnectionClosed`; "queue" it for the
        next one, within ``offline_limit``; or "drop" it. A queued message also waits for the next
        connection when this one ends before the kernel has all of it; it is never sent twice. An
        iterable is never queued. When no connection will follow, `ConnectionClosed` is raised in
        any case.

        `receipt`: return a `Receipt`; awaiting it tells when the kernel has all bytes, or that it
        never will.

        `compress`: by default (None) a message of ``Deflate.threshold`` bytes and more is
        compressed, and so is an iterable, if the server has agreed; True raises `OptionError` when
        it has not, but a message that was queued then goes out as it is.

        Bytes of any size are masked and written piece by piece, without a copy of all of them. Of a
        bytearray or memoryview, what the kernel does not take at once is copied, because waiting
        for it could be cancelled.

        A message in fragments that is cancelled, or whose iterable fails, half-way cannot be
        completed: the connection is failed with 1011. A compressed message of 1 MiB and more is
        sent in fragments as well, with turns for other tasks between them.
        """
        if not isinstance(self, ShortCalls):  # C would take anything for one
            raise TypeError(f"send() belongs to a connection, got {type(self).__name__}")
        if compress is None and when_offline is None and not receipt:
            at_once = self._at_once
            if at_once is not None:  # it is, in a class whose `__init__` has not run
                is_sent = at_once.send(message)
                if is_sent:
                    return None
        return await self._send(message, compress, when_offline, receipt)

    async def recv(self, timeout: float | None = None) -> str | bytes:
        """The next message: ``str`` for text, ``bytes`` for binary.

        What came before the end can be received after it. Raises `TimeoutError` after `timeout`
        seconds (None: wait as long as the connection lives), which loses nothing, and
        `ConnectionClosed` when the connection has ended.
        """
        if not isinstance(self, ShortCalls):  # as above
            raise TypeError(f"recv() belongs to a connection, got {type(self).__name__}")
        if timeout is None:
            arrivals = self._arrivals
            is_here = False
            if arrivals is not None:  # as above
                is_here = arrivals.is_here()
            if is_here:
                while True:
                    message = arrivals.take()
                    if message is not None:
                        return message
                    arrival = arrivals.next()
                    if arrival is None:
                        break
                    try:
                        await arrival
                    except BaseException:
                        arrivals.left(arrival)
                        raise
        return await self._recv(timeout)
