"""A message of a task → frames on the session, with a wait for room before each of them."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import Any

from tieline.aio.line import LoopLine
from tieline.engine.fragments import IN_PIECES, Fragments, are_at_hand, completing, pieces_of
from tieline.engine.sender import Data, Fragment
from tieline.engine.session import Session
from tieline.engine.unsent import Unsent
from tieline.errors import SendTimeout
from tieline.protocol.wire import Opcode


async def say_whole(
    line: LoopLine,
    session: Session,
    opcode: Opcode,
    payload: Data,
    compress: bool | None,
    unsent: Unsent | None,
) -> None:
    """Send a whole message, which goes out in pieces when it is big and compressed."""
    sender = session.sender
    if len(payload) < IN_PIECES or not sender.compresses(len(payload), compress):
        await line.say(
            session,
            len(payload),
            sender.must_wait,
            lambda: session.speaker.message(opcode, payload, compress, unsent),
        )
    else:
        await _say_pieces(line, session, pieces_of(opcode, payload), len(payload), unsent)


async def _say_pieces(
    line: LoopLine, session: Session, pieces: Iterator[Fragment], size: int, unsent: Unsent | None
) -> None:
    """When the peer has stopped to read, all the rest of the message goes into the buffer."""
    late: SendTimeout | None = None
    begun = False
    with completing(session):
        for piece in pieces:
            noted = unsent if piece[2] else None
            try:
                await say_frame(line, session, piece, True, noted, waits=late is None)
            except SendTimeout as error:
                if not begun:
                    raise
                late = error
                await say_frame(line, session, piece, True, noted, waits=False)
            begun = True
    if late is not None:
        raise session.sender.not_taken(size) from late


async def say_fragments(
    line: LoopLine,
    session: Session,
    pieces: AsyncIterable[Any] | Iterable[Any],
    compress: bool,
    unsent: Unsent | None,
) -> None:
    """Send each piece as one frame, as it comes; `unsent` stands for the last of them."""
    fragments = Fragments(holds_back=are_at_hand(pieces))
    with completing(session):
        if not isinstance(pieces, AsyncIterable):
            pieces = _asynchronous(pieces)
        async for piece in pieces:
            for frame in fragments.add(piece):
                await say_frame(line, session, frame, compress)
        await say_frame(line, session, fragments.last(), compress, unsent)


async def say_frame(
    line: LoopLine,
    session: Session,
    frame: Fragment,
    compress: bool,
    unsent: Unsent | None = None,
    *,
    waits: bool = True,
) -> None:
    """Send one frame of a fragmented message."""
    await line.say(
        session,
        len(frame[1]),
        session.sender.must_wait if waits else lambda: False,
        lambda: session.speaker.frames([frame], compress, waits=waits, unsent=unsent),
    )


async def _asynchronous(pieces: Iterable[Any]) -> AsyncIterator[Any]:
    for piece in pieces:
        yield piece
