"""What a task of the event loop sends → the session's speaker, waiting for room where it must."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from tieline.aio.line import LoopLine
from tieline.aio.pings import PingWaiter
from tieline.engine.fragments import (
    IN_PIECES,
    Fragments,
    are_at_hand,
    completing,
    pieces_of,
    send_message,
)
from tieline.engine.payloads import (
    check_frame,
    control_payload,
    encode_json,
    encode_payload,
    fragments_of,
)
from tieline.engine.sender import Data, Fragment
from tieline.engine.session import Session
from tieline.errors import SendBufferFull, SendTimeout
from tieline.front import Front
from tieline.protocol.wire import Opcode


class SendingFront(Front):
    """What can be said on a connection, by the tasks of its loop; `send_threadsafe` by any thread.

    Waiting comes before taking: a call that is cancelled has sent nothing.
    """

    _line: LoopLine

    async def send(self, message: object, *, compress: bool | None = None) -> None:
        """Send ``str`` as text, bytes-like as binary, an iterable of either in fragments.

        An iterable may be asynchronous; each piece goes out before the next is asked for. Returns
        when the bytes are with the kernel or in the write buffer; when that holds ``write_limit``
        bytes it first waits for room, for as long as the peer goes on taking bytes: `SendTimeout`
        when it takes none for ``timeout`` seconds. Raises `ConnectionClosed` when the connection is
        not open.

        `compress`: by default (None) a message of ``Deflate.threshold`` bytes and more is
        compressed, and so is an iterable, if the server has agreed; True raises `OptionError` when
        it has not.

        Bytes of any size are masked and written piece by piece, without a copy of all of them. Of a
        bytearray or memoryview, what the kernel does not take at once is copied, because waiting
        for it could be cancelled.

        A message in fragments that is cancelled, or whose iterable fails, half-way cannot be
        completed: the connection is failed with 1011. A compressed message of 1 MiB and more is
        sent in fragments as well, with turns for other tasks between them.
        """
        session = self._session()
        if compress:
            session.sender.check_compression(compress)
        encoded = encode_payload(message)
        if encoded is not None:
            await self._send_whole(session, *encoded, compress)
            return
        pieces = message if isinstance(message, AsyncIterable) else fragments_of(message)
        await self._send_fragments(session, pieces, compress is not False)

    async def send_frame(self, payload: object, opcode: int, fin: bool = True) -> None:
        """Send one raw frame, for hand-made fragmentation (RFC 6455 section 5.4).

        One task sends all fragments of a message; until the last one (``fin=True``) the messages
        of others wait. (`asyncio.wait_for` runs what it is given in a task of its own before Python
        3.12: use `asyncio.timeout`.) Raises as `send` does, and `ProtocolError` for a frame that
        does not fit the ones before it.
        """
        kind, data, last = check_frame(payload, opcode, fin, "close")
        if kind is Opcode.PING:
            await self.ping(data)
        elif kind is Opcode.PONG:
            await self.pong(data)
        else:
            await self._send_frame(self._session(), (kind, data, last), False)

    async def send_json(self, value: object) -> None:
        """Send what ``json_dumps`` makes of `value`, as text, as `send` does."""
        session = self._session()
        data = encode_json(value, self.options.json_dumps)
        await self._send_whole(session, Opcode.TEXT, data, None)

    def send_threadsafe(self, message: object, *, compress: bool | None = None) -> None:
        """The same as `send`, for other threads, which it may block for ``timeout`` seconds.

        On the loop's own thread it never blocks: it raises `SendBufferFull` where it would.
        """
        session = self._session()
        try:
            send_message(session, message, compress)
        except SendBufferFull as error:
            raise SendBufferFull(
                f"{session.sender.buffered} bytes wait in the write buffer "
                f"(write_limit={self.options.write_limit}), and the event loop must not be held "
                "up: use 'await ws.send()' there. Nothing of this message was sent"
            ) from error

    async def ping(self, data: object = b"") -> PingWaiter:
        """Send a Ping (at most 125 bytes); awaiting what it returns gives the round trip."""
        session = self._session()
        payload = control_payload(data)
        waiter = PingWaiter()
        await self._line.say(
            session,
            len(payload),
            lambda: session.sender.is_full,
            lambda: session.speaker.ping_for(waiter, payload),
        )
        return waiter

    async def pong(self, data: object = b"") -> None:
        """Send an unasked Pong (at most 125 bytes): a one-way heartbeat."""
        session = self._session()
        payload = control_payload(data)
        await self._line.say(
            session,
            len(payload),
            lambda: session.sender.is_full,
            lambda: session.speaker.pong(payload),
        )

    async def _send_whole(
        self, session: Session, opcode: Opcode, payload: Data, compress: bool | None
    ) -> None:
        sender = session.sender
        if len(payload) < IN_PIECES or not sender.compresses(len(payload), compress):
            await self._line.say(
                session,
                len(payload),
                sender.must_wait,
                lambda: session.speaker.message(opcode, payload, compress),
            )
        else:
            await self._send_pieces(session, pieces_of(opcode, payload), len(payload))

    async def _send_pieces(self, session: Session, pieces: Iterator[Fragment], size: int) -> None:
        """When the peer has stopped to read, all the rest of the message goes into the buffer."""
        late: SendTimeout | None = None
        begun = False
        with completing(session):
            for piece in pieces:
                try:
                    await self._send_frame(session, piece, True, waits=late is None)
                except SendTimeout as error:
                    if not begun:
                        raise
                    late = error
                    await self._send_frame(session, piece, True, waits=False)
                begun = True
        if late is not None:
            raise session.sender.not_taken(size) from late

    async def _send_fragments(
        self, session: Session, pieces: AsyncIterable[Any] | Iterable[Any], compress: bool
    ) -> None:
        fragments = Fragments(holds_back=are_at_hand(pieces))
        with completing(session):
            if not isinstance(pieces, AsyncIterable):
                pieces = _asynchronous(pieces)
            async for piece in pieces:
                for frame in fragments.add(piece):
                    await self._send_frame(session, frame, compress)
            await self._send_frame(session, fragments.last(), compress)

    async def _send_frame(
        self, session: Session, frame: Fragment, compress: bool, *, waits: bool = True
    ) -> None:
        await self._line.say(
            session,
            len(frame[1]),
            session.sender.must_wait if waits else lambda: False,
            lambda: session.speaker.frames([frame], compress, waits=waits),
        )


async def _asynchronous(pieces: Iterable[Any]) -> AsyncIterator[Any]:
    for piece in pieces:
        yield piece
