"""An iterable of pieces → one fragmented message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tieline.engine.payloads import encode_payload
from tieline.engine.session import Session
from tieline.errors import OptionError
from tieline.protocol.wire import CloseCode, Opcode

FrameParts = tuple[Opcode, bytes, bool]


def send_fragments(session: Session, pieces: Iterable[Any]) -> None:
    """Send each piece as one frame, as it is produced.

    The iterable runs on the calling thread, with no lock held; other senders wait until the message
    is complete. When it fails half-way the message cannot be completed, so the connection is failed
    with 1011. A handler must not wait for room, so there the pieces are gathered first.
    """
    frames = _frames(pieces)
    if session.in_handler():
        session.speaker.frames(list(frames))
        return
    started = False
    try:
        for frame in frames:
            session.speaker.frames([frame])
            started = True
    except BaseException as error:
        if started and session.is_open:
            session.fail(
                RuntimeError(
                    f"a fragmented message could not be completed: {type(error).__name__}"
                ),
                CloseCode.INTERNAL_ERROR,
            )
        raise


def _frames(pieces: Iterable[Any]) -> Iterator[FrameParts]:
    """The frames of one message: one piece behind, because the last one is marked."""
    kind: Opcode | None = None
    opcode = Opcode.CONTINUATION
    held: bytes | None = None
    for piece in pieces:
        encoded = encode_payload(piece)
        if encoded is None:
            raise OptionError(
                f"a fragment is {type(piece).__name__}: expected str or bytes, as in every other "
                "fragment of the message"
            )
        if kind is None:
            opcode = kind = encoded[0]
        elif encoded[0] is not kind:
            raise OptionError("the fragments of one message must be all str or all bytes, got both")
        if held is not None:
            yield opcode, held, False
            opcode = Opcode.CONTINUATION
        # A copy: the iterable may use its buffer again for the next piece.
        held = bytes(encoded[1])
    if held is None:
        raise OptionError("cannot send an empty iterable: a message has at least one fragment")
    yield opcode, held, True
